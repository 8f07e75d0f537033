/* submission_drafts: what was begun for a booking and not sent yet. */
#include "intake/db/store_draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/db/audit.h"
#include "intake/db/connection.h"
#include "intake/db/result.h"

static const char find_sql[] =
    "WITH found AS ("
    "    SELECT booking_uid, version, created_at, updated_at, expires_at, draft_data"
    "    FROM submission_drafts"
    "    WHERE booking_uid = $1 AND expires_at > now()"
    "),\n"
    "audited AS ("
    "    " AUDIT_INTO "    SELECT " AUDIT_PARAMETERS(
        2, 3, 4, 5, 6) ", 'draft.read', booking_uid, NULL"
                       "    FROM found"
                       ")\n"
                       "SELECT version, created_at, updated_at, expires_at, draft_data FROM found";

/*
 * One statement for each: the row's lock decides between writers, and the loser sees the winner.
 * The patient of a booking may be erased at the same moment: that holds the submission's row, or
 * leaves a draft that ended before all time (store_erasure.c).
 */
#define HELD_SQL                                                                                   \
    "WITH held AS MATERIALIZED ("                                                                  \
    "    SELECT deleted"                                                                           \
    "    FROM medical_questionnaire_submissions"                                                   \
    "    WHERE booking_uid = $1"                                                                   \
    "    FOR KEY SHARE"                                                                            \
    ")\n"

static const char create_sql[] = HELD_SQL
    "INSERT INTO submission_drafts AS d (booking_uid, version, draft_data, expires_at) "
    "SELECT $1, $2::uuid, $3::json, now() + $4::bigint * interval '1 day' "
    "WHERE NOT EXISTS (SELECT FROM held WHERE deleted) "
    "ON CONFLICT (booking_uid) DO UPDATE "
    "SET version = CASE WHEN d.expires_at > now() THEN d.version ELSE excluded.version END,"
    "    draft_data = excluded.draft_data,"
    "    created_at = CASE WHEN d.expires_at > now() THEN d.created_at ELSE now() END,"
    "    updated_at = CASE WHEN d.expires_at > now() THEN d.updated_at ELSE now() END,"
    "    expires_at = excluded.expires_at "
    "WHERE d.expires_at > '-infinity'"
    "  AND (d.expires_at <= now() OR d.draft_data::text = excluded.draft_data::text) "
    "RETURNING version, created_at, updated_at, expires_at";

static const char replace_sql[] = HELD_SQL
    "UPDATE submission_drafts "
    "SET version = CASE WHEN draft_data::text = $3::text THEN version ELSE $2::uuid END,"
    "    draft_data = $3::text::json,"
    "    updated_at = CASE WHEN draft_data::text = $3::text THEN updated_at ELSE now() END,"
    "    expires_at = now() + $4::bigint * interval '1 day' "
    "WHERE booking_uid = $1 AND expires_at > now()"
    "  AND ($5::uuid[] IS NULL OR version = ANY ($5::uuid[]) OR draft_data::text = $3::text)"
    "  AND NOT EXISTS (SELECT FROM held WHERE deleted) "
    "RETURNING version, created_at, updated_at, expires_at";

static const char delete_sql[] =
    "WITH gone AS ("
    "    DELETE FROM submission_drafts"
    "    WHERE booking_uid = $1 AND expires_at > now()"
    "      AND ($2::uuid[] IS NULL OR version = ANY ($2::uuid[]))"
    "    RETURNING booking_uid"
    "),\n"
    "audited AS ("
    "    " AUDIT_INTO
    "    SELECT " AUDIT_PARAMETERS(3, 4, 5, 6, 7) ", 'draft.delete', booking_uid, NULL"
                                                  "    FROM gone"
                                                  ")\n"
                                                  "SELECT booking_uid FROM gone";

static const struct statement statements[] = {
    {"draft_find", find_sql},
    {"draft_create", create_sql},
    {"draft_replace", replace_sql},
    {"draft_delete", delete_sql},
    {"draft_erased", "SELECT FROM medical_questionnaire_submissions "
                     "WHERE booking_uid = $1 AND deleted "
                     "UNION ALL "
                     "SELECT FROM submission_drafts "
                     "WHERE booking_uid = $1 AND expires_at = '-infinity'"},
};

const struct statement_list draft_statements = {statements, ARRAY_LENGTH(statements)};

static const struct statement expiry_statements[] = {
    {"draft_delete_expired", "DELETE FROM submission_drafts "
                             "WHERE booking_uid IN (SELECT booking_uid"
                             "                      FROM submission_drafts"
                             "                      WHERE expires_at <= now()"
                             "                      ORDER BY expires_at"
                             "                      LIMIT $1::bigint"
                             "                      FOR UPDATE SKIP LOCKED)"},
};

