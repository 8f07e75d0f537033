/* What staff decide where a post contradicts what was stored before. */
#include "intake/db/store_contradiction.h"

#include <stdio.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/db/audit.h"
#include "intake/db/connection.h"
#include "intake/db/result.h"
#include "intake/db/review_sql.h"

/* How often it is tried, when it met another writer. */
enum { TRIES_MAX = 5 };

/* What the statements below come to; their numbers. */
enum verdict {
    VERDICT_DECIDED = 0,
    VERDICT_STALE = 1,
    VERDICT_NONE = 2,
    VERDICT_REPEATED = 3,
    VERDICT_TAKEN = 4,
    VERDICT_GONE = 5,
    VERDICT_CHANGED = 6,
    VERDICT_OTHERS = 7,
};

#define ACTOR AUDIT_PARAMETERS(2, 3, 4, 5, 6)

/* The contradiction of field $7, and what was decided about it before. */
#define TARGET_SQL                                                                                 \
    "WITH target AS MATERIALIZED ("                                                                \
    "    SELECT s.id, s.booking_uid, s.revision, s.patient_profile_id, s.contradictions,"          \
    "           c.value AS contradiction,"                                                         \
    "           coalesce(c.value -> 'stored', 'null') AS stored,"                                  \
    "           coalesce(c.value -> 'posted', 'null') AS posted,"                                  \
    "           s.submission_data -> $7::text AS answer,"                                          \
    "           r.decision, r.resolution"                                                          \
    "    FROM medical_questionnaire_submissions AS s"                                              \
    "    LEFT JOIN LATERAL (SELECT value FROM jsonb_array_elements(s.contradictions)"              \
    "                       WHERE value ->> 'field' = $7 LIMIT 1) AS c ON true"                    \
    "    LEFT JOIN LATERAL (SELECT r.decision, " RESOLUTION_JSON_SQL(                              \
        "r") " AS resolution"                                                                      \
             "                       FROM contradiction_resolutions AS r"                          \
             "                       WHERE " RESOLVES_SQL(                                         \
                 "r", "s",                                                                         \
                 "c.value") "                       ORDER BY r.id DESC LIMIT 1) AS r ON true"      \
                            "    WHERE s.booking_uid = $1"                                         \
                            "),\n"

/* What is to be said of it without looking at what is stored. */
#define EARLY_VERDICTS_SQL(decision)                                                               \
    "           CASE WHEN t.revision <> $8::int THEN 1"                                            \
    "                WHEN t.contradiction IS NULL THEN 2"                                          \
    "                WHEN t.decision = '" decision "' THEN 3"                                      \
    "                WHEN t.decision = 'take' THEN 4"

#define NOTED_SQL(decision)                                                                        \
    "noted AS ("                                                                                   \
    "    INSERT INTO contradiction_resolutions AS r (submission_id, revision, field, stored,"      \
    "        posted, decision, token_id, actor)"                                                   \
    "    SELECT id, revision, $7, stored, posted, '" decision "', $2::uuid, $3"                    \
    "    FROM judged"                                                                              \
    "    WHERE verdict = 0"                                                                        \
    "    RETURNING " RESOLUTION_JSON_SQL(                                                          \
        "r") " AS resolution"                                                                      \
             "),\n"                                                                                \
             "audited AS (" AUDIT_INTO "    SELECT " ACTOR ", 'contradiction." decision            \
             "', booking_uid,"                                                                     \
             "        jsonb_build_object('field', $7, 'revision', revision)"                       \
             "    FROM judged"                                                                     \
             "    WHERE verdict IN (0, 3)"                                                         \
             ")\n"                                                                                 \
             "SELECT verdict, revision,"                                                           \
             "       contradiction || jsonb_build_object('resolution',"                            \
             "           coalesce((SELECT resolution FROM noted), resolution)) "                   \
             "FROM judged"

