/* The group-commit lanes. */
#include "intake/db/lane.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/metrics.h"
#include "intake/core/text.h"
#include "intake/db/store_submission.h"

enum {
    BUSY_SLOTS = 1 << 17,   /* more slots, fewer entries that wait for a stranger's key */
    SCAN_MAX_PER_ENTRY = 4, /* how far behind blocked entries a lane looks for others */
    RECONNECT_PAUSE_MS = 50,
    PRESSED_BATCH = 4,          /* from this batch size on, entries come faster than one by one */
    PRESSED_FOR_US = 20 * 1000, /* and so it was this long ago at most */
};

struct lanes {
    struct lane_options options;
    struct connection_options connection;
    struct metric *batch_size;
    struct metric *outcomes;
    struct metric *failures;
    int64_t deadline_us;   /* of an entry, from its submission */
    pthread_mutex_t mutex; /* guards everything below */
    pthread_cond_t wake;   /* there may be work */
    pthread_cond_t pause;  /* for its time-out alone */
    struct submission_write *first;
    struct submission_write **end;
    size_t depth;
    bool stopping;
    int64_t pressed_at_us;
    int64_t lost_at_us;        /* since when no lane reaches the database; 0: it is reached */
    uint16_t busy[BUSY_SLOTS]; /* keys of entries on their way, counted by slot */
    pthread_t *threads;
    size_t threads_count;
};

/* What one lane's thread works with. */
struct lane {
    struct lanes *lanes;
    struct connection *connection;
    struct submission_writer *writer;
    struct submission_write **batch;
};

static const int64_t batch_bounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

/* FNV-1a over the ASCII-lower-cased text; two texts that meet only wait for each other. */
static uint32_t key_slot(char kind, const char *text)
{
    uint32_t hash = (2166136261U ^ (unsigned char)kind) * 16777619U;
    for (const char *c = text; *c != '\0'; c++) {
        hash = (hash ^ (uint32_t)tolower((unsigned char)*c)) * 16777619U;
    }
    return (hash ^ (hash >> 15)) % BUSY_SLOTS;
}

static void set_keys(struct submission_write *write)
{
    write->keys[0] = key_slot('b', write->booking_uid);
    write->keys[1] = key_slot('e', write->email);
    write->keys[2] = write->phone != NULL ? key_slot('p', write->phone) : write->keys[0];
}

static bool is_blocked(const struct lanes *lanes, const struct submission_write *write)
{
    return lanes->busy[write->keys[0]] != 0 || lanes->busy[write->keys[1]] != 0 ||
           lanes->busy[write->keys[2]] != 0;
}

static void hold_keys(struct lanes *lanes, const struct submission_write *write, int by)
{
    for (size_t i = 0; i < ARRAY_LENGTH(write->keys); i++) {
        lanes->busy[write->keys[i]] = (uint16_t)(lanes->busy[write->keys[i]] + by);
    }
}

/* Whether so little of its time is left that a commit is not worth beginning. */
static bool is_late(const struct lanes *lanes, const struct submission_write *write, int64_t now_us)
{
    return write->deadline_us - now_us < lanes->deadline_us / 4;
}

/* A list of entries that were taken off the queue. */
struct entries {
    struct submission_write *first;
    struct submission_write **end;
};

static void entries_add(struct entries *entries, struct submission_write *write)
{
    write->next = NULL;
    *entries->end = write;
    entries->end = &write->next;
}

static void refuse_all(struct submission_write *first, const struct err *err)
{
    while (first != NULL) {
        struct submission_write *write = first;
        first = write->next;
        write->done(write, err->status, err);
    }
}

/* Takes what is late off the queue, whose head is always the oldest. Mutex held. */
static struct submission_write *take_late(struct lanes *lanes)
{
    struct entries late = {.end = &late.first};
    const int64_t now_us = clock_monotonic_us();
    while (lanes->first != NULL && is_late(lanes, lanes->first, now_us)) {
        struct submission_write *write = lanes->first;
        lanes->first = write->next;
        lanes->depth--;
        entries_add(&late, write);
    }
    if (lanes->first == NULL) {
        lanes->end = &lanes->first;
    }
    return late.first;
}

/*
 * Fills the lane's batch from the queue and holds the keys of what it took. An entry that meets
 * one on its way stays, and so does every later one that meets it: order per booking. Mutex held.
 */
