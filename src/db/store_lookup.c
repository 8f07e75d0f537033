/* What staff read, audited by the statement that reads it. */
#include "intake/db/store_lookup.h"

#include <stdio.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/db/audit.h"
#include "intake/db/connection.h"
#include "intake/db/result.h"
#include "intake/db/review_sql.h"
#include "intake/db/store_find.h"

/* A whole submission and what belongs to it, in the order in which read_record() takes it. */
#define RECORD_COLUMNS                                                                             \
    "    SELECT s.id, s.booking_uid, s.status, s.revision, s.attempts, s.created_at,"              \
    "           s.updated_at, s.processed_at, s.failure_reason, s.questionnaire_id,"               \
    "           s.questionnaire_version, s.submission_data,"                                       \
    "           " CONTRADICTIONS_SQL(                                                              \
        "s") " AS contradictions,"                                                                 \
             "           p.id AS patient_id, p.name, p.email, p.phone, p.location, p.gender,"      \
             "           p.source_channel, u.user_type, p.age, b.medical_data, s.evaluation,"      \
             "           s.patient_profile_id IS NOT NULL AND p.id IS NULL AS is_orphan,"          \
             "           " REVIEW_SQL(                                                             \
                 "s") " AS review"                                                                 \
                      "    FROM medical_questionnaire_submissions AS s"                            \
                      "    LEFT JOIN patient_profiles AS p ON p.id = s.patient_profile_id AND "    \
                      "NOT p.deleted"                                                              \
                      "    LEFT JOIN users AS u ON u.id = p.user_id"                               \
                      "    LEFT JOIN medical_backgrounds AS b"                                     \
                      "        ON b.patient_profile_id = p.id AND NOT b.deleted"

/* One submission, found by `condition` on $1. */
#define READ_SQL(condition)                                                                        \
    "WITH found AS (" RECORD_COLUMNS "    WHERE " condition " AND s.deleted IS NOT TRUE"           \
    "),\n"                                                                                         \
    "audited AS ("                                                                                 \
    "    " AUDIT_INTO                                                                              \
    "    SELECT " AUDIT_PARAMETERS(2, 3, 4, 5, 6) ", 'submission.read', booking_uid, NULL"         \
                                                  "    FROM found"                                 \
                                                  ")\n"                                            \
                                                  "SELECT * FROM found"

static const char read_sql[] = READ_SQL("s.booking_uid = $1");
static const char read_id_sql[] = READ_SQL("s.id = $1::uuid");

/* The submissions of $1 as lines; audited row by row, because each shows a name and an address. */
static const char list_sql[] =
    "WITH found AS ("
    "    SELECT s.id, s.booking_uid, s.status, s.revision, s.created_at, s.updated_at,"
    "           coalesce(p.name, s.submission_data ->> 'attendee_name') AS name,"
    "           coalesce(p.email, s.submission_data ->> 'attendee_email') AS email,"
    "           s.review_state, s.questionnaire_id, s.questionnaire_version,"
    "           s.evaluation -> 'flags' AS flags, " UNRESOLVED_SQL(
        "s") " AS unresolved"
             "    FROM medical_questionnaire_submissions AS s"
             "    LEFT JOIN patient_profiles AS p ON p.id = s.patient_profile_id AND NOT p.deleted"
             "    WHERE s.id = ANY ($1::uuid[]) AND s.deleted IS NOT TRUE"
             "),\n"
             "audited AS ("
             "    " AUDIT_INTO "    SELECT " AUDIT_PARAMETERS(
                 2, 3, 4, 5, 6) ", 'submission.list', booking_uid, NULL"
                                "    FROM found"
                                ")\n"
                                "SELECT * FROM found ORDER BY created_at DESC, id DESC";

/* The same rows, whole; each is written to the audit as one that left the house. */
static const char export_sql[] =
    "WITH found AS (" RECORD_COLUMNS "    WHERE s.id = ANY ($1::uuid[]) AND s.deleted IS NOT TRUE"
    "),\n"
    "audited AS ("
    "    " AUDIT_INTO "    SELECT " AUDIT_PARAMETERS(
        2, 3, 4, 5, 6) ", 'submission.export', booking_uid, NULL"
                       "    FROM found"
                       ")\n"
                       "SELECT * FROM found ORDER BY created_at DESC, id DESC";

