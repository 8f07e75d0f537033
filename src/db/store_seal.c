/* audit_seals: sealing the audit, and verifying it. */
#include "intake/db/store_seal.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/db/connection.h"
#include "intake/db/result.h"

/* Seals that one statement of a verification looks at. */
#define BATCH "200"

#define TIME_TEXT(column) "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')"

/* The hash of the audit_log row called `a`: over JSON, in which no value runs into the next. */
#define ROW_HASH                                                                                   \
    "sha256(convert_to(jsonb_build_array(a.id, " TIME_TEXT(                                        \
        "a.occurred_at") ", a.token_id,"                                                           \
                         " a.actor, a.action, a.booking_uid, a.request_id, a.detail, "             \
                         "a.client_address::text,"                                                 \
                         " a.reason)::text, 'UTF8'))"

/* The hash of the audit_seals row called `s`; `hashes` are those of its rows, put together. */
#define SEAL_HASH(hashes)                                                                          \
    "sha256(s.previous_hash || convert_to(jsonb_build_array(s.number, " TIME_TEXT(                 \
        "s.sealed_at") ", s.last_id, s.members::text, s.gaps::text)::text, 'UTF8') || " hashes ")"

/* Before the first seal. */
#define NO_HASH "sha256('')"

/* A gap that an hour did not fill belongs to a transaction that was rolled back. */
static const char seal_sql[] =
    "WITH newest AS ("
    "    SELECT number, hash, last_id, gaps"
    "    FROM audit_seals"
    "    ORDER BY number DESC"
    "    LIMIT 1"
    "),\n"
    "head AS ("
    "    SELECT * FROM newest"
    "    UNION ALL"
    "    SELECT 0, " NO_HASH ", 0, '{}' WHERE NOT EXISTS (SELECT FROM newest)"
    "),\n"
    "given_up AS ("
    "    SELECT gaps"
    "    FROM audit_seals"
    "    WHERE sealed_at < now() - interval '1 hour'"
    "    ORDER BY sealed_at DESC"
    "    LIMIT 1"
    "),\n"
    "found AS ("
    "    (SELECT * FROM audit_log"
    "     WHERE id > (SELECT last_id FROM head)"
    "     ORDER BY id"
    "     LIMIT $1::int)"
    "    UNION ALL"
    "    SELECT late.*"
    "    FROM head"
    "    CROSS JOIN unnest(head.gaps) AS gap"
    "    JOIN audit_log AS late ON late.id >= lower(gap) AND late.id < upper(gap)"
    "),\n"
    "hashed AS (SELECT a.id, " ROW_HASH " AS hash FROM found AS a),\n"
    "gathered AS ("
    "    SELECT max(id) AS last_id, range_agg(int8range(id, id, '[]')) AS members,"
    "           array_agg(hash ORDER BY id) AS row_hashes,"
    "           string_agg(hash, ''::bytea ORDER BY id) AS joined"
    "    FROM hashed"
    "    HAVING count(*) > 0"
    "),\n"
    "s AS ("
    "    SELECT head.number + 1 AS number, now() AS sealed_at,"
    "           greatest(head.last_id, g.last_id) AS last_id, g.members,"
    "           head.gaps"
    "               + int8multirange(int8range(head.last_id, greatest(head.last_id, g.last_id), "
    "'(]'))"
    "               - g.members"
    "               - coalesce((SELECT gaps FROM given_up), '{}') AS gaps,"
    "           g.row_hashes, g.joined, head.hash AS previous_hash"
    "    FROM head"
    "    CROSS JOIN gathered AS g"
    ")\n"
    "INSERT INTO audit_seals (number, sealed_at, last_id, members, gaps, row_hashes,"
    "                         previous_hash, hash) "
    "SELECT s.number, s.sealed_at, s.last_id, s.members, s.gaps, s.row_hashes, s.previous_hash,"
    "       " SEAL_HASH(
        "s.joined") " "
                    "FROM s "
                    "ON CONFLICT (number) DO NOTHING " /* another instance was quicker */
                    "RETURNING cardinality(row_hashes)";

