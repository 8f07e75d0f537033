/* Writing submissions: one set-based statement for the person, the profile and the answers. */
#include "intake/db/store_submission.h"

#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/db/array.h"
#include "intake/db/result.h"

/* The input of both statements; ids and parameters are in the order of `enum column`. */
#define INPUT_SQL                                                                                  \
    "unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::uuid[], $7::uuid[],"  \
    "       $8::uuid[], $9::text[], $10::text[], $11::int[], $12::uuid[], $13::text[],"            \
    "       $14::text[], $15::text[], $16::text[], $17::int[])"                                    \
    "    WITH ORDINALITY AS i (booking_uid, name, email, phone, data, user_id, profile_id,"        \
    "                          submission_id, questionnaire_id, questionnaire_version, age,"       \
    "                          token_id, actor, request_id, client_address, reason,"               \
    "                          expected_revision, n)"

/* Rows of the audit for entries: who posts them, which booking, and what became of it. */
#define AUDIT_OF_ENTRY(action, detail)                                                             \
    "    " AUDIT_INTO "    SELECT token_id, actor, request_id, client_address::inet, reason,"      \
    "           '" action "', booking_uid, " detail "    FROM entry"
#define AUDIT_CREATED AUDIT_OF_ENTRY("submission.create", "NULL")
#define AUDIT_REVISED                                                                              \
    AUDIT_OF_ENTRY("submission.revise", "jsonb_build_object('revision', stored_revision + 1)")

/*
 * For nearly all posts, a person and a booking that are new: a third of the time of the statement
 * below, which takes whatever this one leaves. A user with this e-mail or phone is found by the
 * conflict; a booking that two writers make at the same moment fails as a unique_violation and is
 * written again. A submission takes its booking's draft out, after the row that decides between
 * writers of one booking is theirs.
 */
static const char write_new_sql[] =
    "WITH entry AS MATERIALIZED ("
    "    SELECT i.*"
    "    FROM " INPUT_SQL "    WHERE NOT EXISTS (SELECT FROM medical_questionnaire_submissions AS s"
    "                      WHERE s.booking_uid = i.booking_uid)"
    "      AND NOT EXISTS (SELECT FROM patient_profiles AS p WHERE p.booking_uid = i.booking_uid)"
    "      AND NOT EXISTS (SELECT FROM patient_profiles AS p"
    "                      WHERE lower(p.email) = lower(i.email))"
    "      AND i.expected_revision <= 0"
    "),\n"
    "new_users AS ("
    "    INSERT INTO users (id, name, email, phone_number, user_type)"
    "    SELECT user_id, name, email, phone, 'medical_questionnaire'"
    "    FROM entry"
    "    ORDER BY lower(email)"
    "    ON CONFLICT DO NOTHING"
    "    RETURNING id"
    "),\n"
    "new_profiles AS ("
    "    INSERT INTO patient_profiles (id, user_id, name, email, phone, booking_uid, age)"
    "    SELECT profile_id, user_id, name, email, phone, booking_uid, nullif(age, -1)"
    "    FROM entry"
    "    WHERE user_id IN (SELECT id FROM new_users)"
    "    ORDER BY booking_uid"
    "    RETURNING id"
    "),\n"
    "new_submissions AS ("
    "    INSERT INTO medical_questionnaire_submissions (id, booking_uid, patient_profile_id,"
    "        submission_data, questionnaire_id, questionnaire_version)"
    "    SELECT submission_id, booking_uid, profile_id, data, questionnaire_id,"
    "           questionnaire_version"
    "    FROM entry"
    "    WHERE profile_id IN (SELECT id FROM new_profiles)"
    "    ORDER BY booking_uid"
    "    RETURNING id, booking_uid"
    "),\n"
    "completed_drafts AS ("
    "    DELETE FROM submission_drafts AS d"
    "    USING new_submissions AS s"
    "    WHERE d.booking_uid = s.booking_uid"
    "),\n"
    "audited AS (" AUDIT_CREATED "    WHERE submission_id IN (SELECT id FROM new_submissions)"
    ")\n"
    "SELECT n - 1, submission_id, 1, 1, 'submitted', now(), now() "
    "FROM entry "
    "WHERE submission_id IN (SELECT id FROM new_submissions)";

