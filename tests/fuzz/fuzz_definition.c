/* Any bytes as a definition: it is refused with a reason, or it works. */
#include "fuzz.h"

#include "intake/domain/evaluate.h"
#include "intake/domain/issue.h"
#include "intake/domain/questionnaire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct issues issues = {0};
    struct err err = {0};
    struct questionnaire *questionnaire = NULL;
    const enum status status =
        questionnaire_compile((const char *)data, size, &issues, &questionnaire, &err);
    if (status != STATUS_OK) {
        fuzz_assert(err.message[0] != '\0', "refused without a reason", "");
        issues_finish(&issues);
        return 0;
    }
    fuzz_assert(issues.errors_count == 0, "accepted with errors", "");

    json_t *body = json_object();
    struct evaluation evaluation = {0};
    (void)questionnaire_validate_flat(questionnaire, body, &issues, NULL);
    (void)questionnaire_is_offered(questionnaire, 0);
    fuzz_assert(questionnaire_evaluate(questionnaire, body, &evaluation, NULL) == STATUS_OK,
                "no evaluation", "");
    evaluation_finish(&evaluation);
    json_decref(body);
    issues_finish(&issues);
    questionnaire_destroy(questionnaire);
    return 0;
}
