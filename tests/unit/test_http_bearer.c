/* The token of the header Authorization. */
#include "cmocka_all.h"

#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/http/bearer.h"

static void test_a_token_is_found_behind_its_scheme(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        const char *token;
    } cases[] = {
        {"Bearer a", "a"},
        {"bEARER   aZ09-._~+/", "aZ09-._~+/"},
        {"Bearer a=", "a="},
        {"Bearer a==", "a=="},
        {"Bearer =", NULL},
        {"Bearer =a", NULL},
        {"Bearer a=b", NULL},
        {"Bearer a ", NULL},
        {"Bearer a b", NULL},
        {"Bearer a,b", NULL},
        {"Bearer \"a\"", NULL},
        {"Bearer \xc3\xa4", NULL},
        {"Bearer\ta", NULL},
        {"Bearer ", NULL},
        {"Bearer", NULL},
        {"Bearera", NULL},
        {" Bearer a", NULL},
        {"Basic a", NULL},
        {"", NULL},
        {NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const char *token = bearer_token(cases[i].header);
        if (cases[i].token == NULL) {
            assert_null(token);
        } else {
            assert_non_null(token);
            assert_string_equal(token, cases[i].token);
        }
    }
}

static void test_a_token_has_a_length_at_most(void **state)
{
    (void)state;
    char header[sizeof "Bearer " + BEARER_TOKEN_MAX + 1] = "Bearer ";
    char *token = header + strlen(header);
    memset(token, 'a', BEARER_TOKEN_MAX);
    assert_ptr_equal(bearer_token(header), token);
    token[BEARER_TOKEN_MAX] = 'a';
    assert_null(bearer_token(header));
    token[BEARER_TOKEN_MAX] = '=';
    assert_null(bearer_token(header));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_token_is_found_behind_its_scheme),
        cmocka_unit_test(test_a_token_has_a_length_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
