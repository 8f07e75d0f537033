/* Reading rows that came in PostgreSQL's binary format. */
#include "intake/db/result.h"

#include <arpa/inet.h>
#include <string.h>
#include <uuid/uuid.h>

/* 2000-01-01, from where PostgreSQL counts, in microseconds since 1970. */
static const int64_t postgres_epoch_us = 946684800LL * 1000000;

bool result_is_null(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) != 0;
}

bool result_bool(const PGresult *result, int row, int column)
{
    return PQgetlength(result, row, column) == 1 && *PQgetvalue(result, row, column) != 0;
}

int32_t result_int4(const PGresult *result, int row, int column)
{
    uint32_t network = 0;
    if (PQgetlength(result, row, column) == (int)sizeof network) {
        memcpy(&network, PQgetvalue(result, row, column), sizeof network);
    }
    return (int32_t)ntohl(network);
}

int64_t result_int8(const PGresult *result, int row, int column)
{
    uint32_t words[2] = {0, 0};
    if (PQgetlength(result, row, column) == (int)sizeof words) {
        memcpy(words, PQgetvalue(result, row, column), sizeof words);
    }
    return (int64_t)(((uint64_t)ntohl(words[0]) << 32) | ntohl(words[1]));
}

int64_t result_timestamp(const PGresult *result, int row, int column)
{
    if (result_is_null(result, row, column)) {
        return 0;
    }
    const int64_t value = result_int8(result, row, column);
    return value == INT64_MAX || value == INT64_MIN ? 0 : value + postgres_epoch_us;
}

void result_uuid(const PGresult *result, int row, int column, char ret_text[static UUID_TEXT_SIZE])
{
    ret_text[0] = '\0';
    uuid_t uuid = {0};
    if (PQgetlength(result, row, column) == (int)sizeof uuid) {
        memcpy(uuid, PQgetvalue(result, row, column), sizeof uuid);
        uuid_unparse_lower(uuid, ret_text);
    }
}

struct view result_text(const PGresult *result, int row, int column)
{
    if (result_is_null(result, row, column)) {
        return (struct view){0};
    }
    return (struct view){
        .data = PQgetvalue(result, row, column),
        .len = (size_t)PQgetlength(result, row, column),
    };
}

struct view result_json(const PGresult *result, int row, int column)
{
    struct view text = result_text(result, row, column);
    if (text.len > 0) { /* the first byte is the version of jsonb's binary form */
        text.data++;
        text.len--;
    }
    return text;
}

char *result_copy(const PGresult *result, int row, int column, bool *failed)
{
    const struct view text = result_text(result, row, column);
    if (text.data == NULL) {
        return NULL;
    }
    char *copy = text_copy(text.data, text.len);
    *failed = *failed || copy == NULL;
    return copy;
}
