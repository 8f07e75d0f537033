/*
 * The monitor: a thread that asks the database how it is, so that health and metrics are answered
 * from memory, at once, however the database feels.
 */
#ifndef INTAKE_WORKER_MONITOR_H
#define INTAKE_WORKER_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "intake/core/err.h"
#include "intake/db/connection.h"

struct monitor;

/* What was found last. */
struct monitor_state {
    bool reachable; /* the last probe, at most a few seconds ago, went well */
    bool writable;
    bool schema_fits;
    /* As of the last count: a second ago, or twenty times as long as counting takes. */
    int64_t oldest_us; /* age of the oldest submission that is due and unprocessed */
    int64_t submitted; /* how many wait, and how many failed: counted up to 1,000 */
    int64_t failed;
};

/* Starts the thread. */
enum status monitor_create(const struct connection_options *connection,
                           struct monitor **ret_monitor, struct err *err);
/* NULL is accepted. */
void monitor_destroy(struct monitor *monitor);

/*
 * Waits for the end of the first probe, so that whoever is told that we are ready finds it so.
 * At most as long as a connection may take. Main thread, at start.
 */
void monitor_wait(struct monitor *monitor);

/* Any thread; never waits for the database. */
void monitor_read(struct monitor *monitor, struct monitor_state *ret_state);

#endif
