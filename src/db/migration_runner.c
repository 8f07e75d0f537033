/* Runs the SQL of one migration, with patience for locks. */
#include "intake/db/migration_runner.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/text.h"
#include "intake/db/connection.h"
#include "intake/db/migration_files.h"
#include "intake/db/sql_units.h"

enum { BACKOFF_MIN_MS = 30, BACKOFF_MAX_MS = 250, REPORT_AFTER_US = 5000000 };

/* How patient we have been so far. */
struct patience {
    int64_t since_us; /* the first failure; 0: none yet */
    int64_t reported_us;
    uint32_t backoff_ms;
};

/* Raised by intake_archive.for_each_page() when it has been as patient as it may be. */
static const char sqlstate_gave_way[] = "ITK01";

static enum status run_sql(struct connection *connection, const char *sql, struct err *err)
{
    AUTO_RESULT PGresult *result = NULL;
    return connection_run(connection, sql, 0, &result, err);
}

/*
 * Commits are not flushed one by one, because a lock would be held that long; migrate.c ends each
 * run with one that is. The server notices within seconds that we were killed, and ends with us.
 */
enum status migration_runner_prepare(struct connection *connection,
                                     const struct migrate_options *options, struct err *err)
{
    char settings[320];
    snprintf(settings, sizeof settings,
             "SET synchronous_commit = off;"
             "SET client_connection_check_interval = '1s';"
             "SET idle_in_transaction_session_timeout = 0;"
             "SET statement_timeout = 0;"
             "SET client_min_messages = warning;"
             "SET intake.wait_limit_ms = %" PRId64,
             options->wait_limit_ms);
    return run_sql(connection, settings, err);
}

static void sleep_ms(uint32_t ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

static bool may_pass(const char *sqlstate)
{
    return text_equal(sqlstate, "55P03") || /* lock_not_available */
           text_equal(sqlstate, "40P01") || /* deadlock_detected */
           text_equal(sqlstate, "40001");   /* serialization_failure */
}

static void report_wait(struct patience *patience, const struct migrate_options *options)
{
    const int64_t now_us = clock_monotonic_us();
    if (options->report == NULL || now_us - patience->reported_us < REPORT_AFTER_US) {
        return;
    }
    char line[96];
    snprintf(line, sizeof line, "  gives way to other transactions, for %" PRId64 " s so far",
             (now_us - patience->since_us) / 1000000);
    options->report(options->context, line);
    patience->reported_us = now_us;
}

/* Replaces `err` by what an operator needs to find out who is in the way. */
static enum status give_up(struct connection *connection, const struct migrate_options *options,
                           struct err *err)
{
    static const char oldest[] =
        "SELECT pid, application_name, extract(epoch FROM clock_timestamp() - xact_start)::bigint"
        " FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend' AND xact_start IS NOT NULL"
        " ORDER BY xact_start LIMIT 1";
    AUTO_RESULT PGresult *result = NULL;
    char who[160] = "";
    if (connection_run(connection, oldest, 0, &result, NULL) == STATUS_OK &&
        PQntuples(result) > 0) {
        snprintf(who, sizeof who,
                 "; the oldest open transaction is that of process %s (application \"%.63s\"), "
                 "for %s s",
                 PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 2));
    }
    return err_set(err, STATUS_UNAVAILABLE,
                   "gave way for %" PRId64 " s and did not get its locks%s; end that and run the "
                   "same command again, it goes on from here",
                   options->wait_limit_ms / 1000, who);
}

/* Leaves a failed transaction; false when that cannot be. */
static bool leave_transaction(struct connection *connection)
{
    return connection_is_open(connection) &&
           (PQtransactionStatus(connection_raw(connection)) == PQTRANS_IDLE ||
            run_sql(connection, "ROLLBACK", NULL) == STATUS_OK);
}

/*
 * After a failure: STATUS_RETRY when the same is to be tried again (a pause is over then), what
 * `err` is to say otherwise.
 */
