/* What is held no longer than the configuration says. */
#include "intake/db/store_retention.h"

#include <stdio.h>
#include <stdlib.h>

#include "intake/core/cleanup.h"

#define OLDER_THAN(column, days)                                                                   \
    days "::bigint > 0 AND " column " < now() - " days "::bigint * interval '1 day'"

static const struct statement statements[] = {
    {"retention_count",
     "SELECT (SELECT count(*)"
     "        FROM medical_questionnaire_submissions"
     "        WHERE deleted IS NOT TRUE AND " OLDER_THAN(
         "created_at", "$1") "),"
                             "       (SELECT count(*)"
                             "        FROM submission_revisions"
                             "        WHERE " OLDER_THAN("replaced_at", "$2") ")"},
    {"retention_next",
     "WITH batch AS ("
     "    SELECT booking_uid, created_at, id"
     "    FROM medical_questionnaire_submissions"
     "    WHERE (created_at, id) > (coalesce($2::timestamptz, '-infinity'),"
     "                              coalesce($3::uuid, '00000000-0000-0000-0000-000000000000'))"
     "      AND deleted IS NOT TRUE AND " OLDER_THAN(
         "created_at", "$1") "    ORDER BY created_at, id"
                             "    LIMIT $4::bigint"
                             "),\n"
                             "last AS (SELECT created_at, id FROM batch"
                             "         ORDER BY created_at DESC, id DESC LIMIT 1)\n"
                             "SELECT ARRAY(SELECT booking_uid FROM batch ORDER BY booking_uid),"
                             "       (SELECT created_at FROM last), (SELECT id FROM last),"
                             "       (SELECT count(*) FROM batch)"},
    /* The submissions first, as the lanes and the worker do. */
    {"retention_lock", "SELECT FROM medical_questionnaire_submissions "
                       "WHERE booking_uid = ANY ($1::text[]) ORDER BY booking_uid FOR UPDATE"},
    {"retention_forget_answers",
     "WITH held AS MATERIALIZED ("
     "    SELECT b.id"
     "    FROM medical_backgrounds AS b"
     "    WHERE b.answer_sources ?| $1::text[]"
     "      AND b.patient_profile_id IN (SELECT patient_profile_id"
     "                                   FROM medical_questionnaire_submissions"
     "                                   WHERE booking_uid = ANY ($1::text[]))"
     "    ORDER BY b.patient_profile_id"
     "    FOR UPDATE"
     ")\n"
     "UPDATE medical_backgrounds AS b "
     "SET medical_data = b.medical_data - ARRAY("
     "        SELECT a.key"
     "        FROM jsonb_each(b.answer_sources) AS s"
     "        CROSS JOIN jsonb_each(s.value) AS a"
     "        WHERE s.key = ANY ($1::text[]) AND b.medical_data -> a.key = a.value"
     "          AND NOT EXISTS (SELECT FROM jsonb_each(b.answer_sources) AS o"
     "                          WHERE o.key <> ALL ($1::text[]) AND o.value ? a.key)),"
     "    answer_sources = b.answer_sources - $1::text[],"
     "    updated_at = now() "
     "FROM held "
     "WHERE b.id = held.id"},
    {"retention_revisions",
     "DELETE FROM submission_revisions "
     "WHERE (submission_id, revision) IN ("
     "    SELECT submission_id, revision"
     "    FROM submission_revisions"
     "    WHERE " OLDER_THAN("replaced_at", "$1") "    ORDER BY submission_id, revision"
                                                  "    LIMIT $2::bigint)"},
};

const struct statement_list retention_statements = {statements, ARRAY_LENGTH(statements)};

static enum status execute(struct connection *connection, const char *statement,
                           const char *const *values, int count, PGresult **ret_result,
                           struct err *err)
{
    const struct parameters parameters = {.values = values, .count = count};
    return connection_execute(connection, statement, &parameters, false, 0, ret_result, err);
}

enum status retention_count(struct connection *connection, long days, long revision_days,
                            int64_t *ret_submissions, int64_t *ret_revisions, struct err *err)
{
    char submissions[24];
    char revisions[24];
    snprintf(submissions, sizeof submissions, "%ld", days);
    snprintf(revisions, sizeof revisions, "%ld", revision_days);
    const char *const values[] = {submissions, revisions};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status = execute(connection, "retention_count", values, 2, &result, err);
    if (status == STATUS_OK) {
        *ret_submissions = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
        *ret_revisions = strtoll(PQgetvalue(result, 0, 1), NULL, 10);
    }
    return status;
}

enum status retention_next(struct connection *connection, long days,
                           struct retention_progress *progress, PGresult **ret_result,
                           struct err *err)
{
    char days_text[24];
    char limit[24];
    snprintf(days_text, sizeof days_text, "%ld", days);
    snprintf(limit, sizeof limit, "%d", RETENTION_BATCH);
    const bool begun = *progress->id != '\0';
    const char *const values[] = {days_text, begun ? progress->created_at : NULL,
                                  begun ? progress->id : NULL, limit};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status = execute(connection, "retention_next", values, 4, &result, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (!PQgetisnull(result, 0, 2)) {
        snprintf(progress->created_at, sizeof progress->created_at, "%s", PQgetvalue(result, 0, 1));
        snprintf(progress->id, sizeof progress->id, "%s", PQgetvalue(result, 0, 2));
        progress->rows += strtoll(PQgetvalue(result, 0, 3), NULL, 10);
    }
    *ret_result = TAKE(result);
    return STATUS_OK;
}

enum status retention_forget_answers(struct connection *connection, const char *bookings,
                                     struct err *err)
{
    const char *const values[] = {bookings};
    AUTO_RESULT PGresult *locked = NULL;
    AUTO_RESULT PGresult *result = NULL;
    const enum status status = execute(connection, "retention_lock", values, 1, &locked, err);
    return status == STATUS_OK
               ? execute(connection, "retention_forget_answers", values, 1, &result, err)
               : status;
}

enum status retention_revisions(struct connection *connection, long days, int64_t *ret_rows,
                                struct err *err)
{
    char days_text[24];
    char limit[24];
    snprintf(days_text, sizeof days_text, "%ld", days);
    snprintf(limit, sizeof limit, "%d", RETENTION_BATCH);
    const char *const values[] = {days_text, limit};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status = execute(connection, "retention_revisions", values, 2, &result, err);
    if (status == STATUS_OK) {
        *ret_rows = strtoll(PQcmdTuples(result), NULL, 10);
    }
    return status;
}
