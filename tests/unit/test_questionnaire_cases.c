/*
 * Every file of tests/cases/questionnaire: a questionnaire, answers to it, and what must be found
 * wrong with them. README.md there says how to write one.
 */
#include "cmocka_all.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/json.h"
#include "intake/domain/questionnaire.h"

static const char *const folders[] = {"tests/cases/questionnaire",
                                      "tests/cases/questionnaire/community"};

static int mismatches;

struct document {
    char *data;
    size_t len;
    json_t *root;
    struct json_lexemes lexemes;
};

static void document_finish(struct document *document)
{
    json_lexemes_finish(&document->lexemes);
    json_decref(document->root);
    free(document->data);
}

/* Takes the text over. */
static void document_parse(struct document *document, char *data, size_t len)
{
    struct err err = {0};
    document->data = data;
    document->len = len;
    if (json_parse(data, len, &document->root, &err) != STATUS_OK) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(json_lexemes_read(data, len, document->root, &document->lexemes, NULL),
                     STATUS_OK);
}

/* `before` and a part of the case file and `after`, as a document of its own. */
static void document_wrap(struct document *document, const struct document *file,
                          const char *before, const json_t *part, const char *after)
{
    struct strbuf text = {0};
    strbuf_puts(&text, before);
    json_print(part, &file->lexemes, &text);
    strbuf_puts(&text, after);
    const size_t len = text.len;
    document_parse(document, strbuf_take(&text), len);
}

static void read_questionnaire(struct document *document, const struct document *file)
{
    const json_t *whole = json_object_get(file->root, "questionnaire");
    const json_t *items = json_object_get(file->root, "items");
    if (whole != NULL) {
        document_wrap(document, file, "", whole, "");
        return;
    }
    assert_non_null(items);
    document_wrap(document, file,
                  "{\"resourceType\":\"Questionnaire\",\"status\":\"active\",\"url\":\"urn:case\","
                  "\"item\":",
                  items, "}");
}

/* "linkId code", and "(warning)" behind those that forbid nothing. */
static void print_issue(const struct issue *issue, struct strbuf *out)
{
    const bool error = issue->severity == ISSUE_ERROR || issue->severity == ISSUE_FATAL;
    strbuf_printf(out, "%s %s%s", issue->field, issue->code, error ? "" : " (warning)");
    if (issue->message[0] == '\0') {
        strbuf_puts(out, " without a sentence");
    }
}

static void compare(const struct issues *found, const json_t *expected, const char *file,
                    const char *about)
{
    struct strbuf have = {0};
    struct strbuf want = {0};
    for (size_t i = 0; i < found->count; i++) {
        print_issue(&found->items[i], &have);
        strbuf_puts(&have, "; ");
    }
    assert_true(json_is_array(expected));
    for (size_t i = 0; i < json_array_size(expected); i++) {
        strbuf_printf(&want, "%s; ", json_string_value(json_array_get(expected, i)));
    }
    const char *have_text = have.data == NULL ? "" : have.data;
    const char *want_text = want.data == NULL ? "" : want.data;
    if (strcmp(have_text, want_text) != 0) {
        print_error("%s: %s\n  expected: %s\n  found:    %s\n", file, about, want_text, have_text);
        mismatches++;
    }
    strbuf_finish(&have);
    strbuf_finish(&want);
}

static void run_case(const struct questionnaire *questionnaire, const struct document *file,
                     const json_t *test, const char *path)
{
    const char *about = json_string_value(json_object_get(test, "about"));
    const json_t *flat = json_object_get(test, "answers");
    const json_t *response = json_object_get(test, "response");
    const json_t *items = json_object_get(test, "response_items");
    const char *status = json_string_value(json_object_get(test, "status"));
    struct document document = {0};
    struct issues issues = {0};
    struct err err = {0};
    if (flat != NULL) {
        document_wrap(&document, file, "", flat, "");
        assert_int_equal(questionnaire_validate_flat_lexemes(questionnaire, document.root,
                                                             &document.lexemes, &issues, &err),
                         STATUS_OK);
    } else {
        struct strbuf before = {0};
        strbuf_printf(&before,
                      "{\"resourceType\":\"QuestionnaireResponse\",\"status\":\"%s\",\"item\":",
                      status == NULL ? "completed" : status);
        document_wrap(&document, file, response == NULL ? before.data : "",
                      response == NULL ? items : response, response == NULL ? "}" : "");
        strbuf_finish(&before);
        assert_int_equal(questionnaire_validate_response(questionnaire, document.root,
                                                         &document.lexemes, &issues, &err),
                         STATUS_OK);
    }
    compare(&issues, json_object_get(test, "issues"), path, about == NULL ? "" : about);
    issues_finish(&issues);
    document_finish(&document);
}

static void run_file(const char *path)
{
    struct document file = {0};
    struct document definition = {0};
    struct questionnaire *questionnaire = NULL;
    struct issues issues = {0};
    struct err err = {0};
    char *data = NULL;
    size_t len = 0;
    if (json_read_file(path, QUESTIONNAIRE_MAX_BYTES, &data, &len, &err) != STATUS_OK) {
        fail_msg("%s", err.message);
    }
    document_parse(&file, data, len);
    read_questionnaire(&definition, &file);
    const enum status status =
        questionnaire_compile(definition.data, definition.len, &issues, &questionnaire, &err);
    const json_t *expected = json_object_get(file.root, "definition_issues");
    if (expected != NULL) {
        compare(&issues, expected, path, "the definition");
    } else if (status != STATUS_OK) {
        print_error("%s: the definition is refused: %s\n", path, err.message);
        mismatches++;
    }
    assert_int_equal(status == STATUS_OK, issues.errors_count == 0);
    const json_t *cases = json_object_get(file.root, "cases");
    assert_true(json_array_size(cases) > 0 || expected != NULL);
    for (size_t i = 0; i < json_array_size(cases) && status == STATUS_OK; i++) {
        run_case(questionnaire, &file, json_array_get(cases, i), path);
    }
    questionnaire_destroy(questionnaire);
    issues_finish(&issues);
    document_finish(&definition);
    document_finish(&file);
}

static int is_case(const struct dirent *entry)
{
    const char *end = strrchr(entry->d_name, '.');
    return end != NULL && strcmp(end, ".json") == 0;
}

static void test_every_case_finds_what_it_names(void **state)
{
    (void)state;
    const char *root = getenv("INTAKE_SOURCE_ROOT");
    for (size_t f = 0; f < ARRAY_LENGTH(folders); f++) {
        struct strbuf folder = {0};
        struct dirent **entries = NULL;
        strbuf_printf(&folder, "%s/%s", root == NULL ? "." : root, folders[f]);
        const int count = scandir(folder.data, &entries, is_case, alphasort);
        assert_true(count > 0);
        for (int i = 0; i < count; i++) {
            struct strbuf path = {0};
            strbuf_printf(&path, "%s/%s", folder.data, entries[i]->d_name);
            run_file(path.data);
            strbuf_finish(&path);
            free(entries[i]);
        }
        free(entries);
        strbuf_finish(&folder);
    }
    assert_int_equal(mismatches, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_case_finds_what_it_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
