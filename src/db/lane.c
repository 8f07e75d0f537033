/* The group-commit lanes. */
#include "intake/db/lane.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/condition.h"
#include "intake/core/metrics.h"
#include "intake/db/lane_metrics.h"
#include "intake/db/lane_queue.h"
#include "intake/db/store_submission.h"

enum {
    PAUSE_MS = 50,           /* before the database is tried again */
    CONFLICTS_MAX = 20,      /* with other writers, before an entry is given up */
    LOCK_WAITS_MAX = 50,     /* of the deadline: how long a locked row may hold up a lane */
    PRESSED_BATCH = 4,       /* from this batch size on, entries come faster than one by one */
    RECENTLY_US = 20 * 1000, /* what counts as now */
};

struct lanes {
    struct lane_options options;
    struct connection_options connection;
    char setup[512];
    struct lane_metrics metrics;
    int64_t deadline_us;   /* of an entry, from its submission */
    struct lane *each;     /* options.count of them; the creator's */
    atomic_uint losses;    /* of a connection, any lane's */
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
    unsigned losses; /* of any lane, when the connection was made */
    struct submission_writer *writer;
    struct submission_write **batch;
    bool started;
    pthread_t thread;
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

static void return_to_queue(struct lanes *lanes, struct submission_write *const *writes,
                            size_t count)
{
    pthread_mutex_lock(&lanes->mutex);
    lane_queue_give_back(&lanes->queue, writes, count);
    pthread_cond_signal(&lanes->wake);
    pthread_mutex_unlock(&lanes->mutex);
}

/* Notes since when the database is of no use. */
static void note_lost(struct lanes *lanes)
{
    pthread_mutex_lock(&lanes->mutex);
    if (lanes->lost_at_us == 0) {
        lanes->lost_at_us = clock_monotonic_us();
    }
    pthread_mutex_unlock(&lanes->mutex);
}

static void pause_lane(struct lanes *lanes)
{
    static const bool never = false; /* a lane that ends still writes what waits */
    pthread_mutex_lock(&lanes->mutex);
    condition_wait_ms(&lanes->pause, &lanes->mutex, PAUSE_MS, NULL, &never);
    pthread_mutex_unlock(&lanes->mutex);
}

static bool is_later(const struct submission_write *write)
{
    return write->outcome == SUBMISSION_LATER;
}

static bool has_conflicted(const struct submission_write *write)
{
    return write->conflicts > 0;
}

/* They are committed: lets go of their keys, then tells everyone. */
static void settle_written(struct lanes *lanes, struct submission_write *const *writes,
                           size_t count)
{
    if (count == 0) {
        return;
    }
    pthread_mutex_lock(&lanes->mutex);
    lanes->lost_at_us = 0;
    lane_queue_release(&lanes->queue, writes, count);
    if (lanes->queue.first != NULL) {
        pthread_cond_signal(&lanes->wake); /* an entry may have waited for these keys */
    }
    pthread_mutex_unlock(&lanes->mutex);

    metric_observe(lanes->metrics.batch_size, 0, (int64_t)count);
    if (lanes->options.committed != NULL) {
        lanes->options.committed(lanes->options.context);
    }
    for (size_t i = 0; i < count; i++) {
        metric_add(lanes->metrics.outcomes, writes[i]->outcome, 1);
        writes[i]->done(writes[i], STATUS_OK, NULL);
    }
}

static void settle_refused(struct lanes *lanes, struct submission_write *write,
                           const struct err *err)
{
    pthread_mutex_lock(&lanes->mutex);
    lane_queue_release(&lanes->queue, &write, 1);
    if (lanes->queue.first != NULL) {
        pthread_cond_signal(&lanes->wake);
    }
    pthread_mutex_unlock(&lanes->mutex);
    write->done(write, err->status, err);
}

/*
 * Puts entries back that met another writer. One that does so again and again is given up, so that
 * it cannot keep its neighbours busy.
 */
static void put_off(struct lanes *lanes, struct submission_write **writes, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (++writes[i]->conflicts < CONFLICTS_MAX) {
            writes[kept++] = writes[i];
        } else {
            struct err err = {0};
            (void)err_set(&err, STATUS_UNAVAILABLE, "met another writer each time");
            settle_refused(lanes, writes[i], &err);
        }
    }
    metric_add(lanes->metrics.outcomes, SUBMISSION_LATER, (int64_t)kept);
    return_to_queue(lanes, writes, kept);
}

static void write_entries(struct lane *lane, bool only_new, struct submission_write **writes,
                          size_t count);

/* Whether one of them has so little time left that the queue is to decide about them. */
static bool are_late(const struct lanes *lanes, struct submission_write *const *writes,
                     size_t count)
{
    return lane_queue_first_deadline(writes, count) < clock_monotonic_us() + lanes->deadline_us / 4;
}

