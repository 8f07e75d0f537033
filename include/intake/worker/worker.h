/*
 * The worker: the threads that process what was stored. The first is woken by a commit and by a
 * poll and gathers for a moment; the others help with a backlog. All step back while patients are
 * posting at full load.
 */
#ifndef INTAKE_WORKER_WORKER_H
#define INTAKE_WORKER_WORKER_H

#include <stdint.h>

#include "intake/core/err.h"
#include "intake/db/connection.h"
#include "intake/domain/processing.h"

struct lanes;
struct metrics;
struct questionnaire_offer;
struct worker;

struct worker_options {
    struct connection_options connection; /* the statements are the worker's own */
    struct processing_options processing;
    long count; /* threads, each with a connection */
    long poll_ms;
    long yield_age_ms;
    struct lanes *lanes;               /* asked for their load */
    struct questionnaire_offer *offer; /* asked for the questionnaires */
};

/* Allocates and registers metrics; nothing runs yet, so that lanes can be given its wake-up. */
struct worker *worker_create(struct metrics *metrics);

/* Starts the threads. Everything in `options` must outlive worker_stop(). */
enum status worker_start(struct worker *worker, const struct worker_options *options,
                         struct err *err);

/*
 * Ends the threads after the batches at hand; from then on worker_wake() does nothing. NULL and a
 * worker that does not run are accepted.
 */
void worker_stop(struct worker *worker);

/* Stops, and frees. NULL is accepted. */
void worker_destroy(struct worker *worker);

/* There is something to do. Cheap; any thread. */
void worker_wake(struct worker *worker);

/*
 * Microseconds for which the worker's first thread, whose work nobody does for it, has not shown
 * that it lives, beyond the time that it waits between two looks; 0 before it was started. Any
 * thread.
 */
int64_t worker_silent_us(struct worker *worker);

#endif
