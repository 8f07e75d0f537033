/* How a lane writes a batch: together, in halves, alone; and whom it tells what came of it. */
#include "lane_state.h"

#include "intake/core/clock.h"
#include "intake/core/condition.h"
#include "intake/core/metrics.h"
#include "intake/db/connection.h"
#include "intake/db/store_submission.h"

enum {
    PAUSE_MS = 50,      /* before the database is tried again */
    CONFLICTS_MAX = 20, /* with other writers, before an entry is given up */
};

static void return_to_queue(struct lanes *lanes, struct submission_write *const *writes,
                            size_t count)
{
    pthread_mutex_lock(&lanes->mutex);
    lane_queue_give_back(&lanes->queue, writes, count);
    pthread_cond_signal(&lanes->wake);
    pthread_mutex_unlock(&lanes->mutex);
}

void lanes_note_lost(struct lanes *lanes)
{
    pthread_mutex_lock(&lanes->mutex);
    if (lanes->lost_at_us == 0) {
        lanes->lost_at_us = clock_monotonic_us();
    }
    pthread_mutex_unlock(&lanes->mutex);
}

void lanes_pause(struct lanes *lanes)
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
    return first_deadline(writes, count) < clock_monotonic_us() + lanes->deadline_us / 4;
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
    if (!connection_may_send(lane->connection)) { /* since the half before, or the other lane's */
        return_to_queue(lanes, writes, count);
        return;
    }
    struct err err = {0};
    const enum status status =
        submission_write_batch(lane->connection, lane->writer, only_new, writes, count,
                               first_deadline(writes, count), &err);
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
    const bool lost = status == STATUS_UNAVAILABLE || status == STATUS_UNKNOWN;
    if (lost || (status == STATUS_RETRY && connection_leave_replaced(lane->connection))) {
        /* The entries are idempotent: what was committed unheard is found so the next time. */
        return_to_queue(lanes, writes, count);
        if (status == STATUS_UNAVAILABLE || connection_is_open(lane->connection)) {
            /* The disk is full, say, or the server is not the primary any more. */
            lanes_note_lost(lanes);
            lanes_pause(lanes);
        }
        return;
    }
    write_halves(lane, only_new, writes, count, &err);
}

void lane_write(struct lane *lane, size_t count)
{
    write_entries(lane, true, lane->batch, count);
}
