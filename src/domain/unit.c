/* Comparable units, on top of a small reader of UCUM's terms. */
#include "intake/domain/unit.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/domain/answer_value.h"

static const char UCUM[] = "http://unitsofmeasure.org";

/* Base dimensions; those after the candela keep apart what UCUM counts as a bare number. */
enum dimension {
    LENGTH,
    MASS,
    TIME,
    ANGLE,
    TEMPERATURE,
    CHARGE,
    LIGHT,
    AMOUNT,
    UNITS_INTERNATIONAL,
    EQUIVALENTS,
    DIMENSIONS
};

/* factor = numerator / denominator in base units (m, g, s, rad, K, C, cd), plus an offset. */
struct unit {
    int8_t powers[DIMENSIONS];
    struct decimal numerator;
    struct decimal denominator;
    bool special; /* value + offset is proportional; only alone, not in a product */
    struct decimal offset;
};

struct atom {
    const char *code;
    const char *numerator;
    const char *denominator; /* NULL: 1 */
    bool metric;             /* takes prefixes */
    int8_t powers[DIMENSIONS];
    const char *offset; /* NULL: none */
};

static const struct atom atoms[] = {
    {"m", "1", NULL, true, {[LENGTH] = 1}, NULL},
    {"g", "1", NULL, true, {[MASS] = 1}, NULL},
    {"s", "1", NULL, true, {[TIME] = 1}, NULL},
    {"rad", "1", NULL, true, {[ANGLE] = 1}, NULL},
    {"K", "1", NULL, true, {[TEMPERATURE] = 1}, NULL},
    {"C", "1", NULL, true, {[CHARGE] = 1}, NULL},
    {"cd", "1", NULL, true, {[LIGHT] = 1}, NULL},
    {"mol", "1", NULL, true, {[AMOUNT] = 1}, NULL},
    {"eq", "1", NULL, true, {[EQUIVALENTS] = 1}, NULL},
    {"[iU]", "1", NULL, true, {[UNITS_INTERNATIONAL] = 1}, NULL},
    {"[IU]", "1", NULL, true, {[UNITS_INTERNATIONAL] = 1}, NULL},
    {"U", "1e-6", "60", true, {[AMOUNT] = 1, [TIME] = -1}, NULL},
    {"%", "1e-2", NULL, false, {0}, NULL},
    {"[ppth]", "1e-3", NULL, false, {0}, NULL},
    {"[ppm]", "1e-6", NULL, false, {0}, NULL},
    {"[ppb]", "1e-9", NULL, false, {0}, NULL},
    {"10*", "10", NULL, false, {0}, NULL},
    {"10^", "10", NULL, false, {0}, NULL},
    {"[pi]", "3.1415926535897932384626433832795", NULL, false, {0}, NULL},
    {"deg", "0.017453292519943295769236907684886", NULL, false, {[ANGLE] = 1}, NULL},
    {"min", "60", NULL, false, {[TIME] = 1}, NULL},
    {"h", "3600", NULL, false, {[TIME] = 1}, NULL},
    {"d", "86400", NULL, false, {[TIME] = 1}, NULL},
    {"wk", "604800", NULL, false, {[TIME] = 1}, NULL},
    {"mo", "2629800", NULL, false, {[TIME] = 1}, NULL},
    {"mo_j", "2629800", NULL, false, {[TIME] = 1}, NULL},
    {"a", "31557600", NULL, false, {[TIME] = 1}, NULL},
    {"a_j", "31557600", NULL, false, {[TIME] = 1}, NULL},
    {"L", "1e-3", NULL, true, {[LENGTH] = 3}, NULL},
    {"l", "1e-3", NULL, true, {[LENGTH] = 3}, NULL},
    {"ar", "100", NULL, true, {[LENGTH] = 2}, NULL},
    {"t", "1e6", NULL, true, {[MASS] = 1}, NULL},
    {"bar", "1e8", NULL, true, {[MASS] = 1, [LENGTH] = -1, [TIME] = -2}, NULL},
    {"Hz", "1", NULL, true, {[TIME] = -1}, NULL},
    {"N", "1e3", NULL, true, {[MASS] = 1, [LENGTH] = 1, [TIME] = -2}, NULL},
    {"Pa", "1e3", NULL, true, {[MASS] = 1, [LENGTH] = -1, [TIME] = -2}, NULL},
    {"J", "1e3", NULL, true, {[MASS] = 1, [LENGTH] = 2, [TIME] = -2}, NULL},
    {"W", "1e3", NULL, true, {[MASS] = 1, [LENGTH] = 2, [TIME] = -3}, NULL},
    {"A", "1", NULL, true, {[CHARGE] = 1, [TIME] = -1}, NULL},
    {"V", "1e3", NULL, true, {[MASS] = 1, [LENGTH] = 2, [TIME] = -2, [CHARGE] = -1}, NULL},
    {"cal", "4184", NULL, true, {[MASS] = 1, [LENGTH] = 2, [TIME] = -2}, NULL},
    {"[Cal]", "4184000", NULL, false, {[MASS] = 1, [LENGTH] = 2, [TIME] = -2}, NULL},
    {"Bq", "1", NULL, true, {[TIME] = -1}, NULL},
    {"Gy", "1", NULL, true, {[LENGTH] = 2, [TIME] = -2}, NULL},
    {"Sv", "1", NULL, true, {[LENGTH] = 2, [TIME] = -2}, NULL},
    {"kat", "1", NULL, true, {[AMOUNT] = 1, [TIME] = -1}, NULL},
    {"lm", "1", NULL, true, {[LIGHT] = 1}, NULL},
    {"osm", "1", NULL, true, {[AMOUNT] = 1}, NULL},
    {"m[Hg]", "133322000", NULL, true, {[MASS] = 1, [LENGTH] = -1, [TIME] = -2}, NULL},
    {"m[H2O]", "9806650", NULL, true, {[MASS] = 1, [LENGTH] = -1, [TIME] = -2}, NULL},
    {"[in_i]", "0.0254", NULL, false, {[LENGTH] = 1}, NULL},
    {"[in_us]", "100", "3937", false, {[LENGTH] = 1}, NULL},
    {"[ft_i]", "0.3048", NULL, false, {[LENGTH] = 1}, NULL},
    {"[ft_us]", "1200", "3937", false, {[LENGTH] = 1}, NULL},
    {"[yd_i]", "0.9144", NULL, false, {[LENGTH] = 1}, NULL},
    {"[mi_i]", "1609.344", NULL, false, {[LENGTH] = 1}, NULL},
    {"[nmi_i]", "1852", NULL, false, {[LENGTH] = 1}, NULL},
    {"[lb_av]", "453.59237", NULL, false, {[MASS] = 1}, NULL},
    {"[oz_av]", "28.349523125", NULL, false, {[MASS] = 1}, NULL},
    {"[stone_av]", "6350.29318", NULL, false, {[MASS] = 1}, NULL},
    {"[gr]", "0.06479891", NULL, false, {[MASS] = 1}, NULL},
    {"[foz_us]", "2.95735295625e-5", NULL, false, {[LENGTH] = 3}, NULL},
    {"[cup_us]", "2.365882365e-4", NULL, false, {[LENGTH] = 3}, NULL},
    {"[tbs_us]", "1.478676478125e-5", NULL, false, {[LENGTH] = 3}, NULL},
    {"[tsp_us]", "4.92892159375e-6", NULL, false, {[LENGTH] = 3}, NULL},
    {"[pt_us]", "4.73176473e-4", NULL, false, {[LENGTH] = 3}, NULL},
    {"[qt_us]", "9.46352946e-4", NULL, false, {[LENGTH] = 3}, NULL},
    {"[gal_us]", "3.785411784e-3", NULL, false, {[LENGTH] = 3}, NULL},
    {"[pt_br]", "5.6826125e-4", NULL, false, {[LENGTH] = 3}, NULL},
    {"[drp]", "5e-8", NULL, false, {[LENGTH] = 3}, NULL},
    {"[psi]",
     "6894757.2931683613367226734453468906937",
     NULL,
     false,
     {[MASS] = 1, [LENGTH] = -1, [TIME] = -2},
     NULL},
    {"Cel", "1", NULL, true, {[TEMPERATURE] = 1}, "273.15"},
    {"[degF]", "5", "9", false, {[TEMPERATURE] = 1}, "459.67"},
};

