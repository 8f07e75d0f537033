/* Erasing what is held about a person. */
#include "intake/db/store_erasure.h"

#include <stdlib.h>

#include "intake/core/cleanup.h"
#include "intake/db/patient_sql.h"
#include "intake/db/store_patient.h"

/*
 * Submissions, users, backgrounds, profiles: the lanes go from submissions to users to profiles,
 * the worker from submissions to backgrounds to profiles.
 */
static const struct statement locks[] = {
    {"erasure_lock_submissions", "WITH " SCOPE " SELECT FROM medical_questionnaire_submissions AS t"
                                 " WHERE t.booking_uid = ANY ($3) ORDER BY t.booking_uid"
                                 " FOR UPDATE OF t"},
    {"erasure_lock_users", "WITH " SCOPE " SELECT FROM users AS t WHERE t.id = $1 FOR UPDATE OF t"},
    {"erasure_lock_backgrounds", "WITH " SCOPE " SELECT FROM medical_backgrounds AS t"
                                 " WHERE t.patient_profile_id = $2 FOR UPDATE OF t"},
    {"erasure_lock_profiles",
     "WITH " SCOPE " SELECT FROM patient_profiles AS t WHERE t.user_id = $1 FOR UPDATE OF t"},
};

#define OF_SUBMISSION(table)                                                                       \
    {                                                                                              \
        "erase_" table, "WITH " SCOPE " DELETE FROM " table                                        \
                        " AS t USING medical_questionnaire_submissions AS s"                       \
                        " WHERE s.id = t.submission_id AND s.booking_uid = ANY ($3)"               \
    }

/*
 * Each changes only what is not erased yet, so that a second time changes nothing. The appointments
 * come first, while the e-mail is known. An erased draft is one that ended before all time: whoever
 * was about to write it finds that (store_draft.c), and the worker takes it out as any other.
 */
static const struct statement steps[] = {
    {"erase_Appoinment",
     "WITH " SCOPE " UPDATE \"Appoinment\" AS t"
     " SET \"attendeeName\" = 'erased', \"attendeeEmail\" = 'erased', \"attendeePhone\" = NULL,"
     "     \"rawPayload\" = '{}', topic = 'erased', agenda = NULL, \"updatedAt\" = now()"
     " WHERE " APPOINTMENT_OF_SCOPE("t") "   AND (t.\"attendeeName\", t.\"attendeeEmail\","
                                         "        t.\"attendeePhone\","
                                         "        t.\"rawPayload\", t.topic, t.agenda)"
                                         "       IS DISTINCT FROM ('erased', 'erased', NULL::text,"
                                         "                         '{}'::jsonb, 'erased',"
                                         "                         NULL::text)"},
    {"erase_submission_drafts", "WITH " SCOPE " UPDATE submission_drafts AS t"
                                " SET draft_data = '{}', expires_at = '-infinity'"
                                " WHERE t.booking_uid = ANY ($3) AND t.expires_at > '-infinity'"},
    OF_SUBMISSION("submission_revisions"),
    OF_SUBMISSION("submission_reviews"),
    OF_SUBMISSION("contradiction_resolutions"),
    OF_SUBMISSION("processing_failures"),
    /* Processed: neither the worker nor anybody who counts should look at it again. */
    {"erase_medical_questionnaire_submissions",
     "WITH " SCOPE " UPDATE medical_questionnaire_submissions AS t"
     " SET submission_data = '{}', contradictions = '[]', evaluation = NULL, failure_reason = NULL,"
     "     questionnaire_id = NULL, questionnaire_version = NULL, status = 'processed',"
     "     review_state = 'received', deleted = true, updated_at = now()"
     " WHERE t.booking_uid = ANY ($3)"
     "   AND (t.deleted IS NOT TRUE OR t.submission_data <> '{}')"},
    {"erase_medical_backgrounds",
     "WITH " SCOPE " UPDATE medical_backgrounds AS t"
     " SET medical_data = '{}', answer_sources = '{}', deleted = true, updated_at = now()"
     " WHERE t.patient_profile_id = $2"
     "   AND (NOT t.deleted OR t.medical_data <> '{}' OR t.answer_sources <> '{}')"},
    {"erase_patient_profiles",
     "WITH " SCOPE " UPDATE patient_profiles AS t"
     " SET name = 'erased', email = 'erased', phone = NULL, location = NULL, age = NULL,"
     "     gender = NULL, booking_uid = NULL, deleted = true, updated_at = now()"
     " WHERE t.user_id = $1"
     "   AND (t.name, t.email, t.phone, t.location, t.age, t.gender, t.booking_uid, t.deleted)"
     "       IS DISTINCT FROM ('erased', 'erased', NULL::text, NULL::text, NULL::int, NULL::text,"
     "                         NULL::text, true)"},
    {"erase_users", "WITH " SCOPE " UPDATE users AS t"
                    " SET name = NULL, email = NULL, phone_number = NULL"
                    " WHERE t.id = $1"
                    "   AND (t.name IS NOT NULL OR t.email IS NOT NULL"
                    "        OR t.phone_number IS NOT NULL)"},
};

