/*
 * PostgreSQL arrays as binary parameters: what set-based statements over unnest() are fed with.
 * Binary, because text would be escaped here and unescaped there.
 */
#ifndef INTAKE_DB_ARRAY_H
#define INTAKE_DB_ARRAY_H

#include <stddef.h>
#include <stdint.h>

#include "intake/core/text.h"

/* The element types that statements use (pg_type.dat). */
enum array_type {
    ARRAY_INT4 = 23,
    ARRAY_INT8 = 20,
    ARRAY_TEXT = 25,
    ARRAY_UUID = 2950,
    ARRAY_JSONB = 3802,
};

/*
 * A one-dimensional array under construction. Keep it between batches: array_start() empties it
 * and keeps its memory. `bytes.failed` tells that memory ran out.
 */
struct array {
    struct strbuf bytes;
    int32_t count;
    enum array_type type;
};

void array_start(struct array *array, enum array_type type);
/* NULL text is SQL's NULL. */
void array_add_text(struct array *array, const char *text, size_t len);
void array_add_string(struct array *array, const char *text);
/* JSON text; the server checks it. NULL is SQL's NULL. */
void array_add_json(struct array *array, const char *json, size_t len);
/* A UUID in its 36-character form; anything else, NULL too, is SQL's NULL. */
void array_add_uuid(struct array *array, const char *uuid);
void array_add_int4(struct array *array, int32_t value);
void array_add_int8(struct array *array, int64_t value);
/* Writes the header; call once after the last element. */
void array_end(struct array *array);
void array_finish(struct array *array);

#endif