/* Another value is stored than the one that was shown: it is shown from now on. */
#define REFRESHED_SQL                                                                              \
    "refreshed AS ("                                                                               \
    "    UPDATE medical_questionnaire_submissions AS s"                                            \
    "    SET contradictions = (SELECT jsonb_agg(CASE WHEN c.value ->> 'field' = $7"                \
    "                                  THEN c.value || jsonb_build_object('stored', j.current)"    \
    "                                  ELSE c.value END ORDER BY c.n)"                             \
    "                          FROM jsonb_array_elements(j.contradictions) WITH ORDINALITY"        \
    "                              AS c (value, n))"                                               \
    "    FROM judged AS j"                                                                         \
    "    WHERE s.id = j.id AND j.verdict = 6"                                                      \
    "),\n"

static const char keep_sql[] = TARGET_SQL //
    "judged AS MATERIALIZED ("
    "    SELECT t.*," EARLY_VERDICTS_SQL("keep") " ELSE 0 END AS verdict"
                                                 "    FROM target AS t"
                                                 "),\n" NOTED_SQL("keep");

/* The user before the profile, as the lanes write them. */
static const char take_contact_sql[] = TARGET_SQL //
    "person AS MATERIALIZED ("
    "    SELECT t.*, t.posted #>> '{}' AS value, p.id AS profile_id, p.user_id,"
    "           coalesce(to_jsonb(CASE $7 WHEN 'attendee_name' THEN coalesce(p.name, u.name)"
    "                                     WHEN 'attendee_email' THEN coalesce(p.email, u.email)"
    "                                     ELSE coalesce(p.phone, u.phone_number) END), 'null')"
    "               AS current"
    "    FROM target AS t"
    "    LEFT JOIN patient_profiles AS p ON p.id = t.patient_profile_id AND NOT p.deleted"
    "    LEFT JOIN users AS u ON u.id = p.user_id"
    "),\n"
    "judged AS MATERIALIZED ("
    "    SELECT t.*," EARLY_VERDICTS_SQL(
        "take") "                WHEN t.profile_id IS NULL THEN 5"
                "                WHEN t.current NOT IN (t.stored, t.posted) THEN 6"
                "                WHEN $7 = 'attendee_phone'"
                "                 AND EXISTS (SELECT FROM users AS o"
                "                             WHERE o.phone_number = t.value"
                "                               AND o.id <> t.user_id) THEN 7"
                "                WHEN $7 = 'attendee_email'"
                "                 AND (EXISTS (SELECT FROM users AS o"
                "                              WHERE lower(o.email) = lower(t.value)"
                "                                AND o.id <> t.user_id)"
                "                      OR EXISTS (SELECT FROM patient_profiles AS o"
                "                                 WHERE lower(o.email) = lower(t.value)"
                "                                   AND NOT o.deleted AND o.user_id <> t.user_id))"
                "                     THEN 7"
                "                ELSE 0 END AS verdict"
                "    FROM person AS t"
                "),\n"
                "changed_user AS ("
                "    UPDATE users AS u"
                "    SET name = CASE $7 WHEN 'attendee_name' THEN j.value ELSE u.name END,"
                "        email = CASE $7 WHEN 'attendee_email' THEN j.value ELSE u.email END,"
                "        phone_number = CASE $7 WHEN 'attendee_phone' THEN j.value"
                "                               ELSE u.phone_number END"
                "    FROM judged AS j"
                "    WHERE u.id = j.user_id AND j.verdict = 0"
                "    RETURNING u.id"
                "),\n"
                "changed_profile AS ("
                "    UPDATE patient_profiles AS p"
                "    SET name = CASE $7 WHEN 'attendee_name' THEN j.value ELSE p.name END,"
                "        email = CASE $7 WHEN 'attendee_email' THEN j.value ELSE p.email END,"
                "        phone = CASE $7 WHEN 'attendee_phone' THEN j.value ELSE p.phone END,"
                "        updated_at = now()"
                "    FROM judged AS j"
                "    WHERE p.id = j.profile_id AND p.user_id IN (SELECT id FROM changed_user)"
                "),\n" REFRESHED_SQL NOTED_SQL("take");

