/* Brings the database to a migration, forward or back, and tells where it is. */
#include "intake/db/migrate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/text.h"
#include "intake/db/connection.h"
#include "intake/db/migration_files.h"
#include "intake/db/migration_runner.h"

/* The key of the advisory lock: "intake" in ASCII. */
#define MIGRATION_LOCK "115911490039653"

enum { LOCK_POLL_MS = 100 };

/* Raised by grants.sql, with a message for whoever asked. */
static const char sqlstate_not_granted[] = "ITK03";

/* The binary's migrations, and what the database says about each. */
struct plan {
    struct migration *migrations;
    size_t count;
    struct known *known; /* `count` of them */
    PGresult *records;   /* columns: number, name, checksum, applied_at; NULL: no table */
};

struct known {
    enum migration_state state;
    bool changed;
    const char *applied_at; /* in `records`, or "" */
};

static void plan_finish(struct plan *plan)
{
    free(plan->migrations);
    free(plan->known);
    PQclear(plan->records);
}

static enum status run_sql(struct connection *connection, const char *sql, struct err *err)
{
    AUTO_RESULT PGresult *result = NULL;
    return connection_run(connection, sql, 0, &result, err);
}

static void report(const struct migrate_options *options, const char *line)
{
    if (options->report != NULL) {
        options->report(options->context, line);
    }
}

int migrate_latest(void)
{
    return migration_files_latest();
}

/* The records in the database; NULL when nothing was ever migrated. */
static enum status read_records(struct connection *connection, PGresult **ret_records,
                                struct err *err)
{
    const enum status status = connection_run(connection,
                                              "SELECT number, name, checksum, applied_at"
                                              " FROM intake_migrations ORDER BY number",
                                              0, ret_records, err);
    if (status != STATUS_OK && text_equal(connection_sqlstate(connection), "42P01")) {
        *ret_records = NULL; /* undefined_table */
        return STATUS_OK;
    }
    if (status != STATUS_OK && text_equal(connection_sqlstate(connection), "42501")) {
        return err_set(err, STATUS_CONFLICT,
                       "this role may not read the database's migrations: as the owner of the "
                       "tables, run `intake migrate grant --role NAME`");
    }
    return status;
}

static int record_number(const struct plan *plan, int row)
{
    return (int)strtol(PQgetvalue(plan->records, row, 0), NULL, 10);
}

static void plan_note_record(struct plan *plan, int row)
{
    const int number = record_number(plan, row);
    if (number < 0 || (size_t)number >= plan->count) {
        return;
    }
    const struct migration *migration = &plan->migrations[number];
    struct known *known = &plan->known[number];
    const bool begun = PQgetisnull(plan->records, row, 3) != 0;
    known->state = begun ? MIGRATION_BEGUN : MIGRATION_APPLIED;
    known->applied_at = PQgetvalue(plan->records, row, 3);
    known->changed =
        !begun && (!text_equal(PQgetvalue(plan->records, row, 1), migration->name) ||
                   !text_equal(PQgetvalue(plan->records, row, 2), migration->checksum));
}

/* Fills `plan`, which the caller finishes in any case. */
static enum status plan_make(struct connection *connection, struct plan *plan, struct err *err)
{
    enum status status = migration_files_load(&plan->migrations, &plan->count, err);
    if (status != STATUS_OK) {
        return status;
    }
    plan->known = calloc(plan->count, sizeof *plan->known);
    if (plan->known == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < plan->count; i++) {
        plan->known[i].applied_at = "";
    }
    status = read_records(connection, &plan->records, err);
    for (int row = 0; status == STATUS_OK && row < PQntuples(plan->records); row++) {
        plan_note_record(plan, row);
    }
    return status;
}

/* STATUS_CONFLICT when this binary must not touch, or serve, what the database holds. */
static enum status plan_check_fits(const struct plan *plan, struct err *err)
{
    const int rows = PQntuples(plan->records);
    const int newest = rows > 0 ? record_number(plan, rows - 1) : -1;
    if (newest >= (int)plan->count) {
        return err_set(err, STATUS_CONFLICT,
                       "the database is newer than this program: it has migration %s, and the "
                       "newest here is %03zu; use the newer program, or let that take it back: "
                       "`intake migrate down --to %zu`",
                       PQgetvalue(plan->records, rows - 1, 1), plan->count - 1, plan->count - 1);
    }
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->known[i].changed) {
            return err_set(err, STATUS_CONFLICT,
                           "migration %s was changed after it had been applied: the checksum in "
                           "intake_migrations is another one; use the program that applied it, "
                           "there `intake migrate down --to %d`, then here `intake migrate up`",
                           plan->migrations[i].name, (int)i - 1);
        }
    }
    return STATUS_OK;
}

static enum status take_lock(struct connection *connection, const struct migrate_options *options,
                             struct err *err)
{
    /* Asked for again and again, not waited for: CREATE INDEX CONCURRENTLY in the other run
     * would wait for the transaction in which we wait. */
    for (bool reported = false;; reported = true) {
        AUTO_RESULT PGresult *result = NULL;
        const enum status status = connection_run(
            connection, "SELECT pg_try_advisory_lock(" MIGRATION_LOCK ")", 0, &result, err);
        if (status != STATUS_OK || text_equal(PQgetvalue(result, 0, 0), "t")) {
            return status;
        }
        if (!reported) {
            report(options, "waits for another migration to end");
        }
        const struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000L};
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
}

