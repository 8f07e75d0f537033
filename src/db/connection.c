/* One connection to PostgreSQL: its life, and statements with a deadline. */
#include "intake/db/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "connection_state.h"
#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/db/sqlstate.h"

/* Beyond its statement_timeout, a server that still does not answer is frozen or gone. */
enum { ANSWER_MARGIN_US = 1000 * 1000 };

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
        connection->own = (struct connection_group)CONNECTION_GROUP_INIT;
        connection->group = options->group != NULL ? options->group : &connection->own;
        connection_group_join(connection);
    }
    return connection;
}

void connection_destroy(struct connection *connection)
{
    if (connection == NULL) {
        return;
    }
    connection_reset(connection);
    connection_group_leave(connection);
    connect_hosts_destroy(connection->hosts);
    free(connection);
}

void connection_reset(struct connection *connection)
{
    if (connection->pg != NULL && PQtransactionStatus(connection->pg) != PQTRANS_IDLE) {
        connection_group_note_unheard(connection, PQbackendPID(connection->pg));
    }
    PQfinish(connection->pg);
    connection->pg = NULL;
    connection->ready = false;
}

bool connection_is_open(const struct connection *connection)
{
    return connection->pg != NULL;
}

void connection_lose(struct connection *connection)
{
    if (connection->ready) {
        unsigned known = connection->losses; /* another may have been first, which is no news */
        atomic_compare_exchange_strong(&connection->group->losses[connection->host], &known,
                                       known + 1);
    }
    connect_hosts_shun(connection->hosts, connection->host);
    connection_reset(connection);
}

PGconn *connection_raw(struct connection *connection)
{
    return connection->pg;
}

const char *connection_sqlstate(const struct connection *connection)
{
    return connection->sqlstate;
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

/*
 * The same for an answer that may be long in coming. STATUS_UNKNOWN, and the link is dropped, when
 * it did not come in time, or the server turned out to be replaced and may never give it.
 */
static enum status wait_for_answer(struct connection *connection, int64_t deadline_us,
                                   struct err *err)
{
    for (;;) {
        const int64_t look_us = clock_monotonic_us() + CONNECTION_LOOK_US;
        const bool looks = connection->ready &&
                           (deadline_us == 0 || look_us + CONNECTION_LOOK_LIMIT_US < deadline_us);
        if (wait_for_result(connection->pg, looks ? look_us : deadline_us)) {
            return STATUS_OK;
        }
        if (!looks) {
            break;
        }
        if (connection_is_replaced(connection) &&
            !wait_for_result(connection->pg, clock_monotonic_us())) {
            connection_lose(connection);
            return err_set(err, STATUS_UNKNOWN,
                           "another host was promoted in place of this server");
        }
    }
    connection_lose(connection);
    return err_set(err, STATUS_UNKNOWN, "PostgreSQL did not answer in time");
}

/* Collects everything that the statement which was just sent answers. */
static enum status finish_statement(struct connection *connection, int64_t deadline_us,
                                    PGresult **ret_result, struct err *err)
{
    AUTO_RESULT PGresult *last = NULL;
    enum status status = STATUS_OK;
    for (;;) {
        if (wait_for_answer(connection, deadline_us, err) != STATUS_OK) {
            return STATUS_UNKNOWN;
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

enum status connection_prepare(struct connection *connection, const struct statement *statement,
                               int64_t deadline_us, struct err *err)
{
    AUTO_RESULT PGresult *result = NULL;
    connection->warned = false;
    const int was_sent = PQsendPrepare(connection->pg, statement->name, statement->sql, 0, NULL);
    return sent(connection, was_sent, deadline_us, &result, err);
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
