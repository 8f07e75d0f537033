/* staff_tokens: who may call, by the hash of a token. */
#include "intake/db/store_token.h"

#include <stdlib.h>

#include "intake/core/cleanup.h"
#include "intake/db/result.h"

static const struct statement statements[] = {
    {"token_find",
     "SELECT id, name, role, created_at, expires_at, revoked_at "
     "FROM staff_tokens "
     "WHERE token_hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"},
    {"token_insert", "INSERT INTO staff_tokens (id, name, role, token_hash, expires_at) "
                     "SELECT $1::uuid, $2, $3, $4::bytea, $5::timestamptz "
                     "WHERE $5::timestamptz IS NULL OR $5::timestamptz > now()"},
    {"token_revoke", "UPDATE staff_tokens "
                     "SET revoked_at = now() "
                     "WHERE revoked_at IS NULL AND (id::text = lower($1) OR name = $1)"},
    {"token_list", "SELECT id, name, role, created_at, expires_at, revoked_at "
                   "FROM staff_tokens "
                   "ORDER BY created_at, id"},
};

const struct statement_list token_statements = {statements, ARRAY_LENGTH(statements)};

void token_record_read(const PGresult *result, int row, struct token_record *ret_record)
{
    result_uuid(result, row, 0, ret_record->id);
    ret_record->name = result_text(result, row, 1);
    ret_record->role = result_text(result, row, 2);
    ret_record->created_at_us = result_timestamp(result, row, 3);
    ret_record->expires_at_us = result_timestamp(result, row, 4);
    ret_record->revoked_at_us = result_timestamp(result, row, 5);
}

enum status token_find(struct connection *connection,
                       const unsigned char hash[static TOKEN_HASH_BYTES],
                       struct token_record *ret_record, PGresult **ret_result, struct err *err)
{
    const char *const values[] = {(const char *)hash};
    const int lengths[] = {TOKEN_HASH_BYTES};
    const int formats[] = {1};
    const struct parameters parameters = {values, lengths, formats, 1};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute(connection, "token_find", &parameters, true, 0, &result, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (PQntuples(result) != 1) {
        return err_set(err, STATUS_NOT_FOUND, "no live token has this hash");
    }
    token_record_read(result, 0, ret_record);
    *ret_result = TAKE(result);
    return STATUS_OK;
}

/* How many rows the statement touched. */
static int rows_touched(PGresult *result)
{
    return (int)strtol(PQcmdTuples(result), NULL, 10);
}

enum status token_insert(struct connection *connection, const char *id, const char *name,
                         const char *role, const unsigned char hash[static TOKEN_HASH_BYTES],
                         const char *expires, struct err *err)
{
    const char *const values[] = {id, name, role, (const char *)hash, expires};
    const int lengths[] = {0, 0, 0, TOKEN_HASH_BYTES, 0};
    const int formats[] = {0, 0, 0, 1, 0};
    const struct parameters parameters = {values, lengths, formats, ARRAY_LENGTH(values)};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute(connection, "token_insert", &parameters, true, 0, &result, err);
    if (status == STATUS_OK && rows_touched(result) == 0) {
        return err_set(err, STATUS_INVALID, "the time of expiry has passed already");
    }
    return status;
}

enum status token_revoke(struct connection *connection, const char *id_or_name, int *ret_count,
                         struct err *err)
{
    const char *const values[] = {id_or_name};
    const struct parameters parameters = {.values = values, .count = 1};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute(connection, "token_revoke", &parameters, true, 0, &result, err);
    if (status == STATUS_OK) {
        *ret_count = rows_touched(result);
    }
    return status;
}

enum status token_list(struct connection *connection, PGresult **ret_result, struct err *err)
{
    const struct parameters parameters = {0};
    return connection_execute(connection, "token_list", &parameters, true, 0, ret_result, err);
}
