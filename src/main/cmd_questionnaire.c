/* `intake questionnaire check`: whether a definition, or answers to it, are valid. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "intake/core/cleanup.h"
#include "intake/core/json.h"
#include "intake/core/text.h"
#include "intake/domain/issue.h"
#include "intake/domain/questionnaire.h"

static const char usage[] =
    "questionnaire check FILE.json [RESPONSE.json] [--flat]\n"
    "\n"
    "Prints a FHIR OperationOutcome: what is wrong with the Questionnaire in FILE.json, or with\n"
    "the QuestionnaireResponse in RESPONSE.json as answers to it (with --flat: the answers as\n"
    "POST /v1/submissions takes them). Exit code 0: valid, 1: not valid, 2: unusable.";

static int print(const struct issues *issues, int exit_code)
{
    AUTO(strbuf_finish) struct strbuf text = {0};
    issues_print_operation_outcome(issues, &text);
    if (text.failed) {
        fputs("intake: out of memory\n", stderr);
        return EXIT_UNUSABLE;
    }
    (void)fputs(text.data, stdout);
    return exit_code;
}

/* What could not even be checked: on stdout for programs, and on stderr for people. */
static int print_unusable(const struct err *err)
{
    AUTO(issues_finish) struct issues issues = {0};
    issues_add_severity(&issues, ISSUE_FATAL, "unusable", "", NULL, "%s", err->message);
    fprintf(stderr, "intake: %s\n", err->message);
    return print(&issues, EXIT_UNUSABLE);
}

static enum status validate(const struct questionnaire *questionnaire,
                            const struct questionnaire_arguments *arguments, struct issues *issues,
                            struct err *err)
{
    AUTO_FREE char *data = NULL;
    size_t len = 0;
    json_auto_t *response = NULL;
    struct json_lexemes lexemes = {0};
    enum status status =
        json_read_file(arguments->response, QUESTIONNAIRE_MAX_BYTES, &data, &len, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = json_parse(data, len, &response, err);
    if (status == STATUS_OK) {
        status = json_lexemes_read(data, len, response, &lexemes, err);
    }
    if (status == STATUS_OK) {
        status = arguments->flat ? questionnaire_validate_flat_lexemes(questionnaire, response,
                                                                       &lexemes, issues, err)
                                 : questionnaire_validate_response(questionnaire, response,
                                                                   &lexemes, issues, err);
    }
    json_lexemes_finish(&lexemes);
    return status == STATUS_OK ? status : err_prefix(err, "%s", arguments->response);
}

int cmd_questionnaire(int argc, char **argv)
{
    struct questionnaire_arguments arguments;
    const enum arguments_read read = questionnaire_arguments(argc, argv, &arguments);
    if (read != ARGUMENTS_READ) {
        return command_usage(usage, read);
    }
    struct err err = {0};
    struct questionnaire *questionnaire = NULL;
    AUTO(issues_finish) struct issues definition_issues = {0};
    AUTO(issues_finish) struct issues issues = {0};
    enum status status =
        questionnaire_load(arguments.definition, &definition_issues, &questionnaire, &err);
    if (status != STATUS_OK) {
        const bool broken = status == STATUS_INVALID && definition_issues.errors_count > 0;
        return broken && arguments.response == NULL ? print(&definition_issues, EXIT_NO)
                                                    : print_unusable(&err);
    }
    if (arguments.response == NULL) {
        questionnaire_destroy(questionnaire);
        return print(&definition_issues, EXIT_DONE);
    }
    status = validate(questionnaire, &arguments, &issues, &err);
    questionnaire_destroy(questionnaire);
    if (status != STATUS_OK) {
        return print_unusable(&err);
    }
    return print(&issues, issues_are_none(&issues) ? EXIT_DONE : EXIT_NO);
}
