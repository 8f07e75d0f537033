/* What the worker does to the database. */
#include "intake/db/store_processing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/db/array.h"
#include "intake/db/result.h"

/*
 * The two differ in the partial index that they read: never claimed, and claimed before. What was
 * processed since an old snapshot began cannot be cleaned out of an index; $3 is behind most of it.
 * The oldest is taken with others only when both were claimed less often than $4.
 */
#define CLAIM_SQL(attempts_condition)                                                              \
    "WITH due AS MATERIALIZED ("                                                                   \
    "    SELECT id, next_attempt_at, attempts"                                                     \
    "    FROM medical_questionnaire_submissions"                                                   \
    "    WHERE status = 'submitted' AND " attempts_condition                                       \
    "      AND next_attempt_at <= now() AND deleted IS NOT TRUE"                                   \
    "      AND next_attempt_at >= to_timestamp($3::bigint / 1000000.0)"                            \
    "    ORDER BY next_attempt_at, id"                                                             \
    "    LIMIT $1::bigint"                                                                         \
    "    FOR UPDATE SKIP LOCKED"                                                                   \
    "),\n"                                                                                         \
    "oldest AS ("                                                                                  \
    "    SELECT id, attempts"                                                                      \
    "    FROM due"                                                                                 \
    "    ORDER BY next_attempt_at, id"                                                             \
    "    LIMIT 1"                                                                                  \
    ")\n"                                                                                          \
    "UPDATE medical_questionnaire_submissions AS s "                                               \
    "SET attempts = s.attempts + 1,"                                                               \
    "    next_attempt_at = now() + $2::bigint * interval '1 millisecond' "                         \
    "FROM due, oldest "                                                                            \
    "WHERE s.id = due.id"                                                                          \
    "  AND (due.id = oldest.id OR greatest(due.attempts, oldest.attempts) < $4::int) "             \
    "RETURNING s.id, s.booking_uid, s.revision, s.attempts, s.patient_profile_id,"                 \
    "          s.questionnaire_id, s.questionnaire_version, s.submission_data, s.contradictions,"  \
    "          (extract(epoch FROM due.next_attempt_at) * 1000000)::bigint"

static const struct statement statements[] = {
    {"processing_claim", CLAIM_SQL("attempts = 0")},
    {"processing_claim_again", CLAIM_SQL("attempts > 0")},
    /*
     * Locked in the lanes' order, so that worker and lanes cannot deadlock. The status is looked
     * at in the result: as a condition it would make the planner walk a partial index.
     */
    {"processing_lock",
     "SELECT c.n - 1, s.status = 'submitted' AND s.deleted IS NOT TRUE "
     "FROM unnest($1::uuid[], $2::int[], $3::int[])"
     "    WITH ORDINALITY AS c (id, revision, attempts, n) "
     "JOIN medical_questionnaire_submissions AS s"
     "    ON s.id = c.id AND s.revision = c.revision AND s.attempts = c.attempts "
     "ORDER BY s.booking_uid "
     "FOR UPDATE OF s"},
    {"processing_backgrounds", "SELECT b.patient_profile_id, b.deleted OR p.deleted,"
                               "       b.medical_data, b.answer_sources "
                               "FROM medical_backgrounds AS b "
                               "JOIN patient_profiles AS p ON p.id = b.patient_profile_id "
                               "WHERE b.patient_profile_id = ANY ($1::uuid[]) "
                               "ORDER BY b.patient_profile_id "
                               "FOR UPDATE OF b"},
    {"processing_write_backgrounds",
     "WITH w AS MATERIALIZED ("
     "    SELECT w.profile_id, w.answers, w.removed, w.age, w.stored,"
     "           coalesce(w.sources, jsonb_build_object(w.booking_uid, w.answers)) AS sources"
     "    FROM unnest($1::uuid[], $2::jsonb[], $3::jsonb[], $4::jsonb[], $5::int[],"
     "                $6::int[], $7::text[])"
     "        AS w (profile_id, answers, sources, removed, age, stored, booking_uid)"
     "    JOIN patient_profiles AS p ON p.id = w.profile_id"
     "    WHERE NOT p.deleted"
     "    ORDER BY w.profile_id"
     "    FOR NO KEY UPDATE OF p"
     "),\n"
     "aged AS ("
     "    UPDATE patient_profiles AS p"
     "    SET age = w.age, updated_at = now()"
     "    FROM w"
     "    WHERE p.id = w.profile_id AND p.age IS NULL AND w.age >= 0"
     "),\n"
     "changed AS ("
     "    UPDATE medical_backgrounds AS b"
     "    SET medical_data = (b.medical_data"
     "            - ARRAY(SELECT jsonb_array_elements_text(w.removed))) || w.answers,"
     "        answer_sources = b.answer_sources || w.sources,"
     "        updated_at = now()"
     "    FROM w"
     "    WHERE b.patient_profile_id = w.profile_id AND w.stored = 1"
     "),\n"
     "made AS ("
     "    INSERT INTO medical_backgrounds (patient_profile_id, medical_data, answer_sources)"
     "    SELECT profile_id, answers, sources"
     "    FROM w"
     "    WHERE stored = 0"
     "    ORDER BY profile_id"
     ")\n"
     "SELECT"},
    {"processing_mark", "UPDATE medical_questionnaire_submissions AS s "
                        "SET status = r.status,"
                        "    failure_reason = r.failure_reason,"
                        "    contradictions = r.contradictions,"
                        "    evaluation = r.evaluation,"
                        "    processed_at = CASE WHEN r.status = 'processed' THEN now() END,"
                        "    next_attempt_at = now() + r.retry_after_ms * interval '1 millisecond' "
                        "FROM unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::bigint[],"
                        "            $6::jsonb[])"
                        "    AS r (id, status, failure_reason, contradictions, retry_after_ms,"
                        "          evaluation) "
                        "WHERE s.id = r.id"},
    {"processing_return_attempts",
     "UPDATE medical_questionnaire_submissions AS s "
     "SET attempts = s.attempts - 1 "
     "FROM unnest($1::uuid[], $2::int[], $3::int[]) AS c (id, revision, attempts) "
     "WHERE s.id = c.id AND s.revision = c.revision AND s.attempts = c.attempts"
     "    AND s.status = 'submitted'"},
    {"processing_note_failures",
     "INSERT INTO processing_failures (submission_id, revision, attempt, reason, final) "
     "SELECT f.submission_id, f.revision, f.attempt, f.reason, f.final = 1 "
     "FROM unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::int[])"
     "    AS f (submission_id, revision, attempt, reason, final)"},
};