/*
 * How to read it: `stored` locks what is there for these bookings; `known` finds the person by
 * booking, then e-mail, then phone; `held` waits for who changes it just then, and a person that
 * was erased meanwhile is not that person any more; `entry` decides what is to be done; the rest
 * does it. Every write sorts, so that each table is finished before the next begins and two batches
 * take their locks in one order. A user or profile that another writer made at the same moment is
 * not inserted (ON CONFLICT DO NOTHING); its entry then falls through to SUBMISSION_LATER and finds
 * the person on its next turn, as do two entries of one batch that turn out to be one person.
 */
static const char write_any_sql[] =
    "WITH input AS MATERIALIZED ("
    "    SELECT * FROM " INPUT_SQL "),\n"
    "stored AS MATERIALIZED ("
    "    SELECT id, booking_uid, patient_profile_id, submission_data, revision, status,"
    "           created_at, updated_at, deleted, questionnaire_id, questionnaire_version"
    "    FROM medical_questionnaire_submissions"
    "    WHERE booking_uid = ANY ($1)"
    "    ORDER BY booking_uid"
    "    FOR UPDATE"
    "),\n"
    "known AS MATERIALIZED ("
    "    SELECT i.*,"
    "           s.id AS stored_id,"
    "           s.patient_profile_id,"
    "           s.submission_data AS stored_data,"
    "           s.revision AS stored_revision,"
    "           s.status AS stored_status,"
    "           s.created_at,"
    "           s.updated_at,"
    "           s.deleted,"
    "           s.questionnaire_id AS stored_questionnaire_id,"
    "           s.questionnaire_version AS stored_questionnaire_version,"
    "           coalesce("
    "               (SELECT p.user_id FROM patient_profiles AS p"
    "                WHERE p.id = s.patient_profile_id),"
    "               (SELECT p.user_id FROM patient_profiles AS p"
    "                WHERE p.booking_uid = i.booking_uid AND NOT p.deleted"
    "                ORDER BY p.created_at, p.id"
    "                LIMIT 1),"
    "               (SELECT u.id FROM users AS u WHERE lower(u.email) = lower(i.email)),"
    /* Profiles of other programs whose user has no e-mail; one that several share is no one's. */
    "               (SELECT p.user_id FROM patient_profiles AS p"
    "                WHERE lower(p.email) = lower(i.email) AND NOT p.deleted"
    "                  AND NOT EXISTS (SELECT FROM patient_profiles AS o"
    "                                  WHERE lower(o.email) = lower(i.email) AND NOT o.deleted"
    "                                    AND o.id <> p.id)),"
    "               (SELECT u.id FROM users AS u WHERE u.phone_number = i.phone)"
    "           ) AS known_user_id"
    "    FROM input AS i"
    "    LEFT JOIN stored AS s ON s.booking_uid = i.booking_uid"
    "),\n"
    "held AS MATERIALIZED ("
    "    SELECT id, name, email, phone_number"
    "    FROM users"
    "    WHERE id IN (SELECT known_user_id FROM known)"
    "    ORDER BY id"
    "    FOR KEY SHARE"
    "),\n"
    "entry AS MATERIALIZED ("
    "    SELECT k.*,"
    "           p.id AS known_profile_id,"
    "           CASE WHEN row_number() OVER (PARTITION BY coalesce(k.known_user_id, k.user_id)"
    "                                        ORDER BY k.n) > 1 THEN 0"
    "                WHEN (h.name, h.email, h.phone_number)"
    "                     IS DISTINCT FROM (u.name, u.email, u.phone_number) THEN 0"
    "                WHEN k.deleted THEN 4"
    "                WHEN k.expected_revision NOT IN (-1, coalesce(k.stored_revision, 0))"
    "                     AND k.stored_data IS DISTINCT FROM k.data THEN 5"
    "                WHEN k.stored_id IS NULL THEN 1"
    "                WHEN k.stored_data <> k.data THEN 2"
    "                ELSE 3"
    "           END AS outcome,"
    /* What may be filled in: a value that belongs to somebody else never moves. */
    "           CASE WHEN u.id IS NOT NULL AND u.email IS NULL"
    "                 AND NOT EXISTS (SELECT FROM users AS o"
    "                                 WHERE lower(o.email) = lower(k.email) AND o.id <> u.id)"
    "                THEN k.email"
    "           END AS free_email,"
    "           CASE WHEN k.phone IS NOT NULL"
    "                 AND NOT EXISTS (SELECT FROM users AS o"
    "                                 WHERE o.phone_number = k.phone AND o.id <> u.id)"
    "                THEN k.phone"
    "           END AS free_phone,"
    "           CASE WHEN k.known_user_id IS NULL THEN '[]'"
    "                ELSE (SELECT coalesce(jsonb_agg(jsonb_build_object("
    "                                 'field', c.field, 'stored', c.stored, 'posted', c.posted)),"
    "                             '[]')"
    "                      FROM (VALUES"
    "                          ('attendee_name', coalesce(l.name, u.name), k.name),"
    "                          ('attendee_email', coalesce(l.email, u.email), k.email),"
    "                          ('attendee_phone', coalesce(l.phone, u.phone_number), k.phone)"
    "                      ) AS c (field, stored, posted)"
    "                      WHERE lower(c.stored) <> lower(c.posted)"
    "                         OR (c.field = 'attendee_phone' AND c.stored IS NULL"
    "                             AND EXISTS (SELECT FROM users AS o"
    "                                         WHERE o.phone_number = k.phone"
    "                                           AND o.id <> k.known_user_id)))"
    "           END AS contradictions"
    "    FROM known AS k"
    "    LEFT JOIN users AS u ON u.id = k.known_user_id"
    "    LEFT JOIN held AS h ON h.id = k.known_user_id"
    "    LEFT JOIN patient_profiles AS p ON p.user_id = k.known_user_id"
    "    LEFT JOIN LATERAL (SELECT p.name, p.email, p.phone WHERE NOT p.deleted) AS l ON true"
    "),\n"
    "new_users AS ("
    "    INSERT INTO users (id, name, email, phone_number, user_type)"
    "    SELECT user_id, name, email, phone, 'medical_questionnaire'"
    "    FROM entry"
    "    WHERE known_user_id IS NULL AND outcome IN (1, 2)"
    "    ORDER BY lower(email)"
    "    ON CONFLICT DO NOTHING"
    "    RETURNING id"
    "),\n"
    "filled_users AS ("
    "    UPDATE users AS u"
    "    SET name = coalesce(u.name, e.name),"
    "        email = coalesce(u.email, e.free_email),"
    "        phone_number = coalesce(u.phone_number, e.free_phone)"
    "    FROM entry AS e"
    "    WHERE u.id = e.known_user_id AND e.outcome IN (1, 2)"
    "      AND (u.name IS NULL"
    "           OR (u.email IS NULL AND e.free_email IS NOT NULL)"
    "           OR (u.phone_number IS NULL AND e.free_phone IS NOT NULL))"
    "),\n"
    "new_profiles AS ("
    "    INSERT INTO patient_profiles (id, user_id, name, email, phone, booking_uid, age)"
    "    SELECT profile_id, coalesce(known_user_id, user_id), name, email,"
    "           CASE WHEN known_user_id IS NULL THEN phone ELSE free_phone END, booking_uid,"
    "           nullif(age, -1)"
    "    FROM entry"
    "    WHERE known_profile_id IS NULL AND outcome IN (1, 2)"
    "      AND (known_user_id IS NOT NULL OR user_id IN (SELECT id FROM new_users))"
    "    ORDER BY booking_uid"
    "    ON CONFLICT DO NOTHING"
    "    RETURNING id"
    "),\n"
    "filled_profiles AS ("
    "    UPDATE patient_profiles AS p"
    "    SET booking_uid = e.booking_uid,"
    "        phone = coalesce(p.phone, e.free_phone),"
    "        updated_at = now()"
    "    FROM entry AS e"
    "    WHERE p.id = e.known_profile_id AND e.outcome IN (1, 2) AND NOT p.deleted"
    "      AND (p.booking_uid IS DISTINCT FROM e.booking_uid"
    "           OR (p.phone IS NULL AND e.free_phone IS NOT NULL))"
    "),\n"
    "new_submissions AS ("
    "    INSERT INTO medical_questionnaire_submissions (id, booking_uid, patient_profile_id,"
    "        submission_data, questionnaire_id, questionnaire_version, contradictions)"
    "    SELECT submission_id, booking_uid, coalesce(known_profile_id, profile_id), data,"
    "           questionnaire_id, questionnaire_version, contradictions"
    "    FROM entry"
    "    WHERE outcome = 1"
    "      AND (known_profile_id IS NOT NULL OR profile_id IN (SELECT id FROM new_profiles))"
    "    ORDER BY booking_uid"
    "    RETURNING id"
    "),\n"
    "kept_revisions AS ("
    "    INSERT INTO submission_revisions (submission_id, revision, submission_data, status,"
    "        questionnaire_id, questionnaire_version, created_at)"
    "    SELECT stored_id, stored_revision, stored_data, stored_status,"
    "           stored_questionnaire_id, stored_questionnaire_version, updated_at"
    "    FROM entry"
    "    WHERE outcome = 2"
    "      AND (known_profile_id IS NOT NULL OR profile_id IN (SELECT id FROM new_profiles))"
    "    ORDER BY stored_id"
    "    RETURNING submission_id"
    "),\n"
    "revised_submissions AS ("
    "    UPDATE medical_questionnaire_submissions AS s"
    "    SET submission_data = e.data,"
    "        patient_profile_id = coalesce(s.patient_profile_id, e.known_profile_id, e.profile_id),"
    "        questionnaire_id = e.questionnaire_id,"
    "        questionnaire_version = e.questionnaire_version,"
    "        contradictions = e.contradictions,"
    "        revision = e.stored_revision + 1,"
    "        status = 'submitted',"
    "        attempts = 0,"
    "        next_attempt_at = now(),"
    "        processed_at = NULL,"
    "        failure_reason = NULL,"
    "        evaluation = NULL,"
    "        review_state = 'received',"
    "        updated_at = now()"
    "    FROM entry AS e"
    "    WHERE s.id = e.stored_id AND e.stored_id IN (SELECT submission_id FROM kept_revisions)"
    "),\n"
    "completed_drafts AS ("
    "    DELETE FROM submission_drafts AS d"
    "    USING entry AS e"
    "    WHERE d.booking_uid = e.booking_uid"
    "      AND (e.outcome = 3"
    "           OR e.submission_id IN (SELECT id FROM new_submissions)"
    "           OR e.stored_id IN (SELECT submission_id FROM kept_revisions))"
    "),\n"
    "audited_new AS (" AUDIT_CREATED "    WHERE submission_id IN (SELECT id FROM new_submissions)"
    "),\n"
    "audited_revised AS (" AUDIT_REVISED
    "    WHERE stored_id IN (SELECT submission_id FROM kept_revisions)"
    ")\n"
    "SELECT n - 1, coalesce(stored_id, submission_id),"
    "       CASE WHEN outcome = 1 AND submission_id NOT IN (SELECT id FROM new_submissions) THEN 0"
    "            WHEN outcome = 2 AND stored_id NOT IN (SELECT submission_id FROM kept_revisions)"
    "                THEN 0"
    "            ELSE outcome"
    "       END,"
    "       CASE outcome WHEN 1 THEN 1"
    "                    WHEN 2 THEN stored_revision + 1"
    "                    ELSE coalesce(stored_revision, 0)"
    "       END,"
    "       CASE WHEN outcome IN (1, 2) THEN 'submitted' ELSE coalesce(stored_status, '') END,"
    "       coalesce(created_at, now()),"
    "       CASE WHEN outcome IN (1, 2) THEN now() ELSE coalesce(updated_at, now()) END "
    "FROM entry";

