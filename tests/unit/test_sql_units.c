/* Where the semicolons of a migration file are. */
#include "intake/db/sql_units.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "intake/core/cleanup.h"

enum { UNITS_MAX = 4 };

/* `units` are separated by NULL-terminated text; a unit that is `concurrent` begins with '!'. */
static const struct {
    const char *sql;
    const char *units[UNITS_MAX + 1];
} cases[] = {
    {"", {NULL}},
    {" ;; -- nothing\n /* at /* all */ ; */ ", {NULL}},
    {"SELECT 1", {"SELECT 1"}},
    {"-- first\nSELECT 1; SELECT 2;", {"SELECT 1;", "SELECT 2;"}},
    {"SELECT ';', 'it''s;', \"a;b\", E'\\';';SELECT 2;",
     {"SELECT ';', 'it''s;', \"a;b\", E'\\';';", "SELECT 2;"}},
    {"SELECT 'a\\'; SELECT 2;", {"SELECT 'a\\';", "SELECT 2;"}},
    {"DO $$ BEGIN; COMMIT; END $$; SELECT 2;", {"DO $$ BEGIN; COMMIT; END $$;", "SELECT 2;"}},
    {"DO $a$ $b$ ; $$ ; $a$; SELECT $1;", {"DO $a$ $b$ ; $$ ; $a$;", "SELECT $1;"}},
    {"SELECT a$b$c; SELECT d$b$e;", {"SELECT a$b$c;", "SELECT d$b$e;"}},
    {"SELECT 1 /* ; ' */; SELECT 2 -- ; '\n;", {"SELECT 1 /* ; ' */;", "SELECT 2 -- ; '\n;"}},
    {"BEGIN; SELECT 1; /* COMMIT; */ SELECT 'COMMIT;'; commit; SELECT 2;",
     {"BEGIN; SELECT 1; /* COMMIT; */ SELECT 'COMMIT;'; commit;", "SELECT 2;"}},
    {"beginning; COMMIT;", {"beginning;", "COMMIT;"}},
    {"DROP INDEX CONCURRENTLY a; CREATE UNIQUE INDEX CONCURRENTLY b ON c (d); CREATE INDEX e ON f;",
     {"!DROP INDEX CONCURRENTLY a;", "!CREATE UNIQUE INDEX CONCURRENTLY b ON c (d);",
      "CREATE INDEX e ON f;"}},
};

static void test_units(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct err err = {0};
        AUTO_FREE struct sql_unit *units = NULL;
        size_t count = 0;
        assert_int_equal(sql_units_split(cases[i].sql, strlen(cases[i].sql), &units, &count, &err),
                         STATUS_OK);
        for (size_t k = 0; k < count; k++) {
            const char *expected = cases[i].units[k];
            assert_non_null(expected);
            assert_int_equal(units[k].concurrent, expected[0] == '!');
            expected += expected[0] == '!';
            assert_int_equal(units[k].length, strlen(expected));
            assert_memory_equal(units[k].text, expected, units[k].length);
        }
        assert_null(cases[i].units[count]);
    }
}

static void test_lines(void **state)
{
    (void)state;
    static const char sql[] = "-- one\n\nSELECT 1;\nBEGIN;\nSELECT 2;\nCOMMIT;\n  SELECT 3;";
    struct err err = {0};
    AUTO_FREE struct sql_unit *units = NULL;
    size_t count = 0;
    assert_int_equal(sql_units_split(sql, strlen(sql), &units, &count, &err), STATUS_OK);
    assert_int_equal(count, 3);
    assert_int_equal(units[0].line, 3);
    assert_int_equal(units[1].line, 4);
    assert_int_equal(units[2].line, 7);
}

static void test_what_is_not_closed_is_invalid(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "SELECT 'a;", "SELECT \"a;", "DO $$ ;", "SELECT E'a\\';", "BEGIN; SELECT 1;", "BEGIN",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(broken); i++) {
        struct err err = {0};
        struct sql_unit *units = NULL;
        size_t count = 0;
        assert_int_equal(sql_units_split(broken[i], strlen(broken[i]), &units, &count, &err),
                         STATUS_INVALID);
        assert_null(units);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_what_is_not_closed_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
