/* A folder of questionnaires: versions side by side, what is offered, and what is refused. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "intake/core/cleanup.h"
#include "intake/domain/issue.h"
#include "intake/domain/questionnaire.h"
#include "intake/domain/questionnaire_set.h"

struct folder {
    char path[64];
    char *files[8];
    size_t count;
};

static int set_up(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);
    assert_non_null(folder);
    strcpy(folder->path, "/tmp/intake-test-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    *state = folder;
    return 0;
}

static int tear_down(void **state)
{
    struct folder *folder = *state;
    for (size_t i = 0; i < folder->count; i++) {
        unlink(folder->files[i]);
        free(folder->files[i]);
    }
    rmdir(folder->path);
    free(folder);
    return 0;
}

static void write_file(struct folder *folder, const char *name, const char *text)
{
    struct strbuf path = {0};
    strbuf_printf(&path, "%s/%s", folder->path, name);
    FILE *file = fopen(path.data, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    folder->files[folder->count++] = strbuf_take(&path);
}

static void write_version(struct folder *folder, const char *name, const char *version,
                          const char *rest)
{
    char text[512];
    snprintf(
        text, sizeof text,
        "{\"resourceType\":\"Questionnaire\",\"id\":\"q\",\"url\":\"urn:q\",\"version\":\"%s\",%s,"
        "\"item\":[{\"linkId\":\"a\",\"type\":\"string\"}]}",
        version, rest);
    write_file(folder, name, text);
}

static struct questionnaire_set *load(const struct folder *folder)
{
    struct questionnaire_set *set = NULL;
    struct err err = {0};
    if (questionnaire_set_load(folder->path, "q", &set, &err) != STATUS_OK) {
        fail_msg("%s", err.message);
    }
    return set;
}

static void assert_refused(const struct folder *folder, const char *default_id,
                           const char *const *words)
{
    struct questionnaire_set *set = NULL;
    struct err err = {0};
    assert_int_equal(questionnaire_set_load(folder->path, default_id, &set, &err), STATUS_INVALID);
    assert_null(set);
    for (; *words != NULL; words++) {
        if (strstr(err.message, *words) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", err.message, *words);
        }
    }
}

static void test_the_newest_offered_version_is_taken(void **state)
{
    struct folder *folder = *state;
    write_version(folder, "a.json", "9", "\"status\":\"active\"");
    write_version(folder, "b.json", "10", "\"status\":\"active\"");
    write_version(folder, "c.json", "11", "\"status\":\"draft\"");
    write_version(folder, "d.json", "12",
                  "\"status\":\"active\",\"effectivePeriod\":{\"start\":\"2999\"}");
    write_version(folder, "e.json", "13",
                  "\"status\":\"active\",\"effectivePeriod\":{\"end\":\"2001-02-03\"}");
    write_version(
        folder, "f.json", "8",
        "\"status\":\"active\",\"effectivePeriod\":{\"start\":\"2001\",\"end\":\"2999\"}");
    write_file(folder, "notes.txt", "not a definition");
    struct questionnaire_set *set = load(folder);
    assert_int_equal(questionnaire_set_count(set), 6);
    assert_string_equal(questionnaire_version(questionnaire_set_at(set, 0)), "13");
    assert_string_equal(questionnaire_version(questionnaire_set_default(set)), "10");
    assert_ptr_equal(questionnaire_set_find(set, "q", NULL), questionnaire_set_default(set));
    assert_ptr_equal(questionnaire_set_resolve(set, "q"), questionnaire_set_default(set));
    assert_ptr_equal(questionnaire_set_resolve(set, "urn:q"), questionnaire_set_default(set));
    /* What is not offered any more can still be read. */
    assert_string_equal(questionnaire_version(questionnaire_set_find(set, "q", "11")), "11");
    assert_string_equal(questionnaire_version(questionnaire_set_resolve(set, "urn:q|9")), "9");
    assert_string_equal(questionnaire_version(questionnaire_set_resolve(set, "q|13")), "13");
    assert_null(questionnaire_set_find(set, "q", "1"));
    assert_null(questionnaire_set_find(set, "p", NULL));
    assert_null(questionnaire_set_resolve(set, "urn:q|1"));
    assert_null(questionnaire_set_resolve(set, "q|"));
    assert_null(questionnaire_set_resolve(set, "urn"));
    assert_null(questionnaire_set_resolve(set, ""));
    questionnaire_set_destroy(set);
}

static void test_what_was_answered_is_found_again(void **state)
{
    struct folder *folder = *state;
    write_version(folder, "a.json", "1", "\"status\":\"retired\"");
    write_version(folder, "b.json", "2", "\"status\":\"retired\"");
    struct questionnaire_set *set = load(folder);
    assert_string_equal(questionnaire_version(questionnaire_set_answered(set, "q", "1")), "1");
    assert_string_equal(questionnaire_version(questionnaire_set_answered(set, "q", "0")), "2");
    assert_string_equal(questionnaire_version(questionnaire_set_answered(set, "q", NULL)), "2");
    assert_string_equal(questionnaire_version(questionnaire_set_answered(set, NULL, NULL)), "2");
    assert_null(questionnaire_set_answered(set, "p", "1"));
    questionnaire_set_destroy(set);
}

