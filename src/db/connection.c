/* One connection to PostgreSQL: connect, prepare, execute with a deadline. */
#include "intake/db/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/db/connect_hosts.h"
#include "intake/db/sqlstate.h"

enum {
    SQLSTATE_SIZE = 6,
    MESSAGE_SIZE = 256,
    /* Beyond its statement_timeout, a server that still does not answer is frozen or gone. */
    ANSWER_MARGIN_US = 1000 * 1000,
};

struct connection {
    struct connection_options options;
    struct connect_hosts *hosts; /* NULL: libpq connects */
    PGconn *pg;
    bool warned;     /* a WARNING came since the last statement was sent */
    int unheard_pid; /* of a server's process that may still run what it was sent; 0: none */
    char sqlstate[SQLSTATE_SIZE];
};

/* What is acknowledged is on disk, whatever the database's own setting. */
#define DURABLE_SQL                                                                                \
    "SELECT set_config('synchronous_commit', 'on', false)"                                         \
    " WHERE current_setting('synchronous_commit') = 'off'"

/*
 * The planner knows nothing of how full the tables will be when a prepared statement runs for the
 * millionth time: it shall always take the indexes, row by row. A statement is done before it were
 * compiled.
 */
const char connection_batch_setup[] = "SET plan_cache_mode = force_generic_plan;"
                                      "SET enable_seqscan = off;"
                                      "SET enable_hashjoin = off;"
                                      "SET enable_mergejoin = off;"
                                      "SET jit = off;" DURABLE_SQL;

struct connection *connection_create(const struct connection_options *options)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection != NULL) {
        connection->options = *options;
        connection->hosts = connect_hosts_create(options->conninfo);
    }
    return connection;
}

void connection_destroy(struct connection *connection)
{
    if (connection == NULL) {
        return;
    }
    connection_reset(connection);
    connect_hosts_destroy(connection->hosts);
    free(connection);
}

void connection_reset(struct connection *connection)
{
    if (connection->pg != NULL && PQtransactionStatus(connection->pg) != PQTRANS_IDLE &&
        connection->unheard_pid == 0) { /* of two it is the first that was sent something */
        connection->unheard_pid = PQbackendPID(connection->pg);
    }
    PQfinish(connection->pg);
    connection->pg = NULL;
}

bool connection_is_open(const struct connection *connection)
{
    return connection->pg != NULL;
}

size_t connection_host(const struct connection *connection)
{
    return connect_hosts_latest(connection->hosts);
}

void connection_leave(struct connection *connection, size_t host)
{
    if (connection_host(connection) == host) {
        connect_hosts_shun(connection->hosts);
        connection_reset(connection);
    }
}

bool connection_is_unheard(const struct connection *connection)
{
    return connection->unheard_pid != 0;
}

PGconn *connection_raw(struct connection *connection)
{
    return connection->pg;
}

const char *connection_sqlstate(const struct connection *connection)
{
    return connection->sqlstate;
}

static void take_notice(void *arg, const PGresult *notice)
{
    struct connection *connection = arg;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity != NULL && strcmp(severity, "WARNING") == 0) {
        connection->warned = true;
    }
}

static enum status fail_from_result(struct connection *connection, const PGresult *result,
                                    struct err *err)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    snprintf(connection->sqlstate, sizeof connection->sqlstate, "%s", sqlstate ? sqlstate : "");
    if (sqlstate == NULL) { /* libpq's own: the link broke */
        connection_reset(connection);
        return err_set(err, STATUS_UNKNOWN, "the connection to PostgreSQL was lost");
    }
    const struct sqlstate *meaning = sqlstate_find(sqlstate);
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = meaning->quotes ? message : constraint;
    err_set(err, meaning->status, "PostgreSQL %s: %s", sqlstate, detail ? detail : "");
    if (meaning->closes) {
        connection_reset(connection);
    }
    return meaning->status;
}

/* libpq's message for a failed connection, on one line, is free of row data and of passwords. */
static enum status fail_to_connect(struct connection *connection, const char *reason,
                                   struct err *err)
{
    char message[MESSAGE_SIZE];
    snprintf(message, sizeof message, "%s", reason);
    for (char *c = message; *c != '\0'; c++) {
        if (*c == '\n') {
            *c = c[1] == '\0' ? '\0' : ' ';
        }
    }
    connection_reset(connection);
    return err_set(err, STATUS_UNAVAILABLE, "cannot connect to PostgreSQL: %s", message);
}

/* Waits for the socket until the deadline; false when that passed. */
static bool wait_for_socket(PGconn *pg, short events, int64_t deadline_us)
{
    for (;;) {
        int timeout_ms = -1;
        if (deadline_us != 0) {
            const int64_t left_us = deadline_us - clock_monotonic_us();
            if (left_us <= 0) {
                return false;
            }
            timeout_ms = (int)(left_us / 1000) + 1;
        }
        struct pollfd wait = {.fd = PQsocket(pg), .events = events};
        const int ready = poll(&wait, 1, timeout_ms);
        if (ready > 0) {
            return true;
        }
        if (ready < 0 && errno != EINTR) {
            return true; /* let libpq find out what is wrong with the socket */
        }
    }
}

