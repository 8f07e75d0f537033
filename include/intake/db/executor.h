/*
 * The executor: a few threads with a connection each and one bounded queue, for everything that
 * needs the database and is not the group-commit lane: look-ups, lists, tokens.
 */
#ifndef INTAKE_DB_EXECUTOR_H
#define INTAKE_DB_EXECUTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake/core/err.h"
#include "intake/db/connection.h"

struct executor;

/*
 * One piece of work, embedded in whatever needs it; the owner keeps it alive until exactly one of
 * run(), refuse() and tell() has been called, on an executor thread.
 *
 * Jobs with a `work` may share a transaction with others of them that wait: so that many look-ups,
 * each of which writes its row of the audit, wait for one commit and not each for its own. It must
 * not matter to them in which order they are done, and they must not lock rows.
 */
struct executor_job {
    /* Does the work on an open connection. */
    void (*run)(struct executor_job *job, struct connection *connection);
    /* Called instead when the deadline passed or the database is out of reach. */
    void (*refuse)(struct executor_job *job, const struct err *err);
    /* Does it inside a transaction and tells nobody; `earlier` did so just before, or NULL. */
    void (*work)(struct executor_job *job, const struct executor_job *earlier,
                 struct connection *connection);
    /* What it worked is committed. */
    void (*tell)(struct executor_job *job);
    /* What it worked was not; run() or refuse() comes next. */
    void (*forget)(struct executor_job *job);
    int64_t deadline_us; /* set by executor_submit */
    struct executor_job *next;
};

struct executor_options {
    long count;
    long queue_max;
    long deadline_ms;
    struct connection_options connection;
};

/* Starts the threads; connections are made when first needed. */
enum status executor_create(const struct executor_options *options, struct executor **ret_executor,
                            struct err *err);

/* Refuses what still waits, ends the threads. NULL is accepted. */
void executor_destroy(struct executor *executor);

/* Hands a job over; false when the queue is full (no callback follows then). Any thread. */
bool executor_submit(struct executor *executor, struct executor_job *job);

/* Jobs that wait, for metrics. Any thread. */
size_t executor_depth(struct executor *executor);

#endif