static const struct {
    const char *code;
    int exponent;
} prefixes[] = {
    {"da", 1}, {"Y", 24},  {"Z", 21},  {"E", 18},  {"P", 15},  {"T", 12},  {"G", 9},
    {"M", 6},  {"k", 3},   {"h", 2},   {"d", -1},  {"c", -2},  {"m", -3},  {"u", -6},
    {"n", -9}, {"p", -12}, {"f", -15}, {"a", -18}, {"z", -21}, {"y", -24},
};

struct reader {
    const char *at;
    const char *end;
    int depth;
};

enum { DEPTH_MAX = 8, POWER_MAX = 9 };

static bool read_term(struct reader *in, struct unit *ret);

static struct decimal number(const char *text)
{
    struct decimal value = {.count = 0};
    (void)decimal_read(text, strlen(text), &value);
    return value;
}

static struct unit one(void)
{
    return (struct unit){.numerator = number("1"), .denominator = number("1")};
}

/* unit *= factor^power; false when it gets too large, or mixes in a special unit. */
static bool multiply(struct unit *unit, const struct unit *factor, int power)
{
    if (factor->special) {
        return false;
    }
    const bool divide = power < 0;
    for (int i = 0; i < abs(power); i++) {
        const struct decimal *up = divide ? &factor->denominator : &factor->numerator;
        const struct decimal *down = divide ? &factor->numerator : &factor->denominator;
        if (!decimal_multiply(&unit->numerator, up, &unit->numerator) ||
            !decimal_multiply(&unit->denominator, down, &unit->denominator)) {
            return false;
        }
    }
    for (size_t i = 0; i < DIMENSIONS; i++) {
        const int sum = unit->powers[i] + factor->powers[i] * power;
        if (abs(sum) > INT8_MAX) {
            return false;
        }
        unit->powers[i] = (int8_t)sum;
    }
    return true;
}