static size_t take_batch(struct lane *lane)
{
    struct lanes *lanes = lane->lanes;
    const size_t max = (size_t)lanes->options.batch_max;
    struct submission_write *blocked[64];
    size_t blocked_count = 0;
    size_t count = 0;
    size_t scanned = 0;
    struct submission_write **link = &lanes->first;
    while (*link != NULL && count < max && scanned < max * SCAN_MAX_PER_ENTRY &&
           blocked_count < ARRAY_LENGTH(blocked)) {
        struct submission_write *write = *link;
        scanned++;
        if (is_blocked(lanes, write)) {
            hold_keys(lanes, write, 1);
            blocked[blocked_count++] = write;
            link = &write->next;
            continue;
        }
        hold_keys(lanes, write, 1);
        *link = write->next;
        lanes->depth--;
        lane->batch[count++] = write;
    }
    if (*link == NULL) {
        lanes->end = link;
    }
    for (size_t i = 0; i < blocked_count; i++) {
        hold_keys(lanes, blocked[i], -1);
    }
    if (count >= PRESSED_BATCH) {
        lanes->pressed_at_us = clock_monotonic_us();
    }
    return count;
}

/* Puts entries back at the head of the queue, in their order. Mutex held. */
static void give_back(struct lanes *lanes, struct submission_write *const *writes, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        hold_keys(lanes, writes[i], -1);
        writes[i]->next = lanes->first;
        if (lanes->first == NULL) {
            lanes->end = &writes[i]->next;
        }
        lanes->first = writes[i];
        lanes->depth++;
    }
}

static void return_to_queue(struct lanes *lanes, struct submission_write *const *writes,
                            size_t count)
{
    pthread_mutex_lock(&lanes->mutex);
    give_back(lanes, writes, count);
    pthread_cond_signal(&lanes->wake);
    pthread_mutex_unlock(&lanes->mutex);
}

/* Waits a moment before the database is tried again. Mutex held. */
static void pause_held(struct lanes *lanes)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += RECONNECT_PAUSE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&lanes->pause, &lanes->mutex, &until);
}

/* Notes since when the database is of no use. Mutex held. */
static void note_lost(struct lanes *lanes)
{
    if (lanes->lost_at_us == 0) {
        lanes->lost_at_us = clock_monotonic_us();
    }
}

static void pause_lane(struct lanes *lanes)
{
    pthread_mutex_lock(&lanes->mutex);
    note_lost(lanes);
    pause_held(lanes);
    pthread_mutex_unlock(&lanes->mutex);
}

/* Moves what was put off to the front and counts it. */
static size_t put_off_first(struct submission_write **writes, size_t count)
{
    size_t later = 0;
    for (size_t i = 0; i < count; i++) {
        if (writes[i]->outcome == SUBMISSION_LATER) {
            struct submission_write *swap = writes[later];
            writes[later++] = writes[i];
            writes[i] = swap;
        }
    }
    return later;
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
    for (size_t i = 0; i < count; i++) {
        hold_keys(lanes, writes[i], -1);
    }
    if (lanes->first != NULL) {
        pthread_cond_signal(&lanes->wake); /* an entry may have waited for these keys */
    }
    pthread_mutex_unlock(&lanes->mutex);

    metric_observe(lanes->batch_size, 0, (int64_t)count);
    if (lanes->options.committed != NULL) {
        lanes->options.committed(lanes->options.context);
    }
    for (size_t i = 0; i < count; i++) {
        metric_add(lanes->outcomes, writes[i]->outcome, 1);
        writes[i]->done(writes[i], STATUS_OK, NULL);
    }
}

static void settle_refused(struct lanes *lanes, struct submission_write *write,
                           const struct err *err)
{
    pthread_mutex_lock(&lanes->mutex);
    hold_keys(lanes, write, -1);
    if (lanes->first != NULL) {
        pthread_cond_signal(&lanes->wake);
    }
    pthread_mutex_unlock(&lanes->mutex);
    write->done(write, err->status, err);
}

static int64_t first_deadline(struct submission_write *const *writes, size_t count)
{
    int64_t deadline_us = writes[0]->deadline_us;
    for (size_t i = 1; i < count; i++) {
        if (writes[i]->deadline_us < deadline_us) {
            deadline_us = writes[i]->deadline_us;
        }
    }
    return deadline_us;
}

static void note_failure(struct lanes *lanes, enum status status)
{
    metric_add(lanes->failures, (size_t)status, 1);
}