/* As posted, with every digit, and noted as written by this booking, which may change it again. */
static const char take_answer_sql[] = TARGET_SQL //
    "background AS MATERIALIZED ("
    "    SELECT t.*, b.id AS background_id, coalesce(b.medical_data -> $7, 'null') AS current"
    "    FROM target AS t"
    "    LEFT JOIN patient_profiles AS p ON p.id = t.patient_profile_id AND NOT p.deleted"
    "    LEFT JOIN medical_backgrounds AS b ON b.patient_profile_id = p.id AND NOT b.deleted"
    "),\n"
    "judged AS MATERIALIZED ("
    "    SELECT t.*," EARLY_VERDICTS_SQL(
        "take") "                WHEN t.background_id IS NULL OR t.answer IS NULL THEN 5"
                "                WHEN t.current NOT IN (t.stored, t.posted, t.answer) THEN 6"
                "                ELSE 0 END AS verdict"
                "    FROM background AS t"
                "),\n"
                "changed AS ("
                "    UPDATE medical_backgrounds AS b"
                "    SET medical_data = b.medical_data || jsonb_build_object($7, j.answer),"
                "        answer_sources = b.answer_sources || jsonb_build_object(j.booking_uid,"
                "            coalesce(b.answer_sources -> j.booking_uid, '{}')"
                "            || jsonb_build_object($7, j.answer)),"
                "        updated_at = now()"
                "    FROM judged AS j"
                "    WHERE b.id = j.background_id AND j.verdict = 0"
                "),\n" REFRESHED_SQL NOTED_SQL("take");

static const struct statement statements[] = {
    {"contradiction_lock", "SELECT patient_profile_id "
                           "FROM medical_questionnaire_submissions "
                           "WHERE booking_uid = $1 AND deleted IS NOT TRUE "
                           "FOR UPDATE"},
    {"contradiction_lock_user",
     "SELECT FROM users "
     "WHERE id = (SELECT user_id FROM patient_profiles WHERE id = $1::uuid) "
     "FOR UPDATE"},
    {"contradiction_lock_profile", "SELECT FROM patient_profiles WHERE id = $1::uuid FOR UPDATE"},
    {"contradiction_lock_background",
     "SELECT FROM medical_backgrounds WHERE patient_profile_id = $1::uuid FOR UPDATE"},
    {"contradiction_keep", keep_sql},
    {"contradiction_take_contact", take_contact_sql},
    {"contradiction_take_answer", take_answer_sql},
};

const struct statement_list contradiction_statements = {statements, ARRAY_LENGTH(statements)};

static enum status run(struct connection *connection, const char *sql, struct err *err)
{
    AUTO_RESULT PGresult *result = NULL;
    return connection_run(connection, sql, 0, &result, err);
}

static void roll_back(struct connection *connection)
{
    if (connection_is_open(connection) && run(connection, "ROLLBACK", NULL) != STATUS_OK) {
        connection_reset(connection);
    }
}

static enum status lock(struct connection *connection, const char *statement, const char *key,
                        PGresult **ret_result, struct err *err)
{
    const struct parameters parameters = {.values = &key, .count = 1};
    return connection_execute(connection, statement, &parameters, true, 0, ret_result, err);
}

