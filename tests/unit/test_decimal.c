/* Decimals are exact: reading, comparing, adding, multiplying, printing. */
#include "cmocka_all.h"

#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/domain/decimal.h"

static struct decimal read_ok(const char *text)
{
    struct decimal value;
    if (!decimal_read(text, strlen(text), &value)) {
        fail_msg("\"%s\" is not read", text);
    }
    return value;
}

static void assert_prints(const struct decimal *value, const char *expected)
{
    struct strbuf text = {0};
    decimal_print(value, &text);
    assert_string_equal(text.data, expected);
    strbuf_finish(&text);
}

static void test_text_that_is_no_number_is_not_read(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",     "-",      "+1",
        "01",   "1.",     ".5",
        "1e",   "1e+",    "0x1",
        "1 ",   " 1",     "1,5",
        "NaN",  "--1",    "1.5.",
        "1e5.", "1e1001", "12345678901234567890123456789012345678901", /* 41 digits */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct decimal value;
        assert_false(decimal_read(texts[i], strlen(texts[i]), &value));
    }
}

static void test_printing_what_was_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *printed;
        int places;
    } cases[] = {
        {"0", "0", 0},
        {"-0.00", "0", 2},
        {"1", "1", 0},
        {"-12.50", "-12.5", 2},
        {"100", "100", 0},
        {"0.001", "0.001", 3},
        {"1.5e3", "1500", 0},
        {"15e-1", "1.5", 1},
        {"1e40", "1e+40", 0},
        {"1.25e-20", "1.25e-20", 22},
        {"1000000000000000000000000000000000000000000", "1e+42", 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct decimal value = read_ok(cases[i].text);
        assert_int_equal(value.places, cases[i].places);
        assert_prints(&value, cases[i].printed);
    }
}

static void test_order_by_value(void **state)
{
    (void)state;
    /* Ascending; those of one line are equal. */
    static const char *const values[][3] = {
        {"-1e10", "-10000000000", "-1.0e10"},
        {"-1.5", "-1.50", "-15e-1"},
        {"-0.1", "-0.10", "-1e-1"},
        {"0", "-0", "0.000"},
        {"0.0999999999999999999999", "9.99999999999999999999e-2", "0.0999999999999999999999"},
        {"0.1", "0.10", "1e-1"},
        {"0.10000000000000000000001", "0.10000000000000000000001", "0.100000000000000000000010"},
        {"1", "1.0", "10e-1"},
        {"9.9", "9.90", "99e-1"},
        {"10", "1e1", "10.0"},
        {"12345678901234567.89", "12345678901234567.890", "1234567890123456789e-2"},
        {"12345678901234567.9", "12345678901234567.90", "123456789012345679e-1"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(values); j++) {
            const struct decimal a = read_ok(values[i][0]);
            for (size_t k = 0; k < 3; k++) {
                const struct decimal b = read_ok(values[j][k]);
                const int order = decimal_compare(&a, &b);
                assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
            }
        }
    }
}

static void test_sums_and_products_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *a;
        const char *b;
        const char *sum;
        const char *product;
    } cases[] = {
        {"0.1", "0.2", "0.3", "0.02"},
        {"1", "-1", "0", "-1"},
        {"99.99", "0.01", "100", "0.9999"},
        {"100", "-0.01", "99.99", "-1"},
        {"-5", "3", "-2", "-15"},
        {"3", "-5", "-2", "-15"},
        {"0", "7.5", "7.5", "0"},
        {"12345678901234567890", "0.1", "12345678901234567890.1", "1234567890123456789"},
        {"0.45359237", "1000", "1000.45359237", "453.59237"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct decimal a = read_ok(cases[i].a);
        const struct decimal b = read_ok(cases[i].b);
        struct decimal result;
        assert_true(decimal_add(&a, &b, &result));
        assert_prints(&result, cases[i].sum);
        assert_true(decimal_add(&b, &a, &result));
        assert_prints(&result, cases[i].sum);
        assert_true(decimal_multiply(&a, &b, &result));
        assert_prints(&result, cases[i].product);
    }
    struct decimal result;
    const struct decimal large = read_ok("1e60");
    const struct decimal small = read_ok("1e-60");
    assert_false(decimal_add(&large, &small, &result)); /* more digits than we keep */
}

static void test_products_compare_beyond_what_is_kept(void **state)
{
    (void)state;
    const struct decimal a = read_ok("1234567890123456789012345678901234567891");
    const struct decimal b = read_ok("1234567890123456789012345678901234567892");
    const struct decimal factor = read_ok("9876543210987654321098765432109876543211");
    assert_true(decimal_compare_products(&a, &factor, &b, &factor) < 0);
    assert_true(decimal_compare_products(&b, &factor, &b, &factor) == 0);
}

static void test_json_numbers_without_their_text(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *printed;
    } cases[] = {{0.1, "0.1"},
                 {1.5, "1.5"},
                 {-2.0, "-2"},
                 {1e100, "1e+100"},
                 {0.1 + 0.2, "0.30000000000000004"}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        json_t *number = json_real(cases[i].value);
        struct decimal value;
        assert_true(decimal_from_json(number, &value));
        assert_prints(&value, cases[i].printed);
        json_decref(number);
    }
    json_t *number = json_integer(-9007199254740993);
    struct decimal value;
    assert_true(decimal_from_json(number, &value));
    assert_prints(&value, "-9007199254740993");
    json_decref(number);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_that_is_no_number_is_not_read),
        cmocka_unit_test(test_printing_what_was_read),
        cmocka_unit_test(test_order_by_value),
        cmocka_unit_test(test_sums_and_products_are_exact),
        cmocka_unit_test(test_products_compare_beyond_what_is_kept),
        cmocka_unit_test(test_json_numbers_without_their_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
