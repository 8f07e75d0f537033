/* The group-commit lanes: their threads, and what each of them takes when. */
#include "intake/db/lane.h"

#include <stdio.h>
#include <stdlib.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/condition.h"
#include "intake/core/metrics.h"
#include "intake/db/store_submission.h"
#include "lane_state.h"

enum {
    LOCK_WAITS_MAX = 50,     /* of the deadline: how long a locked row may hold up a lane */
    PRESSED_BATCH = 4,       /* from this batch size on, entries come faster than one by one */
    RECENTLY_US = 20 * 1000, /* what counts as now */
};

static void refuse_all(struct submission_write *first, const struct err *err)
{
    while (first != NULL) {
        struct submission_write *write = first;
        first = write->next;
        write->done(write, err->status, err);
    }
}

/* Takes those who have so little time left that a commit is not worth beginning. Mutex held. */
static struct submission_write *take_late(struct lanes *lanes)
{
    return lane_queue_take_late(&lanes->queue, clock_monotonic_us() + lanes->deadline_us / 4);
}

/* Makes the connection. While that fails, refuses what becomes late and pauses. */
static bool reach_database(struct lane *lane)
{
    struct lanes *lanes = lane->lanes;
    const bool was_open = connection_is_open(lane->connection);
    struct err err = {0};
    const enum status status = connection_ensure(lane->connection, &err);
    if (status == STATUS_OK && was_open) {
        return true;
    }
    pthread_mutex_lock(&lanes->mutex);
    if (status == STATUS_OK) {
        lanes->lost_at_us = 0;
    }
    struct submission_write *late = status == STATUS_OK ? NULL : take_late(lanes);
    pthread_mutex_unlock(&lanes->mutex);
    if (status != STATUS_OK) {
        metric_add(lanes->metrics.failures, STATUS_UNAVAILABLE, 1);
        lanes_note_lost(lanes);
        (void)err_set(&err, STATUS_UNAVAILABLE, "the database is out of reach");
        refuse_all(late, &err);
        lanes_pause(lanes);
    }
    return status == STATUS_OK;
}

/*
 * Waits for work. A session that was not heard is to be ended at once, by connecting anew. False
 * when the lanes end and nothing is left.
 */
static bool wait_for_work(struct lane *lane)
{
    struct lanes *lanes = lane->lanes;
    const bool unheard = connection_is_unheard(lane->connection);
    pthread_mutex_lock(&lanes->mutex);
    while (lanes->queue.first == NULL && !lanes->stopping && !unheard) {
        pthread_cond_wait(&lanes->wake, &lanes->mutex);
    }
    const bool goes_on = lanes->queue.first != NULL || !lanes->stopping;
    pthread_mutex_unlock(&lanes->mutex);
    return goes_on;
}

/* Notes when batches are taken, for those who shall leave the database to the lanes. Mutex held. */
static void note_load(struct lanes *lanes, size_t count)
{
    const int64_t now_us = clock_monotonic_us();
    if (count > 0) {
        lanes->busy_at_us = now_us;
    }
    if (count >= PRESSED_BATCH) {
        lanes->pressed_at_us = now_us;
    }
}

static void *run_lane(void *arg)
{
    struct lane *lane = arg;
    struct lanes *lanes = lane->lanes;
    (void)connection_ensure(lane->connection, NULL);
    while (wait_for_work(lane)) {
        if (!reach_database(lane)) {
            continue;
        }
        pthread_mutex_lock(&lanes->mutex);
        struct submission_write *late = take_late(lanes);
        const size_t share = lane_queue_share(&lanes->queue, (size_t)lanes->options.count,
                                              (size_t)lanes->options.batch_max);
        const size_t count = lane_queue_take(&lanes->queue, lane->batch, share);
        note_load(lanes, count);
        if (count == 0 && late == NULL && lanes->queue.first != NULL) {
            /* All that waits meets what is on its way, whose end wakes us. */
            pthread_cond_wait(&lanes->wake, &lanes->mutex);
        }
        pthread_mutex_unlock(&lanes->mutex);

        struct err err = {0};
        (void)err_set(&err, STATUS_UNAVAILABLE, "waited too long to be written");
        refuse_all(late, &err);
        if (count > 0) {
            lane_write(lane, count);
        }
    }
    return NULL;
}

