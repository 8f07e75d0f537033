/*
 * The group-commit lanes: threads with one PostgreSQL connection each that write submissions.
 *
 * A lane takes its share of what waits, up to a batch limit, and never waits for more; alone, a
 * submission commits at once, and under load batches grow by themselves. Two entries that name the
 * same booking, e-mail or phone are never on their way at the same time, and keep their order.
 */
#ifndef INTAKE_DB_LANE_H
#define INTAKE_DB_LANE_H

#include <stdbool.h>
#include <stddef.h>

#include "intake/core/err.h"
#include "intake/db/connection.h"

struct lanes;
struct metric;
struct metrics;
struct submission_write;

struct lane_options {
    long count;
    long batch_max;
    long queue_max;
    long deadline_ms;
    struct connection_options connection; /* statements and setup are the lane's own */
    struct metrics *metrics;              /* gets the lanes' families */
    void (*committed)(void *context);     /* called on a lane's thread after each commit */
    void *context;
};

/* Starts the threads. The lanes connect by themselves, now and after every loss. */
enum status lanes_create(const struct lane_options *options, struct lanes **ret_lanes,
                         struct err *err);

/*
 * Takes no more entries, writes what waits (each until its deadline at most), ends the threads.
 * NULL is accepted.
 */
void lanes_destroy(struct lanes *lanes);

/*
 * Hands an entry over; its `done` will be called exactly once, and may be before this returns.
 * STATUS_UNAVAILABLE, and no call, when the queue is full, the database has been out of reach for
 * longer than the deadline, or the lanes are ending. Any thread.
 */
enum status lanes_submit(struct lanes *lanes, struct submission_write *write, struct err *err);

/* Entries that wait. Any thread. */
size_t lanes_depth(struct lanes *lanes);

/* What the lanes had to do just now: nothing, entries one by one, or more than that. */
enum lane_load { LANES_IDLE, LANES_BUSY, LANES_PRESSED };

/* Others shall leave the database to the lanes accordingly. Any thread. */
enum lane_load lanes_load(struct lanes *lanes);

#endif
