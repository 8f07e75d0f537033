/* The list of issues and the two forms in which it is printed. */
#include "cmocka_all.h"

#include <string.h>

#include "intake/core/json.h"
#include "intake/domain/issue.h"

static json_t *parse(struct strbuf *text)
{
    json_t *root = NULL;
    assert_false(text->failed);
    assert_int_equal(json_parse(text->data, text->len, &root, NULL), STATUS_OK);
    strbuf_finish(text);
    return root;
}

static void test_issues_are_kept_in_order_and_found(void **state)
{
    (void)state;
    struct issues issues = {0};
    assert_true(issues_are_none(&issues));
    issues_add_severity(&issues, ISSUE_WARNING, "w", "a", NULL, "fine");
    assert_true(issues_are_none(&issues));
    issues_add(&issues, "required", "a", "x.y", "%d needed", 2);
    issues_add(&issues, "format", "b", NULL, "wrong");
    assert_false(issues_are_none(&issues));
    assert_int_equal(issues.count, 3);
    assert_string_equal(issues.items[1].message, "2 needed");
    assert_string_equal(issues.items[1].path, "x.y");
    assert_string_equal(issues.items[2].path, "");
    assert_ptr_equal(issues_find(&issues, "a", NULL), &issues.items[0]);
    assert_ptr_equal(issues_find(&issues, "a", "required"), &issues.items[1]);
    assert_ptr_equal(issues_find(&issues, NULL, "format"), &issues.items[2]);
    assert_null(issues_find(&issues, "b", "required"));
    issues_finish(&issues);
}

static void test_a_long_field_is_cut_between_characters(void **state)
{
    (void)state;
    struct issues issues = {0};
    char field[400];
    for (size_t i = 0; i + 2 < sizeof field; i += 2) {
        memcpy(field + i, "\xc3\xa9", 2);
    }
    field[sizeof field - 2] = '\0';
    issues_add(&issues, "invalidLinkId", field, NULL, "no");
    assert_int_equal(strlen(issues.items[0].field), 254);
    assert_true(utf8_is_valid(issues.items[0].field, 254));
    issues_finish(&issues);
}

static void test_more_than_the_limit_are_counted_only(void **state)
{
    (void)state;
    struct issues issues = {0};
    for (int i = 0; i < ISSUES_MAX + 5; i++) {
        issues_add(&issues, "required", "a", NULL, "no");
    }
    assert_int_equal(issues.count, ISSUES_MAX);
    assert_int_equal(issues.errors_count, ISSUES_MAX + 5);
    assert_true(issues.truncated);
    issues_finish(&issues);
}

static void test_errors_of_a_problem_are_without_warnings(void **state)
{
    (void)state;
    struct issues issues = {0};
    struct strbuf text = {0};
    issues_add_severity(&issues, ISSUE_WARNING, "w", "a", NULL, "fine");
    issues_add(&issues, "format", "qu\"ote", NULL, "a \n b");
    issues_add(&issues, "required", "b", "g[1].b", "c");
    issues_add(&issues, "required", "d", "d", "e");
    issues_print_errors(&issues, &text);
    assert_string_equal(
        text.data, "[{\"field\":\"qu\\\"ote\",\"code\":\"format\",\"message\":\"a \\n b\"},"
                   "{\"field\":\"b\",\"code\":\"required\",\"message\":\"c\",\"path\":\"g[1].b\"},"
                   "{\"field\":\"d\",\"code\":\"required\",\"message\":\"e\"}]");
    strbuf_finish(&text);
    issues_finish(&issues);
}

static void test_operation_outcome(void **state)
{
    (void)state;
    struct issues issues = {0};
    struct strbuf text = {0};
    issues_print_operation_outcome(&issues, &text);
    json_t *root = parse(&text);
    const json_t *issue = json_array_get(json_object_get(root, "issue"), 0);
    assert_string_equal(json_string_value(json_object_get(issue, "severity")), "information");
    json_decref(root);

    issues_add(&issues, "required", "a", "QuestionnaireResponse.item[0]", "needed");
    issues_add_severity(&issues, ISSUE_FATAL, "notEnabled", "b", NULL, "no");
    issues_print_operation_outcome(&issues, &text);
    root = parse(&text);
    static const char expected[] =
        "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":\"error\",\"code\":"
        "\"required\","
        "\"details\":{\"coding\":[{\"system\":\"http://fhir.forms-lab.com/CodeSystem/"
        "errors\",\"code\":"
        "\"required\"}],\"text\":\"needed\"},\"diagnostics\":\"linkId a\",\"expression\":["
        "\"QuestionnaireResponse.item[0]\"]},{\"severity\":\"fatal\",\"code\":\"business-rule\","
        "\"details\":{\"coding\":[{\"system\":\"urn:intake:error\",\"code\":\"notEnabled\"}],"
        "\"text\":"
        "\"no\"},\"diagnostics\":\"linkId b\"}]}";
    json_t *wanted = NULL;
    assert_int_equal(json_parse(expected, strlen(expected), &wanted, NULL), STATUS_OK);
    assert_true(json_equal(root, wanted));
    json_decref(wanted);
    json_decref(root);
    issues_finish(&issues);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_issues_are_kept_in_order_and_found),
        cmocka_unit_test(test_a_long_field_is_cut_between_characters),
        cmocka_unit_test(test_more_than_the_limit_are_counted_only),
        cmocka_unit_test(test_errors_of_a_problem_are_without_warnings),
        cmocka_unit_test(test_operation_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
