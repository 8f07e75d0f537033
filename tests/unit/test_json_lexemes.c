/* The numbers of a JSON text as they were written. */
#include "cmocka_all.h"

#include <string.h>

#include "intake/core/json.h"

static json_t *parse(const char *text)
{
    json_t *root = NULL;
    assert_int_equal(json_parse(text, strlen(text), &root, NULL), STATUS_OK);
    return root;
}

static void assert_lexeme(const struct json_lexemes *lexemes, const json_t *number,
                          const char *expected)
{
    const struct view found = json_lexemes_find(lexemes, number);
    assert_int_equal(found.len, strlen(expected));
    assert_memory_equal(found.data, expected, found.len);
}

static void test_numbers_are_found_as_written(void **state)
{
    (void)state;
    static const char text[] =
        "{\"z\":1.50,\"a\":[1,-2.0e+3,{\"deep\\\"er\":\"4.4 is a text\",\"x\":0.10}],\"7.7\":true,"
        "\"m\":12345678901234567.89}";
    json_t *root = parse(text);
    struct json_lexemes lexemes = {0};
    assert_int_equal(json_lexemes_read(text, strlen(text), root, &lexemes, NULL), STATUS_OK);
    const json_t *list = json_object_get(root, "a");
    assert_int_equal(lexemes.count, 4);
    assert_lexeme(&lexemes, json_object_get(root, "z"), "1.50");
    assert_lexeme(&lexemes, json_array_get(list, 1), "-2.0e+3");
    assert_lexeme(&lexemes, json_object_get(json_array_get(list, 2), "x"), "0.10");
    assert_lexeme(&lexemes, json_object_get(root, "m"), "12345678901234567.89");
    assert_null(json_lexemes_find(&lexemes, json_array_get(list, 0)).data);
    assert_null(json_lexemes_find(NULL, json_object_get(root, "z")).data);
    json_lexemes_finish(&lexemes);
    json_decref(root);
}

static void test_what_is_printed_is_what_was_read(void **state)
{
    (void)state;
    static const char text[] = "{\"b\":[1.50,2e5,-3,null,true,false,{}],\"a\":\"x\\u0000\\n\\\"y\","
                               "\"c\":0.1000000000000000000000001}";
    json_t *root = parse(text);
    struct json_lexemes lexemes = {0};
    struct strbuf printed = {0};
    assert_int_equal(json_lexemes_read(text, strlen(text), root, &lexemes, NULL), STATUS_OK);
    json_print(root, &lexemes, &printed);
    assert_string_equal(printed.data, text);
    strbuf_clear(&printed);
    json_print(root, NULL, &printed);
    assert_non_null(strstr(printed.data, "[1.5,200000.0,-3,"));
    strbuf_finish(&printed);
    json_lexemes_finish(&lexemes);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_found_as_written),
        cmocka_unit_test(test_what_is_printed_is_what_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
