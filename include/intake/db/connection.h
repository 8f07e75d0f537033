/*
 * One connection to PostgreSQL, used by one thread at a time: connect, prepare, execute with a
 * deadline, and tell the kinds of failure apart.
 *
 * A connection survives the database: when the link is lost, the call that noticed says
 * STATUS_UNAVAILABLE (or STATUS_UNKNOWN, when a write had been sent), and connection_ensure()
 * connects anew. Functions here never log; messages never hold row data.
 */
#ifndef INTAKE_DB_CONNECTION_H
#define INTAKE_DB_CONNECTION_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake/core/err.h"
#include "intake/db/connection_group.h"

struct connection;

/* A statement that is prepared whenever the connection is made. Static storage. */
struct statement {
    const char *name;
    const char *sql;
};

struct statement_list {
    const struct statement *statements;
    size_t count;
};

struct connection_options {
    const char *conninfo;           /* as for PQconnectdb; several hosts: see connect_hosts.h */
    const char *application_name;   /* what pg_stat_activity shows */
    struct connection_group *group; /* with the program's others of that conninfo, or NULL */
    long connect_timeout_s;
    long statement_timeout_ms; /* 0: the server's own */
    const char *setup;         /* SQL run once after connecting, or NULL */
    const struct statement_list *prepared;
    size_t prepared_count;
};

/*
 * The setup of connections that run the same statements all day: planned once, by the indexes; and
 * durable, because somebody is told of what they wrote.
 */
extern const char connection_batch_setup[];

/* Parameters of a prepared statement, in libpq's parallel arrays. */
struct parameters {
    const char *const *values;
    const int *lengths; /* of binary values; NULL when all are text */
    const int *formats; /* 0 text, 1 binary; NULL when all are text */
    int count;
};

static inline void cleanup_result(PGresult **result)
{
    PQclear(*result);
}
#define AUTO_RESULT __attribute__((cleanup(cleanup_result)))

/*
 * Makes a handle, not yet connected. `options` is copied shallowly: its strings must outlive the
 * handle. NULL when memory is out.
 */
struct connection *connection_create(const struct connection_options *options);
void connection_destroy(struct connection *connection);

/*
 * Connects and prepares unless that is done already, and anew when the server did not answer
 * another connection in time since; and ends the sessions of the group of which
 * connection_is_unheard() tells. STATUS_UNAVAILABLE when the server cannot be reached,
 * STATUS_INTERNAL when it refuses for good (authentication, a statement that does not fit the
 * schema). Blocks for connect_timeout_s at most for each of its steps: connecting (for each host,
 * when several are not asked at once), ending sessions, reading the timeline, preparing.
 */
enum status connection_ensure(struct connection *connection, struct err *err);

/* Drops the link, so that the next connection_ensure() makes a new one. */
void connection_reset(struct connection *connection);
bool connection_is_open(const struct connection *connection);

/*
 * After a write that met a lock: drops the link when commits of ours wait there for a standby and
 * another host was promoted in place of the server, which does not know. They do not end, and
 * whoever repeats one meets its locks. Whether it was dropped. Asks the other hosts, at most once a
 * second and for half a second.
 */
bool connection_leave_replaced(struct connection *connection);

/*
 * Whether a link was dropped before the server had answered: what it was sent may still be on its
 * way, and would undo what others write meanwhile, until connection_ensure() has succeeded, on this
 * connection or another of the group.
 */
bool connection_is_unheard(const struct connection *connection);

/* Whether the link is open and no connection of the group is unheard. */
bool connection_may_send(const struct connection *connection);

/* The raw handle for what has no function here; NULL when not connected. db layer only. */
PGconn *connection_raw(struct connection *connection);

/*
 * Runs a prepared statement and waits for its result until another of several hosts turns out to be
 * promoted in this one's place, or until `deadline_us` (monotonic clock; 0 is
 * a second more than statement_timeout_ms, and no deadline without that). Results come in binary
 * format when `binary` is set. `ret_result` is the caller's (PQclear, AUTO_RESULT).
 *
 * STATUS_UNKNOWN: the statement was sent and its end was not learnt, or the server warned about
 * its commit. After this and after STATUS_UNAVAILABLE the link may be closed: ensure it again.
 */
enum status connection_execute(struct connection *connection, const char *statement,
                               const struct parameters *parameters, bool binary,
                               int64_t deadline_us, PGresult **ret_result, struct err *err);

/*
 * The same, in binary format and with the deadline 0, for values that were checked already: what
 * the database refuses is nobody's mistake but ours, STATUS_INTERNAL and not STATUS_INVALID (an
 * audit row that cannot be written, say).
 */
enum status connection_execute_checked(struct connection *connection, const char *statement,
                                       const struct parameters *parameters, PGresult **ret_result,
                                       struct err *err);

/* The same for plain SQL without parameters (BEGIN, COMMIT, DDL, several statements). */
enum status connection_run(struct connection *connection, const char *sql, int64_t deadline_us,
                           PGresult **ret_result, struct err *err);

/* The SQLSTATE of the last failure, "" when there was none from the server. */
const char *connection_sqlstate(const struct connection *connection);

#endif
