/* What the lanes' two files share. */
#ifndef INTAKE_DB_LANE_STATE_H
#define INTAKE_DB_LANE_STATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake/db/connection.h"
#include "intake/db/lane.h"
#include "intake/db/lane_metrics.h"
#include "intake/db/lane_queue.h"

struct lanes {
    struct lane_options options;
    struct connection_options connection;
    char setup[512];
    struct lane_metrics metrics;
    int64_t deadline_us;   /* of an entry, from its submission */
    struct lane *each;     /* options.count of them; the creator's */
    pthread_mutex_t mutex; /* guards everything below */
    pthread_cond_t wake;   /* there may be work */
    pthread_cond_t pause;  /* for its time-out alone */
    struct lane_queue queue;
    bool stopping;
    int64_t busy_at_us;    /* when a batch was taken last */
    int64_t pressed_at_us; /* when a large one was */
    int64_t lost_at_us;    /* since when the database is of no use; 0: it is of use */
};

/* What one lane's thread works with. */
struct lane {
    struct lanes *lanes;
    struct connection *connection;
    struct submission_writer *writer;
    struct submission_write **batch;
    bool started;
    pthread_t thread;
};

/*
 * Writes the first `count` of the lane's batch, whose keys it holds: each is settled, or goes back
 * to the queue.
 */
void lane_write(struct lane *lane, size_t count);

/* Notes since when the database is of no use. */
void lanes_note_lost(struct lanes *lanes);

/* Waits a little before the database is tried again. */
void lanes_pause(struct lanes *lanes);

#endif
