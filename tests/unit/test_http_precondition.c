/* If-Match and If-None-Match of what is written. */
#include "cmocka_all.h"

#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/db/store_submission.h"
#include "intake/http/precondition.h"

enum { FAULT = -2 };

static void test_a_submission_follows_one_revision(void **state)
{
    (void)state;
    static const struct {
        const char *match;
        const char *none_match;
        int32_t revision;
    } cases[] = {
        {NULL, NULL, SUBMISSION_ANY_REVISION},
        {NULL, "*", 0},
        {"\"1\"", NULL, 1},
        {"W/\"7\"", NULL, 7},
        {" , \"2147483647\" ,\t", NULL, INT32_MAX},
        {"\"2147483648\"", NULL, FAULT},
        {"\"0\"", NULL, FAULT},
        {"\"-1\"", NULL, FAULT},
        {"\"007\"", NULL, FAULT}, /* is not the tag of revision 7 */
        {"\"1x\"", NULL, FAULT},
        {"\"\"", NULL, FAULT},
        {"1", NULL, FAULT},
        {"\"1", NULL, FAULT},
        {"\"1\", \"2\"", NULL, FAULT},
        {"\"1\", *", NULL, FAULT},
        {"\"1\" x", NULL, FAULT},
        {"*", NULL, FAULT},
        {"", NULL, FAULT},
        {"\"1\"", "*", FAULT},
        {NULL, "\"1\"", FAULT},
        {NULL, "", FAULT},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int32_t revision = FAULT;
        const char *fault =
            precondition_of_submission(cases[i].match, cases[i].none_match, &revision);
        if (revision != cases[i].revision) {
            fail_msg("%s, %s: %d", cases[i].match, cases[i].none_match, (int)revision);
        }
        assert_true((fault != NULL) == (revision == FAULT));
    }
}

#define VERSION "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"

static void test_a_draft_is_one_of_its_versions(void **state)
{
    (void)state;
    static const struct {
        const char *match;
        const char *none_match;
        bool makes_sense;
        enum draft_expectation expectation;
        size_t versions;
    } cases[] = {
        {NULL, NULL, true, DRAFT_NOT_STATED, 0},
        {NULL, "*", true, DRAFT_ABSENT, 0},
        {"*", NULL, true, DRAFT_ANY, 0},
        {"\"" VERSION "\"", NULL, true, DRAFT_ONE_OF, 1},
        {"\"x\", \"" VERSION "\"", NULL, true, DRAFT_ONE_OF, 1},
        {"W/\"" VERSION "\"", NULL, true, DRAFT_ONE_OF, 0},
        {VERSION, NULL, true, DRAFT_ONE_OF, 0},
        {"", NULL, true, DRAFT_ONE_OF, 0},
        {"*", "*", false, DRAFT_NOT_STATED, 0},
        {NULL, "\"x\"", false, DRAFT_NOT_STATED, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct draft_condition condition = {0}; /* which a fault leaves as it is */
        const char *fault = precondition_of_draft(cases[i].match, cases[i].none_match, &condition);
        assert_int_equal(fault == NULL, cases[i].makes_sense);
        assert_int_equal(condition.expectation, cases[i].expectation);
        assert_int_equal(condition.versions_count, cases[i].versions);
        assert_true(condition.versions_count == 0 || strcmp(condition.versions[0], VERSION) == 0);
    }
}

static void test_only_so_many_versions_are_kept(void **state)
{
    (void)state;
    struct strbuf list = {0};
    for (size_t i = 0; i <= DRAFT_VERSIONS_MAX; i++) {
        strbuf_puts(&list, "\"" VERSION "\",");
    }
    struct draft_condition condition;
    assert_null(precondition_of_draft(list.data, NULL, &condition));
    assert_int_equal(condition.versions_count, DRAFT_VERSIONS_MAX);
    strbuf_finish(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_submission_follows_one_revision),
        cmocka_unit_test(test_a_draft_is_one_of_its_versions),
        cmocka_unit_test(test_only_so_many_versions_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
