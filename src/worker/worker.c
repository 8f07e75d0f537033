/* The worker: when to process, and when to step back. */
#include "intake/worker/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "intake/core/clock.h"
#include "intake/core/log.h"
#include "intake/core/metrics.h"
#include "intake/db/lane.h"
#include "intake/db/store_processing.h"
#include "intake/domain/submission.h"

enum {
    GATHER_MS = 50,     /* from the first wake-up to the claim: a batch is cheaper than its parts */
    STEP_BACK_MS = 100, /* between looks at whether the lanes are still pressed */
    RECONNECT_MS = 500,
};

enum outcome { OUTCOME_PROCESSED, OUTCOME_FAILED, OUTCOME_RETRIED, OUTCOMES };

struct worker {
    struct worker_options options;
    struct metric *outcomes;
    struct metric *runs_failed;
    pthread_mutex_t mutex; /* guards woken and stopping */
    pthread_cond_t changed;
    bool woken;
    bool stopping;
    bool started;
    pthread_t thread;
    _Atomic int64_t alive_at_us;
    int64_t caught_up_us; /* when a claim last left nothing behind; the thread's own */
    bool unreachable;     /* and said so in the log; the thread's own */
};

static const char *const outcome_labels[OUTCOMES] = {
    "outcome=\"processed\"",
    "outcome=\"failed\"",
    "outcome=\"retried\"",
};

struct worker *worker_create(struct metrics *metrics)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        return NULL;
    }
    worker->outcomes = metrics_add(metrics, METRIC_COUNTER, "intake_worker_submissions_total",
                                   "Submissions that the worker dealt with, by outcome.");
    for (size_t i = 0; i < OUTCOMES; i++) {
        metric_add_series(worker->outcomes, outcome_labels[i]);
    }
    worker->runs_failed = metrics_add(metrics, METRIC_COUNTER, "intake_worker_errors_total",
                                      "Batches of the worker that the database did not take.");
    metric_add_series(worker->runs_failed, "");
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&worker->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&worker->mutex, NULL);
    return worker;
}

void worker_wake(struct worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    if (!worker->woken) {
        worker->woken = true;
        pthread_cond_signal(&worker->changed);
    }
    pthread_mutex_unlock(&worker->mutex);
}

int64_t worker_silent_us(struct worker *worker)
{
    const int64_t alive_at_us = atomic_load(&worker->alive_at_us);
    return alive_at_us == 0 ? 0 : clock_monotonic_us() - alive_at_us;
}

/* Waits; until woken, when `wakes`, or the end of the worker. Mutex held. */
static void wait_held(struct worker *worker, long wait_ms, bool wakes)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int timed_out = 0;
    while (!worker->stopping && !(wakes && worker->woken) && timed_out == 0) {
        timed_out = pthread_cond_timedwait(&worker->changed, &worker->mutex, &until);
    }
}

/* Waits without being woken; false when the worker ends. */
static bool pause_for(struct worker *worker, long wait_ms)
{
    pthread_mutex_lock(&worker->mutex);
    wait_held(worker, wait_ms, false);
    const bool goes_on = !worker->stopping;
    pthread_mutex_unlock(&worker->mutex);
    return goes_on;
}

/* Waits for a commit or the next poll, then gathers; false when the worker ends. */
static bool wait_for_work(struct worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    wait_held(worker, worker->options.poll_ms, true);
    if (worker->woken) {
        wait_held(worker, GATHER_MS, false);
    }
    worker->woken = false;
    const bool goes_on = !worker->stopping;
    pthread_mutex_unlock(&worker->mutex);
    return goes_on;
}

static void count(struct worker *worker, const struct processing_counts *counts)
{
    metric_add(worker->outcomes, OUTCOME_PROCESSED, (int64_t)counts->processed);
    metric_add(worker->outcomes, OUTCOME_FAILED, (int64_t)counts->failed);
    metric_add(worker->outcomes, OUTCOME_RETRIED, (int64_t)counts->retried);
    if (counts->failed > 0) {
        log_warning("submissions failed in processing", LOG_NUMBER("count", counts->failed));
    }
}

