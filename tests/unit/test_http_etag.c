/* Entity tags in If-Match and If-None-Match. */
#include "cmocka_all.h"

#include "intake/core/cleanup.h"
#include "intake/http/etag.h"

static void test_a_list_has_a_tag(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        const char *etag;
        bool weak;
        bool strong;
    } cases[] = {
        {"\"a\"", "\"a\"", true, true},
        {" \"b\" ,\t\"a\"", "\"a\"", true, true},
        {"\"b\",,\"a\",", "\"a\"", true, true},
        {"W/\"a\"", "\"a\"", true, false},
        {"\"a\"", "W/\"a\"", true, false},
        {"W/\"a\"", "W/\"a\"", true, false},
        {"\"a,b\"", "\"a,b\"", true, true},
        {"*", "\"a\"", true, true},
        {" * ", "\"a\"", true, true},
        {"\"*\"", "\"a\"", false, false},
        {"\"aa\"", "\"a\"", false, false},
        {"\"\"", "\"a\"", false, false},
        {"a", "\"a\"", false, false},
        {"\"a", "\"a\"", false, false},
        {"x, \"a\"", "\"a\"", false, false},
        {"w/\"a\"", "\"a\"", false, false},
        {"", "\"a\"", false, false},
        {" ,", "\"a\"", false, false},
        {NULL, "\"a\"", false, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_int_equal(etag_list_has(cases[i].list, cases[i].etag, ETAG_WEAK), cases[i].weak);
        assert_int_equal(etag_list_has(cases[i].list, cases[i].etag, ETAG_STRONG), cases[i].strong);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list_has_a_tag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