/*
 * Writes entries in one transaction: first as new, and what is not with the statement for all. One
 * whose data the database refuses is found by halving, so that it costs its neighbours a few
 * transactions and not one each.
 */
static void write_entries(struct lane *lane, bool only_new, struct submission_write **writes,
                          size_t count)
{
    struct lanes *lanes = lane->lanes;
    struct err err = {0};
    const enum status status =
        submission_write_batch(lane->connection, lane->writer, only_new, writes, count,
                               first_deadline(writes, count), &err);
    if (status == STATUS_OK) {
        const size_t later = put_off_first(writes, count);
        settle_written(lanes, writes + later, count - later);
        if (later > 0 && only_new) {
            write_entries(lane, false, writes, later);
        } else if (later > 0) {
            metric_add(lanes->outcomes, SUBMISSION_LATER, (int64_t)later);
            return_to_queue(lanes, writes, later);
        }
        return;
    }
    note_failure(lanes, status);
    switch (status) {
    case STATUS_UNAVAILABLE: /* the disk is full, say */
        return_to_queue(lanes, writes, count);
        pause_lane(lanes);
        return;
    case STATUS_RETRY:
    case STATUS_UNKNOWN: /* the entries are idempotent: writing them again is safe */
        return_to_queue(lanes, writes, count);
        return;
    case STATUS_OK:
    case STATUS_INVALID:
    case STATUS_DENIED:
    case STATUS_NOT_FOUND:
    case STATUS_CONFLICT:
    case STATUS_NO_MEMORY:
    case STATUS_INTERNAL:
        break;
    }
    if (count == 1) {
        settle_refused(lanes, writes[0], &err);
        return;
    }
    write_entries(lane, only_new, writes, count / 2);
    write_entries(lane, only_new, writes + count / 2, count - count / 2);
}

/* Makes the connection; while that fails, refuses what becomes late and pauses. */
static bool reach_database(struct lane *lane)
{
    struct lanes *lanes = lane->lanes;
    if (connection_is_open(lane->connection)) {
        return true;
    }
    struct err err = {0};
    const enum status status = connection_ensure(lane->connection, &err);
    struct submission_write *late = NULL;
    pthread_mutex_lock(&lanes->mutex);
    if (status == STATUS_OK) {
        lanes->lost_at_us = 0;
    } else {
        note_lost(lanes);
        late = take_late(lanes);
        if (late == NULL) {
            pause_held(lanes);
        }
    }
    pthread_mutex_unlock(&lanes->mutex);
    if (status != STATUS_OK) {
        note_failure(lanes, STATUS_UNAVAILABLE);
        (void)err_set(&err, STATUS_UNAVAILABLE, "the database is out of reach");
        refuse_all(late, &err);
    }
    return status == STATUS_OK;
}

/* Waits for work; false when the lanes end and nothing is left. */
static bool wait_for_work(struct lanes *lanes)
{
    pthread_mutex_lock(&lanes->mutex);
    while (lanes->first == NULL && !lanes->stopping) {
        pthread_cond_wait(&lanes->wake, &lanes->mutex);
    }
    const bool work = lanes->first != NULL;
    pthread_mutex_unlock(&lanes->mutex);
    return work;
}

static void *run_lane(void *arg)
{
    struct lanes *lanes = arg;
    struct lane lane = {
        .lanes = lanes,
        .connection = connection_create(&lanes->connection),
        .writer = submission_writer_create(),
        .batch = calloc((size_t)lanes->options.batch_max, sizeof(struct submission_write *)),
    };
    if (lane.connection == NULL || lane.writer == NULL || lane.batch == NULL) {
        abort(); /* out of memory at start-up */
    }
    (void)connection_ensure(lane.connection, NULL);
    while (wait_for_work(lanes)) {
        if (!reach_database(&lane)) {
            continue;
        }
        pthread_mutex_lock(&lanes->mutex);
        struct submission_write *late = take_late(lanes);
        const size_t count = take_batch(&lane);
        if (count == 0 && late == NULL && lanes->first != NULL) {
            pthread_cond_wait(&lanes->wake,
                              &lanes->mutex); /* all that waits meets what is on its way */
        }
        pthread_mutex_unlock(&lanes->mutex);

        struct err err = {0};
        (void)err_set(&err, STATUS_UNAVAILABLE, "waited too long to be written");
        refuse_all(late, &err);
        if (count > 0) {
            write_entries(&lane, true, lane.batch, count);
        }
    }
    free(lane.batch);
    submission_writer_destroy(lane.writer);
    connection_destroy(lane.connection);
    return NULL;
}

