/* Cells of a CSV: quoted where they must be, and never a formula. */
#include "cmocka_all.h"

#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/text.h"
#include "intake/domain/csv_table.h"

struct cell {
    const char *text;
    const char *printed;
};

static void check(const struct cell *cells, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO(strbuf_finish) struct strbuf out = {0};
        csv_print_cell(cells[i].text, strlen(cells[i].text), &out);
        assert_string_equal(out.data != NULL ? out.data : "", cells[i].printed);
    }
}

static void test_plain_text_stays_as_it_is(void **state)
{
    (void)state;
    static const struct cell cells[] = {
        {"", ""},
        {"nuts", "nuts"},
        {"a=b", "a=b"},
        {"1-2", "1-2"},
        {"me@example.com", "me@example.com"},
        {"G\xC3\xB6r\xC3\xBC\xC5\x9Fme", "G\xC3\xB6r\xC3\xBC\xC5\x9Fme"},
        {"' already", "' already"},
        {"'t Hart", "'t Hart"},
        {"'+1", "'+1"},
    };
    check(cells, ARRAY_LENGTH(cells));
}

static void test_what_would_end_a_cell_is_quoted(void **state)
{
    (void)state;
    static const struct cell cells[] = {
        {"a,b", "\"a,b\""},       {"a;b", "\"a;b\""},   {"say \"x\"", "\"say \"\"x\"\"\""},
        {"a\r\nb", "\"a\r\nb\""}, {"a\nb", "\"a\nb\""}, {"a\tb", "\"a\tb\""},
        {"\"", "\"\"\"\""},
    };
    check(cells, ARRAY_LENGTH(cells));
}

static void test_a_formula_gets_an_apostrophe(void **state)
{
    (void)state;
    static const struct cell cells[] = {
        {"=1", "\"'=1\""},
        {"'=1", "\"''=1\""}, /* another one, so that it is not taken for "=1" */
        {"''\t1", "\"'''\t1\""},
        {"+1+2", "\"'+1+2\""},
        {"-2+3", "\"'-2+3\""},
        {"@SUM(1)", "\"'@SUM(1)\""},
        {"-", "\"'-\""},
        {"\t1", "\"'\t1\""},
        {"\r1", "\"'\r1\""},
        {"\n1", "\"'\n1\""},
        {"  =1", "\"'  =1\""},
        {"\xC2\xA0=1", "\"'\xC2\xA0=1\""},         /* NO-BREAK SPACE */
        {"\xE3\x80\x80=1", "\"'\xE3\x80\x80=1\""}, /* IDEOGRAPHIC SPACE */
        {"\xEF\xBC\x9D"
         "1",
         "\"'\xEF\xBC\x9D"
         "1\""},
        {"\xEF\xBC\x8B"
         "1",
         "\"'\xEF\xBC\x8B"
         "1\""},
        {"\xEF\xBC\x8D"
         "1",
         "\"'\xEF\xBC\x8D"
         "1\""},
        {"\xEF\xBC\xA0"
         "1",
         "\"'\xEF\xBC\xA0"
         "1\""},
        {"\xE2\x88\x92"
         "1",
         "\"'\xE2\x88\x92"
         "1\""},
        {"=\"a\",b", "\"'=\"\"a\"\",b\""},
        {"+49-30-1234", "\"'+49-30-1234\""}, /* a spreadsheet would subtract */
        {"-1e5", "\"'-1e5\""},
    };
    check(cells, ARRAY_LENGTH(cells));
}

static void test_numbers_and_phones_stay_as_they_are(void **state)
{
    (void)state;
    static const struct cell cells[] = {
        {"-1", "-1"},
        {"-0.50", "-0.50"},
        {"+4930123456", "+4930123456"},
        {"12", "12"},
    };
    check(cells, ARRAY_LENGTH(cells));
}

static void test_a_number_too_long_to_be_one_is_text(void **state)
{
    (void)state;
    static const struct cell cells[] = {
        {"-12345678901234567890123456789012345678901",
         "\"'-12345678901234567890123456789012345678901\""},
    };
    check(cells, ARRAY_LENGTH(cells));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_text_stays_as_it_is),
        cmocka_unit_test(test_what_would_end_a_cell_is_quoted),
        cmocka_unit_test(test_a_formula_gets_an_apostrophe),
        cmocka_unit_test(test_numbers_and_phones_stay_as_they_are),
        cmocka_unit_test(test_a_number_too_long_to_be_one_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
