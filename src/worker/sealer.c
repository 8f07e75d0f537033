/* The sealer: seals the audit about every second, and leaves patients the processor meanwhile. */
#include "intake/worker/sealer.h"

#include <pthread.h>
#include <stdlib.h>

#include "intake/core/clock.h"
#include "intake/core/condition.h"
#include "intake/core/log.h"
#include "intake/core/metrics.h"
#include "intake/db/store_seal.h"

enum {
    SEAL_EVERY_MS = 1000,
    RESTS = 3 /* how many times as long as a seal took nothing is done, when there is more */
};

static const int64_t answer_within_us = INT64_C(10) * 1000000; /* else the connection is given up */
static const int64_t tell_every_us = INT64_C(3600) * 1000000;
static const int64_t end_within_us = INT64_C(3) * 1000000; /* no seal is begun after that */

struct sealer {
    struct connection_options options;
    struct connection *connection; /* the thread's own */
    struct metric *rows;
    pthread_mutex_t mutex; /* guards stopping */
    pthread_cond_t changed;
    bool stopping;
    pthread_t thread;
    /* The thread's own. */
    int64_t told_us;     /* when the log was last told; 0: never */
    int64_t told_number; /* which seal that was */
    bool failing;        /* and said so in the log */
};

/* One seal. */
static enum status seal(struct sealer *sealer, struct connection *connection, int64_t *ret_rows,
                        struct err *err)
{
    enum status status = connection_ensure(connection, err);
    if (status == STATUS_OK) {
        status = audit_seal(connection, clock_monotonic_us() + answer_within_us, ret_rows, err);
    }
    if (status == STATUS_OK) {
        metric_add(sealer->rows, 0, *ret_rows);
    }
    return status;
}

/* What somebody who cuts off the end of the chain cannot reach: the log. */
static enum status tell(struct sealer *sealer, struct connection *connection, struct err *err)
{
    const int64_t now_us = clock_monotonic_us();
    if (sealer->told_us != 0 && now_us - sealer->told_us < tell_every_us) {
        return STATUS_OK;
    }
    struct audit_head head;
    const enum status status = audit_read_head(connection, now_us + answer_within_us, &head, err);
    if (status == STATUS_OK && head.number > sealer->told_number) {
        log_info("the audit is sealed", LOG_NUMBER("seal", head.number),
                 LOG_TEXT("hash", head.hash));
        sealer->told_number = head.number;
        sealer->told_us = now_us;
    }
    return status;
}

/* Returns whether there is probably more to seal. */
static bool run_once(struct sealer *sealer, struct connection *connection)
{
    struct err err = {0};
    int64_t rows = 0;
    enum status status = seal(sealer, connection, &rows, &err);
    if (status == STATUS_OK) {
        status = tell(sealer, connection, &err);
    }
    if (status != STATUS_OK && !sealer->failing) {
        log_warning("the audit cannot be sealed", LOG_TEXT("status", status_name(status)),
                    LOG_TEXT("reason", err.message));
    } else if (status == STATUS_OK && sealer->failing) {
        log_info("the audit is sealed again", LOG_TEXT("status", "ok"));
    }
    sealer->failing = status != STATUS_OK;
    return status == STATUS_OK && rows >= AUDIT_SEAL_ROWS;
}

static void *run_thread(void *arg)
{
    struct sealer *sealer = arg;
    struct connection *connection = sealer->connection;
    bool goes_on = true;
    while (goes_on) {
        const int64_t began_us = clock_monotonic_us();
        const bool more = run_once(sealer, connection);
        const long took_ms = (long)((clock_monotonic_us() - began_us) / 1000);
        pthread_mutex_lock(&sealer->mutex);
        condition_wait_ms(&sealer->changed, &sealer->mutex, more ? RESTS * took_ms : SEAL_EVERY_MS,
                          NULL, &sealer->stopping);
        goes_on = !sealer->stopping;
        pthread_mutex_unlock(&sealer->mutex);
    }
    const int64_t end_us = clock_monotonic_us() + end_within_us;
    while (connection_is_open(connection) && run_once(sealer, connection) &&
           clock_monotonic_us() < end_us) {
    }
    return NULL;
}

enum status sealer_create(const struct connection_options *connection, struct metrics *metrics,
                          struct sealer **ret_sealer, struct err *err)
{
    struct sealer *sealer = calloc(1, sizeof *sealer);
    if (sealer == NULL) {
        return err_no_memory(err);
    }
    sealer->options = *connection;
    sealer->options.prepared = &audit_seal_statements;
    sealer->options.prepared_count = 1;
    sealer->options.setup = connection_batch_setup;
    sealer->rows = metrics_add(metrics, METRIC_COUNTER, "intake_audit_sealed_rows_total",
                               "Rows of the audit that this instance sealed.");
    metric_add_series(sealer->rows, "");
    condition_init(&sealer->changed);
    pthread_mutex_init(&sealer->mutex, NULL);
    sealer->connection = connection_create(&sealer->options);
    if (sealer->connection == NULL ||
        pthread_create(&sealer->thread, NULL, run_thread, sealer) != 0) {
        connection_destroy(sealer->connection);
        pthread_cond_destroy(&sealer->changed);
        pthread_mutex_destroy(&sealer->mutex);
        free(sealer);
        return err_set(err, STATUS_NO_MEMORY, "cannot start the sealer's thread");
    }
    *ret_sealer = sealer;
    return STATUS_OK;
}

void sealer_destroy(struct sealer *sealer)
{
    if (sealer == NULL) {
        return;
    }
    pthread_mutex_lock(&sealer->mutex);
    sealer->stopping = true;
    pthread_cond_broadcast(&sealer->changed);
    pthread_mutex_unlock(&sealer->mutex);
    pthread_join(sealer->thread, NULL);
    connection_destroy(sealer->connection);
    pthread_cond_destroy(&sealer->changed);
    pthread_mutex_destroy(&sealer->mutex);
    free(sealer);
}