static void test_only_what_is_offered_can_be_answered(void **state)
{
    struct folder *folder = *state;
    write_version(folder, "a.json", "1", "\"status\":\"retired\"");
    write_version(folder, "b.json", "2", "\"status\":\"active\"");
    write_version(folder, "c.json", "3", "\"status\":\"draft\"");
    write_version(folder, "d.json", "4",
                  "\"status\":\"active\",\"effectivePeriod\":{\"end\":\"2001-02-03\"}");
    static const struct {
        const char *name;
        const char *code; /* NULL: version 2 */
    } cases[] = {
        {NULL, NULL},
        {" ", NULL},
        {"q", NULL},
        {"urn:q|2", NULL},
        {"q|1", "questionnaireRetired"},
        {"q|3", "questionnaireDraft"},
        {"urn:q|4", "questionnaireInactive"},
        {"q|5", "questionnaireNotFound"},
        {"other", "questionnaireNotFound"},
    };
    struct questionnaire_set *set = load(folder);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct issues issues = {0};
        const struct questionnaire *found =
            questionnaire_set_choose(set, cases[i].name, "field", NULL, &issues);
        if (cases[i].code == NULL) {
            assert_ptr_equal(found, questionnaire_set_default(set));
            assert_int_equal(issues.count, 0);
        } else {
            assert_null(found);
            assert_non_null(issues_find(&issues, "field", cases[i].code));
        }
        issues_finish(&issues);
    }
    questionnaire_set_destroy(set);
}

static void test_nothing_offered_is_no_default(void **state)
{
    struct folder *folder = *state;
    write_version(folder, "a.json", "1", "\"status\":\"retired\"");
    struct questionnaire_set *set = load(folder);
    assert_null(questionnaire_set_default(set));
    questionnaire_set_destroy(set);
}

static void test_a_broken_file_is_named_with_item_and_reason(void **state)
{
    struct folder *folder = *state;
    write_version(folder, "fine.json", "1", "\"status\":\"active\"");
    write_file(folder, "broken.json",
               "{\"resourceType\":\"Questionnaire\",\"id\":\"b\",\"status\":\"active\",\"item\":[{"
               "\"linkId\":\"here\",\"type\":\"string\",\"enableWhen\":[{\"question\":\"nowhere\","
               "\"operator\":\"exists\",\"answerBoolean\":true}]}]}");
    assert_refused(folder, "q",
                   (const char *const[]){"broken.json", "here", "nowhere", "does not exist", NULL});
}

static void test_other_reasons_to_refuse_a_folder(void **state)
{
    struct folder *folder = *state;
    write_version(folder, "a.json", "1", "\"status\":\"active\"");
    assert_refused(folder, "other", (const char *const[]){"default", "other", NULL});
    write_version(folder, "b.json", "1", "\"status\":\"draft\"");
    assert_refused(folder, "q", (const char *const[]){"q", "\"1\"", "twice", NULL});
    write_file(folder, "b2.json", "{\"resourceType\":\"Patient\"}");
    assert_refused(folder, "q", (const char *const[]){"b2.json", "not a FHIR Questionnaire", NULL});
    write_file(folder, "a2.json", "{");
    assert_refused(folder, "q", (const char *const[]){"a2.json", "line 1", NULL});
    write_file(folder, "0.json",
               "{\"resourceType\":\"Questionnaire\",\"status\":\"active\",\"item\":[]}");
    assert_refused(folder, "q", (const char *const[]){"0.json", "no id", NULL});

    struct questionnaire_set *set = NULL;
    struct err err = {0};
    assert_int_equal(questionnaire_set_load("/does/not/exist", "q", &set, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "/does/not/exist"));
}

static void test_what_a_questionnaire_says_about_itself(void **state)
{
    struct folder *folder = *state;
    write_version(folder, "a.json", "1", "\"status\":\"active\",\"title\":\"T\"");
    struct questionnaire_set *set = load(folder);
    const struct questionnaire *questionnaire = questionnaire_set_at(set, 0);
    assert_string_equal(questionnaire_id(questionnaire), "q");
    assert_string_equal(questionnaire_url(questionnaire), "urn:q");
    assert_string_equal(questionnaire_title(questionnaire), "T");
    assert_string_equal(questionnaire_status(questionnaire), "active");
    assert_int_equal(strlen(questionnaire_digest(questionnaire)), 64);
    const struct view text = questionnaire_text(questionnaire);
    assert_memory_equal(text.data, "{\"resourceType\":\"Questionnaire\"", 31);
    assert_string_equal(questionnaire_item_text(questionnaire, "a"), "");
    assert_null(questionnaire_item_text(questionnaire, "b"));
    questionnaire_set_destroy(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_newest_offered_version_is_taken, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_answered_is_found_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_what_is_offered_can_be_answered, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_offered_is_no_default, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_broken_file_is_named_with_item_and_reason, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_other_reasons_to_refuse_a_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_a_questionnaire_says_about_itself, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