static const struct statement seal_statements[] = {
    {"audit_seal", seal_sql},
    {"audit_head", "SELECT number, hash FROM audit_seals ORDER BY number DESC LIMIT 1"},
};

const struct statement_list audit_seal_statements = {seal_statements,
                                                     ARRAY_LENGTH(seal_statements)};

/* Each of the next seals against the one before it. $1, $2: the number and hash of the last. */
static const char check_seals_sql[] =
    "WITH batch AS ("
    "    SELECT s.number, s.previous_hash, s.hash,"
    "           " SEAL_HASH(
        "(SELECT coalesce(string_agg(r.hash, ''::bytea ORDER BY r.n), '')"
        "                         FROM unnest(s.row_hashes) WITH ORDINALITY AS r (hash, "
        "n))") " AS own"
               "    FROM audit_seals AS s"
               "    WHERE s.number > $1::bigint"
               "    ORDER BY s.number"
               "    LIMIT " BATCH "),\n"
               "chained AS ("
               "    SELECT number, hash <> own"
               "               OR number <> lag(number, 1, $1::bigint) OVER w + 1"
               "               OR previous_hash <> lag(hash, 1, "
               "coalesce($2::bytea, " NO_HASH ")) OVER w"
               "               AS wrong"
               "    FROM batch"
               "    WINDOW w AS (ORDER BY number)"
               ")\n"
               "SELECT b.number, b.hash, (SELECT count(*) FROM batch),"
               "       (SELECT min(number) FROM chained WHERE wrong) "
               "FROM batch AS b "
               "ORDER BY b.number DESC "
               "LIMIT 1";

/*
 * The rows under the same seals, $1 < number <= $2: how many, the first that is not as it was,
 * and all ids that were under a seal so far ($3 with these).
 */
static const char check_rows_sql[] =
    "WITH batch AS MATERIALIZED ("
    "    SELECT number, members, row_hashes"
    "    FROM audit_seals"
    "    WHERE number > $1::bigint AND number <= $2::bigint"
    "),\n"
    "sealed AS MATERIALIZED ("
    "    SELECT batch.number, one.id, one.hash"
    "    FROM batch"
    "    CROSS JOIN LATERAL unnest("
    "        ARRAY(SELECT generate_series(lower(r), upper(r) - 1) AS id"
    "              FROM unnest(batch.members) AS r"
    "              ORDER BY id),"
    "        batch.row_hashes) AS one (id, hash)"
    "),\n"
    "bad AS ("
    "    SELECT sealed.number, sealed.id, a.id IS NULL AS removed"
    "    FROM sealed"
    "    LEFT JOIN audit_log AS a ON a.id = sealed.id"
    "    WHERE sealed.hash IS DISTINCT FROM " ROW_HASH "    ORDER BY sealed.id"
    "    LIMIT 1"
    ")\n"
    "SELECT (SELECT count(*) FROM sealed),"
    "       ($3::int8multirange + (SELECT range_agg(r)"
    "                              FROM batch CROSS JOIN unnest(batch.members) AS r))::text,"
    "       bad.number, coalesce(bad.id, 0), bad.removed "
    "FROM (VALUES (1)) AS one_row "
    "LEFT JOIN bad ON true";

/* What is under none of the seals; $1: what is. */
static const char check_rest_sql[] =
    "WITH newest AS (SELECT last_id, gaps FROM audit_seals ORDER BY number DESC LIMIT 1),\n"
    "rest AS ("
    "    SELECT id, occurred_at,"
    "           id > coalesce((SELECT last_id FROM newest), 0)"
    "               OR coalesce((SELECT gaps FROM newest) @> id, false) AS waits"
    "    FROM audit_log"
    "    WHERE NOT $1::int8multirange @> id"
    ")\n"
    "SELECT count(*) FILTER (WHERE waits), min(occurred_at) FILTER (WHERE waits),"
    "       min(id) FILTER (WHERE NOT waits) "
    "FROM rest";