/*
 * What could not be written together is halved: the one that the database refuses, or that meets
 * another writer, costs its neighbours a few transactions and not one each.
 */
static void write_halves(struct lane *lane, bool only_new, struct submission_write **writes,
                         size_t count, const struct err *err)
{
    if (count > 1 && err->status == STATUS_RETRY && are_late(lane->lanes, writes, count)) {
        return_to_queue(lane->lanes, writes, count);
    } else if (count > 1) {
        write_entries(lane, only_new, writes, count / 2);
        write_entries(lane, only_new, writes + count / 2, count - count / 2);
    } else if (err->status == STATUS_RETRY) {
        put_off(lane->lanes, writes, 1);
    } else {
        settle_refused(lane->lanes, writes[0], err);
    }
}

/*
 * Writes what is not new. Who met another writer before goes alone and last: it may do so again,
 * a row that is locked for long say, and the others shall not wait with it.
 */
static void write_known(struct lane *lane, struct submission_write **writes, size_t count)
{
    const size_t alone = lane_queue_bring_first(writes, count, has_conflicted);
    if (count > alone) {
        write_entries(lane, false, writes + alone, count - alone);
    }
    for (size_t i = 0; i < alone; i++) {
        if (are_late(lane->lanes, writes + i, alone - i)) {
            return_to_queue(lane->lanes, writes + i, alone - i);
            return;
        }
        write_entries(lane, false, writes + i, 1);
    }
}

/* Writes entries in one transaction: first as new, and what is not with the statement for all. */
static void write_entries(struct lane *lane, bool only_new, struct submission_write **writes,
                          size_t count)
{
    struct lanes *lanes = lane->lanes;
    struct err err = {0};
    const enum status status =
        submission_write_batch(lane->connection, lane->writer, only_new, writes, count,
                               lane_queue_first_deadline(writes, count), &err);
    if (status == STATUS_OK) {
        const size_t later = lane_queue_bring_first(writes, count, is_later);
        settle_written(lanes, writes + later, count - later);
        if (later > 0 && only_new) {
            write_known(lane, writes, later);
        } else if (later > 0) {
            put_off(lanes, writes, later);
        }
        return;
    }
    metric_add(lanes->metrics.failures, (size_t)status, 1);
    if (status == STATUS_UNAVAILABLE || status == STATUS_UNKNOWN) {
        /* The entries are idempotent: what was committed unheard is found so the next time. */
        if (!connection_is_open(lane->connection)) {
            atomic_fetch_add(&lanes->losses, 1);
        }
        return_to_queue(lanes, writes, count);
        if (status == STATUS_UNAVAILABLE || connection_is_open(lane->connection)) {
            note_lost(lanes); /* the disk is full, say, or the server is not the primary any more */
            pause_lane(lanes);
        }
        return;
    }
    write_halves(lane, only_new, writes, count, &err);
}

/*
 * Makes the connection, anew when another lane lost its own: it is to the same server. While that
 * fails, refuses what becomes late and pauses.
 */
static bool reach_database(struct lane *lane)
{
    struct lanes *lanes = lane->lanes;
    const unsigned losses = atomic_load(&lanes->losses);
    if (lane->losses != losses) {
        connection_reset(lane->connection);
        lane->losses = losses;
    }
    if (connection_is_open(lane->connection)) {
        return true;
    }
    struct err err = {0};
    const enum status status = connection_ensure(lane->connection, &err);
    pthread_mutex_lock(&lanes->mutex);
    if (status == STATUS_OK) {
        lanes->lost_at_us = 0;
    }
    struct submission_write *late = status == STATUS_OK ? NULL : take_late(lanes);
    pthread_mutex_unlock(&lanes->mutex);
    if (status != STATUS_OK) {
        metric_add(lanes->metrics.failures, STATUS_UNAVAILABLE, 1);
        note_lost(lanes);
        (void)err_set(&err, STATUS_UNAVAILABLE, "the database is out of reach");
        refuse_all(late, &err);
        pause_lane(lanes);
    }
    return status == STATUS_OK;
}

/* Waits for work; false when the lanes end and nothing is left. */
static bool wait_for_work(struct lanes *lanes)
{
    pthread_mutex_lock(&lanes->mutex);
    while (lanes->queue.first == NULL && !lanes->stopping) {
        pthread_cond_wait(&lanes->wake, &lanes->mutex);
    }
    const bool work = lanes->queue.first != NULL;
    pthread_mutex_unlock(&lanes->mutex);
    return work;
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
    while (wait_for_work(lanes)) {
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
            write_entries(lane, true, lane->batch, count);
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