/* Whether patients need the database more than the backlog does. */
static bool steps_back(struct worker *worker)
{
    return worker->options.yield_age_ms > 0 && lanes_are_pressed(worker->options.lanes) &&
           clock_monotonic_us() - worker->caught_up_us < worker->options.yield_age_ms * 1000;
}

/* One run of each kind; `ret_more` tells that there is probably more. */
static enum status run_once(struct worker *worker, struct connection *connection, bool *ret_more,
                            struct err *err)
{
    const struct questionnaire_set *questionnaires =
        submission_service_questionnaires(worker->options.submissions);
    const struct processing_options *options = &worker->options.processing;
    struct processing_counts fresh = {0};
    struct processing_counts again = {0};
    enum status status = processing_run(connection, questionnaires, options, false, &fresh, err);
    if (status == STATUS_OK) {
        count(worker, &fresh);
        status = processing_run(connection, questionnaires, options, true, &again, err);
    }
    if (status == STATUS_OK) {
        count(worker, &again);
    }
    if (fresh.claimed < (size_t)options->batch_max) {
        worker->caught_up_us = clock_monotonic_us();
    }
    *ret_more = fresh.claimed == (size_t)options->batch_max || again.claimed > 0;
    return status;
}

static void report(struct worker *worker, enum status status, const struct err *err)
{
    if (status == STATUS_OK && worker->unreachable) {
        log_info("the worker goes on", LOG_TEXT("status", "ok"));
    }
    if (status != STATUS_OK) {
        metric_add(worker->runs_failed, 0, 1);
        if (!worker->unreachable) {
            log_warning("the worker cannot process", LOG_TEXT("status", status_name(status)),
                        LOG_TEXT("reason", err->message));
        }
    }
    worker->unreachable = status != STATUS_OK;
}

static void *run_worker(void *arg)
{
    struct worker *worker = arg;
    struct connection *connection = connection_create(&worker->options.connection);
    worker->caught_up_us = clock_monotonic_us();
    bool goes_on = connection != NULL;
    while (goes_on) {
        atomic_store(&worker->alive_at_us, clock_monotonic_us());
        if (steps_back(worker)) {
            goes_on = pause_for(worker, STEP_BACK_MS);
            continue;
        }
        struct err err = {0};
        bool more = false;
        enum status status = connection_ensure(connection, &err);
        if (status == STATUS_OK) {
            status = run_once(worker, connection, &more, &err);
        }
        report(worker, status, &err);
        if (status != STATUS_OK) {
            goes_on = pause_for(worker, RECONNECT_MS);
        } else {
            goes_on = more ? pause_for(worker, 0) : wait_for_work(worker);
        }
    }
    connection_destroy(connection);
    return NULL;
}

enum status worker_start(struct worker *worker, const struct worker_options *options,
                         struct err *err)
{
    worker->options = *options;
    worker->options.connection.prepared = &processing_statements;
    worker->options.connection.prepared_count = 1;
    worker->options.connection.setup = connection_batch_setup;
    if (pthread_create(&worker->thread, NULL, run_worker, worker) != 0) {
        return err_set(err, STATUS_NO_MEMORY, "cannot start the worker's thread");
    }
    worker->started = true;
    return STATUS_OK;
}

void worker_stop(struct worker *worker)
{
    if (worker == NULL || !worker->started) {
        return;
    }
    pthread_mutex_lock(&worker->mutex);
    worker->stopping = true;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->mutex);
    pthread_join(worker->thread, NULL);
    worker->started = false;
}

void worker_destroy(struct worker *worker)
{
    if (worker == NULL) {
        return;
    }
    worker_stop(worker);
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->mutex);
    free(worker);
}
