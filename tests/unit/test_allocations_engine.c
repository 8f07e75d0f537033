/*
 * Every allocation in turn fails, once and for good: what was done either says that memory is out
 * or comes to what it comes to otherwise; nothing leaks, and the next try succeeds. The
 * engine, on every case of tests/cases/questionnaire.
 */
#include "cmocka_all.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "allocations.h"
#include "intake/core/cleanup.h"
#include "intake/domain/evaluate.h"
#include "intake/domain/flat_fhir.h"
#include "intake/domain/issue.h"
#include "intake/domain/questionnaire.h"

static size_t wrong;

#define EXHAUST(subject, run) (wrong += allocations_exhaust((subject), #run, (run)))

static enum status read_json(const struct subject *subject, struct strbuf *out)
{
    json_auto_t *root = NULL;
    AUTO(json_lexemes_finish) struct json_lexemes lexemes = {0};
    struct err err;
    enum status status = json_parse(subject->text.data, subject->text.len, &root, &err);
    if (status == STATUS_OK) {
        status = json_lexemes_read(subject->text.data, subject->text.len, root, &lexemes, &err);
    }
    if (status == STATUS_OK) {
        json_print(root, &lexemes, out);
    }
    return status;
}

static enum status compile_definition(const struct subject *subject, struct strbuf *out)
{
    struct issues issues = {0};
    struct questionnaire *questionnaire = NULL;
    struct err err;
    enum status status =
        questionnaire_compile(subject->text.data, subject->text.len, &issues, &questionnaire, &err);
    if (status == STATUS_OK && questionnaire_pack(questionnaire)) {
        const struct view gzip = questionnaire_gzip(questionnaire);
        strbuf_append(out, gzip.data, gzip.len);
    } else if (status == STATUS_OK) {
        status = STATUS_NO_MEMORY;
    }
    questionnaire_destroy(questionnaire);
    return allocations_conclude(status, &issues, out);
}

static enum status validate_flat(const struct subject *subject, struct strbuf *out)
{
    struct issues issues = {0};
    struct err err;
    const enum status status =
        questionnaire_validate_flat_text(subject->questionnaire, subject->root, subject->text.data,
                                         subject->text.len, &issues, &err);
    return allocations_conclude(status, &issues, out);
}

static enum status evaluate(const struct subject *subject, struct strbuf *out)
{
    struct evaluation evaluation = {0};
    struct err err;
    int age = -1;
    enum status status =
        questionnaire_evaluate(subject->questionnaire, subject->root, &evaluation, &err);
    if (status == STATUS_OK) {
        evaluation_print(&evaluation, out);
        status = questionnaire_derived_age(subject->questionnaire, subject->root, &age, &err);
        strbuf_printf(out, "%d", age);
    }
    evaluation_finish(&evaluation);
    return status;
}

static enum status validate_response(const struct subject *subject, struct strbuf *out)
{
    struct issues issues = {0};
    struct err err;
    const enum status status = questionnaire_validate_response(
        subject->questionnaire, subject->root, subject->lexemes, &issues, &err);
    return allocations_conclude(status, &issues, out);
}

static enum status print_flat(const struct subject *subject, struct strbuf *out)
{
    struct err err;
    return questionnaire_print_flat(subject->questionnaire, subject->root, subject->lexemes, out,
                                    &err);
}

/* One of the answers of a case file, flat or as a response. */
static void exhaust_answers(const char *name, const struct questionnaire *questionnaire,
                            const struct document *file, const json_t *test)
{
    AUTO(document_finish) struct document document = {0};
    const json_t *flat = json_object_get(test, "answers");
    const json_t *response = json_object_get(test, "response");
    if (flat == NULL && response == NULL) {
        strbuf_puts(&document.text, "{\"resourceType\":\"QuestionnaireResponse\",\"status\":"
                                    "\"completed\",\"item\":");
        json_print(json_object_get(test, "response_items"), &file->lexemes, &document.text);
        strbuf_putc(&document.text, '}');
    } else {
        json_print(flat != NULL ? flat : response, &file->lexemes, &document.text);
    }
    document_read(&document);
    struct subject subject = document_subject(name, &document);
    subject.questionnaire = questionnaire;
    EXHAUST(&subject, read_json);
    if (flat != NULL) {
        EXHAUST(&subject, validate_flat);
        EXHAUST(&subject, evaluate);
        EXHAUST(&subject, subject_print_response);
    } else {
        EXHAUST(&subject, validate_response);
        EXHAUST(&subject, print_flat);
    }
}

static void exhaust_case(const char *path)
{
    AUTO(document_finish) struct document file = {0};
    AUTO(document_finish) struct document definition = {0};
    struct issues issues = {0};
    struct questionnaire *questionnaire = NULL;
    AUTO_FREE char *data = NULL;
    size_t len = 0;
    assert_int_equal(json_read_file(path, QUESTIONNAIRE_MAX_BYTES, &data, &len, NULL), STATUS_OK);
    strbuf_append(&file.text, data, len);
    document_read(&file);
    const json_t *whole = json_object_get(file.root, "questionnaire");
    if (whole != NULL) {
        json_print(whole, &file.lexemes, &definition.text);
    } else {
        strbuf_puts(&definition.text, "{\"resourceType\":\"Questionnaire\",\"status\":\"active\","
                                      "\"url\":\"urn:case\",\"item\":");
        json_print(json_object_get(file.root, "items"), &file.lexemes, &definition.text);
        strbuf_putc(&definition.text, '}');
    }
    document_read(&definition);
    const struct subject subject = document_subject(path, &definition);
    EXHAUST(&subject, compile_definition);
    (void)questionnaire_compile(subject.text.data, subject.text.len, &issues, &questionnaire, NULL);
    const json_t *cases = json_object_get(file.root, "cases");
    for (size_t i = 0; i < json_array_size(cases) && questionnaire != NULL; i++) {
        exhaust_answers(path, questionnaire, &file, json_array_get(cases, i));
    }
    questionnaire_destroy(questionnaire);
    issues_finish(&issues);
}

static int is_case(const struct dirent *entry)
{
    const char *end = strrchr(entry->d_name, '.');
    return end != NULL && strcmp(end, ".json") == 0;
}

static void test_the_engine_on_every_case(void **state)
{
    (void)state;
    AUTO(strbuf_finish) struct strbuf folder = {0};
    struct dirent **entries = NULL;
    allocations_path(&folder, "tests/cases/questionnaire");
    const int count = scandir(folder.data, &entries, is_case, alphasort);
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        AUTO(strbuf_finish) struct strbuf path = {0};
        strbuf_printf(&path, "%s/%s", folder.data, entries[i]->d_name);
        exhaust_case(path.data);
        free(entries[i]);
    }
    free(entries);
    assert_int_equal(wrong, 0);
}

/* Last: what comes before it says nothing when none was. */
static void test_memory_was_out(void **state)
{
    (void)state;
    allocations_assert_refused(25000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_engine_on_every_case),
        cmocka_unit_test(test_memory_was_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