/* The numbers that the statements use. */
_Static_assert(SUBMISSION_LATER == 0 && SUBMISSION_CREATED == 1 && SUBMISSION_REVISED == 2 &&
                   SUBMISSION_UNCHANGED == 3 && SUBMISSION_GONE == 4 && SUBMISSION_STALE == 5 &&
                   SUBMISSION_ANY_REVISION == -1,
               "the statements and the enumeration agree");

static const struct statement statements[] = {
    {"submission_write_new", write_new_sql},
    {"submission_write_any", write_any_sql},
};

const struct statement_list submission_write_statements = {statements, ARRAY_LENGTH(statements)};

enum column {
    COLUMN_BOOKING_UID,
    COLUMN_NAME,
    COLUMN_EMAIL,
    COLUMN_PHONE,
    COLUMN_DATA,
    COLUMN_USER_ID,
    COLUMN_PROFILE_ID,
    COLUMN_SUBMISSION_ID,
    COLUMN_QUESTIONNAIRE_ID,
    COLUMN_QUESTIONNAIRE_VERSION,
    COLUMN_AGE,
    COLUMN_TOKEN_ID,
    COLUMN_ACTOR,
    COLUMN_REQUEST_ID,
    COLUMN_CLIENT_ADDRESS,
    COLUMN_REASON,
    COLUMN_EXPECTED_REVISION,
    COLUMNS,
};

