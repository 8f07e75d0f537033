/* The request target, taken apart and percent-decoded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "intake/core/cleanup.h"
#include "intake/http/target.h"

static char text[512];

static bool parse(const char *raw, struct target *ret_target)
{
    snprintf(text, sizeof text, "%s", raw);
    return target_parse(text, ret_target);
}

static void test_path_is_split_before_it_is_decoded(void **state)
{
    (void)state;
    struct target target;
    assert_true(parse("/v1/submissions/a%2Fb%20c", &target));
    assert_int_equal(target.segments_count, 3);
    assert_string_equal(target.segments[0], "v1");
    assert_string_equal(target.segments[1], "submissions");
    assert_string_equal(target.segments[2], "a/b c");
    assert_int_equal(target.query_count, 0);
}

static void test_root_and_trailing_slash_have_an_empty_segment(void **state)
{
    (void)state;
    struct target target;
    assert_true(parse("/", &target));
    assert_int_equal(target.segments_count, 1);
    assert_string_equal(target.segments[0], "");
    assert_true(parse("/health/", &target));
    assert_int_equal(target.segments_count, 2);
    assert_string_equal(target.segments[1], "");
}

static void test_query_is_decoded_with_plus_as_space(void **state)
{
    (void)state;
    struct target target;
    assert_true(parse("/x+y?q=a+b%26c&empty=&bare&q=second&%71%71=1&&", &target));
    assert_string_equal(target.segments[0], "x+y");
    assert_int_equal(target.query_count, 5);
    assert_string_equal(target_query(&target, "q"), "a b&c");
    assert_string_equal(target_query(&target, "empty"), "");
    assert_string_equal(target_query(&target, "bare"), "");
    assert_string_equal(target_query(&target, "qq"), "1");
    assert_null(target_query(&target, "other"));
}

static void test_url_form_is_the_path_of_the_url(void **state)
{
    (void)state;
    struct target target;
    assert_true(parse("HTTP://host.example:8080/a/b?c=1", &target));
    assert_int_equal(target.segments_count, 2);
    assert_string_equal(target.segments[1], "b");
    assert_string_equal(target_query(&target, "c"), "1");
}

static void test_url_with_what_no_host_has_is_refused(void **state)
{
    (void)state;
    struct target target;
    static const char *const bad[] = {"\r", " ", "#", "\\", "\x7f", "\xff", "@", "\xc3\xa4"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        char url[32];
        snprintf(url, sizeof url, "http://a%sb/c", bad[i]);
        if (parse(url, &target)) {
            fail_msg("accepted: %s", url);
        }
    }
    assert_true(parse("http://[::1]:80/c", &target));
}

static void test_asterisk_names_no_resource(void **state)
{
    (void)state;
    struct target target;
    assert_true(parse("*", &target));
    assert_true(target.is_asterisk);
    assert_int_equal(target.segments_count, 0);
}

static void test_what_is_no_target_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "a",           "a/b",      "host:80",    "http://",
        "http:///x", "http://host", "ftp://h/", "/%",         "/%4",
        "/%4g",      "/%zz",        "/%00",     "/a%0Ab",     "/%7f",
        "/%ff",      "/%c3",        "/%c0%af",  "/%ed%a0%80", "/a b",
        "/a#b",      "/a?b=%0",     "/a?%00=b", "/a?b=%80",   "/a?b=c d",
        "/\x01",     "/a\x7f",      "**",       "/a?b#c",     "/%f5%80%80%80",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct target target;
        if (parse(bad[i], &target)) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
}

static void test_more_segments_than_any_route_has_are_counted_not_kept(void **state)
{
    (void)state;
    struct target target;
    assert_true(parse("/1/2/3/4/5/6/7/8", &target));
    assert_int_equal(target.segments_count, TARGET_SEGMENTS_MAX);
    assert_true(parse("/1/2/3/4/5/6/7/8/9/10", &target));
    assert_int_equal(target.segments_count, TARGET_SEGMENTS_MAX + 1);
}

static void test_more_parameters_than_the_limit_are_refused(void **state)
{
    (void)state;
    char raw[512] = "/x?";
    for (int i = 0; i < TARGET_QUERY_MAX; i++) {
        strcat(raw, "a=1&");
    }
    struct target target;
    assert_true(parse(raw, &target));
    strcat(raw, "a=1");
    assert_false(parse(raw, &target));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path_is_split_before_it_is_decoded),
        cmocka_unit_test(test_root_and_trailing_slash_have_an_empty_segment),
        cmocka_unit_test(test_query_is_decoded_with_plus_as_space),
        cmocka_unit_test(test_url_form_is_the_path_of_the_url),
        cmocka_unit_test(test_url_with_what_no_host_has_is_refused),
        cmocka_unit_test(test_asterisk_names_no_resource),
        cmocka_unit_test(test_what_is_no_target_is_refused),
        cmocka_unit_test(test_more_segments_than_any_route_has_are_counted_not_kept),
        cmocka_unit_test(test_more_parameters_than_the_limit_are_refused),
    };
    return cmocka_run_group_tests_name("http target", tests, NULL, NULL);
}