static const struct atom *find_atom(const char *code, size_t len)
{
    for (size_t i = 0; i < ARRAY_LENGTH(atoms); i++) {
        if (strncmp(atoms[i].code, code, len) == 0 && atoms[i].code[len] == '\0') {
            return &atoms[i];
        }
    }
    return NULL;
}

static void from_atom(const struct atom *atom, int exponent, struct unit *ret)
{
    *ret = one();
    memcpy(ret->powers, atom->powers, sizeof ret->powers);
    ret->numerator = number(atom->numerator);
    if (ret->numerator.count > 0) {
        ret->numerator.exponent += exponent;
    }
    if (atom->denominator != NULL) {
        ret->denominator = number(atom->denominator);
    }
    if (atom->offset != NULL) {
        ret->special = true;
        ret->offset = number(atom->offset);
    }
}

/* A symbol with or without a prefix: "kg", "[lb_av]", "mm[Hg]". */
static bool find_symbol(const char *code, size_t len, struct unit *ret)
{
    const struct atom *atom = find_atom(code, len);
    if (atom != NULL) {
        from_atom(atom, 0, ret);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(prefixes); i++) {
        const size_t skip = strlen(prefixes[i].code);
        if (len <= skip || strncmp(code, prefixes[i].code, skip) != 0) {
            continue;
        }
        atom = find_atom(code + skip, len - skip);
        if (atom != NULL && atom->metric && atom->offset == NULL) {
            from_atom(atom, prefixes[i].exponent, ret);
            return true;
        }
    }
    return false;
}

/* The length of a symbol: up to an operator, an exponent, an annotation or a bracket's end. */
static size_t symbol_length(const struct reader *in)
{
    const char *at = in->at;
    bool bracket = false;
    if (in->end - at >= 3 && (strncmp(at, "10*", 3) == 0 || strncmp(at, "10^", 3) == 0)) {
        return 3;
    }
    for (; at < in->end; at++) {
        if (*at == '[' || *at == ']') {
            bracket = *at == '[';
        } else if (!bracket && strchr("./(){}+-0123456789", *at) != NULL) {
            break;
        }
    }
    return (size_t)(at - in->at);
}

static bool skip_annotation(struct reader *in)
{
    if (in->at == in->end || *in->at != '{') {
        return true;
    }
    while (in->at < in->end && *in->at != '}') {
        in->at++;
    }
    return in->at++ < in->end;
}

/* An exponent after a symbol: "2", "-1", "+3"; 1 when there is none. */
static bool read_power(struct reader *in, int *ret)
{
    bool negative = false;
    *ret = 1;
    if (in->at < in->end && (*in->at == '-' || *in->at == '+')) {
        negative = *in->at++ == '-';
        if (in->at == in->end || !isdigit((unsigned char)*in->at)) {
            return false;
        }
    }
    if (in->at < in->end && isdigit((unsigned char)*in->at)) {
        *ret = *in->at++ - '0';
        if (in->at < in->end && isdigit((unsigned char)*in->at)) {
            *ret = *ret * 10 + (*in->at++ - '0');
        }
        *ret = negative ? -*ret : *ret;
    }
    return true;
}