/* Alone from here on, with the table of records in place. */
static enum status begin_run(struct connection *connection, const struct migrate_options *options,
                             struct err *err)
{
    static const char records_table[] = "CREATE TABLE IF NOT EXISTS intake_migrations ("
                                        " number integer PRIMARY KEY,"
                                        " name text NOT NULL,"
                                        " checksum text NOT NULL,"
                                        " begun_at timestamptz NOT NULL DEFAULT now(),"
                                        " applied_at timestamptz);"
                                        "COMMENT ON TABLE intake_migrations IS"
                                        " 'The migrations of Intake that this database has';"
                                        "COMMENT ON COLUMN intake_migrations.checksum IS"
                                        " 'SHA-256 of the file that was applied';"
                                        "COMMENT ON COLUMN intake_migrations.applied_at IS"
                                        " 'NULL while the step, up or down, is not finished'";
    enum status status = migration_runner_prepare(connection, options, err);
    if (status == STATUS_OK) {
        status = take_lock(connection, options, err);
    }
    return status == STATUS_OK ? run_sql(connection, records_table, err) : status;
}

/* Makes durable what was committed so far, and lets the next run in. */
static enum status end_run(struct connection *connection, struct err *err)
{
    return run_sql(connection,
                   "SET synchronous_commit = on;"
                   "UPDATE intake_migrations SET name = name WHERE number = 0;"
                   "SELECT pg_advisory_unlock(" MIGRATION_LOCK ")",
                   err);
}

static void report_step(const struct migrate_options *options, const struct migration *migration,
                        const char *what, int64_t started_us)
{
    char line[160];
    snprintf(line, sizeof line, "%s: %s in %" PRId64 " ms", migration->name, what,
             (clock_monotonic_us() - started_us) / 1000);
    report(options, line);
}

static enum status apply(struct connection *connection, const struct migration *migration,
                         const struct migrate_options *options, struct err *err)
{
    const int64_t started_us = clock_monotonic_us();
    char record[512];
    enum status status = STATUS_OK;
    if (!migration_file_is_transaction(migration->up)) {
        snprintf(record, sizeof record,
                 "INSERT INTO intake_migrations (number, name, checksum) VALUES (%d, '%s', '%s')"
                 " ON CONFLICT (number) DO UPDATE SET begun_at = now(), applied_at = NULL",
                 migration->number, migration->name, migration->checksum);
        status = run_sql(connection, record, err);
    }
    snprintf(record, sizeof record,
             "INSERT INTO intake_migrations (number, name, checksum, applied_at)"
             " VALUES (%d, '%s', '%s', clock_timestamp())"
             " ON CONFLICT (number) DO UPDATE SET name = EXCLUDED.name,"
             " checksum = EXCLUDED.checksum, applied_at = EXCLUDED.applied_at",
             migration->number, migration->name, migration->checksum);
    if (status == STATUS_OK) {
        status = migration_runner_run(connection, migration->up, record, options, err);
    }
    if (status != STATUS_OK) {
        err_prefix(err, "%s (up)", migration->name);
        return status;
    }
    report_step(options, migration, "applied", started_us);
    return STATUS_OK;
}

static enum status take_back(struct connection *connection, const struct migration *migration,
                             const struct migrate_options *options, struct err *err)
{
    const int64_t started_us = clock_monotonic_us();
    char record[128];
    enum status status = STATUS_OK;
    if (!migration_file_is_transaction(migration->down)) {
        snprintf(record, sizeof record,
                 "UPDATE intake_migrations SET begun_at = now(), applied_at = NULL"
                 " WHERE number = %d",
                 migration->number);
        status = run_sql(connection, record, err);
    }
    snprintf(record, sizeof record, "DELETE FROM intake_migrations WHERE number = %d",
             migration->number);
    if (status == STATUS_OK) {
        status = migration_runner_run(connection, migration->down, record, options, err);
    }
    if (status != STATUS_OK) {
        err_prefix(err, "%s (down)", migration->name);
        return status;
    }
    report_step(options, migration, "taken back", started_us);
    return STATUS_OK;
}

/* Walks from where the database is to `to`. */
static enum status walk(struct connection *connection, bool up, int to,
                        const struct migrate_options *options, struct err *err)
{
    AUTO(plan_finish) struct plan plan = {0};
    enum status status = plan_make(connection, &plan, err);
    if (status == STATUS_OK) {
        status = plan_check_fits(&plan, err);
    }
    for (int number = 0; up && status == STATUS_OK && number <= to; number++) {
        if (plan.known[number].state != MIGRATION_APPLIED) {
            status = apply(connection, &plan.migrations[number], options, err);
        }
    }
    for (int number = (int)plan.count - 1; !up && status == STATUS_OK && number > to; number--) {
        if (plan.known[number].state != MIGRATION_PENDING) {
            status = take_back(connection, &plan.migrations[number], options, err);
        }
    }
    return status;
}