static const enum array_type column_types[COLUMNS] = {
    ARRAY_TEXT, ARRAY_TEXT, ARRAY_TEXT, ARRAY_TEXT, ARRAY_JSONB, ARRAY_UUID,
    ARRAY_UUID, ARRAY_UUID, ARRAY_TEXT, ARRAY_TEXT, ARRAY_INT4,  ARRAY_UUID,
    ARRAY_TEXT, ARRAY_TEXT, ARRAY_TEXT, ARRAY_TEXT, ARRAY_INT4,
};

struct submission_writer {
    struct array columns[COLUMNS];
};

struct submission_writer *submission_writer_create(void)
{
    return calloc(1, sizeof(struct submission_writer));
}

void submission_writer_destroy(struct submission_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    for (size_t i = 0; i < COLUMNS; i++) {
        array_finish(&writer->columns[i]);
    }
    free(writer);
}

static void fill_columns(struct submission_writer *writer, struct submission_write *const *writes,
                         size_t count)
{
    struct array *columns = writer->columns;
    for (size_t i = 0; i < COLUMNS; i++) {
        array_start(&columns[i], column_types[i]);
    }
    for (size_t i = 0; i < count; i++) {
        const struct submission_write *write = writes[i];
        array_add_string(&columns[COLUMN_BOOKING_UID], write->booking_uid);
        array_add_string(&columns[COLUMN_NAME], write->name);
        array_add_string(&columns[COLUMN_EMAIL], write->email);
        array_add_string(&columns[COLUMN_PHONE], write->phone);
        array_add_json(&columns[COLUMN_DATA], write->data, write->data_len);
        array_add_uuid(&columns[COLUMN_USER_ID], write->user_id);
        array_add_uuid(&columns[COLUMN_PROFILE_ID], write->profile_id);
        array_add_uuid(&columns[COLUMN_SUBMISSION_ID], write->submission_id);
        array_add_string(&columns[COLUMN_QUESTIONNAIRE_ID], write->questionnaire_id);
        array_add_string(&columns[COLUMN_QUESTIONNAIRE_VERSION], write->questionnaire_version);
        array_add_int4(&columns[COLUMN_AGE], write->age);
        array_add_uuid(&columns[COLUMN_TOKEN_ID], write->actor.token_id);
        array_add_string(&columns[COLUMN_ACTOR], write->actor.name);
        array_add_string(&columns[COLUMN_REQUEST_ID], write->actor.request_id);
        array_add_string(&columns[COLUMN_CLIENT_ADDRESS], write->actor.client);
        array_add_string(&columns[COLUMN_REASON], write->actor.reason);
        array_add_int4(&columns[COLUMN_EXPECTED_REVISION], write->expected_revision);
    }
    for (size_t i = 0; i < COLUMNS; i++) {
        array_end(&columns[i]);
    }
}

