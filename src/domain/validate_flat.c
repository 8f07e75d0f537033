/* The check of a flat body. */
#include "intake/domain/questionnaire.h"
#include "intake/domain/validate.h"

enum status questionnaire_validate_flat_lexemes(const struct questionnaire *questionnaire,
                                                const json_t *body,
                                                const struct json_lexemes *lexemes,
                                                struct issues *issues, struct err *err)
{
    if (!json_is_object(body)) {
        return err_set(err, STATUS_INVALID, "the answers are not a JSON object");
    }
    struct answer_tree tree;
    const enum status status = answer_tree_from_flat(&tree, questionnaire, body, lexemes, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct check check = {.tree = &tree, .issues = issues, .demand = true};
    answer_tree_enable(&tree);
    validate_tree(&check);
    answer_tree_finish(&tree);
    return issues->failed ? err_no_memory(err) : STATUS_OK;
}

enum status questionnaire_validate_flat(const struct questionnaire *questionnaire,
                                        const json_t *body, struct issues *issues, struct err *err)
{
    return questionnaire_validate_flat_lexemes(questionnaire, body, NULL, issues, err);
}

enum status questionnaire_validate_flat_text(const struct questionnaire *questionnaire,
                                             const json_t *body, const char *text, size_t len,
                                             struct issues *issues, struct err *err)
{
    struct json_lexemes lexemes = {0};
    enum status status = STATUS_OK;
    if (questionnaire->has_decimals) {
        status = json_lexemes_read(text, len, body, &lexemes, err);
    }
    if (status == STATUS_OK) {
        status = questionnaire_validate_flat_lexemes(questionnaire, body, &lexemes, issues, err);
    }
    json_lexemes_finish(&lexemes);
    return status;
}
