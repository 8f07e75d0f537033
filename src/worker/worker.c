/* The worker: when to process, and when to step back. */
#include "intake/worker/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/condition.h"
#include "intake/core/log.h"
#include "intake/core/metrics.h"
#include "intake/db/lane.h"
#include "intake/db/store_draft.h"
#include "intake/db/store_processing.h"
#include "intake/domain/questionnaire_offer.h"

enum {
    GATHER_MS = 50, /* from the first wake-up to the claim: a batch is cheaper than its parts */
    GENTLE_BATCH_MAX = 32,
    AGAIN_MIN_US = 100 * 1000, /* at full pace, however quick the new ones were */
    STEP_BACK_MS = 100,        /* between looks at whether the lanes are still pressed */
    RECONNECT_MS = 500,
    LOCK_WAIT_MS = 200,       /* for a row that another program holds */
    EXPIRED_DRAFTS_MAX = 500, /* deleted together */
};

enum outcome { OUTCOME_PROCESSED, OUTCOME_FAILED, OUTCOME_RETRIED, OUTCOMES };

/*
 * One thread of the worker. The first is woken by commits and polls, and looks for what is due
 * again or was committed late, which may take a while beside an old snapshot; the others only help
 * with what is new while a claim leaves something behind, so that a backlog is worked off faster
 * than it came.
 */
struct worker_thread {
    struct worker *worker;
    bool helps;
    bool started;
    pthread_t thread;
    struct connection *connection;
    int64_t caught_up_us; /* when the claims last left nothing behind */
    bool unreachable;     /* and said so in the log */
    int64_t drafts_at_us; /* when to look for expired drafts again; the first thread's */
    struct processing_memory memory;
};

struct worker {
    struct worker_options options;
    char setup[512];
    struct statement_list statements[2];
    struct metric *outcomes;
    struct metric *runs_failed;
    pthread_mutex_t mutex; /* guards woken, backlog and stopping */
    pthread_cond_t changed;
    bool woken;
    bool backlog;
    bool stopping;
    _Atomic int64_t alive_at_us; /* when the first thread last showed itself; 0: never */
    struct worker_thread *threads;
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
    condition_init(&worker->changed);
    pthread_mutex_init(&worker->mutex, NULL);
    return worker;
}

void worker_wake(struct worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    if (!worker->woken) {
        worker->woken = true;
        pthread_cond_broadcast(&worker->changed);
    }
    pthread_mutex_unlock(&worker->mutex);
}

int64_t worker_silent_us(struct worker *worker)
{
    const int64_t alive_at_us = atomic_load(&worker->alive_at_us);
    if (alive_at_us == 0) {
        return 0;
    }
    const int64_t silent_us =
        clock_monotonic_us() - alive_at_us - worker->options.poll_ms * INT64_C(1000);
    return silent_us > 0 ? silent_us : 0;
}

/* Waits without being woken; false when the worker ends. */
static bool pause_for(struct worker *worker, long wait_ms)
{
    pthread_mutex_lock(&worker->mutex);
    condition_wait_ms(&worker->changed, &worker->mutex, wait_ms, NULL, &worker->stopping);
    const bool goes_on = !worker->stopping;
    pthread_mutex_unlock(&worker->mutex);
    return goes_on;
}

/*
 * Waits for a commit or the next poll, then gathers; a helper waits for a backlog. Without waiting
 * when there is `more`. False when the worker ends.
 */
