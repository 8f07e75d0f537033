/*
 * PostgreSQL arrays in their binary form: dimensions, a flag for NULLs, the element type, then
 * for each dimension its length and lower bound, then each element with its length
 * (src/backend/utils/adt/arrayfuncs.c, array_recv).
 */
#include "intake/db/array.h"

#include <arpa/inet.h>
#include <string.h>
#include <uuid/uuid.h>

enum { HEADER_BYTES = 5 * 4 };

static void put_int4(struct strbuf *bytes, int32_t value)
{
    const uint32_t network = htonl((uint32_t)value);
    strbuf_append(bytes, (const char *)&network, sizeof network);
}

static void put_int8(struct strbuf *bytes, int64_t value)
{
    put_int4(bytes, (int32_t)((uint64_t)value >> 32));
    put_int4(bytes, (int32_t)((uint64_t)value & 0xFFFFFFFFU));
}

static void put_null(struct array *array)
{
    put_int4(&array->bytes, -1);
    array->count++;
}

void array_start(struct array *array, enum array_type type)
{
    static const char zeros[HEADER_BYTES];
    strbuf_clear(&array->bytes);
    strbuf_append(&array->bytes, zeros, sizeof zeros);
    array->count = 0;
    array->type = type;
}

void array_add_text(struct array *array, const char *text, size_t len)
{
    if (text == NULL) {
        put_null(array);
        return;
    }
    put_int4(&array->bytes, (int32_t)len);
    strbuf_append(&array->bytes, text, len);
    array->count++;
}

void array_add_string(struct array *array, const char *text)
{
    array_add_text(array, text, text != NULL ? strlen(text) : 0);
}

void array_add_json(struct array *array, const char *json, size_t len)
{
    if (json == NULL) {
        put_null(array);
        return;
    }
    put_int4(&array->bytes, (int32_t)len + 1);
    strbuf_putc(&array->bytes, 1); /* the version of jsonb's binary form */
    strbuf_append(&array->bytes, json, len);
    array->count++;
}

void array_add_uuid(struct array *array, const char *uuid)
{
    uuid_t bytes;
    if (uuid == NULL || uuid_parse(uuid, bytes) != 0) {
        put_null(array);
        return;
    }
    put_int4(&array->bytes, (int32_t)sizeof bytes);
    strbuf_append(&array->bytes, (const char *)bytes, sizeof bytes);
    array->count++;
}

void array_add_int4(struct array *array, int32_t value)
{
    put_int4(&array->bytes, 4);
    put_int4(&array->bytes, value);
    array->count++;
}

void array_add_int8(struct array *array, int64_t value)
{
    put_int4(&array->bytes, 8);
    put_int8(&array->bytes, value);
    array->count++;
}

void array_end(struct array *array)
{
    if (array->bytes.failed) {
        return;
    }
    const int32_t words[] = {array->count > 0, 1, (int32_t)array->type, array->count, 1};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const uint32_t network = htonl((uint32_t)words[i]);
        memcpy(array->bytes.data + 4 * i, &network, sizeof network);
    }
    if (array->count == 0) { /* an empty array has no dimensions to describe */
        array->bytes.len = HEADER_BYTES - 8;
    }
}

void array_finish(struct array *array)
{
    strbuf_finish(&array->bytes);
}
