/*
 * Decimal numbers as decimals: exact digits and an exponent of ten, never a double. For FHIR's
 * `decimal` (R4 datatypes: arbitrary precision, and trailing zeros count as precision).
 */
#ifndef INTAKE_DOMAIN_DECIMAL_H
#define INTAKE_DOMAIN_DECIMAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake/core/text.h"

/* More significant digits than this are not read (decimal128 has 34). */
#define DECIMAL_DIGITS_MAX 40

/* (-1)^negative * 0.d1d2d3… * 10^exponent; zero has no digits. No leading or trailing zeros. */
struct decimal {
    uint8_t digits[DECIMAL_DIGITS_MAX];
    uint8_t count;
    bool negative;
    uint16_t places; /* digits after the point as written, trailing zeros included */
    int32_t exponent;
};

/*
 * Reads a JSON number (RFC 8259 section 6) that is all of `text`; false when it is none, or has
 * more digits or a larger exponent than we keep.
 */
bool decimal_read(const char *text, size_t len, struct decimal *ret);

/*
 * The decimal of a JSON number without its lexeme: the shortest one that is the same double.
 * Digits beyond a double and trailing zeros are lost already; see json_lexemes in core/json.h.
 */
bool decimal_from_json(const json_t *number, struct decimal *ret);

/* Less than, equal to or greater than zero, by value: 1.50 equals 1.5. */
int decimal_compare(const struct decimal *a, const struct decimal *b);

/* Compares a * a_factor with b * b_factor, exactly. */
int decimal_compare_products(const struct decimal *a, const struct decimal *a_factor,
                             const struct decimal *b, const struct decimal *b_factor);

/* a + b and a * b; false when the exact result has more digits than we keep. */
bool decimal_add(const struct decimal *a, const struct decimal *b, struct decimal *ret);
bool decimal_multiply(const struct decimal *a, const struct decimal *b, struct decimal *ret);

/* Appends it without an exponent where that is short: "-12.5", "0.001", "1e+30". */
void decimal_print(const struct decimal *value, struct strbuf *out);

double decimal_to_double(const struct decimal *value);

#endif
