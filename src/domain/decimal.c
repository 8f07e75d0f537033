/* Exact decimals: reading, comparing, and the little arithmetic that units and scores need. */
#include "intake/domain/decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXPONENT_MAX = 1000,                   /* FHIR sets no limit; a hostile 1e999999999 does harm */
    WIDE_DIGITS = 4 * DECIMAL_DIGITS_MAX,  /* products of three, and sums of two products */
    ALIGN_MAX = 2 * DECIMAL_DIGITS_MAX + 8 /* digits that an exact sum of two decimals may have */
};

/* The same number with room for products. */
struct wide {
    uint8_t digits[WIDE_DIGITS];
    int count;
    bool negative;
    int32_t exponent;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads `[eE][+-]?[0-9]+` at `*at`; true when there is none, too. */
static bool read_exponent(const char **at, const char *end, int32_t *ret)
{
    *ret = 0;
    if (*at == end || (**at != 'e' && **at != 'E')) {
        return true;
    }
    (*at)++;
    bool negative = false;
    if (*at < end && (**at == '+' || **at == '-')) {
        negative = **at == '-';
        (*at)++;
    }
    if (*at == end || !is_digit(**at)) {
        return false;
    }
    int32_t value = 0;
    for (; *at < end && is_digit(**at); (*at)++) {
        value = value * 10 + (**at - '0');
        if (value > EXPONENT_MAX) {
            return false;
        }
    }
    *ret = negative ? -value : value;
    return true;
}

/* Adds one digit of the coefficient; leading zeros only move the point. */
static bool push_digit(struct decimal *value, uint8_t digit, int *pending_zeros, bool fraction)
{
    if (digit == 0) {
        if (value->count == 0) {
            value->exponent -= fraction;
        } else {
            (*pending_zeros)++;
            value->exponent += !fraction;
        }
        return true;
    }
    if (value->count + *pending_zeros >= DECIMAL_DIGITS_MAX) {
        return false;
    }
    memset(value->digits + value->count, 0, (size_t)*pending_zeros);
    value->count = (uint8_t)(value->count + *pending_zeros);
    *pending_zeros = 0;
    value->digits[value->count++] = digit;
    value->exponent += !fraction;
    return true;
}

bool decimal_read(const char *text, size_t len, struct decimal *ret)
{
    const char *at = text;
    const char *end = text + len;
    struct decimal value = {.count = 0};
    int pending_zeros = 0;
    if (at < end && *at == '-') {
        value.negative = true;
        at++;
    }
    if (at == end || !is_digit(*at) || (*at == '0' && at + 1 < end && is_digit(at[1]))) {
        return false;
    }
    for (; at < end && is_digit(*at); at++) {
        if (!push_digit(&value, (uint8_t)(*at - '0'), &pending_zeros, false)) {
            return false;
        }
    }
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        for (; at < end && is_digit(*at); at++) {
            if (!push_digit(&value, (uint8_t)(*at - '0'), &pending_zeros, true)) {
                return false;
            }
        }
        if (at == fraction || at - fraction > UINT16_MAX) {
            return false;
        }
        value.places = (uint16_t)(at - fraction);
    }
    int32_t exponent = 0;
    if (!read_exponent(&at, end, &exponent) || at != end) {
        return false;
    }
    const int32_t places = value.places - exponent;
    value.places = places < 0 ? 0 : places > UINT16_MAX ? UINT16_MAX : (uint16_t)places;
    value.exponent += exponent;
    if (value.count == 0) {
        value.negative = false;
        value.exponent = 0;
    }
    *ret = value;
    return true;
}

bool decimal_from_json(const json_t *number, struct decimal *ret)
{
    char text[40];
    if (json_is_integer(number)) {
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(number));
        return decimal_read(text, strlen(text), ret);
    }
    const double value = json_real_value(number);
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    return decimal_read(text, strlen(text), ret);
}

static struct wide widen(const struct decimal *value)
{
    struct wide wide = {
        .count = value->count, .negative = value->negative, .exponent = value->exponent};
    memcpy(wide.digits, value->digits, value->count);
    return wide;
}

/* Takes zeros off both ends of the coefficient. */
static void normalise(struct wide *value)
{
    int leading = 0;
    while (leading < value->count && value->digits[leading] == 0) {
        leading++;
    }
    value->count -= leading;
    memmove(value->digits, value->digits + leading, (size_t)value->count);
    value->exponent -= leading;
    while (value->count > 0 && value->digits[value->count - 1] == 0) {
        value->count--;
    }
    if (value->count == 0) {
        value->negative = false;
        value->exponent = 0;
    }
}

/* School multiplication; the caller's factors are short enough for WIDE_DIGITS. */
static struct wide multiply(const struct wide *a, const struct wide *b)
{
    struct wide product = {.count = a->count + b->count,
                           .negative = a->negative != b->negative,
                           .exponent = a->exponent + b->exponent};
    uint32_t sums[WIDE_DIGITS] = {0};
    for (int i = 0; i < a->count; i++) {
        for (int j = 0; j < b->count; j++) {
            sums[i + j + 1] += (uint32_t)a->digits[i] * b->digits[j];
        }
    }
    uint32_t carry = 0;
    for (int i = product.count - 1; i >= 0; i--) {
        const uint32_t sum = sums[i] + carry;
        product.digits[i] = (uint8_t)(sum % 10);
        carry = sum / 10;
    }
    normalise(&product);
    return product;
}