static const char retry_sql[] =
    "WITH found AS ("
    "    SELECT id, status"
    "    FROM medical_questionnaire_submissions"
    "    WHERE booking_uid = $1 AND deleted IS NOT TRUE"
    "    FOR UPDATE"
    "),\n"
    "retried AS ("
    "    UPDATE medical_questionnaire_submissions AS s"
    "    SET status = 'submitted', attempts = 0, next_attempt_at = now(), failure_reason = NULL"
    "    FROM found"
    "    WHERE s.id = found.id AND found.status = 'failed'"
    "    RETURNING s.id, s.booking_uid, s.status, s.revision, s.attempts, s.created_at,"
    "              s.updated_at"
    "),\n"
    "audited AS ("
    "    " AUDIT_INTO "    SELECT " AUDIT_PARAMETERS(
        2, 3, 4, 5, 6) ", 'submission.retry', booking_uid,"
                       "           jsonb_build_object('revision', revision)"
                       "    FROM retried"
                       ")\n"
                       "SELECT r.id, r.booking_uid, r.status, r.revision, r.attempts, "
                       "r.created_at, r.updated_at "
                       "FROM found "
                       "LEFT JOIN retried AS r ON r.id = found.id";

static const struct statement statements[] = {
    {"submission_read", read_sql},   {"submission_read_id", read_id_sql},
    {"submission_list", list_sql},   {"submission_export", export_sql},
    {"submission_retry", retry_sql},
};

const struct statement_list lookup_statements = {statements, ARRAY_LENGTH(statements)};

/* The members that every record has, in the order in which the statements return them. */
static void read_receipt(PGresult *result, int row, struct submission_record *record)
{
    *record = (struct submission_record){.result = result, .patient_age = -1};
    result_uuid(result, row, 0, record->id);
    record->booking_uid = result_text(result, row, 1);
    record->status = result_text(result, row, 2);
    record->revision = result_int4(result, row, 3);
    record->attempts = result_int4(result, row, 4);
    record->created_at_us = result_timestamp(result, row, 5);
    record->updated_at_us = result_timestamp(result, row, 6);
}

static void read_details(const PGresult *result, int row, struct submission_record *record)
{
    record->processed_at_us = result_timestamp(result, row, 7);
    record->failure_reason = result_text(result, row, 8);
    record->questionnaire_id = result_text(result, row, 9);
    record->questionnaire_version = result_text(result, row, 10);
    record->data = result_json(result, row, 11);
    record->contradictions = result_json(result, row, 12);
    result_uuid(result, row, 13, record->patient_id);
    record->patient_name = result_text(result, row, 14);
    record->patient_email = result_text(result, row, 15);
    record->patient_phone = result_text(result, row, 16);
    record->patient_location = result_text(result, row, 17);
    record->patient_gender = result_text(result, row, 18);
    record->source_channel = result_text(result, row, 19);
    record->user_type = result_text(result, row, 20);
    if (!result_is_null(result, row, 21)) {
        record->patient_age = result_int4(result, row, 21);
    }
    record->medical_background = result_json(result, row, 22);
    record->evaluation = result_json(result, row, 23);
    record->patient_deleted = result_bool(result, row, 24);
    record->review = result_json(result, row, 25);
}