const struct statement_list processing_statements = {statements, ARRAY_LENGTH(statements)};

static const struct statement state_statements[] = {
    {"processing_state",
     /* Each condition is the one of a partial index. */
     "SELECT"
     "    (SELECT coalesce((extract(epoch FROM now() - min(next_attempt_at)) * 1000000)::bigint, 0)"
     "     FROM ((SELECT next_attempt_at FROM medical_questionnaire_submissions"
     "            WHERE status = 'submitted' AND attempts = 0 AND next_attempt_at <= now()"
     "              AND deleted IS NOT TRUE"
     "            ORDER BY next_attempt_at, id LIMIT 1)"
     "           UNION ALL"
     "           (SELECT next_attempt_at FROM medical_questionnaire_submissions"
     "            WHERE status = 'submitted' AND attempts > 0 AND next_attempt_at <= now()"
     "              AND deleted IS NOT TRUE"
     "            ORDER BY next_attempt_at, id LIMIT 1)) AS first),"
     "    (SELECT count(*)"
     "     FROM (SELECT FROM medical_questionnaire_submissions"
     "           WHERE status = 'submitted' AND attempts > 0 LIMIT $1::bigint) AS again) +"
     "    (SELECT count(*)"
     "     FROM (SELECT FROM medical_questionnaire_submissions"
     "           WHERE status = 'submitted' AND attempts = 0 LIMIT $1::bigint) AS waiting),"
     "    (SELECT count(*)"
     "     FROM (SELECT FROM medical_questionnaire_submissions"
     "           WHERE status = 'failed' LIMIT $1::bigint) AS failed)"},
    {"processing_server_state",
     "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'"},
};

const struct statement_list processing_state_statements = {state_statements,
                                                           ARRAY_LENGTH(state_statements)};

enum status processing_claim(struct connection *connection, const struct claim *claim,
                             PGresult **ret_result, struct err *err)
{
    char limit[24];
    char lease[24];
    char due_from[24];
    char alone_from[24];
    snprintf(limit, sizeof limit, "%ld", claim->limit);
    snprintf(lease, sizeof lease, "%ld", claim->lease_ms);
    snprintf(due_from, sizeof due_from, "%" PRId64, claim->due_from_us);
    snprintf(alone_from, sizeof alone_from, "%d", claim->alone_from);
    const char *const values[] = {limit, lease, due_from, alone_from};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    return connection_execute(connection,
                              claim->again ? "processing_claim_again" : "processing_claim",
                              &parameters, true, 0, ret_result, err);
}