static int compare_magnitudes(const struct wide *a, const struct wide *b)
{
    if (a->count == 0 || b->count == 0) {
        return (a->count > 0) - (b->count > 0);
    }
    if (a->exponent != b->exponent) {
        return a->exponent < b->exponent ? -1 : 1;
    }
    const int shorter = a->count < b->count ? a->count : b->count;
    const int order = memcmp(a->digits, b->digits, (size_t)shorter);
    return order != 0 ? order : a->count - b->count;
}

static int compare(const struct wide *a, const struct wide *b)
{
    if (a->negative != b->negative) {
        return a->negative ? -1 : 1;
    }
    const int order = compare_magnitudes(a, b);
    return a->negative ? -order : order;
}

int decimal_compare(const struct decimal *a, const struct decimal *b)
{
    const struct wide wide_a = widen(a);
    const struct wide wide_b = widen(b);
    return compare(&wide_a, &wide_b);
}

int decimal_compare_products(const struct decimal *a, const struct decimal *a_factor,
                             const struct decimal *b, const struct decimal *b_factor)
{
    const struct wide wide[] = {widen(a), widen(a_factor), widen(b), widen(b_factor)};
    const struct wide left = multiply(&wide[0], &wide[1]);
    const struct wide right = multiply(&wide[2], &wide[3]);
    return compare(&left, &right);
}

static bool narrow(const struct wide *value, uint16_t places, struct decimal *ret)
{
    if (value->count > DECIMAL_DIGITS_MAX || abs(value->exponent) > EXPONENT_MAX) {
        return false;
    }
    struct decimal result = {.count = (uint8_t)value->count,
                             .negative = value->negative,
                             .places = places,
                             .exponent = value->exponent};
    memcpy(result.digits, value->digits, result.count);
    *ret = result;
    return true;
}

bool decimal_multiply(const struct decimal *a, const struct decimal *b, struct decimal *ret)
{
    const struct wide wide_a = widen(a);
    const struct wide wide_b = widen(b);
    const struct wide product = multiply(&wide_a, &wide_b);
    return narrow(&product, (uint16_t)(a->places + b->places), ret);
}

/* The digit of weight 10^-(position - top + 1), where `top` is the exponent of the first. */
static int digit_at(const struct decimal *value, int32_t top, int position)
{
    const int32_t index = position - (top - value->exponent);
    return index >= 0 && index < value->count ? value->digits[index] : 0;
}

bool decimal_add(const struct decimal *a, const struct decimal *b, struct decimal *ret)
{
    const uint16_t places = a->places > b->places ? a->places : b->places;
    if (a->count == 0 || b->count == 0) {
        *ret = a->count == 0 ? *b : *a;
        ret->places = places;
        return true;
    }
    const int32_t top = (a->exponent > b->exponent ? a->exponent : b->exponent) + 1;
    const int32_t end_a = a->exponent - a->count;
    const int32_t end_b = b->exponent - b->count;
    const int32_t length = top - (end_a < end_b ? end_a : end_b);
    if (length > ALIGN_MAX) {
        return false;
    }
    const struct wide wide_a = widen(a);
    const struct wide wide_b = widen(b);
    const bool subtract = a->negative != b->negative;
    const bool swap = subtract && compare_magnitudes(&wide_a, &wide_b) < 0;
    const struct decimal *larger = swap ? b : a;
    const struct decimal *smaller = swap ? a : b;

    struct wide sum = {.count = length, .negative = larger->negative, .exponent = top};
    int carry = 0;
    for (int i = length - 1; i >= 0; i--) {
        const int other = digit_at(smaller, top, i);
        int digit = digit_at(larger, top, i) + carry + (subtract ? -other : other);
        carry = digit < 0 ? -1 : digit > 9 ? 1 : 0;
        digit -= carry * 10;
        sum.digits[i] = (uint8_t)digit;
    }
    normalise(&sum);
    return narrow(&sum, places, ret);
}

static char digit_char(uint8_t digit)
{
    return "0123456789"[digit];
}

void decimal_print(const struct decimal *value, struct strbuf *out)
{
    if (value->count == 0) {
        strbuf_putc(out, '0');
        return;
    }
    if (value->negative) {
        strbuf_putc(out, '-');
    }
    if (value->exponent < -10 || value->exponent > 30) {
        strbuf_putc(out, digit_char(value->digits[0]));
        for (int i = 1; i < value->count; i++) {
            strbuf_puts(out, i == 1 ? "." : "");
            strbuf_putc(out, digit_char(value->digits[i]));
        }
        strbuf_printf(out, "e%+d", value->exponent - 1);
        return;
    }
    if (value->exponent <= 0) {
        strbuf_puts(out, "0.");
        for (int i = value->exponent; i < 0; i++) {
            strbuf_putc(out, '0');
        }
    }
    for (int i = 0; i < value->count || i < value->exponent; i++) {
        if (i == value->exponent && i > 0) {
            strbuf_putc(out, '.');
        }
        strbuf_putc(out, digit_char(i < value->count ? value->digits[i] : 0));
    }
}

double decimal_to_double(const struct decimal *value)
{
    struct strbuf text = {0};
    decimal_print(value, &text);
    const double result = text.data == NULL ? 0 : strtod(text.data, NULL);
    strbuf_finish(&text);
    return result;
}
