/* staff_sessions: browsers that staff have signed in with, by the hash of their cookie. */
#include "intake/db/store_session.h"

#include <stdio.h>

#include "intake/core/cleanup.h"
#include "intake/db/audit.h"
#include "intake/db/connection.h"
#include "intake/db/result.h"

static const char find_sql[] =
    "WITH found AS ("
    "    SELECT s.session_hash, s.last_seen_at, s.expires_at, t.id AS token_id, t.name, t.role,"
    "           s.ended_at IS NULL AND s.expires_at > now()"
    "           AND s.last_seen_at > now() - $2::bigint * interval '1 minute'"
    "           AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())"
    "               AS is_live"
    "    FROM staff_sessions AS s"
    "    JOIN staff_tokens AS t ON t.id = s.token_id"
    "    WHERE s.session_hash = $1"
    "),\n"
    "seen AS ("
    "    UPDATE staff_sessions AS s"
    "    SET last_seen_at = now()"
    "    FROM found"
    "    WHERE s.session_hash = found.session_hash AND found.is_live AND $3::boolean"
    "      AND found.last_seen_at < now() - interval '1 minute'"
    ")\n"
    "SELECT is_live, expires_at, token_id, name, role FROM found";

static const char insert_sql[] =
    "WITH gone AS ("
    "    DELETE FROM staff_sessions WHERE expires_at < now() - interval '1 day'"
    "),\n"
    "made AS ("
    "    INSERT INTO staff_sessions (session_hash, token_id, expires_at)"
    "    SELECT $6::bytea, id, least(now() + $7::bigint * interval '1 hour', expires_at)"
    "    FROM staff_tokens"
    "    WHERE id = $1::uuid"
    "    RETURNING expires_at"
    "),\n"
    "audited AS ("
    "    " AUDIT_INTO "    SELECT " AUDIT_PARAMETERS(1, 2, 3, 4, 5) ", 'session.create', NULL, NULL"
                                                                    "    FROM made"
                                                                    ")\n"
                                                                    "SELECT expires_at FROM made";

static const char end_sql[] =
    "WITH ended AS ("
    "    UPDATE staff_sessions"
    "    SET ended_at = now()"
    "    WHERE session_hash = $6::bytea AND ended_at IS NULL"
    "    RETURNING session_hash"
    ")\n" AUDIT_INTO " SELECT " AUDIT_PARAMETERS(1, 2, 3, 4, 5) ", 'session.end', NULL, NULL "
                                                                "FROM ended";

static const struct statement statements[] = {
    {"session_find", find_sql},
    {"session_insert", insert_sql},
    {"session_end", end_sql},
};

const struct statement_list session_statements = {statements, ARRAY_LENGTH(statements)};

enum status session_find(struct connection *connection,
                         const unsigned char hash[static SESSION_HASH_BYTES], long idle_minutes,
                         bool is_use, struct session_record *ret_record, struct err *err)
{
    char idle[24];
    snprintf(idle, sizeof idle, "%ld", idle_minutes);
    const char *const values[] = {(const char *)hash, idle, is_use ? "true" : "false"};
    const int lengths[ARRAY_LENGTH(values)] = {SESSION_HASH_BYTES};
    const int formats[ARRAY_LENGTH(values)] = {1};
    const struct parameters parameters = {values, lengths, formats, ARRAY_LENGTH(values)};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute(connection, "session_find", &parameters, true, 0, &result, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (PQntuples(result) == 0) {
        return err_set(err, STATUS_NOT_FOUND, "no session has this hash");
    }
    *ret_record = (struct session_record){
        .is_live = result_bool(result, 0, 0),
        .expires_at_us = result_timestamp(result, 0, 1),
        .name = result_text(result, 0, 3),
        .role = result_text(result, 0, 4),
    };
    result_uuid(result, 0, 2, ret_record->token_id);
    ret_record->result = TAKE(result);
    return STATUS_OK;
}

enum status session_insert(struct connection *connection, const struct audit_actor *actor,
                           const unsigned char hash[static SESSION_HASH_BYTES], long hours,
                           int64_t *ret_expires_at_us, struct err *err)
{
    char hours_text[24];
    snprintf(hours_text, sizeof hours_text, "%ld", hours);
    const char *const values[] = {AUDIT_VALUES(actor), (const char *)hash, hours_text};
    const int lengths[ARRAY_LENGTH(values)] = {[5] = SESSION_HASH_BYTES};
    const int formats[ARRAY_LENGTH(values)] = {[5] = 1};
    const struct parameters parameters = {values, lengths, formats, ARRAY_LENGTH(values)};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute(connection, "session_insert", &parameters, true, 0, &result, err);
    if (status == STATUS_OK && PQntuples(result) == 0) {
        return err_set(err, STATUS_INTERNAL, "a session was asked for without a token");
    }
    if (status == STATUS_OK) {
        *ret_expires_at_us = result_timestamp(result, 0, 0);
    }
    return status;
}

enum status session_end(struct connection *connection, const struct audit_actor *actor,
                        const unsigned char hash[static SESSION_HASH_BYTES], struct err *err)
{
    const char *const values[] = {AUDIT_VALUES(actor), (const char *)hash};
    const int lengths[ARRAY_LENGTH(values)] = {[5] = SESSION_HASH_BYTES};
    const int formats[ARRAY_LENGTH(values)] = {[5] = 1};
    const struct parameters parameters = {values, lengths, formats, ARRAY_LENGTH(values)};
    AUTO_RESULT PGresult *result = NULL;
    return connection_execute(connection, "session_end", &parameters, true, 0, &result, err);
}