/* Sends what is buffered, then waits for one whole result; false at the deadline. */
static bool wait_for_result(PGconn *pg, int64_t deadline_us)
{
    for (int left = PQflush(pg); left > 0; left = PQflush(pg)) {
        if (!wait_for_socket(pg, POLLIN | POLLOUT, deadline_us)) {
            return false;
        }
        if (PQconsumeInput(pg) == 0) {
            return true;
        }
    }
    while (PQisBusy(pg)) {
        if (!wait_for_socket(pg, POLLIN, deadline_us)) {
            return false;
        }
        if (PQconsumeInput(pg) == 0) {
            return true; /* PQgetResult tells */
        }
    }
    return true;
}

/* Collects everything that the statement which was just sent answers. */
static enum status finish_statement(struct connection *connection, int64_t deadline_us,
                                    PGresult **ret_result, struct err *err)
{
    AUTO_RESULT PGresult *last = NULL;
    enum status status = STATUS_OK;
    for (;;) {
        if (!wait_for_result(connection->pg, deadline_us)) {
            connect_hosts_shun(connection->hosts);
            connection_reset(connection);
            return err_set(err, STATUS_UNKNOWN, "PostgreSQL did not answer in time");
        }
        PGresult *result = PQgetResult(connection->pg);
        if (result == NULL) {
            break;
        }
        PQclear(last);
        last = result;
        const ExecStatusType kind = PQresultStatus(result);
        if (kind != PGRES_COMMAND_OK && kind != PGRES_TUPLES_OK && status == STATUS_OK) {
            status = fail_from_result(connection, result, err);
            if (connection->pg == NULL) {
                return status;
            }
        }
    }
    if (status == STATUS_OK && last == NULL) { /* what libpq says when its own memory is out */
        connection_reset(connection);
        return err_set(err, STATUS_UNKNOWN, "PostgreSQL's answer was not read");
    }
    if (status == STATUS_OK && connection->warned) {
        return err_set(err, STATUS_UNKNOWN, "PostgreSQL warned about the commit");
    }
    if (status == STATUS_OK) {
        *ret_result = TAKE(last);
    }
    return status;
}

static enum status sent(struct connection *connection, int was_sent, int64_t deadline_us,
                        PGresult **ret_result, struct err *err)
{
    if (!was_sent) {
        connection_reset(connection);
        return err_set(err, STATUS_UNAVAILABLE, "the connection to PostgreSQL was lost");
    }
    return finish_statement(connection, deadline_us, ret_result, err);
}

/* When connecting, or preparing after it, is to have ended; 0: whenever. */
static int64_t connect_deadline(const struct connection *connection)
{
    const long timeout_s = connection->options.connect_timeout_s;
    return timeout_s > 0 ? clock_monotonic_us() + timeout_s * 1000000 : 0;
}

static enum status connect_link(struct connection *connection, struct err *err)
{
    char timeout[24];
    snprintf(timeout, sizeof timeout, "%ld", connection->options.connect_timeout_s);
    /* The conninfo comes last of those it may override, first of those it may not. */
    const char *const keywords[] = {
        "keepalives_idle",  "keepalives_interval", "keepalives_count",
        "tcp_user_timeout", "connect_timeout",     "dbname",
        "application_name", "client_encoding",     NULL,
    };
    const struct connection_options *options = &connection->options;
    const char *const values[] = {
        "10",   "5", "3", "25000", timeout, options->conninfo, options->application_name,
        "UTF8", NULL};
    if (connection->hosts != NULL) {
        const struct connect_parameters parameters = {
            .keywords = keywords,
            .values = values,
            .count = (int)ARRAY_LENGTH(keywords) - 1,
        };
        char message[MESSAGE_SIZE];
        connection->pg = connect_hosts_connect(
            connection->hosts, &parameters, connect_deadline(connection), message, sizeof message);
        if (connection->pg == NULL) {
            return fail_to_connect(connection, message, err);
        }
    } else {
        connection->pg = PQconnectdbParams(keywords, values, 1);
        if (connection->pg == NULL) {
            return err_no_memory(err);
        }
        if (PQstatus(connection->pg) != CONNECTION_OK) {
            return fail_to_connect(connection, PQerrorMessage(connection->pg), err);
        }
    }
    PQsetNoticeReceiver(connection->pg, take_notice, connection);
    return STATUS_OK;
}

