/* staff_tokens: who may call, by the hash of a token. */
#include "intake/db/store_token.h"

#include "intake/core/cleanup.h"
#include "intake/db/audit.h"
#include "intake/db/result.h"

/* What every change of tokens ends with: a row of the audit, and of the result, for each. */
#define AUDITED(action)                                                                            \
    "),\n"                                                                                         \
    "audited AS ("                                                                                 \
    "    " AUDIT_INTO "    SELECT " AUDIT_PARAMETERS(                                              \
        1, 2, 3, 4, 5) ", '" action "', NULL,"                                                     \
                       "           jsonb_build_object('token_id', id, 'name', name, 'role', role)" \
                       "    FROM changed"                                                          \
                       ")\n"                                                                       \
                       "SELECT id FROM changed"

static const struct statement statements[] = {
    {"token_find",
     "SELECT id, name, role, created_at, expires_at, revoked_at "
     "FROM staff_tokens "
     "WHERE token_hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"},
    {"token_insert", "WITH changed AS ("
                     "    INSERT INTO staff_tokens (id, name, role, token_hash, expires_at)"
                     "    SELECT $6::uuid, $7, $8, $9::bytea, $10::timestamptz"
                     "    WHERE $10::timestamptz IS NULL OR $10::timestamptz > now()"
                     "    RETURNING id, name, role" AUDITED("token.create")},
    {"token_revoke", "WITH changed AS ("
                     "    UPDATE staff_tokens"
                     "    SET revoked_at = now()"
                     "    WHERE revoked_at IS NULL AND (id::text = lower($6) OR name = $6)"
                     "    RETURNING id, name, role" AUDITED("token.revoke")},
    {"token_list", "WITH audited AS ("
                   "    " AUDIT_INTO "    SELECT " AUDIT_PARAMETERS(
                       1, 2, 3, 4, 5) ", 'token.list', NULL, NULL"
                                      ") "
                                      "SELECT id, name, role, created_at, expires_at, revoked_at "
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

enum status token_insert(struct connection *connection, const struct audit_actor *actor,
                         const struct token_new *token, struct err *err)
{
    const char *const values[] = {
        AUDIT_VALUES(actor),       token->id,     token->name, token->role,
        (const char *)token->hash, token->expires};
    const int lengths[ARRAY_LENGTH(values)] = {[8] = TOKEN_HASH_BYTES};
    const int formats[ARRAY_LENGTH(values)] = {[8] = 1};
    const struct parameters parameters = {values, lengths, formats, ARRAY_LENGTH(values)};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute(connection, "token_insert", &parameters, true, 0, &result, err);
    if (status == STATUS_OK && PQntuples(result) == 0) {
        return err_set(err, STATUS_INVALID, "the time of expiry has passed already");
    }
    return status;
}

enum status token_revoke(struct connection *connection, const struct audit_actor *actor,
                         const char *id_or_name, int *ret_count, struct err *err)
{
    const char *const values[] = {AUDIT_VALUES(actor), id_or_name};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute(connection, "token_revoke", &parameters, true, 0, &result, err);
    if (status == STATUS_OK) {
        *ret_count = PQntuples(result);
    }
    return status;
}

enum status token_list(struct connection *connection, const struct audit_actor *actor,
                       PGresult **ret_result, struct err *err)
{
    const char *const values[] = {AUDIT_VALUES(actor)};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    return connection_execute(connection, "token_list", &parameters, true, 0, ret_result, err);
}
