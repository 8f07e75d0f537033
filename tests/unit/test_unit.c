/* Which units are comparable, and how values in them compare. */
#include "cmocka_all.h"

#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/domain/answer_value.h"
#include "intake/domain/unit.h"

static struct quantity quantity(const char *value, const char *code)
{
    struct quantity result = {.has_value = true, .code = code};
    assert_true(decimal_read(value, strlen(value), &result.value));
    return result;
}

static void test_equal_amounts(void **state)
{
    (void)state;
    static const char *const pairs[][4] = {
        {"1", "kg", "1000", "g"},
        {"1", "[lb_av]", "453.59237", "g"},
        {"16", "[oz_av]", "1", "[lb_av]"},
        {"14", "[lb_av]", "1", "[stone_av]"},
        {"12", "[in_i]", "1", "[ft_i]"},
        {"1", "[mi_i]", "1.609344", "km"},
        {"1", "h", "60", "min"},
        {"7", "d", "1", "wk"},
        {"1", "L", "1000", "mL"},
        {"1", "L", "1", "dm3"},
        {"1", "ml", "1", "cm3"},
        {"100", "Cel", "373.15", "K"},
        {"212", "[degF]", "100", "Cel"},
        {"-40", "[degF]", "-40", "Cel"},
        {"1", "mmol/L", "1", "mol/m3"},
        {"1", "mg/dL", "0.01", "g/L"},
        {"5", "%", "0.05", "1"},
        {"50", "mmol/mol", "5", "%"},
        {"1", "kg/m2", "0.0001", "kg/cm2"},
        {"1", "kg.m/s2", "1", "N"},
        {"760", "mm[Hg]", "101324.72", "Pa"},
        {"60", "/min", "1", "Hz"},
        {"1", "10*3/uL", "1", "10*9/L"},
        {"1", "U/L", "1", "umol/min/L"},
        {"1000", "[iU]", "1", "k[iU]"},
        {"1", "(mg/kg)/d", "1", "mg/kg/d"},
        {"2", "{tbl}", "2", "1"},
        {"3", "mg{total}", "3000", "ug"},
        {"1", "J", "1", "N.m"},
        {"1", "g/(8.h)", "3", "g/d"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
        const struct quantity a = quantity(pairs[i][0], pairs[i][1]);
        const struct quantity b = quantity(pairs[i][2], pairs[i][3]);
        int order = 9;
        if (!quantity_compare(&a, &b, &order) || order != 0) {
            fail_msg("%s %s is not %s %s (%d)", pairs[i][0], pairs[i][1], pairs[i][2], pairs[i][3],
                     order);
        }
        const struct quantity more = quantity("1e9", pairs[i][3]);
        assert_true(quantity_compare(&a, &more, &order) && order < 0);
        assert_true(quantity_compare(&more, &a, &order) && order > 0);
    }
}

static void test_units_that_have_no_order(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"kg", "m"},
        {"mmol/L", "mg/dL"},
        {"Cel", "kg"},
        {"[iU]", "mg"},
        {"mL", "mg"},
        {"bananas", "kg"},
        {"kg", "kgkg"},
        {"Cel.m", "K.m"},
        {"m/", "m"},
        {"(m", "m"},
        {"m)", "m"},
        {"m..s", "m.s"},
        {"kCel", "K"},
        {"m99999", "m"},
        {"{x", "1"},
        {"[mi_i", "m"},
        {"((((((((((m))))))))))", "m"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
        const struct quantity a = quantity("1", pairs[i][0]);
        const struct quantity b = quantity("1", pairs[i][1]);
        int order = 0;
        if (quantity_compare(&a, &b, &order) || quantity_comparable(&a, &b)) {
            fail_msg("%s and %s have an order", pairs[i][0], pairs[i][1]);
        }
    }
}

static void test_an_unknown_unit_compares_with_itself(void **state)
{
    (void)state;
    const struct quantity a = quantity("1", "bananas");
    const struct quantity b = quantity("2", "bananas");
    int order = 0;
    assert_true(quantity_compare(&a, &b, &order));
    assert_true(order < 0);

    struct quantity other = b;
    other.system = "urn:other";
    assert_false(quantity_compare(&a, &other, &order));
    other = b;
    other.has_value = false;
    assert_false(quantity_compare(&a, &other, &order));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_amounts),
        cmocka_unit_test(test_units_that_have_no_order),
        cmocka_unit_test(test_an_unknown_unit_compares_with_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
