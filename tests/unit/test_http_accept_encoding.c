/* http/accept_encoding: who takes gzip. */
#include "cmocka_all.h"
#include "intake/core/cleanup.h"
#include "intake/http/accept_encoding.h"

static void test_gzip_is_taken_by_name_or_star_unless_refused(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool taken;
    } cases[] = {
        {NULL, false},
        {"", false},
        {"gzip", true},
        {"GZIP", true},
        {"x-gzip", true},
        {"deflate, gzip;q=0.5, br", true},
        {"br,gzip", true},
        {"gzip ; q=1.0", true},
        {"gzip;q=0", false},
        {"gzip; q=0.000", false},
        {"gzip;q=0, *", false},
        {"*, gzip;q=0", false},
        {"*", true},
        {"*;q=0", false},
        {"identity", false},
        {"gzipped", false},
        {"br;gzip", false},
        {" , ,gzip", true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (accept_encoding_has_gzip(cases[i].value) != cases[i].taken) {
            fail_msg("\"%s\" must be %s", cases[i].value, cases[i].taken ? "taken" : "refused");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gzip_is_taken_by_name_or_star_unless_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