/* Runs grants.sql, for one more `role` or, with NULL, for those that it was run for before. */
static enum status apply_grants(struct connection *connection, const char *role,
                                const struct migrate_options *options, struct err *err)
{
    const struct embedded_file *grants = migration_files_grants();
    char *literal = PQescapeLiteral(connection_raw(connection), role != NULL ? role : "",
                                    role != NULL ? strlen(role) : 0);
    AUTO(strbuf_finish) struct strbuf setting = {0};
    strbuf_printf(&setting, "SET intake.role = %s", literal != NULL ? literal : "''");
    if (grants == NULL || literal == NULL || setting.failed) {
        PQfreemem(literal);
        return err_no_memory(err);
    }
    PQfreemem(literal);
    enum status status = run_sql(connection, setting.data, err);
    if (status == STATUS_OK) {
        status = migration_runner_run(connection, grants, "SELECT 1", options, err);
    }
    if (status != STATUS_OK && text_equal(connection_sqlstate(connection), sqlstate_not_granted) &&
        err != NULL) {
        err->status = STATUS_CONFLICT;
        status = STATUS_CONFLICT;
    }
    return status;
}

/* Grants what the step up brought to those who were granted something before. */
static enum status grant_again(struct connection *connection, const struct migrate_options *options,
                               struct err *err)
{
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_run(connection, "SELECT to_regclass('intake_archive.granted_roles') IS NOT NULL",
                       0, &result, err);
    if (status != STATUS_OK || !text_equal(PQgetvalue(result, 0, 0), "t")) {
        return status;
    }
    return apply_grants(connection, NULL, options, err);
}

static enum status migrate(struct connection *connection, bool up, int to,
                           const struct migrate_options *options, struct err *err)
{
    if (to < 0 || to > migrate_latest()) {
        return err_set(err, STATUS_INVALID, "there is no migration %d; they are 0 to %d", to,
                       migrate_latest());
    }
    enum status status = begin_run(connection, options, err);
    if (status == STATUS_OK) {
        status = walk(connection, up, to, options, err);
    }
    if (status == STATUS_OK && up) {
        status = grant_again(connection, options, err);
    }
    if (connection_is_open(connection)) {
        const enum status ended = end_run(connection, status == STATUS_OK ? err : NULL);
        status = status == STATUS_OK ? ended : status;
    }
    return status;
}

enum status migrate_up(struct connection *connection, int to, const struct migrate_options *options,
                       struct err *err)
{
    return migrate(connection, true, to, options, err);
}

enum status migrate_down(struct connection *connection, int to,
                         const struct migrate_options *options, struct err *err)
{
    return migrate(connection, false, to, options, err);
}

enum status migrate_grant(struct connection *connection, const char *role,
                          const struct migrate_options *options, struct err *err)
{
    enum status status = begin_run(connection, options, err);
    if (status == STATUS_OK) {
        status = apply_grants(connection, role, options, err);
    }
    if (connection_is_open(connection)) {
        const enum status ended = end_run(connection, status == STATUS_OK ? err : NULL);
        status = status == STATUS_OK ? ended : status;
    }
    return status;
}

enum status migrate_status(struct connection *connection,
                           void (*visit)(void *context, const struct migration_status *status),
                           void *context, struct err *err)
{
    AUTO(plan_finish) struct plan plan = {0};
    const enum status status = plan_make(connection, &plan, err);
    if (status != STATUS_OK) {
        return status;
    }
    for (size_t i = 0; i < plan.count; i++) {
        visit(context, &(struct migration_status){
                           .number = (int)i,
                           .name = plan.migrations[i].name,
                           .state = plan.known[i].state,
                           .changed = plan.known[i].changed,
                           .applied_at = plan.known[i].applied_at,
                       });
    }
    for (int row = 0; row < PQntuples(plan.records); row++) {
        if (record_number(&plan, row) >= (int)plan.count) {
            visit(context, &(struct migration_status){
                               .number = record_number(&plan, row),
                               .name = PQgetvalue(plan.records, row, 1),
                               .state = PQgetisnull(plan.records, row, 3) ? MIGRATION_BEGUN
                                                                          : MIGRATION_APPLIED,
                               .unknown = true,
                               .applied_at = PQgetvalue(plan.records, row, 3),
                           });
        }
    }
    return STATUS_OK;
}

enum status migrate_check(struct connection *connection, struct err *err)
{
    AUTO(plan_finish) struct plan plan = {0};
    enum status status = plan_make(connection, &plan, err);
    if (status == STATUS_OK) {
        status = plan_check_fits(&plan, err);
    }
    for (size_t i = 0; status == STATUS_OK && i < plan.count; i++) {
        if (plan.known[i].state != MIGRATION_APPLIED) {
            status = err_set(err, STATUS_CONFLICT,
                             plan.known[i].state == MIGRATION_BEGUN
                                 ? "migration %s was begun and not finished: run "
                                   "`intake migrate up`"
                                 : "the database is behind this program, migration %s is "
                                   "missing: run `intake migrate up`",
                             plan.migrations[i].name);
        }
    }
    return status;
}