static const struct statement statements[] = {
    {"audit_check_seals", check_seals_sql},
    {"audit_check_rows", check_rows_sql},
    {"audit_check_rest", check_rest_sql},
    {"audit_seal_hash", "SELECT hash FROM audit_seals WHERE number = $1::bigint"},
};

const struct statement_list audit_verify_statements = {statements, ARRAY_LENGTH(statements)};

static void print_hash(const PGresult *result, int row, int column,
                       char ret_hash[static AUDIT_HASH_SIZE])
{
    const size_t len = (size_t)PQgetlength(result, row, column);
    if (2 * len + 1 > AUDIT_HASH_SIZE) {
        ret_hash[0] = '\0'; /* equal to no hash */
        return;
    }
    sodium_bin2hex(ret_hash, AUDIT_HASH_SIZE,
                   (const unsigned char *)PQgetvalue(result, row, column), len);
}

enum status audit_seal(struct connection *connection, int64_t deadline_us, int64_t *ret_rows,
                       struct err *err)
{
    char limit[16];
    snprintf(limit, sizeof limit, "%d", AUDIT_SEAL_ROWS);
    const char *const values[] = {limit};
    const struct parameters parameters = {.values = values, .count = 1};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute(connection, "audit_seal", &parameters, true, deadline_us, &result, err);
    if (status == STATUS_OK) {
        *ret_rows = PQntuples(result) > 0 ? result_int4(result, 0, 0) : 0;
    }
    return status;
}

enum status audit_read_head(struct connection *connection, int64_t deadline_us,
                            struct audit_head *ret_head, struct err *err)
{
    const struct parameters parameters = {0};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute(connection, "audit_head", &parameters, true, deadline_us, &result, err);
    if (status != STATUS_OK) {
        return status;
    }
    *ret_head = (struct audit_head){0};
    if (PQntuples(result) > 0) {
        ret_head->number = result_int8(result, 0, 0);
        print_hash(result, 0, 1, ret_head->hash);
    }
    return STATUS_OK;
}

/* What a verification knows from one batch to the next. */
struct walk {
    struct audit_report report;
    char *covered; /* ids under seals, as PostgreSQL prints an int8multirange; owned */
};

static void fault(struct walk *walk, enum audit_fault kind, int64_t seal, int64_t row)
{
    walk->report.fault = kind;
    walk->report.bad_seal = seal;
    walk->report.bad_row = row;
}

/* The next seals themselves. `ret_last` is the number of the last of them; 0: there is none. */
static enum status check_seals(struct connection *connection, struct walk *walk, int64_t *ret_last,
                               struct err *err)
{
    struct audit_head *head = &walk->report.head;
    char number[24];
    char hash[AUDIT_HASH_SIZE + 2];
    snprintf(number, sizeof number, "%" PRId64, head->number);
    snprintf(hash, sizeof hash, "\\x%s", head->hash);
    const char *const values[] = {number, head->number > 0 ? hash : NULL};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute(connection, "audit_check_seals", &parameters, true, 0, &result, err);
    if (status != STATUS_OK) {
        return status;
    }
    *ret_last = 0;
    if (PQntuples(result) > 0) {
        *ret_last = result_int8(result, 0, 0);
        head->number = *ret_last;
        print_hash(result, 0, 1, head->hash);
        walk->report.seals += result_int8(result, 0, 2);
        if (!result_is_null(result, 0, 3)) {
            fault(walk, AUDIT_SEAL_WRONG, result_int8(result, 0, 3), 0);
        }
    }
    return STATUS_OK;
}