static void add_metrics(struct lanes *lanes, struct metrics *metrics)
{
    lanes->batch_size = metrics_add_histogram(metrics, "intake_lane_batch_size",
                                              "Submissions that one transaction wrote.",
                                              batch_bounds, ARRAY_LENGTH(batch_bounds), 1);
    metric_add_series(lanes->batch_size, "");
    static const char *const outcomes[] = {
        [SUBMISSION_LATER] = "outcome=\"later\"",
        [SUBMISSION_CREATED] = "outcome=\"created\"",
        [SUBMISSION_REVISED] = "outcome=\"revised\"",
        [SUBMISSION_UNCHANGED] = "outcome=\"unchanged\"",
        [SUBMISSION_GONE] = "outcome=\"gone\"",
    };
    lanes->outcomes =
        metrics_add(metrics, METRIC_COUNTER, "intake_submissions_total",
                    "Submissions that were written, by outcome; later: put off to the next batch.");
    for (size_t i = 0; i < ARRAY_LENGTH(outcomes); i++) {
        metric_add_series(lanes->outcomes, outcomes[i]);
    }
    lanes->failures = metrics_add(metrics, METRIC_COUNTER, "intake_lane_failures_total",
                                  "Transactions of the lanes that failed, by kind.");
    for (int status = STATUS_OK; status <= STATUS_INTERNAL; status++) {
        char labels[64];
        snprintf(labels, sizeof labels, "kind=\"%s\"", status_name((enum status)status));
        metric_add_series(lanes->failures, labels);
    }
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
    lanes->connection.setup = connection_batch_setup;
    lanes->deadline_us = options->deadline_ms * 1000;
    lanes->end = &lanes->first;
    add_metrics(lanes, options->metrics);

    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&lanes->mutex, NULL);
    pthread_cond_init(&lanes->wake, NULL);
    pthread_cond_init(&lanes->pause, &monotonic);
    pthread_condattr_destroy(&monotonic);

    lanes->threads = calloc((size_t)options->count, sizeof *lanes->threads);
    for (long i = 0; lanes->threads != NULL && i < options->count; i++) {
        if (pthread_create(&lanes->threads[i], NULL, run_lane, lanes) != 0) {
            break;
        }
        lanes->threads_count++;
    }
    if (lanes->threads_count != (size_t)options->count) {
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
    for (size_t i = 0; i < lanes->threads_count; i++) {
        pthread_join(lanes->threads[i], NULL);
    }
    pthread_cond_destroy(&lanes->pause);
    pthread_cond_destroy(&lanes->wake);
    pthread_mutex_destroy(&lanes->mutex);
    free(lanes->threads);
    free(lanes);
}

enum status lanes_submit(struct lanes *lanes, struct submission_write *write, struct err *err)
{
    const int64_t now_us = clock_monotonic_us();
    write->deadline_us = now_us + lanes->deadline_us;
    write->next = NULL;
    set_keys(write);

    const char *refusal = NULL;
    pthread_mutex_lock(&lanes->mutex);
    if (lanes->stopping) {
        refusal = "shutting down";
    } else if (lanes->depth >= (size_t)lanes->options.queue_max) {
        refusal = "too many submissions are waiting to be written";
    } else if (lanes->lost_at_us != 0 && now_us - lanes->lost_at_us > lanes->deadline_us &&
               lanes->first != NULL) {
        refusal = "the database is out of reach"; /* those who wait are the probe */
    } else {
        *lanes->end = write;
        lanes->end = &write->next;
        lanes->depth++;
        pthread_cond_signal(&lanes->wake);
    }
    pthread_mutex_unlock(&lanes->mutex);
    return refusal == NULL ? STATUS_OK : err_set(err, STATUS_UNAVAILABLE, "%s", refusal);
}

size_t lanes_depth(struct lanes *lanes)
{
    pthread_mutex_lock(&lanes->mutex);
    const size_t depth = lanes->depth;
    pthread_mutex_unlock(&lanes->mutex);
    return depth;
}

bool lanes_are_pressed(struct lanes *lanes)
{
    pthread_mutex_lock(&lanes->mutex);
    const bool pressed = clock_monotonic_us() - lanes->pressed_at_us < PRESSED_FOR_US;
    pthread_mutex_unlock(&lanes->mutex);
    return pressed;
}