const struct statement_list draft_expiry_statements = {expiry_statements,
                                                       ARRAY_LENGTH(expiry_statements)};

static void read_record(const PGresult *result, struct draft_record *record)
{
    *record = (struct draft_record){
        .created_at_us = result_timestamp(result, 0, 1),
        .updated_at_us = result_timestamp(result, 0, 2),
        .expires_at_us = result_timestamp(result, 0, 3),
    };
    result_uuid(result, 0, 0, record->version);
}

enum status draft_find(struct connection *connection, const struct audit_actor *actor,
                       const char *booking_uid, struct draft_record *ret_record, struct err *err)
{
    const char *const values[] = {booking_uid, AUDIT_VALUES(actor)};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute_checked(connection, "draft_find", &parameters, &result, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (PQntuples(result) == 0) {
        return err_set(err, STATUS_NOT_FOUND, "there is no draft for this booking");
    }
    read_record(result, ret_record);
    ret_record->data = result_text(result, 0, 4);
    ret_record->result = TAKE(result);
    return STATUS_OK;
}

void draft_record_finish(struct draft_record *record)
{
    PQclear(record->result);
    *record = (struct draft_record){0};
}

/* Room for the versions of a condition as an array in PostgreSQL's text form. */
enum { VERSIONS_TEXT_SIZE = DRAFT_VERSIONS_MAX * UUID_TEXT_SIZE + 3 };

/* NULL where any version will do. */
static const char *print_versions(const struct draft_condition *condition,
                                  char buffer[static VERSIONS_TEXT_SIZE])
{
    if (condition->expectation != DRAFT_ONE_OF) {
        return NULL;
    }
    size_t len = 0;
    buffer[len++] = '{';
    for (size_t i = 0; i < condition->versions_count; i++) {
        if (i > 0) {
            buffer[len++] = ',';
        }
        memcpy(buffer + len, condition->versions[i], UUID_TEXT_SIZE - 1);
        len += UUID_TEXT_SIZE - 1;
    }
    buffer[len++] = '}';
    buffer[len] = '\0';
    return buffer;
}

/* Why nothing was written. */
static enum status refuse_store(struct connection *connection, const char *booking_uid,
                                struct err *err)
{
    const char *const values[] = {booking_uid};
    const struct parameters parameters = {.values = values, .count = 1};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute_checked(connection, "draft_erased", &parameters, &result, err);
    if (status != STATUS_OK) {
        return status;
    }
    return PQntuples(result) > 0
               ? err_set(err, STATUS_NOT_FOUND, "the submission of this booking was deleted")
               : err_set(err, STATUS_CONFLICT, "the draft is not the one that was expected");
}

enum status draft_store(struct connection *connection, const struct draft_write *write,
                        const struct draft_condition *condition, struct draft_record *ret_record,
                        struct err *err)
{
    char days[24];
    char versions[VERSIONS_TEXT_SIZE];
    snprintf(days, sizeof days, "%ld", write->days);
    const bool replaces =
        condition->expectation == DRAFT_ANY || condition->expectation == DRAFT_ONE_OF;
    const char *const values[] = {write->booking_uid, write->version, write->data, days,
                                  print_versions(condition, versions)};
    const struct parameters parameters = {.values = values, .count = replaces ? 5 : 4};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status = connection_execute_checked(
        connection, replaces ? "draft_replace" : "draft_create", &parameters, &result, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (PQntuples(result) == 0) {
        return refuse_store(connection, write->booking_uid, err);
    }
    read_record(result, ret_record);
    return STATUS_OK;
}

enum status draft_delete(struct connection *connection, const struct audit_actor *actor,
                         const char *booking_uid, const struct draft_condition *condition,
                         struct err *err)
{
    char versions[VERSIONS_TEXT_SIZE];
    const char *const values[] = {booking_uid, print_versions(condition, versions),
                                  AUDIT_VALUES(actor)};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute_checked(connection, "draft_delete", &parameters, &result, err);
    if (status == STATUS_OK && PQntuples(result) == 0) {
        return err_set(err, STATUS_CONFLICT, "the draft is not the one that was expected");
    }
    return status;
}

enum status draft_delete_expired(struct connection *connection, long limit, size_t *ret_count,
                                 struct err *err)
{
    char limit_text[24];
    snprintf(limit_text, sizeof limit_text, "%ld", limit);
    const char *const values[] = {limit_text};
    const struct parameters parameters = {.values = values, .count = 1};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute(connection, "draft_delete_expired", &parameters, true, 0, &result, err);
    if (status == STATUS_OK) {
        *ret_count = (size_t)strtoul(PQcmdTuples(result), NULL, 10);
    }
    return status;
}
