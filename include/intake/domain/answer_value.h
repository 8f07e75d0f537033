/*
 * One value of any of the types that FHIR R4 allows as an answer, read from JSON. Texts point into
 * the JSON that they were read from, which must outlive the value.
 */
#ifndef INTAKE_DOMAIN_ANSWER_VALUE_H
#define INTAKE_DOMAIN_ANSWER_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "intake/core/json.h"
#include "intake/core/text.h"
#include "intake/domain/date_time.h"
#include "intake/domain/decimal.h"

enum value_type {
    VALUE_NONE,
    VALUE_BOOLEAN,
    VALUE_DECIMAL,
    VALUE_INTEGER,
    VALUE_DATE,
    VALUE_DATE_TIME,
    VALUE_TIME,
    VALUE_STRING,
    VALUE_URI,
    VALUE_CODING,
    VALUE_ATTACHMENT,
    VALUE_REFERENCE,
    VALUE_QUANTITY,
};

/* Members that are not given are NULL. */
struct coding {
    const char *system;
    const char *code;
    const char *display;
};

struct quantity {
    struct decimal value;
    bool has_value;
    const char *comparator;
    const char *system;
    const char *code;
    const char *unit;
};

struct attachment {
    const char *content_type;
    const char *data; /* base64 */
    size_t data_length;
    const char *url;
    int64_t size; /* -1 when not given */
};

struct answer_value {
    enum value_type type;
    const json_t *json; /* what it was read from */
    union {
        bool boolean;
        int64_t integer;
        struct decimal decimal;
        struct date_time moment; /* date, dateTime, time */
        struct view text;        /* string, uri */
        struct coding coding;
        struct quantity quantity;
        struct attachment attachment;
        struct {
            const char *reference;
            const char *display;
        } reference;
    };
};

/* FHIR's name of the type as it ends a member: "Boolean", "DateTime". Static storage. */
const char *value_type_name(enum value_type type);

/*
 * The member `value[x]` of a FHIR object (`valueString`, …) and its type; NULL when there is none.
 * `*ret_count` is how many there are: more than one is an error of the sender.
 */
const json_t *value_member(const json_t *object, const char *prefix, enum value_type *ret_type,
                           size_t *ret_count);

/*
 * Reads `json` as a `type`, in FHIR's JSON form. False when it is not one: wrong JSON type, a day
 * that does not exist, an integer beyond 32 bits. `lexemes` (may be NULL) has the numbers as they
 * were written.
 */
bool value_read(const json_t *json, enum value_type type, const struct json_lexemes *lexemes,
                struct answer_value *ret);

/* Whether two values are the same answer: 1.50 is 1.5, a coding is its system and code. */
bool value_equal(const struct answer_value *a, const struct answer_value *b);

/*
 * Compares values of an ordered type: less than, equal to or greater than zero in `*ret_order`.
 * False when they have no order: different types, or units that are not comparable. An integer and
 * a decimal are comparable.
 */
bool value_compare(const struct answer_value *a, const struct answer_value *b, int *ret_order);

/* Whether two texts are the same; NULL is the same as NULL only. */
bool texts_equal(const char *a, const char *b);

/* A coding without a system matches by code alone. */
bool coding_matches(const struct coding *wanted, const struct coding *given);

#endif
