/* The check of a QuestionnaireResponse: its head, and then the rules that all answers share. */
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/domain/compiled.h"
#include "intake/domain/validate.h"

/* FHIR R4 questionnaire-answers-status, and what each means for the check. */
static const struct response_status {
    const char *name;
    bool demand;
    bool lenient;
} statuses[] = {
    {"completed", true, false}, {"amended", true, false},           {"in-progress", false, true},
    {"stopped", false, false},  {"entered-in-error", false, false},
};

static const struct response_status *find_status(const json_t *status)
{
    for (size_t i = 0; i < ARRAY_LENGTH(statuses); i++) {
        if (json_is_string(status) && strcmp(statuses[i].name, json_string_value(status)) == 0) {
            return &statuses[i];
        }
    }
    return NULL;
}

/*
 * Whether the canonical (`url` or `url|version`) names this questionnaire. Many systems say where
 * it is instead, `Questionnaire/id`, and mean the same.
 */
static bool is_canonical_of(const struct questionnaire *questionnaire, const char *canonical)
{
    static const char relative[] = "Questionnaire/";
    const bool by_id = text_starts_with(canonical, relative);
    const char *name = by_id ? questionnaire->id : questionnaire->url;
    canonical += by_id ? sizeof relative - 1 : 0;
    const size_t len = strcspn(canonical, "|#");
    if (strlen(name) != len || strncmp(name, canonical, len) != 0) {
        return false;
    }
    return canonical[len] != '|' || questionnaire->version[0] == '\0' ||
           strcmp(canonical + len + 1, questionnaire->version) == 0;
}

/* False when the response answers another questionnaire, so that nothing else has a meaning. */
static bool check_canonical(const struct questionnaire *questionnaire, const json_t *response,
                            struct issues *issues)
{
    const json_t *canonical = json_object_get(response, "questionnaire");
    if (canonical == NULL || questionnaire->url[0] == '\0') {
        return true;
    }
    if (json_is_string(canonical) && is_canonical_of(questionnaire, json_string_value(canonical))) {
        return true;
    }
    issues_add(issues, "questionnaireNotFound", "", "QuestionnaireResponse.questionnaire",
               "These are the answers to another questionnaire.");
    return false;
}

static bool is_outside(const struct questionnaire *questionnaire, const struct date_time *authored)
{
    return (questionnaire->has_start && date_time_compare(authored, &questionnaire->start) < 0) ||
           (questionnaire->has_end && date_time_compare(authored, &questionnaire->end) > 0);
}

/* Answers to a form that is not offered stay readable, so these are warnings. */
static void check_offer(const struct questionnaire *questionnaire, const json_t *response,
                        struct issues *issues)
{
    const json_t *authored = json_object_get(response, "authored");
    struct date_time moment;
    if (strcmp(questionnaire->status, "draft") == 0) {
        issues_add_severity(issues, ISSUE_WARNING, "questionnaireDraft", "",
                            "QuestionnaireResponse.questionnaire",
                            "This questionnaire is a draft.");
    } else if (strcmp(questionnaire->status, "retired") == 0) {
        issues_add_severity(issues, ISSUE_WARNING, "questionnaireRetired", "",
                            "QuestionnaireResponse.questionnaire",
                            "This questionnaire is no longer in use.");
    }
    if (authored == NULL) {
        return;
    }
    if (!json_is_string(authored) ||
        !date_time_read(json_string_value(authored), json_string_length(authored), &moment)) {
        issues_add(issues, "format", "", "QuestionnaireResponse.authored",
                   "This is not a date that exists.");
    } else if (is_outside(questionnaire, &moment)) {
        issues_add_severity(issues, ISSUE_WARNING, "questionnaireInactive", "",
                            "QuestionnaireResponse.authored",
                            "This questionnaire was not in use at that time.");
    }
}

bool json_is_resource(const json_t *json, const char *type)
{
    const char *name = json_string_value(json_object_get(json, "resourceType"));
    return name != NULL && strcmp(name, type) == 0;
}

enum status questionnaire_validate_response(const struct questionnaire *questionnaire,
                                            const json_t *response,
                                            const struct json_lexemes *lexemes,
                                            struct issues *issues, struct err *err)
{
    if (!json_is_resource(response, "QuestionnaireResponse")) {
        return err_set(err, STATUS_INVALID, "not a FHIR QuestionnaireResponse");
    }
    if (!check_canonical(questionnaire, response, issues)) {
        return STATUS_OK;
    }
    const json_t *code = json_object_get(response, "status");
    const struct response_status *progress = find_status(code);
    if (progress == NULL) {
        issues_add(issues, code == NULL ? "required" : "format", "", "QuestionnaireResponse.status",
                   "The status must say whether the answers are complete.");
        progress = &statuses[0];
    }
    check_offer(questionnaire, response, issues);

    struct answer_tree tree;
    const enum status status =
        answer_tree_from_response(&tree, questionnaire, response, lexemes, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct check check = {
        .tree = &tree,
        .issues = issues,
        .demand = progress->demand,
        .lenient = progress->lenient,
    };
    answer_tree_enable(&tree);
    validate_tree(&check);
    answer_tree_finish(&tree);
    return issues->failed ? err_no_memory(err) : STATUS_OK;
}
