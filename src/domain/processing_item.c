/* One claimed submission: parsed, checked, and its verdict. */
#include "processing_item.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/json.h"
#include "intake/core/text.h"
#include "intake/domain/answer_tree.h"
#include "intake/domain/envelope_fields.h"
#include "intake/domain/evaluate.h"
#include "intake/domain/issue.h"
#include "intake/domain/questionnaire.h"
#include "intake/domain/questionnaire_set.h"

static enum status fail(struct processing_item *item, const char *reason)
{
    item->verdict = VERDICT_FAILED;
    snprintf(item->reason, sizeof item->reason, "%s", reason);
    return STATUS_OK;
}

/* "age_range: invalidAnswerOption, allergies: required": what broke which rule. */
static void describe_issues(struct processing_item *item, const struct issues *issues)
{
    size_t used = 0;
    for (size_t i = 0; i < issues->count && used < sizeof item->reason; i++) {
        const struct issue *issue = &issues->items[i];
        if (issue->severity > ISSUE_ERROR) {
            continue;
        }
        const int len =
            snprintf(item->reason + used, sizeof item->reason - used, "%s%s: %s",
                     used > 0 ? ", " : "the answers break rules: ", issue->field, issue->code);
        used += len > 0 ? (size_t)len : 0;
    }
}

static enum status collect_answers(struct processing_item *item, const json_t *body,
                                   struct err *err)
{
    item->answers = json_object();
    const char *name;
    json_t *value;
    json_object_foreach(json_readable(body), name, value)
    {
        if (!json_is_unanswered(value) && !envelope_field_is(name) &&
            json_object_set(item->answers, name, value) != 0) {
            return err_no_memory(err);
        }
    }
    return item->answers != NULL ? STATUS_OK : err_no_memory(err);
}

/* What staff are told at a glance; nothing is kept of answers that come to nothing. */
static enum status evaluate(struct processing_item *item, const struct questionnaire *definition,
                            const json_t *body, struct err *err)
{
    AUTO(evaluation_finish) struct evaluation evaluation = {.derived_age = -1};
    const enum status status = questionnaire_evaluate(definition, body, &evaluation, err);
    if (status != STATUS_OK) {
        return status;
    }
    item->age = evaluation.derived_age;
    if (evaluation.scores_count + evaluation.flags_count == 0) {
        return STATUS_OK;
    }
    evaluation.derived_age = -1; /* the profile has it */
    struct strbuf text = {0};
    evaluation_print(&evaluation, &text);
    item->evaluation_text = strbuf_take(&text);
    return item->evaluation_text != NULL ? STATUS_OK : err_no_memory(err);
}

static enum status check_answers(struct processing_item *item,
                                 const struct questionnaire *definition, const json_t *body,
                                 struct err *err)
{
    AUTO(issues_finish) struct issues issues = {0};
    const struct view text = item->claimed.data;
    enum status status =
        questionnaire_validate_flat_text(definition, body, text.data, text.len, &issues, err);
    if (status != STATUS_OK || issues.failed) {
        return status != STATUS_OK ? status : err_no_memory(err);
    }
    if (!issues_are_none(&issues)) {
        item->verdict = VERDICT_FAILED;
        describe_issues(item, &issues);
        return STATUS_OK;
    }
    status = evaluate(item, definition, body, err);
    return status == STATUS_OK ? collect_answers(item, body, err) : status;
}

enum status processing_item_prepare(struct processing_item *item,
                                    const struct questionnaire_set *questionnaires,
                                    const struct processing_options *options, struct err *err)
{
    const struct claimed_submission *claimed = &item->claimed;
    item->verdict = VERDICT_PROCESSED;
    item->age = -1;
    if (claimed->attempts > options->attempts_max) {
        return fail(item, "processing was interrupted each time it was tried");
    }
#ifdef INTAKE_TEST_CRASH /* a build of tests/proof/poison.py alone */
    if (text_starts_with(claimed->booking_uid.data, "crash-")) {
        abort();
    }
#endif
    if (*claimed->profile_id == '\0') {
        return fail(item, "the submission has no patient profile");
    }
    const struct questionnaire *definition = questionnaire_set_answered(
        questionnaires, claimed->questionnaire_id.data, claimed->questionnaire_version.data);
    if (definition == NULL) {
        return fail(item, "its questionnaire is not in the questionnaire folder");
    }
    json_auto_t *body = NULL;
    const enum status status = json_parse(claimed->data.data, claimed->data.len, &body, err);
    if (status == STATUS_NO_MEMORY) {
        return status;
    }
    if (status != STATUS_OK || !json_is_object(body)) {
        return fail(item, "the stored answers are not a JSON object");
    }
    return check_answers(item, definition, body, err);
}

enum status processing_item_reset(struct processing_item *item, struct err *err)
{
    json_decref(item->contradictions);
    item->contradictions = json_array();
    json_auto_t *before = NULL;
    const struct view text = item->claimed.contradictions;
    const enum status status = json_parse(text.data, text.len, &before, NULL);
    size_t index;
    json_t *entry;
    int failed = item->contradictions == NULL || status == STATUS_NO_MEMORY;
    json_array_foreach(before, index, entry)
    {
        const char *field = json_string_value(json_object_get(entry, "field"));
        if (field != NULL && envelope_field_is(field)) {
            failed |= json_array_append(item->contradictions, entry);
        }
    }
    return failed ? err_no_memory(err) : STATUS_OK;
}

void processing_item_finish(struct processing_item *item)
{
    json_decref(item->answers);
    json_decref(item->contradictions);
    free(item->contradictions_text);
    free(item->evaluation_text);
}