void processing_claimed(const PGresult *result, int row, struct claimed_submission *ret_claimed)
{
    result_uuid(result, row, 0, ret_claimed->id);
    ret_claimed->booking_uid = result_text(result, row, 1);
    ret_claimed->revision = result_int4(result, row, 2);
    ret_claimed->attempts = result_int4(result, row, 3);
    result_uuid(result, row, 4, ret_claimed->profile_id);
    ret_claimed->questionnaire_id = result_text(result, row, 5);
    ret_claimed->questionnaire_version = result_text(result, row, 6);
    ret_claimed->data = result_json(result, row, 7);
    ret_claimed->contradictions = result_json(result, row, 8);
    ret_claimed->due_at_us = result_int8(result, row, 9);
}

static enum status run(struct connection *connection, const char *sql, struct err *err)
{
    AUTO_RESULT PGresult *result = NULL;
    return connection_run(connection, sql, 0, &result, err);
}

enum status processing_begin(struct connection *connection, struct err *err)
{
    return run(connection, "BEGIN", err);
}

enum status processing_commit(struct connection *connection, struct err *err)
{
    return run(connection, "COMMIT", err);
}

void processing_rollback(struct connection *connection)
{
    if (connection_is_open(connection) && run(connection, "ROLLBACK", NULL) != STATUS_OK) {
        connection_reset(connection);
    }
}

/* Ends the arrays, executes the statement with them as its parameters, and frees them. */
static enum status execute_arrays(struct connection *connection, const char *statement,
                                  struct array *arrays, size_t count, PGresult **ret_result,
                                  struct err *err)
{
    const char *values[8];
    int lengths[8];
    int formats[8];
    bool failed = count > ARRAY_LENGTH(values);
    for (size_t i = 0; i < count && !failed; i++) {
        array_end(&arrays[i]);
        failed = arrays[i].bytes.failed;
        values[i] = arrays[i].bytes.data;
        lengths[i] = (int)arrays[i].bytes.len;
        formats[i] = 1;
    }
    const struct parameters parameters = {values, lengths, formats, (int)count};
    const enum status status =
        failed ? err_no_memory(err)
               : connection_execute(connection, statement, &parameters, true, 0, ret_result, err);
    for (size_t i = 0; i < count; i++) {
        array_finish(&arrays[i]);
    }
    return status;
}

enum status processing_lock(struct connection *connection,
                            const struct claimed_submission *const *claimed, size_t count,
                            bool *ret_ours, struct err *err)
{
    struct array arrays[3] = {0};
    array_start(&arrays[0], ARRAY_UUID);
    array_start(&arrays[1], ARRAY_INT4);
    array_start(&arrays[2], ARRAY_INT4);
    for (size_t i = 0; i < count; i++) {
        array_add_uuid(&arrays[0], claimed[i]->id);
        array_add_int4(&arrays[1], claimed[i]->revision);
        array_add_int4(&arrays[2], claimed[i]->attempts);
    }
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        execute_arrays(connection, "processing_lock", arrays, 3, &result, err);
    if (status != STATUS_OK) {
        return status;
    }
    memset(ret_ours, 0, count * sizeof *ret_ours);
    for (int row = 0; row < PQntuples(result); row++) {
        ret_ours[result_int8(result, row, 0)] = result_bool(result, row, 1);
    }
    return STATUS_OK;
}

bool processing_disk_is_full(const struct connection *connection)
{
    return text_equal(connection_sqlstate(connection), "53100");
}

bool processing_row_is_held(const struct connection *connection)
{
    return text_equal(connection_sqlstate(connection), "55P03");
}

enum status processing_return_attempts(struct connection *connection,
                                       const struct processing_attempt *attempts, size_t count,
                                       struct err *err)
{
    struct array arrays[3] = {0};
    array_start(&arrays[0], ARRAY_UUID);
    array_start(&arrays[1], ARRAY_INT4);
    array_start(&arrays[2], ARRAY_INT4);
    for (size_t i = 0; i < count; i++) {
        array_add_uuid(&arrays[0], attempts[i].id);
        array_add_int4(&arrays[1], attempts[i].revision);
        array_add_int4(&arrays[2], attempts[i].attempt);
    }
    AUTO_RESULT PGresult *result = NULL;
    return execute_arrays(connection, "processing_return_attempts", arrays, 3, &result, err);
}

enum status processing_backgrounds(struct connection *connection, const char *const *profile_ids,
                                   size_t count, PGresult **ret_result, struct err *err)
{
    struct array ids = {0};
    array_start(&ids, ARRAY_UUID);
    for (size_t i = 0; i < count; i++) {
        array_add_uuid(&ids, profile_ids[i]);
    }
    return execute_arrays(connection, "processing_backgrounds", &ids, 1, ret_result, err);
}

void processing_background(const PGresult *result, int row, struct background_row *ret_row)
{
    result_uuid(result, row, 0, ret_row->profile_id);
    ret_row->deleted = result_bool(result, row, 1);
    ret_row->medical_data = result_json(result, row, 2);
    ret_row->answer_sources = result_json(result, row, 3);
}

