/* JSON in: strict parsing of what a stranger sent, on top of jansson. */
#ifndef INTAKE_CORE_JSON_H
#define INTAKE_CORE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "intake/core/err.h"

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

/* Whether a JSON string holds U+0000, which PostgreSQL cannot store. */
bool json_has_nul(const json_t *string);

#endif