/* A whole number as a factor: the 24 of "/24.h". */
static bool read_number(struct reader *in, struct unit *ret)
{
    const char *start = in->at;
    while (in->at < in->end && isdigit((unsigned char)*in->at)) {
        in->at++;
    }
    *ret = one();
    return decimal_read(start, (size_t)(in->at - start), &ret->numerator) &&
           ret->numerator.count > 0;
}

static bool read_component(struct reader *in, struct unit *ret)
{
    if (in->at == in->end) {
        return false;
    }
    if (*in->at == '(') {
        in->at++;
        if (++in->depth > DEPTH_MAX || !read_term(in, ret) || in->at == in->end || *in->at != ')') {
            return false;
        }
        in->at++;
        in->depth--;
        return skip_annotation(in);
    }
    if (*in->at == '{') {
        *ret = one();
        return skip_annotation(in);
    }
    const size_t len = symbol_length(in);
    if (len == 0) {
        return read_number(in, ret) && skip_annotation(in);
    }
    struct unit base;
    if (!find_symbol(in->at, len, &base)) {
        return false;
    }
    in->at += len;
    int power = 1;
    const bool ten = strncmp(in->at - len, "10", 2) == 0;
    if (!read_power(in, &power) || (abs(power) > POWER_MAX && !ten) || abs(power) > 30) {
        return false;
    }
    if (power == 1) {
        *ret = base;
    } else {
        *ret = one();
        if (!multiply(ret, &base, power)) {
            return false;
        }
    }
    return skip_annotation(in);
}

/* component (('.' | '/') component)*, or the same after a leading '/'. */
static bool read_term(struct reader *in, struct unit *ret)
{
    bool first = true;
    *ret = one();
    while (in->at < in->end && *in->at != ')') {
        bool divide = false;
        if (*in->at == '/' || (*in->at == '.' && !first)) {
            divide = *in->at++ == '/';
        } else if (!first) {
            return false;
        }
        struct unit component;
        if (!read_component(in, &component)) {
            return false;
        }
        if (first && !divide) {
            *ret = component;
        } else if (ret->special || !multiply(ret, &component, divide ? -1 : 1)) {
            return false;
        }
        first = false;
    }
    return !first;
}

static bool read_unit(const char *code, struct unit *ret)
{
    struct reader in = {.at = code, .end = code + strlen(code)};
    return read_term(&in, ret) && in.at == in.end;
}

static const char *code_of(const struct quantity *quantity)
{
    const char *code = quantity->code != NULL ? quantity->code : quantity->unit;
    return code == NULL || code[0] == '\0' ? "1" : code;
}

static const char *system_of(const struct quantity *quantity)
{
    return quantity->system == NULL ? UCUM : quantity->system;
}

/* Whether both name the same unit, so that the values compare as they are. */
static bool same_unit(const struct quantity *a, const struct quantity *b)
{
    return strcmp(code_of(a), code_of(b)) == 0 ||
           (a->unit != NULL && a->unit[0] != '\0' && texts_equal(a->unit, b->unit));
}

static bool convert(const struct quantity *a, const struct quantity *b, struct unit units[2])
{
    return strcmp(system_of(a), UCUM) == 0 && read_unit(code_of(a), &units[0]) &&
           read_unit(code_of(b), &units[1]) &&
           memcmp(units[0].powers, units[1].powers, sizeof units[0].powers) == 0;
}

bool quantity_comparable(const struct quantity *a, const struct quantity *b)
{
    struct unit units[2];
    return strcmp(system_of(a), system_of(b)) == 0 && (same_unit(a, b) || convert(a, b, units));
}

bool quantity_compare(const struct quantity *a, const struct quantity *b, int *ret_order)
{
    if (!a->has_value || !b->has_value || strcmp(system_of(a), system_of(b)) != 0) {
        return false;
    }
    if (same_unit(a, b)) {
        *ret_order = decimal_compare(&a->value, &b->value);
        return true;
    }
    struct unit units[2];
    struct decimal x = a->value;
    struct decimal y = b->value;
    struct decimal factors[2];
    if (!convert(a, b, units) || !decimal_add(&x, &units[0].offset, &x) ||
        !decimal_add(&y, &units[1].offset, &y) ||
        !decimal_multiply(&units[0].numerator, &units[1].denominator, &factors[0]) ||
        !decimal_multiply(&units[1].numerator, &units[0].denominator, &factors[1])) {
        return false;
    }
    *ret_order = decimal_compare_products(&x, &factors[0], &y, &factors[1]);
    return true;
}