enum { TABLE_PREFIX = sizeof "erase_" - 1 };

/* After what is the person's alone: how many rows of other programs still name the user. */
static const struct statement others[] = {
    {"kept_messages", "WITH " SCOPE " SELECT count(*) FROM messages AS t WHERE t.user_id = $1"},
    {"kept_conversations",
     "WITH " SCOPE " SELECT count(*) FROM conversations AS t WHERE t.user_id = $1"},
    {"kept_audit_log",
     "WITH " SCOPE " SELECT count(*) FROM audit_log AS t WHERE t.booking_uid = ANY ($3)"},
};

enum { KEPT_PREFIX = sizeof "kept_" - 1 };

_Static_assert(ARRAY_LENGTH(steps) <= ERASURE_STEPS_MAX &&
                   ARRAY_LENGTH(others) <= ERASURE_STEPS_MAX,
               "the report has room");

#define TOMBSTONES "erasure_bury"
#define TAKEN      "erasure_taken"

static const struct statement guards[] = {
    {TOMBSTONES, "WITH " SCOPE " INSERT INTO medical_questionnaire_submissions"
                 "     (booking_uid, submission_data, status, deleted)"
                 " SELECT b, '{}', 'processed', true"
                 " FROM unnest($3) AS b"
                 " WHERE NOT EXISTS (SELECT FROM medical_questionnaire_submissions AS s"
                 "                   WHERE s.booking_uid = b)"
                 " ORDER BY b"
                 " ON CONFLICT DO NOTHING"},
    {TAKEN, "WITH " SCOPE " SELECT FROM medical_questionnaire_submissions AS s"
            " WHERE s.booking_uid = ANY ($3) AND s.patient_profile_id IS NOT NULL"
            "   AND s.patient_profile_id IS DISTINCT FROM $2"
            " LIMIT 1"},
};

const struct statement_list erasure_statements[ERASURE_LISTS] = {
    {locks, ARRAY_LENGTH(locks)},
    {guards, ARRAY_LENGTH(guards)},
    {steps, ARRAY_LENGTH(steps)},
    {others, ARRAY_LENGTH(others)},
};

static enum status execute(struct connection *connection, const char *statement,
                           const struct patient_scope *scope, PGresult **ret_result,
                           struct err *err)
{
    const char *const values[] = {scope->user_id, scope->profile_id, scope->bookings};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    return connection_execute(connection, statement, &parameters, false, 0, ret_result, err);
}

enum status erasure_lock(struct connection *connection, const struct patient_scope *scope,
                         struct err *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(locks); i++) {
        AUTO_RESULT PGresult *result = NULL;
        const enum status status = execute(connection, locks[i].name, scope, &result, err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

enum status erasure_bury(struct connection *connection, const struct patient_scope *scope,
                         struct err *err)
{
    AUTO_RESULT PGresult *buried = NULL;
    AUTO_RESULT PGresult *taken = NULL;
    enum status status = execute(connection, TOMBSTONES, scope, &buried, err);
    if (status == STATUS_OK) {
        status = execute(connection, TAKEN, scope, &taken, err);
    }
    if (status == STATUS_OK && PQntuples(taken) > 0) {
        return err_set(err, STATUS_RETRY, "one of the bookings was sent at the same moment");
    }
    return status;
}

enum status erasure_run(struct connection *connection, const struct patient_scope *scope,
                        struct erasure_report *ret_report, struct err *err)
{
    struct erasure_report report = {0};
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < ARRAY_LENGTH(steps); i++) {
        AUTO_RESULT PGresult *result = NULL;
        status = execute(connection, steps[i].name, scope, &result, err);
        if (status == STATUS_OK) {
            report.erased[report.erased_count++] = (struct erasure_count){
                .table = steps[i].name + TABLE_PREFIX,
                .rows = strtoll(PQcmdTuples(result), NULL, 10),
            };
        }
    }
    for (size_t i = 0; status == STATUS_OK && i < ARRAY_LENGTH(others); i++) {
        AUTO_RESULT PGresult *result = NULL;
        status = execute(connection, others[i].name, scope, &result, err);
        if (status == STATUS_OK) {
            report.kept[report.kept_count++] = (struct erasure_count){
                .table = others[i].name + KEPT_PREFIX,
                .rows = strtoll(PQgetvalue(result, 0, 0), NULL, 10),
            };
        }
    }
    if (status == STATUS_OK) {
        *ret_report = report;
    }
    return status;
}
