/* JSON in: strict parsing of what a stranger sent, on top of jansson. */
#ifndef INTAKE_CORE_JSON_H
#define INTAKE_CORE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "intake/core/err.h"
#include "intake/core/text.h"

/* Deeper nesting than this is refused before jansson sees it (it recurses). */
#define JSON_DEPTH_MAX 64

/*
 * Parses one JSON text (RFC 8259) of `len` bytes: UTF-8, no duplicate keys, no lone surrogates,
 * at most JSON_DEPTH_MAX deep. `\u0000` is let through, so that a rule can name the field that
 * holds it (json_has_nul). STATUS_INVALID with line and column otherwise; the message quotes
 * nothing of the text. The result is owned by the caller (json_decref or json_auto_t).
 */
enum status json_parse(const char *data, size_t len, json_t **ret_root, struct err *err);

/* The same for a file, whose path leads the error message. At most `max_bytes`. */
enum status json_parse_file(const char *path, size_t max_bytes, json_t **ret_root, struct err *err);

/* The bytes of a file, allocated (free) and NUL-terminated; errors as for json_parse_file. */
enum status json_read_file(const char *path, size_t max_bytes, char **ret_data, size_t *ret_len,
                           struct err *err);

/*
 * The numbers of a JSON text as they were written. A parsed number is a double, which drops digits
 * and trailing zeros; where they count, this finds them again. Zero-initialise it; it points into
 * the text and the tree, which must outlive it.
 */
struct json_lexeme {
    const json_t *number;
    struct view text;
};

struct json_lexemes {
    struct json_lexeme *items; /* sorted by the address of `number` */
    size_t count;
    size_t capacity;
};

/* Fills `ret` from the text that `root` was parsed from; integers are exact already, and left out.
 */
enum status json_lexemes_read(const char *data, size_t len, const json_t *root,
                              struct json_lexemes *ret, struct err *err);
void json_lexemes_finish(struct json_lexemes *lexemes);
/* The number as written; `data` is NULL when it is not there. `lexemes` may be NULL. */
struct view json_lexemes_find(const struct json_lexemes *lexemes, const json_t *number);

/* Appends `value` as JSON text, its numbers as they were written where `lexemes` has them. */
void json_print(const json_t *value, const struct json_lexemes *lexemes, struct strbuf *out);

/*
 * The same value for those functions of jansson that change nothing and still take no const: its
 * iterators, json_copy() and json_equal(). Nothing may be changed through it.
 */
static inline json_t *json_readable(const json_t *value)
{
    const union {
        const json_t *given;
        json_t *taken;
    } same = {value};
    return same.taken;
}

/* Whether a JSON string holds U+0000, which PostgreSQL cannot store. */
bool json_has_nul(const json_t *string);

#endif