static void read_row(const PGresult *result, int row, struct submission_write *write)
{
    result_uuid(result, row, 1, write->id);
    write->outcome = (enum submission_outcome)result_int4(result, row, 2);
    write->revision = result_int4(result, row, 3);
    const struct view status = result_text(result, row, 4);
    const size_t len = status.len < sizeof write->status ? status.len : sizeof write->status - 1;
    memcpy(write->status, status.data, len);
    write->status[len] = '\0';
    write->created_at_us = result_timestamp(result, row, 5);
    write->updated_at_us = result_timestamp(result, row, 6);
    /* Our own id there already: an earlier try of this very entry was committed unheard. */
    if (write->outcome == SUBMISSION_UNCHANGED && write->revision == 1 &&
        strcmp(write->id, write->submission_id) == 0) {
        write->outcome = SUBMISSION_CREATED;
    }
}

enum status submission_write_batch(struct connection *connection, struct submission_writer *writer,
                                   bool only_new, struct submission_write *const *writes,
                                   size_t count, int64_t deadline_us, struct err *err)
{
    fill_columns(writer, writes, count);
    const char *values[COLUMNS];
    int lengths[COLUMNS];
    int formats[COLUMNS];
    for (size_t i = 0; i < COLUMNS; i++) {
        if (writer->columns[i].bytes.failed) {
            return err_no_memory(err);
        }
        values[i] = writer->columns[i].bytes.data;
        lengths[i] = (int)writer->columns[i].bytes.len;
        formats[i] = 1;
    }
    const struct parameters parameters = {values, lengths, formats, COLUMNS};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute(connection, only_new ? "submission_write_new" : "submission_write_any",
                           &parameters, true, deadline_us, &result, err);
    if (status == STATUS_INVALID) { /* it was validated: no mistake of the client's */
        if (err != NULL) {
            err->status = STATUS_INTERNAL;
        }
        return STATUS_INTERNAL;
    }
    if (status != STATUS_OK) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        writes[i]->outcome = SUBMISSION_LATER;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        read_row(result, row, writes[result_int8(result, row, 0)]);
    }
    return STATUS_OK;
}