static bool wait_for_work(struct worker_thread *thread, bool more)
{
    struct worker *worker = thread->worker;
    pthread_mutex_lock(&worker->mutex);
    if (more && !worker->backlog) {
        worker->backlog = true;
        pthread_cond_broadcast(&worker->changed);
    } else if (!more) {
        worker->backlog = false;
        condition_wait_ms(&worker->changed, &worker->mutex, worker->options.poll_ms,
                          thread->helps ? &worker->backlog : &worker->woken, &worker->stopping);
    }
    if (!more && !thread->helps) {
        if (worker->woken) {
            condition_wait_ms(&worker->changed, &worker->mutex, GATHER_MS, NULL, &worker->stopping);
        }
        worker->woken = false;
    }
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

/* How much of the database a thread takes while patients post. */
enum pace {
    PACE_NONE,   /* nothing: posts come faster than one by one */
    PACE_GENTLE, /* small batches with rests: a post alone hardly notices */
    PACE_FULL,
};

/*
 * The pace of this moment. What has waited too long is worked off by the first thread, whatever the
 * load; the helpers work only when nobody posts.
 */
static enum pace choose_pace(const struct worker_thread *thread)
{
    const struct worker_options *options = &thread->worker->options;
    const enum lane_load load = lanes_load(options->lanes);
    const int64_t behind_us = clock_monotonic_us() - thread->caught_up_us;
    if (load == LANES_IDLE || options->yield_age_ms == 0) {
        return PACE_FULL;
    }
    if (thread->helps) {
        return PACE_NONE;
    }
    if (behind_us >= options->yield_age_ms * 1000) {
        return PACE_FULL;
    }
    return load == LANES_BUSY ? PACE_GENTLE : PACE_NONE;
}

/* What the first thread alone does, no helper does for it. */
static void show_alive(struct worker_thread *thread)
{
    if (!thread->helps) {
        atomic_store(&thread->worker->alive_at_us, clock_monotonic_us());
    }
}

static bool is_stopping(struct worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    const bool stopping = worker->stopping;
    pthread_mutex_unlock(&worker->mutex);
    return stopping;
}

/*
 * One run for what is new, then as many for what is due again, each of which takes few, as fit into
 * the same time, or `again_min_us`: so neither keeps the other waiting. `ret_more` tells that there
 * is probably more.
 */
static enum status run_kinds(struct worker_thread *thread,
                             const struct questionnaire_set *questionnaires,
                             const struct processing_options *options, int64_t again_min_us,
                             bool *ret_more, struct err *err)
{
    struct processing_counts fresh = {0};
    struct processing_counts again = {0};
    const int64_t begun_us = clock_monotonic_us();
    enum status status = processing_run(thread->connection, questionnaires, options, false,
                                        &thread->memory, &fresh, err);
    const int64_t took_us = clock_monotonic_us() - begun_us;
    const int64_t end_us = begun_us + took_us + (took_us > again_min_us ? took_us : again_min_us);
    if (status == STATUS_OK) {
        count(thread->worker, &fresh);
    }
    bool goes_on = status == STATUS_OK;
    while (goes_on) {
        show_alive(thread);
        status = processing_run(thread->connection, questionnaires, options, true, &thread->memory,
                                &again, err);
        if (status == STATUS_OK) {
            count(thread->worker, &again);
        }
        goes_on = status == STATUS_OK && again.claimed > 0 && clock_monotonic_us() < end_us &&
                  !is_stopping(thread->worker);
    }
    *ret_more = fresh.claimed == (size_t)options->batch_max || again.claimed > 0;
    if (status == STATUS_OK && !*ret_more) {
        thread->caught_up_us = clock_monotonic_us();
    }
    return status;
}

static enum status run_once(struct worker_thread *thread, enum pace pace, bool *ret_more,
                            struct err *err)
{
    struct questionnaire_offer *offer = thread->worker->options.offer;
    struct processing_options options = thread->worker->options.processing;
    if (pace == PACE_GENTLE && options.batch_max > GENTLE_BATCH_MAX) {
        options.batch_max = GENTLE_BATCH_MAX;
    }
    struct questionnaire_use *use = questionnaire_offer_enter(offer);
    const enum status status = run_kinds(thread, questionnaire_offer_now(offer), &options,
                                         pace == PACE_FULL ? AGAIN_MIN_US : 0, ret_more, err);
    questionnaire_offer_leave(offer, use);
    return status;
}

/* Once per poll, however often commits wake us. */
static enum status delete_expired_drafts(struct worker_thread *thread,
                                         struct connection *connection, struct err *err)
{
    const int64_t now_us = clock_monotonic_us();
    if (thread->helps || now_us < thread->drafts_at_us) {
        return STATUS_OK;
    }
    size_t deleted = 0;
    const enum status status = draft_delete_expired(connection, EXPIRED_DRAFTS_MAX, &deleted, err);
    if (status == STATUS_OK) {
        const bool more = deleted == EXPIRED_DRAFTS_MAX;
        thread->drafts_at_us = more ? now_us : now_us + thread->worker->options.poll_ms * 1000;
    }
    return status;
}

static void report(struct worker_thread *thread, enum status status, const struct err *err)
{
    if (status == STATUS_OK && thread->unreachable) {
        log_info("the worker goes on", LOG_TEXT("status", "ok"));
    }
    if (status != STATUS_OK) {
        metric_add(thread->worker->runs_failed, 0, 1);
        if (!thread->unreachable) {
            log_warning("the worker cannot process", LOG_TEXT("status", status_name(status)),
                        LOG_TEXT("reason", err->message));
        }
    }
    thread->unreachable = status != STATUS_OK;
}

/* So long that the work since `begun_us` was a tenth of the time, or that something is too old. */
static long rest_ms(const struct worker *worker, int64_t begun_us)
{
    const long rest_ms = (long)((clock_monotonic_us() - begun_us) * 9 / 1000) + 1;
    return rest_ms < worker->options.yield_age_ms ? rest_ms : worker->options.yield_age_ms;
}

static void *run_thread(void *arg)
{
    struct worker_thread *thread = arg;
    struct worker *worker = thread->worker;
    struct connection *connection = thread->connection;
    thread->caught_up_us = clock_monotonic_us();
    bool goes_on = !thread->helps || wait_for_work(thread, false);
    while (goes_on) {
        const int64_t begun_us = clock_monotonic_us();
        show_alive(thread);
        const enum pace pace = choose_pace(thread);
        if (pace == PACE_NONE) {
            goes_on = pause_for(worker, STEP_BACK_MS);
            continue;
        }
        struct err err = {0};
        bool more = false;
        enum status status = connection_ensure(connection, &err);
        if (status == STATUS_OK) {
            status = run_once(thread, pace, &more, &err);
        }
        if (status == STATUS_OK) {
            status = delete_expired_drafts(thread, connection, &err);
        }
        report(thread, status, &err);
        if (status != STATUS_OK) {
            goes_on = pause_for(worker, RECONNECT_MS);
        } else if (pace == PACE_GENTLE && more) {
            goes_on = pause_for(worker, rest_ms(worker, begun_us));
        } else {
            goes_on = wait_for_work(thread, more);
        }
    }
    return NULL;
}

static bool start_thread(struct worker *worker, struct worker_thread *thread, bool helps)
{
    thread->worker = worker;
    thread->helps = helps;
    if (helps) { /* never looks at everything */
        thread->memory.fresh_at_us = INT64_MAX;
        thread->memory.again_at_us = INT64_MAX;
    }
    thread->connection = connection_create(&worker->options.connection);
    thread->started = thread->connection != NULL &&
                      pthread_create(&thread->thread, NULL, run_thread, thread) == 0;
    return thread->started;
}

enum status worker_start(struct worker *worker, const struct worker_options *options,
                         struct err *err)
{
    worker->options = *options;
    worker->statements[0] = processing_statements;
    worker->statements[1] = draft_expiry_statements;
    worker->options.connection.prepared = worker->statements;
    worker->options.connection.prepared_count = ARRAY_LENGTH(worker->statements);
    snprintf(worker->setup, sizeof worker->setup, "%s; SET lock_timeout = %d",
             connection_batch_setup, LOCK_WAIT_MS);
    worker->options.connection.setup = worker->setup;
    worker->threads = calloc((size_t)options->count, sizeof *worker->threads);
    bool started = worker->threads != NULL;
    for (long i = 0; i < options->count && started; i++) {
        started = start_thread(worker, &worker->threads[i], i > 0);
    }
    return started ? STATUS_OK
                   : err_set(err, STATUS_NO_MEMORY, "cannot start the worker's threads");
}

void worker_stop(struct worker *worker)
{
    if (worker == NULL || worker->threads == NULL) {
        return;
    }
    pthread_mutex_lock(&worker->mutex);
    worker->stopping = true;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->mutex);
    for (long i = 0; i < worker->options.count; i++) {
        if (worker->threads[i].started) {
            pthread_join(worker->threads[i].thread, NULL);
        }
        connection_destroy(worker->threads[i].connection);
        processing_memory_finish(&worker->threads[i].memory);
    }
    free(worker->threads);
    worker->threads = NULL;
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
