/* What staff decide about a submission, and its history. */
#include "intake/db/store_review.h"

#include <stdio.h>

#include "intake/core/cleanup.h"
#include "intake/db/audit.h"
#include "intake/db/connection.h"
#include "intake/db/result.h"
#include "intake/db/review_sql.h"

#define ACTOR AUDIT_PARAMETERS(2, 3, 4, 5, 6)

static const char set_sql[] =
    "WITH found AS ("
    "    SELECT id, revision"
    "    FROM medical_questionnaire_submissions"
    "    WHERE booking_uid = $1 AND deleted IS NOT TRUE"
    "    FOR UPDATE"
    "),\n"
    "changed AS ("
    "    UPDATE medical_questionnaire_submissions AS s"
    "    SET review_state = $7::text"
    "    FROM found"
    "    WHERE s.id = found.id AND found.revision = $9::int"
    "    RETURNING s.id, s.booking_uid, s.revision"
    "),\n"
    "noted AS ("
    "    INSERT INTO submission_reviews AS r (submission_id, revision, state, comment, token_id,"
    "        actor)"
    "    SELECT id, revision, $7::text, $8, $2::uuid, $3"
    "    FROM changed"
    "    RETURNING " REVIEW_JSON_SQL("r") " AS review"
                                          "),\n"
                                          "audited AS (" AUDIT_INTO "    SELECT " ACTOR
                                          ", 'submission.review', booking_uid,"
                                          "        jsonb_build_object('state', $7::text,"
                                          "                           'revision', revision)"
                                          "    FROM changed"
                                          ")\n"
                                          "SELECT found.revision, noted.review "
                                          "FROM found LEFT JOIN noted ON true";

/* Every content that the booking had, the current one included. */
#define REVISIONS_SQL                                                                              \
    "(SELECT s.revision,"                                                                          \
    "        CASE WHEN s.revision = 1 THEN s.created_at ELSE s.updated_at END AS created_at,"      \
    "        NULL::timestamptz AS replaced_at, s.status, s.questionnaire_id,"                      \
    "        s.questionnaire_version, s.submission_data"                                           \
    " UNION ALL"                                                                                   \
    " SELECT o.revision, o.created_at, o.replaced_at, o.status, o.questionnaire_id,"               \
    "        o.questionnaire_version, o.submission_data"                                           \
    " FROM submission_revisions AS o"                                                              \
    " WHERE o.submission_id = s.id"                                                                \
    " ORDER BY revision DESC"                                                                      \
    " LIMIT $7::bigint)"

/*
 * What happened to them. A new try is known from the audit, where it stands already. When an
 * earlier revision was processed is not kept; that it was is its status.
 */
#define EVENTS_SQL                                                                                 \
    "(SELECT v.revision, NULL::int AS attempt, v.created_at AS at, 'submitted' AS event,"          \
    "        NULL AS reason, NULL AS actor, 0 AS rank"                                             \
    " FROM " REVISIONS_SQL " AS v"                                                                 \
    " UNION ALL"                                                                                   \
    " SELECT f.revision, f.attempt, f.failed_at,"                                                  \
    "        CASE WHEN f.final THEN 'failed' ELSE 'attempt_failed' END, f.reason, NULL, 1"         \
    " FROM processing_failures AS f"                                                               \
    " WHERE f.submission_id = s.id"                                                                \
    " UNION ALL"                                                                                   \
    " SELECT (a.detail ->> 'revision')::int, NULL, a.occurred_at, 'retried', a.reason, a.actor, 2" \
    " FROM audit_log AS a"                                                                         \
    " WHERE a.booking_uid = s.booking_uid AND a.action = 'submission.retry'"                       \
    " UNION ALL"                                                                                   \
    " SELECT s.revision, s.attempts, s.processed_at, 'processed', NULL, NULL, 3"                   \
    " WHERE s.processed_at IS NOT NULL"                                                            \
    " ORDER BY at DESC, rank DESC"                                                                 \
    " LIMIT $8::bigint)"

/* OFFSET 0 keeps the planner from walking all submissions by time to find those of one patient. */
#define OTHERS_SQL                                                                                 \
    "(SELECT every.*"                                                                              \
    " FROM (SELECT o.booking_uid, o.status, o.review_state, o.created_at, o.id"                    \
    "       FROM medical_questionnaire_submissions AS o"                                           \
    "       WHERE o.patient_profile_id = s.patient_profile_id AND o.id <> s.id"                    \
    "         AND o.deleted IS NOT TRUE"                                                           \
    "       OFFSET 0) AS every"                                                                    \
    " ORDER BY every.created_at DESC, every.id DESC"                                               \
    " LIMIT $8::bigint)"

#define LIST_SQL(object, rows, order)                                                              \
    "(SELECT coalesce(jsonb_agg(" object " ORDER BY " order "), '[]') FROM " rows ")"