static enum status after_failure(struct connection *connection, struct patience *patience,
                                 enum status status, const struct migrate_options *options,
                                 struct err *err)
{
    char sqlstate[8];
    snprintf(sqlstate, sizeof sqlstate, "%s", connection_sqlstate(connection));
    if (!leave_transaction(connection)) {
        return status;
    }
    if (text_equal(sqlstate, sqlstate_gave_way)) {
        return give_up(connection, options, err);
    }
    if (!may_pass(sqlstate)) {
        return status;
    }
    const int64_t now_us = clock_monotonic_us();
    if (patience->since_us == 0) {
        *patience = (struct patience){
            .since_us = now_us, .reported_us = now_us, .backoff_ms = BACKOFF_MIN_MS};
    }
    if ((now_us - patience->since_us) / 1000 >= options->wait_limit_ms) {
        return give_up(connection, options, err);
    }
    report_wait(patience, options);
    /* Jitter: two that met must not meet again. */
    sleep_ms(patience->backoff_ms + randombytes_uniform(patience->backoff_ms));
    patience->backoff_ms =
        patience->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : patience->backoff_ms * 2;
    return STATUS_RETRY;
}

static enum status run_patiently(struct connection *connection, const char *sql,
                                 const struct migrate_options *options, struct err *err)
{
    struct patience patience = {0};
    for (;;) {
        enum status status = run_sql(connection, sql, err);
        if (status != STATUS_OK) {
            status = after_failure(connection, &patience, status, options, err);
        }
        if (status != STATUS_RETRY) {
            return status;
        }
    }
}

/*
 * An index built or dropped concurrently waits for other transactions, but nobody waits for it: so
 * it may wait, once, as long as we may. When it fails otherwise it leaves an invalid index behind,
 * which the statement before it in the file removes: so the file is begun again.
 */
static enum status run_concurrent(struct connection *connection, const char *sql,
                                  struct patience *patience, const struct migrate_options *options,
                                  struct err *err)
{
    char setting[64];
    snprintf(setting, sizeof setting, "SET lock_timeout = %" PRId64, options->wait_limit_ms);
    enum status status = run_sql(connection, setting, err);
    if (status == STATUS_OK) {
        status = run_sql(connection, sql, err);
    }
    if (status != STATUS_OK && text_equal(connection_sqlstate(connection), "55P03")) {
        return give_up(connection, options, err);
    }
    return status == STATUS_OK ? STATUS_OK
                               : after_failure(connection, patience, status, options, err);
}

/* One pass over the units; STATUS_RETRY: begin the file again. */
static enum status run_units(struct connection *connection, const struct sql_unit *units,
                             size_t count, struct patience *patience,
                             const struct migrate_options *options, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *sql = text_copy(units[i].text, units[i].length);
        if (sql == NULL) {
            return err_no_memory(err);
        }
        const enum status status = units[i].concurrent
                                       ? run_concurrent(connection, sql, patience, options, err)
                                       : run_patiently(connection, sql, options, err);
        if (status == STATUS_RETRY) {
            return status;
        }
        if (status != STATUS_OK) {
            return err_prefix(err, "line %zu", units[i].line);
        }
    }
    return STATUS_OK;
}

static enum status run_in_units(struct connection *connection, const struct embedded_file *file,
                                const char *record, const struct migrate_options *options,
                                struct err *err)
{
    AUTO_FREE struct sql_unit *units = NULL;
    size_t count = 0;
    enum status status = sql_units_split((const char *)file->data, file->size, &units, &count, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct patience patience = {0};
    do {
        status = run_units(connection, units, count, &patience, options, err);
    } while (status == STATUS_RETRY);
    return status == STATUS_OK ? run_patiently(connection, record, options, err) : status;
}

static enum status run_in_transaction(struct connection *connection,
                                      const struct embedded_file *file, const char *record,
                                      const struct migrate_options *options, struct err *err)
{
    AUTO(strbuf_finish) struct strbuf sql = {0};
    strbuf_puts(&sql, "BEGIN; SET LOCAL lock_timeout = '15ms';\n");
    strbuf_append(&sql, (const char *)file->data, file->size);
    strbuf_printf(&sql, "\n;%s; COMMIT", record);
    if (sql.failed) {
        return err_no_memory(err);
    }
    return run_patiently(connection, sql.data, options, err);
}

enum status migration_runner_run(struct connection *connection, const struct embedded_file *file,
                                 const char *record, const struct migrate_options *options,
                                 struct err *err)
{
    const struct embedded_file *support = migration_files_support();
    if (support == NULL) {
        return err_set(err, STATUS_INTERNAL, "support.sql is not built in");
    }
    const enum status status = run_patiently(connection, (const char *)support->data, options, err);
    if (status != STATUS_OK) {
        return err_prefix(err, "support.sql");
    }
    return migration_file_is_transaction(file)
               ? run_in_transaction(connection, file, record, options, err)
               : run_in_units(connection, file, record, options, err);
}
