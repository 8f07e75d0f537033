/* Which row of the route table a request gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "intake/core/cleanup.h"
#include "intake/http/route.h"
#include "intake/http/wire.h"

enum { LIST, POST, EXPORT, ONE, RETRY, ROWS_COUNT };

static const struct route rows[ROWS_COUNT] = {
    [LIST] = {.method = "GET", .path = "/v1/things"},
    [POST] = {.method = "POST", .path = "/v1/things"},
    [EXPORT] = {.method = "GET", .path = "/v1/things/export"},
    [ONE] = {.method = "GET", .path = "/v1/things/{id}"},
    [RETRY] = {.method = "POST", .path = "/v1/things/{id}/retry/{number}"},
};
static const struct route_table table = {rows, ROWS_COUNT};

static char text[256];

static struct route_match find(const char *method, const char *path)
{
    struct target target;
    snprintf(text, sizeof text, "%s", path);
    assert_true(target_parse(text, &target));
    return route_find(&table, method, &target);
}

static void test_path_and_method_find_their_row(void **state)
{
    (void)state;
    assert_ptr_equal(find("GET", "/v1/things").route, &rows[LIST]);
    assert_ptr_equal(find("POST", "/v1/things").route, &rows[POST]);
    assert_true(find("POST", "/v1/things").method_allowed);
    assert_ptr_equal(find("GET", "/v1/things?a=b").route, &rows[LIST]);
}

static void test_parameters_are_what_stands_in_the_braces(void **state)
{
    (void)state;
    const struct route_match one = find("GET", "/v1/things/a%2Fb");
    assert_ptr_equal(one.route, &rows[ONE]);
    assert_string_equal(one.params[0], "a/b");
    const struct route_match retry = find("POST", "/v1/things/x/retry/7");
    assert_ptr_equal(retry.route, &rows[RETRY]);
    assert_string_equal(retry.params[0], "x");
    assert_string_equal(retry.params[1], "7");
}

static void test_the_earlier_row_wins(void **state)
{
    (void)state;
    assert_ptr_equal(find("GET", "/v1/things/export").route, &rows[EXPORT]);
}

static void test_a_body_has_one_of_the_route_s_types(void **state)
{
    (void)state;
    const struct route route = {.body_types = {"application/fhir+json", "application/json"}};
    static const struct {
        const char *type;
        bool taken;
    } cases[] = {
        {"application/json", true},
        {"Application/JSON", true},
        {"application/fhir+json", true},
        {"application/json; charset=utf-8", true},
        {"application/json ;x=y", true},
        {"application/jsonx", false},
        {"application/fhir", false},
        {"text/plain", false},
        {"", false},
        {"text/plain, application/json", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct view type = {cases[i].type, strlen(cases[i].type)};
        assert_int_equal(route_takes_type(&route, type), cases[i].taken);
    }
    assert_false(route_takes_type(&route, (struct view){0}));
    assert_true(route_takes_type(&rows[LIST], (struct view){0}));
}

static void test_head_comes_with_get(void **state)
{
    (void)state;
    assert_ptr_equal(find("HEAD", "/v1/things").route, &rows[LIST]);
    assert_true(find("HEAD", "/v1/things").method_allowed);
    assert_false(find("HEAD", "/v1/things/x/retry/7").method_allowed);
}

static void test_another_method_is_not_allowed(void **state)
{
    (void)state;
    const struct route_match match = find("DELETE", "/v1/things/x");
    assert_ptr_equal(match.route, &rows[ONE]);
    assert_false(match.method_allowed);
    assert_false(find("get", "/v1/things").method_allowed);
}

static void test_other_paths_have_no_row(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/",
        "/v1",
        "/v1/things/",
        "/v1/thing",
        "/v1/thingss",
        "/V1/things",
        "/v1//things",
        "//v1/things",
        "/v1/things/x/",
        "/v1/things/x/retry",
        "/v1/things/x/retry/",
        "/v1/things//retry/1",
        "/a/b/c/d/e/f/g/h/i/j",
        "/v1/things/../things",
        "*",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        if (find("GET", paths[i]).route != NULL) {
            fail_msg("found: %s", paths[i]);
        }
    }
}

static void test_allow_names_every_method_of_the_path_once(void **state)
{
    (void)state;
    struct strbuf out = {0};
    route_print_methods(&table, "/v1/things", &out);
    assert_string_equal(out.data, "GET, HEAD, POST, OPTIONS");
    strbuf_clear(&out);
    route_print_methods(&table, NULL, &out);
    assert_string_equal(out.data, "GET, HEAD, POST, OPTIONS");
    strbuf_clear(&out);
    route_print_methods(&table, "/v1/things/{id}/retry/{number}", &out);
    assert_string_equal(out.data, "POST, OPTIONS");
    strbuf_finish(&out);
}

static void test_the_programs_table_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < routes.count; i++) {
        const struct route *row = &routes.rows[i];
        assert_non_null(row->handle);
        assert_true(row->path[0] == '/');
        assert_true(wire_is_token(row->method, strlen(row->method)));
        assert_true(row->body_types[0] == NULL || row->takes_body);
        assert_true(row->guarded_when == NULL || row->roles != 0);
        for (size_t k = 0; k < i; k++) {
            assert_false(strcmp(row->path, routes.rows[k].path) == 0 &&
                         strcmp(row->method, routes.rows[k].method) == 0);
        }
    }
}

static void test_tokens_and_values_are_those_of_the_rfc(void **state)
{
    (void)state;
    assert_true(wire_is_token("X-Forwarded-For", 15));
    assert_true(wire_is_token("!#$%&'*+-.^_`|~09azAZ", 21));
    assert_false(wire_is_token("", 0));
    static const char *const bad[] = {
        "a b", " a", "a\t", "a:", "a\x01", "a\x7f", "\xc3\xa4", "a@b"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_false(wire_is_token(bad[i], strlen(bad[i])));
    }
    assert_false(wire_is_token("a\0b", 3));
    assert_true(wire_is_value("a\tb \xc3\xa4", 6));
    assert_true(wire_is_value("", 0));
    assert_false(wire_is_value("a\rb", 3));
    assert_false(wire_is_value("a\nb", 3));
    assert_false(wire_is_value("a\0b", 3));
    assert_false(wire_is_value("a\x7f", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path_and_method_find_their_row),
        cmocka_unit_test(test_parameters_are_what_stands_in_the_braces),
        cmocka_unit_test(test_the_earlier_row_wins),
        cmocka_unit_test(test_a_body_has_one_of_the_route_s_types),
        cmocka_unit_test(test_head_comes_with_get),
        cmocka_unit_test(test_another_method_is_not_allowed),
        cmocka_unit_test(test_other_paths_have_no_row),
        cmocka_unit_test(test_allow_names_every_method_of_the_path_once),
        cmocka_unit_test(test_the_programs_table_is_sound),
        cmocka_unit_test(test_tokens_and_values_are_those_of_the_rfc),
    };
    return cmocka_run_group_tests_name("http route", tests, NULL, NULL);
}
