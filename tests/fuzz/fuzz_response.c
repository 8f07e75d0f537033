/* A definition and QuestionnaireResponses: what is valid becomes a valid flat body, and back. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "intake/core/text.h"
#include "intake/domain/issue.h"
#include "intake/domain/questionnaire.h"

static void turn_around(const struct questionnaire *questionnaire, const struct document *response)
{
    struct document flat;
    struct document again;
    struct document last;
    fuzz_to_flat(questionnaire, response, &flat);
    fuzz_assert_valid_flat(questionnaire, &flat);
    fuzz_to_response(questionnaire, &flat, &again);
    fuzz_assert_valid_response(questionnaire, &again);
    fuzz_to_flat(questionnaire, &again, &last);
    fuzz_assert(strcmp(flat.text, last.text) == 0, flat.text, last.text);
    document_finish(&flat);
    document_finish(&again);
    document_finish(&last);
}

/* Only what demands all can be as valid in the flat form, which has no status. */
static bool is_complete(const struct document *response)
{
    const char *status = json_string_value(json_object_get(response->root, "status"));
    return status != NULL && strcmp(status, "completed") == 0;
}

static void run(const struct questionnaire *questionnaire, const struct document *response)
{
    struct issues issues = {0};
    if (questionnaire_validate_response(questionnaire, response->root, &response->lexemes, &issues,
                                        NULL) == STATUS_OK) {
        if (issues_are_none(&issues) && is_complete(response)) {
            turn_around(questionnaire, response);
        } else {
            struct document flat;
            fuzz_to_flat(questionnaire, response, &flat);
            document_finish(&flat);
        }
    }
    issues_finish(&issues);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_case fuzz_case;
    if (!fuzz_case_read(&fuzz_case, data, size)) {
        return 0;
    }
    const json_t *cases = json_object_get(fuzz_case.document.root, "cases");
    for (size_t i = 0; i < json_array_size(cases) && fuzz_case.questionnaire != NULL; i++) {
        const json_t *whole = json_object_get(json_array_get(cases, i), "response");
        const json_t *items = json_object_get(json_array_get(cases, i), "response_items");
        struct strbuf text = {0};
        struct document response;
        if (json_is_object(whole) || json_is_array(whole)) { /* a text alone is no body */
            json_print(whole, &fuzz_case.document.lexemes, &text);
        } else if (items != NULL) {
            strbuf_puts(&text, "{\"resourceType\":\"QuestionnaireResponse\",\"status\":"
                               "\"completed\",\"item\":");
            json_print(items, &fuzz_case.document.lexemes, &text);
            strbuf_putc(&text, '}');
        } else {
            continue;
        }
        const size_t len = text.len;
        document_parse(&response, strbuf_take(&text), len);
        run(fuzz_case.questionnaire, &response);
        document_finish(&response);
    }
    fuzz_case_finish(&fuzz_case);
    return 0;
}
