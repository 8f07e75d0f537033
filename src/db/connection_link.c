/* Making the link of a connection: to which server, with which settings and statements. */
#include "connection_state.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/text.h"

enum { MESSAGE_SIZE = 256 };

static void take_notice(void *arg, const PGresult *notice)
{
    struct connection *connection = arg;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity != NULL && strcmp(severity, "WARNING") == 0) {
        connection->warned = true;
    }
}

/* libpq's message for a failed connection, on one line, is free of row data and of passwords. */
static enum status fail_to_connect(const char *reason, struct err *err)
{
    char message[MESSAGE_SIZE];
    snprintf(message, sizeof message, "%s", reason);
    for (char *c = message; *c != '\0'; c++) {
        if (*c == '\n') {
            *c = c[1] == '\0' ? '\0' : ' ';
        }
    }
    return err_set(err, STATUS_UNAVAILABLE, "cannot connect to PostgreSQL: %s", message);
}

/* When connecting, or preparing after it, is to have ended; 0: whenever. */
static int64_t connect_deadline(const struct connection *connection)
{
    const long timeout_s = connection->options.connect_timeout_s;
    return timeout_s > 0 ? clock_monotonic_us() + timeout_s * 1000000 : 0;
}

/* A new link, to another host than `except`; NULL, and why. */
static PGconn *open_link(const struct connection *connection, size_t except, int64_t deadline_us,
                         char *ret_message, size_t message_size)
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
        return connect_hosts_connect(connection->hosts, &parameters, except, deadline_us,
                                     ret_message, message_size);
    }
    PGconn *pg = PQconnectdbParams(keywords, values, 1);
    if (PQstatus(pg) != CONNECTION_OK) {
        snprintf(ret_message, message_size, "%s", PQerrorMessage(pg));
        PQfinish(TAKE(pg));
    }
    return pg;
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
            if (connection_prepare(connection, statement, deadline_us, err) != STATUS_OK) {
                return err_prefix(err, "preparing %s", statement->name);
            }
        }
    }
    return STATUS_OK;
}

/*
 * Ends the sessions to which a statement may still be on its way, whoever's of the group they were:
 * carried out late, it would undo what is written meanwhile. One that is at work already is left
 * alone: its locks keep the order, its time-outs end it, and its commit may wait for a standby,
 * which must not be cut short.
 */
static enum status end_unheard(struct connection *connection, struct err *err)
{
    for (;;) {
        const struct unheard unheard = connection_group_unheard(connection->group);
        if (unheard.pid == 0) {
            return STATUS_OK;
        }
        char sql[256];
        snprintf(sql, sizeof sql,
                 "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                 " WHERE pid = %d AND usename = current_user AND state LIKE 'idle%%'"
                 " AND application_name = '%s'",
                 unheard.pid, unheard.application_name);
        AUTO_RESULT PGresult *result = NULL;
        const enum status status =
            connection_run(connection, sql, connect_deadline(connection), &result, err);
        if (status != STATUS_OK && status != STATUS_INTERNAL) {
            return status;
        }
        /* Also where the function was revoked: there is no other way. */
        connection_group_forget(connection->group, unheard.pid);
    }
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

/* How often the server of the link was lost, by any connection. */
static unsigned losses_of_host(const struct connection *connection)
{
    return atomic_load(&connection->group->losses[connection->host]);
}

/* The timeline of the WAL that the server writes: each promotion begins a later one. */
static enum status read_timeline(struct connection *connection, int64_t deadline_us,
                                 struct err *err)
{
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_run(connection, "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)",
                       deadline_us, &result, err);
    if (status == STATUS_OK) {
        snprintf(connection->timeline, sizeof connection->timeline, "%s", PQgetvalue(result, 0, 0));
    }
    return connection->pg != NULL ? STATUS_OK : status; /* it need not tell */
}

/* Takes a new link and makes it ready for statements; it is closed when that fails. */
static enum status take_link(struct connection *connection, PGconn *pg, struct err *err)
{
    connection->pg = pg;
    connection->host = connect_hosts_latest(connection->hosts);
    connection->losses = losses_of_host(connection);
    connection->timeline[0] = '\0';
    PQsetNoticeReceiver(pg, take_notice, connection);
    PQsetnonblocking(pg, 1); /* for libpq would wait without a deadline to send a large batch */
    enum status status = end_unheard(connection, err);
    if (status == STATUS_OK && connection->hosts != NULL) {
        status = read_timeline(connection, connect_deadline(connection), err);
    }
    if (status == STATUS_OK) {
        status = prepare_all(connection, err);
    }
    connection->ready = status == STATUS_OK;
    if (status != STATUS_OK) {
        connection_reset(connection);
    }
    return status;
}

static enum status connect_anew(struct connection *connection, struct err *err)
{
    connection_reset(connection);
    connection->sqlstate[0] = '\0';
    char message[MESSAGE_SIZE];
    PGconn *pg = open_link(connection, CONNECT_HOSTS_MAX, connect_deadline(connection), message,
                           sizeof message);
    return pg != NULL ? take_link(connection, pg, err) : fail_to_connect(message, err);
}

enum status connection_ensure(struct connection *connection, struct err *err)
{
    const bool left = connection->ready && connection->losses != losses_of_host(connection);
    if (left) {
        connect_hosts_shun(connection->hosts, connection->host);
    }
    const enum status status = !left && is_alive(connection->pg) ? end_unheard(connection, err)
                                                                 : connect_anew(connection, err);
    /* Nothing was written yet, so nothing can be unknown. */
    if (status == STATUS_UNKNOWN && err != NULL) {
        err->status = STATUS_UNAVAILABLE;
    }
    return status == STATUS_UNKNOWN ? STATUS_UNAVAILABLE : status;
}

bool connection_is_replaced(struct connection *connection)
{
    const int64_t now_us = clock_monotonic_us();
    if (!connection->ready || connection->timeline[0] == '\0' ||
        now_us < connection->looked_at_us + CONNECTION_LOOK_US) {
        return false;
    }
    const int64_t deadline_us = now_us + CONNECTION_LOOK_LIMIT_US;
    char message[MESSAGE_SIZE];
    struct connection other = {.own = CONNECTION_GROUP_INIT, .group = &other.own};
    other.pg = open_link(connection, connection->host, deadline_us, message, sizeof message);
    if (other.pg != NULL) {
        PQsetNoticeReceiver(other.pg, take_notice, &other);
        (void)read_timeline(&other, deadline_us, NULL);
    }
    connection_reset(&other);
    connection->looked_at_us = clock_monotonic_us();
    if (strcmp(other.timeline, connection->timeline) <= 0) {
        return false;
    }
    connection->losses = losses_of_host(connection); /* that is news, whatever was known of it */
    return true;
}

/* Whether commits of ours have waited for a standby for longer than one takes that is there. */
static bool waits_for_a_standby(struct connection *connection)
{
    AUTO_RESULT PGresult *result = NULL;
    return connection_run(connection,
                          "SELECT FROM pg_stat_activity"
                          " WHERE wait_event_type = 'IPC' AND wait_event = 'SyncRep'"
                          "   AND usename = session_user"
                          "   AND query_start < now() - interval '1 second' LIMIT 1",
                          connect_deadline(connection), &result, NULL) == STATUS_OK &&
           PQntuples(result) > 0;
}

bool connection_leave_replaced(struct connection *connection)
{
    const bool replaced = connection->hosts != NULL && text_equal(connection->sqlstate, "55P03") &&
                          waits_for_a_standby(connection) && connection_is_replaced(connection);
    if (replaced) {
        connection_lose(connection);
    }
    return replaced;
}
