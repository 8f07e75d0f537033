/* A definition and flat bodies: what is valid becomes a valid response, and the same body again. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "intake/core/text.h"
#include "intake/domain/evaluate.h"
#include "intake/domain/issue.h"
#include "intake/domain/questionnaire.h"

/* There and back; the second response must be the first, byte by byte. */
static void turn_around(const struct questionnaire *questionnaire, const struct document *body)
{
    struct document response;
    struct document flat;
    struct document again;
    fuzz_to_response(questionnaire, body, &response);
    fuzz_assert_valid_response(questionnaire, &response);
    fuzz_to_flat(questionnaire, &response, &flat);
    fuzz_assert_valid_flat(questionnaire, &flat);
    fuzz_to_response(questionnaire, &flat, &again);
    fuzz_assert(strcmp(response.text, again.text) == 0, response.text, again.text);
    document_finish(&response);
    document_finish(&flat);
    document_finish(&again);
}

static void run(const struct fuzz_case *fuzz_case, const json_t *answers)
{
    struct document body;
    struct strbuf text = {0};
    struct issues issues = {0};
    struct evaluation evaluation = {0};
    json_print(answers, &fuzz_case->document.lexemes, &text);
    const size_t len = text.len;
    document_parse(&body, strbuf_take(&text), len);
    const struct questionnaire *questionnaire = fuzz_case->questionnaire;
    if (questionnaire_validate_flat_lexemes(questionnaire, body.root, &body.lexemes, &issues,
                                            NULL) == STATUS_OK) {
        fuzz_assert(questionnaire_evaluate(questionnaire, body.root, &evaluation, NULL) ==
                        STATUS_OK,
                    "no evaluation", body.text);
        evaluation_finish(&evaluation);
        if (issues_are_none(&issues)) {
            turn_around(questionnaire, &body);
        } else {
            struct document response;
            fuzz_to_response(questionnaire, &body, &response);
            document_finish(&response);
        }
    }
    issues_finish(&issues);
    document_finish(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_case fuzz_case;
    if (!fuzz_case_read(&fuzz_case, data, size)) {
        return 0;
    }
    const json_t *cases = json_object_get(fuzz_case.document.root, "cases");
    for (size_t i = 0; i < json_array_size(cases) && fuzz_case.questionnaire != NULL; i++) {
        const json_t *answers = json_object_get(json_array_get(cases, i), "answers");
        if (json_is_object(answers) || json_is_array(answers)) { /* a text alone is no body */
            run(&fuzz_case, answers);
        }
    }
    fuzz_case_finish(&fuzz_case);
    return 0;
}