enum status processing_write_backgrounds(struct connection *connection,
                                         const struct background_write *writes, size_t count,
                                         struct err *err)
{
    struct array arrays[7] = {0};
    array_start(&arrays[0], ARRAY_UUID);
    array_start(&arrays[1], ARRAY_JSONB);
    array_start(&arrays[2], ARRAY_JSONB);
    array_start(&arrays[3], ARRAY_JSONB);
    array_start(&arrays[4], ARRAY_INT4);
    array_start(&arrays[5], ARRAY_INT4);
    array_start(&arrays[6], ARRAY_TEXT);
    for (size_t i = 0; i < count; i++) {
        array_add_uuid(&arrays[0], writes[i].profile_id);
        array_add_json(&arrays[1], writes[i].answers, strlen(writes[i].answers));
        array_add_json(&arrays[2], writes[i].sources,
                       writes[i].sources != NULL ? strlen(writes[i].sources) : 0);
        array_add_json(&arrays[3], writes[i].removed, strlen(writes[i].removed));
        array_add_int4(&arrays[4], writes[i].age);
        array_add_int4(&arrays[5], writes[i].stored);
        array_add_string(&arrays[6], writes[i].booking_uid);
    }
    AUTO_RESULT PGresult *result = NULL;
    return execute_arrays(connection, "processing_write_backgrounds", arrays, ARRAY_LENGTH(arrays),
                          &result, err);
}

enum status processing_mark(struct connection *connection, const struct processing_result *results,
                            size_t count, struct err *err)
{
    struct array arrays[6] = {0};
    array_start(&arrays[0], ARRAY_UUID);
    array_start(&arrays[1], ARRAY_TEXT);
    array_start(&arrays[2], ARRAY_TEXT);
    array_start(&arrays[3], ARRAY_JSONB);
    array_start(&arrays[4], ARRAY_INT8);
    array_start(&arrays[5], ARRAY_JSONB);
    for (size_t i = 0; i < count; i++) {
        array_add_uuid(&arrays[0], results[i].id);
        array_add_string(&arrays[1], results[i].status);
        array_add_string(&arrays[2], results[i].failure_reason);
        array_add_json(&arrays[3], results[i].contradictions, strlen(results[i].contradictions));
        array_add_int8(&arrays[4], results[i].retry_after_ms);
        const char *evaluation = results[i].evaluation;
        array_add_json(&arrays[5], evaluation, evaluation != NULL ? strlen(evaluation) : 0);
    }
    AUTO_RESULT PGresult *result = NULL;
    return execute_arrays(connection, "processing_mark", arrays, ARRAY_LENGTH(arrays), &result,
                          err);
}

enum status processing_note_failures(struct connection *connection,
                                     const struct processing_failure *failures, size_t count,
                                     struct err *err)
{
    struct array arrays[5] = {0};
    array_start(&arrays[0], ARRAY_UUID);
    array_start(&arrays[1], ARRAY_INT4);
    array_start(&arrays[2], ARRAY_INT4);
    array_start(&arrays[3], ARRAY_TEXT);
    array_start(&arrays[4], ARRAY_INT4);
    for (size_t i = 0; i < count; i++) {
        array_add_uuid(&arrays[0], failures[i].submission_id);
        array_add_int4(&arrays[1], failures[i].revision);
        array_add_int4(&arrays[2], failures[i].attempt);
        array_add_string(&arrays[3], failures[i].reason);
        array_add_int4(&arrays[4], failures[i].is_final);
    }
    AUTO_RESULT PGresult *result = NULL;
    return execute_arrays(connection, "processing_note_failures", arrays, ARRAY_LENGTH(arrays),
                          &result, err);
}

enum status processing_state(struct connection *connection, struct processing_state *ret_state,
                             struct err *err)
{
    char limit[16];
    snprintf(limit, sizeof limit, "%d", PROCESSING_COUNT_MAX);
    const char *const values[] = {limit};
    const struct parameters parameters = {.values = values, .count = 1};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute(connection, "processing_state", &parameters, true, 0, &result, err);
    if (status == STATUS_OK) {
        ret_state->oldest_us = result_int8(result, 0, 0);
        ret_state->submitted = result_int8(result, 0, 1);
        ret_state->failed = result_int8(result, 0, 2);
    }
    return status;
}

enum status processing_server_state(struct connection *connection, bool *ret_read_only,
                                    struct err *err)
{
    const struct parameters parameters = {0};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status = connection_execute(connection, "processing_server_state",
                                                  &parameters, true, 0, &result, err);
    if (status == STATUS_OK) {
        *ret_read_only = result_bool(result, 0, 0);
    }
    return status;
}