#define REVISION_JSON_SQL                                                                          \
    "jsonb_build_object('revision', v.revision,"                                                   \
    " 'created_at', " TIME_JSON_SQL("v.created_at") ", 'replaced_at', " TIME_JSON_SQL(             \
        "v.replaced_at") ","                                                                       \
                         " 'status', v.status, 'questionnaire', jsonb_build_object("               \
                         "     'id', v.questionnaire_id, 'version', v.questionnaire_version),"     \
                         " 'data', v.submission_data)"

#define EVENT_JSON_SQL                                                                             \
    "jsonb_build_object('revision', e.revision, 'attempt', e.attempt,"                             \
    " 'at', " TIME_JSON_SQL("e.at") ", 'event', e.event, 'reason', e.reason, 'actor', e.actor)"

#define OTHER_JSON_SQL                                                                             \
    "jsonb_build_object('booking_uid', o.booking_uid, 'status', o.status,"                         \
    " 'review_state', o.review_state, 'created_at', " TIME_JSON_SQL("o.created_at") ")"

static const char history_sql[] =
    "WITH found AS ("
    "    SELECT id, booking_uid, revision, status, attempts, created_at, updated_at, processed_at,"
    "           questionnaire_id, questionnaire_version, submission_data, patient_profile_id"
    "    FROM medical_questionnaire_submissions"
    "    WHERE booking_uid = $1 AND deleted IS NOT TRUE"
    "),\n"
    "audited AS (" AUDIT_INTO "    SELECT " ACTOR ", 'submission.history', booking_uid, NULL"
    "    FROM found"
    ")\n"
    "SELECT " LIST_SQL(
        REVISION_JSON_SQL, REVISIONS_SQL " AS v",
        "v.revision DESC") ","
                           "       " LIST_SQL(
                               EVENT_JSON_SQL, EVENTS_SQL " AS e",
                               "e.at DESC, e.rank DESC") ","
                                                         "       " LIST_SQL(
                                                             REVIEW_JSON_SQL("r"),
                                                             "(SELECT * FROM submission_reviews AS "
                                                             "of_all"
                                                             " WHERE of_all.submission_id = s.id"
                                                             " ORDER BY of_all.id DESC LIMIT "
                                                             "$8::bigint) AS r",
                                                             "r.id DESC") ","
                                                                          "       " LIST_SQL(
                                                                              OTHER_JSON_SQL,
                                                                              OTHERS_SQL " AS o",
                                                                              "o.created_at DESC, "
                                                                              "o.id DESC") " "
                                                                                           "FROM "
                                                                                           "found "
                                                                                           "AS s";

static const struct statement statements[] = {
    {"review_set", set_sql},
    {"history_read", history_sql},
};

const struct statement_list review_statements = {statements, ARRAY_LENGTH(statements)};

/* STATUS_NOT_FOUND without a row. */
static enum status execute(struct connection *connection, const char *statement,
                           const struct parameters *parameters, PGresult **ret_result,
                           struct err *err)
{
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute_checked(connection, statement, parameters, &result, err);
    if (status == STATUS_OK && PQntuples(result) == 0) {
        return err_set(err, STATUS_NOT_FOUND, "there is no such submission");
    }
    *ret_result = status == STATUS_OK ? TAKE(result) : NULL;
    return status;
}

enum status review_set(struct connection *connection, const struct audit_actor *actor,
                       const struct review_write *write, struct view *ret_review,
                       struct pg_result **ret_result, struct err *err)
{
    char revision[16];
    snprintf(revision, sizeof revision, "%d", (int)write->revision);
    const char *const values[] = {write->booking_uid, AUDIT_VALUES(actor), write->state,
                                  write->comment, revision};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status = execute(connection, "review_set", &parameters, &result, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (result_is_null(result, 0, 1)) {
        return err_set(err, STATUS_CONFLICT,
                       "the submission was changed since it was read: it is at revision %d",
                       (int)result_int4(result, 0, 0));
    }
    *ret_review = result_json(result, 0, 1);
    *ret_result = TAKE(result);
    return STATUS_OK;
}

enum status history_read(struct connection *connection, const struct audit_actor *actor,
                         const char *booking_uid, struct history_record *ret_record,
                         struct err *err)
{
    char revisions[16];
    char events[16];
    snprintf(revisions, sizeof revisions, "%d", HISTORY_REVISIONS_MAX);
    snprintf(events, sizeof events, "%d", HISTORY_EVENTS_MAX);
    const char *const values[] = {booking_uid, AUDIT_VALUES(actor), revisions, events};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    PGresult *result = NULL;
    const enum status status = execute(connection, "history_read", &parameters, &result, err);
    if (status == STATUS_OK) {
        *ret_record = (struct history_record){
            .revisions = result_json(result, 0, 0),
            .processing = result_json(result, 0, 1),
            .reviews = result_json(result, 0, 2),
            .other_bookings = result_json(result, 0, 3),
            .result = result,
        };
    }
    return status;
}

void history_record_finish(struct history_record *record)
{
    PQclear(record->result);
    *record = (struct history_record){0};
}