/* Locks what the decision may change, so that the statement after it sees what is there. */
static enum status lock_all(struct connection *connection, const struct contradiction_write *write,
                            struct err *err)
{
    static const char *const of_contact[] = {"contradiction_lock_user",
                                             "contradiction_lock_profile", NULL};
    static const char *const of_answer[] = {"contradiction_lock_background", NULL};
    static const char *const of_nothing[] = {NULL};
    static const char *const *const further[] = {
        [CONTRADICTION_KEEP] = of_nothing,
        [CONTRADICTION_TAKE_CONTACT] = of_contact,
        [CONTRADICTION_TAKE_ANSWER] = of_answer,
    };
    AUTO_RESULT PGresult *found = NULL;
    enum status status = lock(connection, "contradiction_lock", write->booking_uid, &found, err);
    if (status == STATUS_OK && PQntuples(found) == 0) {
        return err_set(err, STATUS_NOT_FOUND, "there is no such submission");
    }
    if (status != STATUS_OK || result_is_null(found, 0, 0)) {
        return status;
    }
    char profile_id[UUID_TEXT_SIZE];
    result_uuid(found, 0, 0, profile_id);
    for (const char *const *statement = further[write->decision];
         status == STATUS_OK && *statement != NULL; statement++) {
        AUTO_RESULT PGresult *locked = NULL;
        status = lock(connection, *statement, profile_id, &locked, err);
    }
    return status;
}

static enum status refuse(enum verdict verdict, int revision, struct err *err)
{
    switch (verdict) {
    case VERDICT_DECIDED:
    case VERDICT_REPEATED:
        return STATUS_OK;
    case VERDICT_STALE:
        return err_set(err, STATUS_CONFLICT,
                       "the submission was changed since it was read: it is at revision %d",
                       revision);
    case VERDICT_NONE:
        return err_set(err, STATUS_NOT_FOUND, "there is no such contradiction");
    case VERDICT_TAKEN:
        return err_set(err, STATUS_CONFLICT, "the posted value was taken already");
    case VERDICT_GONE:
        return err_set(err, STATUS_CONFLICT, "there is no patient to write the value to");
    case VERDICT_CHANGED:
        return err_set(err, STATUS_CONFLICT,
                       "another value is stored by now: read the submission again");
    case VERDICT_OTHERS:
        return err_set(err, STATUS_CONFLICT, "the value belongs to another patient");
    }
    return err_set(err, STATUS_INTERNAL, "a decision came to nothing that is known");
}

/* What was decided, and the verdict, in a transaction that has begun. */
static enum status decide(struct connection *connection, const struct audit_actor *actor,
                          const struct contradiction_write *write, PGresult **ret_result,
                          struct err *err)
{
    static const char *const names[] = {
        [CONTRADICTION_KEEP] = "contradiction_keep",
        [CONTRADICTION_TAKE_CONTACT] = "contradiction_take_contact",
        [CONTRADICTION_TAKE_ANSWER] = "contradiction_take_answer",
    };
    char revision[16];
    snprintf(revision, sizeof revision, "%d", (int)write->revision);
    const char *const values[] = {write->booking_uid, AUDIT_VALUES(actor), write->field, revision};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    const enum status status = lock_all(connection, write, err);
    return status != STATUS_OK ? status
                               : connection_execute(connection, names[write->decision], &parameters,
                                                    true, 0, ret_result, err);
}

enum status contradiction_decide(struct connection *connection, const struct audit_actor *actor,
                                 const struct contradiction_write *write,
                                 struct view *ret_contradiction, struct pg_result **ret_result,
                                 struct err *err)
{
    AUTO_RESULT PGresult *result = NULL;
    enum status status = STATUS_RETRY;
    for (int i = 0; i < TRIES_MAX && status == STATUS_RETRY; i++) {
        PQclear(TAKE(result));
        status = run(connection, "BEGIN", err);
        if (status == STATUS_OK) {
            status = decide(connection, actor, write, &result, err);
        }
        if (status == STATUS_OK) {
            status = run(connection, "COMMIT", err);
        }
        if (status != STATUS_OK) {
            roll_back(connection);
        }
    }
    if (status == STATUS_INVALID) { /* an audit row that cannot be written, say */
        err->status = STATUS_INTERNAL;
        return STATUS_INTERNAL;
    }
    if (status == STATUS_OK) {
        status =
            refuse((enum verdict)result_int4(result, 0, 0), (int)result_int4(result, 0, 1), err);
    }
    if (status == STATUS_OK) {
        *ret_contradiction = result_json(result, 0, 2);
        *ret_result = TAKE(result);
    }
    return status;
}