/* Runs a statement that takes a booking or an id, and an actor; NOT_FOUND without a row. */
static enum status execute_for_one(struct connection *connection, const char *statement,
                                   const struct audit_actor *actor, const char *key,
                                   PGresult **ret_result, struct err *err)
{
    const char *const values[] = {key, AUDIT_VALUES(actor)};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute_checked(connection, statement, &parameters, &result, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (PQntuples(result) == 0) {
        return err_set(err, STATUS_NOT_FOUND, "there is no such submission");
    }
    *ret_result = TAKE(result);
    return STATUS_OK;
}

static enum status read_one(struct connection *connection, const char *statement,
                            const struct audit_actor *actor, const char *key,
                            struct submission_record *ret_record, struct err *err)
{
    PGresult *result = NULL;
    const enum status status = execute_for_one(connection, statement, actor, key, &result, err);
    if (status == STATUS_OK) {
        read_receipt(result, 0, ret_record);
        read_details(result, 0, ret_record);
    }
    return status;
}

enum status lookup_submission(struct connection *connection, const struct audit_actor *actor,
                              const char *booking_uid, struct submission_record *ret_record,
                              struct err *err)
{
    return read_one(connection, "submission_read", actor, booking_uid, ret_record, err);
}

enum status lookup_submission_id(struct connection *connection, const struct audit_actor *actor,
                                 const char *id, struct submission_record *ret_record,
                                 struct err *err)
{
    return read_one(connection, "submission_read_id", actor, id, ret_record, err);
}

enum status lookup_retry(struct connection *connection, const struct audit_actor *actor,
                         const char *booking_uid, struct submission_record *ret_record,
                         struct err *err)
{
    PGresult *result = NULL;
    const enum status status =
        execute_for_one(connection, "submission_retry", actor, booking_uid, &result, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (result_is_null(result, 0, 0)) {
        PQclear(result);
        return err_set(err, STATUS_CONFLICT, "only a failed submission can be tried again");
    }
    read_receipt(result, 0, ret_record);
    return STATUS_OK;
}

void submission_record_finish(struct submission_record *record)
{
    PQclear(record->result);
    *record = (struct submission_record){0};
}

/* Finds a page of keys, and reads what is behind them with `statement`. */
static enum status read_page(struct connection *connection, const char *statement,
                             const struct audit_actor *actor,
                             const struct submission_filter *filter,
                             struct submission_page *ret_page, struct err *err)
{
    struct found_keys keys;
    enum status status = find_submissions(connection, filter, &keys, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct submission_page page = {.more = keys.more, .next_us = keys.next_us};
    memcpy(page.next_id, keys.next_id, sizeof page.next_id);
    if (keys.count > 0) {
        char ids[FIND_MAX * UUID_TEXT_SIZE + 3];
        size_t len = 0;
        for (int32_t i = 0; i < keys.count; i++) {
            len += (size_t)snprintf(ids + len, sizeof ids - len, "%c%s", i == 0 ? '{' : ',',
                                    keys.ids[i]);
        }
        snprintf(ids + len, sizeof ids - len, "}");
        const char *const values[] = {ids, AUDIT_VALUES(actor)};
        const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
        status = connection_execute_checked(connection, statement, &parameters, &page.result, err);
        page.count = status == STATUS_OK ? PQntuples(page.result) : 0;
    }
    if (status == STATUS_OK) {
        *ret_page = page;
    }
    return status;
}

enum status lookup_list(struct connection *connection, const struct audit_actor *actor,
                        const struct submission_filter *filter, struct submission_page *ret_page,
                        struct err *err)
{
    return read_page(connection, "submission_list", actor, filter, ret_page, err);
}

enum status lookup_export(struct connection *connection, const struct audit_actor *actor,
                          const struct submission_filter *filter, struct submission_page *ret_page,
                          struct err *err)
{
    return read_page(connection, "submission_export", actor, filter, ret_page, err);
}

void submission_page_record(const struct submission_page *page, int32_t index,
                            struct submission_record *ret_record)
{
    read_receipt(page->result, index, ret_record);
    read_details(page->result, index, ret_record);
    ret_record->result = NULL; /* the page's */
}

void submission_page_line(const struct submission_page *page, int32_t index,
                          struct submission_line *ret_line)
{
    const PGresult *result = page->result;
    const int row = index;
    *ret_line = (struct submission_line){
        .booking_uid = result_text(result, row, 1),
        .status = result_text(result, row, 2),
        .revision = result_int4(result, row, 3),
        .created_at_us = result_timestamp(result, row, 4),
        .updated_at_us = result_timestamp(result, row, 5),
        .patient_name = result_text(result, row, 6),
        .patient_email = result_text(result, row, 7),
        .review_state = result_text(result, row, 8),
        .questionnaire_id = result_text(result, row, 9),
        .questionnaire_version = result_text(result, row, 10),
        .flags = result_json(result, row, 11),
        .unresolved = result_int4(result, row, 12),
    };
    result_uuid(result, row, 0, ret_line->id);
}

void submission_page_finish(struct submission_page *page)
{
    PQclear(page->result);
    *page = (struct submission_page){0};
}