/* The rows under the seals after `first` up to `last`. */
static enum status check_rows(struct connection *connection, struct walk *walk, int64_t first,
                              int64_t last, struct err *err)
{
    char bounds[2][24];
    snprintf(bounds[0], sizeof bounds[0], "%" PRId64, first);
    snprintf(bounds[1], sizeof bounds[1], "%" PRId64, last);
    const char *const values[] = {bounds[0], bounds[1],
                                  walk->covered != NULL ? walk->covered : "{}"};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute(connection, "audit_check_rows", &parameters, true, 0, &result, err);
    if (status != STATUS_OK) {
        return status;
    }
    bool failed = false;
    char *covered = result_copy(result, 0, 1, &failed);
    if (failed) {
        return err_no_memory(err);
    }
    free(walk->covered);
    walk->covered = covered;
    walk->report.rows += result_int8(result, 0, 0);
    if (!result_is_null(result, 0, 2)) {
        const bool removed = result_bool(result, 0, 4);
        fault(walk, removed ? AUDIT_ROW_REMOVED : AUDIT_ROW_ALTERED, result_int8(result, 0, 2),
              result_int8(result, 0, 3));
    }
    return STATUS_OK;
}

static enum status check_rest(struct connection *connection, struct walk *walk, struct err *err)
{
    const char *const values[] = {walk->covered != NULL ? walk->covered : "{}"};
    const struct parameters parameters = {.values = values, .count = 1};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute(connection, "audit_check_rest", &parameters, true, 0, &result, err);
    if (status == STATUS_OK) {
        walk->report.unsealed = result_int8(result, 0, 0);
        walk->report.unsealed_since_us = result_timestamp(result, 0, 1);
        if (!result_is_null(result, 0, 2)) {
            fault(walk, AUDIT_ROW_ADDED, 0, result_int8(result, 0, 2));
        }
    }
    return status;
}

/* Whether the seal that somebody kept elsewhere is there. */
static enum status check_known(struct connection *connection, const struct audit_head *known,
                               struct walk *walk, struct err *err)
{
    char number[24];
    char hash[AUDIT_HASH_SIZE] = "";
    snprintf(number, sizeof number, "%" PRId64, known->number);
    const char *const values[] = {number};
    const struct parameters parameters = {.values = values, .count = 1};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute(connection, "audit_seal_hash", &parameters, true, 0, &result, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (PQntuples(result) > 0) {
        print_hash(result, 0, 0, hash);
    }
    if (strcmp(hash, known->hash) != 0) {
        fault(walk, AUDIT_HEAD_WRONG, known->number, 0);
    }
    return STATUS_OK;
}

static enum status walk_all(struct connection *connection, const struct audit_head *known,
                            struct walk *walk, struct err *err)
{
    enum status status = STATUS_OK;
    int64_t first = 0;
    int64_t last = 1;
    while (status == STATUS_OK && walk->report.fault == AUDIT_INTACT && last > 0) {
        first = walk->report.head.number;
        status = check_seals(connection, walk, &last, err);
        if (status == STATUS_OK && walk->report.fault == AUDIT_INTACT && last > 0) {
            status = check_rows(connection, walk, first, last, err);
        }
    }
    if (status == STATUS_OK && walk->report.fault == AUDIT_INTACT) {
        status = check_rest(connection, walk, err);
    }
    if (status == STATUS_OK && walk->report.fault == AUDIT_INTACT && known != NULL) {
        status = check_known(connection, known, walk, err);
    }
    return status;
}

static enum status run(struct connection *connection, const char *sql, struct err *err)
{
    AUTO_RESULT PGresult *result = NULL;
    return connection_run(connection, sql, 0, &result, err);
}

enum status audit_verify(struct connection *connection, const struct audit_head *known,
                         struct audit_report *ret_report, struct err *err)
{
    enum status status = run(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);
    if (status != STATUS_OK) {
        return status;
    }
    struct walk walk = {0};
    status = walk_all(connection, known, &walk, err);
    free(walk.covered);
    if (status != STATUS_OK) {
        connection_reset(connection); /* which ends the transaction, too */
        return status;
    }
    status = run(connection, "COMMIT", err);
    if (status == STATUS_OK) {
        *ret_report = walk.report;
    }
    return status;
}