/* False when memory is out; finish_lane() takes what there is then. */
static bool start_lane(struct lanes *lanes, struct lane *lane)
{
    lane->lanes = lanes;
    lane->connection = connection_create(&lanes->connection);
    lane->writer = submission_writer_create();
    lane->batch = calloc((size_t)lanes->options.batch_max, sizeof(struct submission_write *));
    lane->started = lane->connection != NULL && lane->writer != NULL && lane->batch != NULL &&
                    pthread_create(&lane->thread, NULL, run_lane, lane) == 0;
    return lane->started;
}

/* Waits for its end, if it was started. */
static void finish_lane(struct lane *lane)
{
    if (lane->started) {
        pthread_join(lane->thread, NULL);
    }
    free(lane->batch);
    submission_writer_destroy(lane->writer);
    connection_destroy(lane->connection);
}

enum status lanes_create(const struct lane_options *options, struct lanes **ret_lanes,
                         struct err *err)
{
    struct lanes *lanes = calloc(1, sizeof *lanes);
    if (lanes == NULL) {
        return err_no_memory(err);
    }
    lanes->options = *options;
    lanes->connection = options->connection;
    lanes->connection.prepared = &submission_write_statements;
    lanes->connection.prepared_count = 1;
    snprintf(lanes->setup, sizeof lanes->setup, "%s; SET lock_timeout = %ld",
             connection_batch_setup, options->deadline_ms / LOCK_WAITS_MAX + 10);
    lanes->connection.setup = lanes->setup;
    lanes->deadline_us = options->deadline_ms * 1000;
    lane_queue_init(&lanes->queue);
    lane_metrics_add(&lanes->metrics, options->metrics);

    pthread_mutex_init(&lanes->mutex, NULL);
    pthread_cond_init(&lanes->wake, NULL);
    condition_init(&lanes->pause);

    lanes->each = calloc((size_t)options->count, sizeof *lanes->each);
    bool started = lanes->each != NULL;
    for (long i = 0; i < options->count && started; i++) {
        started = start_lane(lanes, &lanes->each[i]);
    }
    if (!started) {
        lanes_destroy(lanes);
        return err_set(err, STATUS_NO_MEMORY, "cannot start the lanes' threads");
    }
    *ret_lanes = lanes;
    return STATUS_OK;
}

void lanes_destroy(struct lanes *lanes)
{
    if (lanes == NULL) {
        return;
    }
    pthread_mutex_lock(&lanes->mutex);
    lanes->stopping = true;
    pthread_cond_broadcast(&lanes->wake);
    pthread_mutex_unlock(&lanes->mutex);
    for (long i = 0; i < lanes->options.count && lanes->each != NULL; i++) {
        finish_lane(&lanes->each[i]);
    }
    pthread_cond_destroy(&lanes->pause);
    pthread_cond_destroy(&lanes->wake);
    pthread_mutex_destroy(&lanes->mutex);
    free(lanes->each);
    free(lanes);
}

enum status lanes_submit(struct lanes *lanes, struct submission_write *write, struct err *err)
{
    const int64_t now_us = clock_monotonic_us();
    write->deadline_us = now_us + lanes->deadline_us;
    write->conflicts = 0;

    const char *refusal = NULL;
    pthread_mutex_lock(&lanes->mutex);
    if (lanes->stopping) {
        refusal = "shutting down";
    } else if (lanes->queue.depth >= (size_t)lanes->options.queue_max) {
        refusal = "too many submissions are waiting to be written";
    } else if (lanes->lost_at_us != 0 && now_us - lanes->lost_at_us > lanes->deadline_us &&
               lanes->queue.first != NULL) {
        refusal = "the database is out of reach"; /* those who wait are the probe */
    } else {
        lane_queue_push(&lanes->queue, write);
        pthread_cond_signal(&lanes->wake);
    }
    pthread_mutex_unlock(&lanes->mutex);
    return refusal == NULL ? STATUS_OK : err_set(err, STATUS_UNAVAILABLE, "%s", refusal);
}

size_t lanes_depth(struct lanes *lanes)
{
    pthread_mutex_lock(&lanes->mutex);
    const size_t depth = lanes->queue.depth;
    pthread_mutex_unlock(&lanes->mutex);
    return depth;
}

enum lane_load lanes_load(struct lanes *lanes)
{
    const int64_t since_us = clock_monotonic_us() - RECENTLY_US;
    pthread_mutex_lock(&lanes->mutex);
    const bool busy = lanes->busy_at_us > since_us;
    const bool pressed = lanes->pressed_at_us > since_us;
    pthread_mutex_unlock(&lanes->mutex);
    return pressed ? LANES_PRESSED : busy ? LANES_BUSY : LANES_IDLE;
}