/* Bounded like the connecting itself: a server that stops in the middle shall not hold a thread. */
static enum status prepare_all(struct connection *connection, struct err *err)
{
    const int64_t deadline_us = connect_deadline(connection);
    char settings[256];
    snprintf(settings, sizeof settings,
             "SET datestyle = 'ISO'; SET timezone = 'UTC'; SET statement_timeout = %ld; "
             "SET jit = off; SET standard_conforming_strings = on; "
             "SET log_parameter_max_length_on_error = 0", /* they are patients' data */
             connection->options.statement_timeout_ms);
    const char *const setups[] = {settings, connection->options.setup};
    for (size_t i = 0; i < ARRAY_LENGTH(setups); i++) {
        AUTO_RESULT PGresult *result = NULL;
        if (setups[i] == NULL) {
            continue;
        }
        const enum status status = connection_run(connection, setups[i], deadline_us, &result, err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < connection->options.prepared_count; i++) {
        const struct statement_list *list = &connection->options.prepared[i];
        for (size_t k = 0; k < list->count; k++) {
            const struct statement *statement = &list->statements[k];
            AUTO_RESULT PGresult *result = NULL;
            connection->warned = false;
            const int was_sent =
                PQsendPrepare(connection->pg, statement->name, statement->sql, 0, NULL);
            if (sent(connection, was_sent, deadline_us, &result, err) != STATUS_OK) {
                return err_prefix(err, "preparing %s", statement->name);
            }
        }
    }
    return STATUS_OK;
}

/*
 * Ends the session before, to which a statement may still be on its way: carried out late, it would
 * undo what is written meanwhile. One that is at work already is left alone: its locks keep the
 * order, its time-outs end it, and its commit may wait for a standby, which must not be cut short.
 */
static enum status end_unheard(struct connection *connection, struct err *err)
{
    if (connection->unheard_pid == 0) {
        return STATUS_OK;
    }
    char sql[256];
    snprintf(sql, sizeof sql,
             "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
             " WHERE pid = %d AND usename = current_user AND state LIKE 'idle%%'"
             " AND application_name = current_setting('application_name')",
             connection->unheard_pid);
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_run(connection, sql, connect_deadline(connection), &result, err);
    if (status != STATUS_OK && status != STATUS_INTERNAL) {
        return status;
    }
    connection->unheard_pid = 0; /* also where the function was revoked: there is no other way */
    return STATUS_OK;
}

/* Whether an idle link still stands: the server says good-bye, or nothing, before it closes one. */
static bool is_alive(PGconn *pg)
{
    while (pg != NULL && PQstatus(pg) == CONNECTION_OK) {
        struct pollfd look = {.fd = PQsocket(pg), .events = POLLIN};
        if (poll(&look, 1, 0) <= 0) {
            return true;
        }
        if (PQconsumeInput(pg) == 0) {
            return false;
        }
    }
    return false;
}

enum status connection_ensure(struct connection *connection, struct err *err)
{
    if (is_alive(connection->pg)) {
        return STATUS_OK;
    }
    connection_reset(connection);
    connection->sqlstate[0] = '\0';
    enum status status = connect_link(connection, err);
    if (status == STATUS_OK) {
        status = end_unheard(connection, err);
    }
    if (status == STATUS_OK) {
        status = prepare_all(connection, err);
    }
    if (status != STATUS_OK) {
        connection_reset(connection);
    }
    /* Nothing was written yet, so nothing can be unknown. */
    if (status == STATUS_UNKNOWN && err != NULL) {
        err->status = STATUS_UNAVAILABLE;
    }
    return status == STATUS_UNKNOWN ? STATUS_UNAVAILABLE : status;
}

/*
 * The deadline, or the one of a caller that names none: the server's time-out does not end a wait
 * for a server that is frozen, nor for a standby.
 */
static int64_t answer_deadline(const struct connection *connection, int64_t deadline_us)
{
    const long timeout_ms = connection->options.statement_timeout_ms;
    if (deadline_us != 0 || timeout_ms == 0) {
        return deadline_us;
    }
    return clock_monotonic_us() + timeout_ms * 1000 + ANSWER_MARGIN_US;
}

enum status connection_execute(struct connection *connection, const char *statement,
                               const struct parameters *parameters, bool binary,
                               int64_t deadline_us, PGresult **ret_result, struct err *err)
{
    if (connection->pg == NULL) {
        return err_set(err, STATUS_UNAVAILABLE, "not connected to PostgreSQL");
    }
    connection->warned = false;
    connection->sqlstate[0] = '\0';
    const int was_sent =
        PQsendQueryPrepared(connection->pg, statement, parameters->count, parameters->values,
                            parameters->lengths, parameters->formats, binary);
    return sent(connection, was_sent, answer_deadline(connection, deadline_us), ret_result, err);
}

enum status connection_execute_checked(struct connection *connection, const char *statement,
                                       const struct parameters *parameters, PGresult **ret_result,
                                       struct err *err)
{
    const enum status status =
        connection_execute(connection, statement, parameters, true, 0, ret_result, err);
    if (status == STATUS_INVALID && err != NULL) {
        err->status = STATUS_INTERNAL;
    }
    return status == STATUS_INVALID ? STATUS_INTERNAL : status;
}

enum status connection_run(struct connection *connection, const char *sql, int64_t deadline_us,
                           PGresult **ret_result, struct err *err)
{
    if (connection->pg == NULL) {
        return err_set(err, STATUS_UNAVAILABLE, "not connected to PostgreSQL");
    }
    connection->warned = false;
    connection->sqlstate[0] = '\0';
    return sent(connection, PQsendQuery(connection->pg, sql),
                answer_deadline(connection, deadline_us), ret_result, err);
}
