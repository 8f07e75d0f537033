/* The monitor: probes the database once a second. */
#include "intake/worker/monitor.h"

#include <pthread.h>
#include <stdlib.h>

#include "intake/core/clock.h"
#include "intake/core/condition.h"
#include "intake/core/log.h"
#include "intake/db/migrate.h"
#include "intake/db/store_processing.h"

enum {
    PROBE_EVERY_MS = 1000,
    PROBE_AGAIN_MS = 200,         /* while the database is out of reach */
    STATEMENT_TIMEOUT_MS = 2000,  /* the server's; it keeps the connection */
    STALE_AFTER_US = 5000 * 1000, /* a probe that old says nothing any more */
    COUNT_RESTS = 19,             /* how many times as long as counting took nothing is counted */
};

struct monitor {
    struct connection_options options;
    struct connection *connection; /* the thread's own */
    pthread_mutex_t mutex;         /* guards state, probed, probed_at_us and stopping */
    pthread_cond_t changed;
    struct monitor_state state;
    bool probed;          /* at least once, however it went */
    int64_t probed_at_us; /* the last that went well */
    bool stopping;
    pthread_t thread;
    bool schema_fits;                /* the thread's own */
    struct processing_state counted; /* the thread's own, as of the last count */
    int64_t count_again_us;          /* the thread's own */
};

/*
 * Beside a transaction that is held open for hours, what was processed since stays in the indexes,
 * and counting wades through it: then it is done less often, and says nothing of the database.
 */
static void count(struct monitor *monitor, struct connection *connection)
{
    const int64_t began_us = clock_monotonic_us();
    if (began_us < monitor->count_again_us) {
        return;
    }
    struct processing_state counted;
    if (processing_state(connection, &counted, NULL) == STATUS_OK) {
        monitor->counted = counted;
    }
    const int64_t ended_us = clock_monotonic_us();
    monitor->count_again_us = ended_us + COUNT_RESTS * (ended_us - began_us);
}

/* What is not answered, because of a lock for example, changes nothing. */
static void check_schema(struct monitor *monitor, struct connection *connection)
{
    const enum status status = migrate_check(connection, NULL);
    if (status == STATUS_OK || status == STATUS_CONFLICT) {
        monitor->schema_fits = status == STATUS_OK;
    }
}

static enum status probe(struct monitor *monitor, struct connection *connection,
                         struct monitor_state *state, struct err *err)
{
    enum status status = connection_ensure(connection, err);
    if (status != STATUS_OK) {
        return status;
    }
    bool read_only = false;
    status = processing_server_state(connection, &read_only, err);
    if (status != STATUS_OK) {
        return status;
    }
    check_schema(monitor, connection);
    count(monitor, connection);
    *state = (struct monitor_state){
        .reachable = true,
        .writable = !read_only,
        .schema_fits = monitor->schema_fits,
        .oldest_us = monitor->counted.oldest_us,
        .submitted = monitor->counted.submitted,
        .failed = monitor->counted.failed,
    };
    if (read_only) {
        connection_reset(connection); /* another host may be the primary by now */
    }
    return STATUS_OK;
}

/* Logs a change between reachable and not, and only that. */
static void report(bool was_reachable, enum status status, const struct err *err)
{
    if (status == STATUS_OK && !was_reachable) {
        log_info("the database is within reach", LOG_TEXT("status", "ok"));
    } else if (status != STATUS_OK && was_reachable) {
        log_error("the database is out of reach", LOG_TEXT("reason", err->message));
    }
}

/* Keeps what was found and waits for the next probe; false when the monitor ends. */
static bool keep_and_wait(struct monitor *monitor, enum status status,
                          const struct monitor_state *found)
{
    const long wait_ms = status == STATUS_OK ? PROBE_EVERY_MS : PROBE_AGAIN_MS;
    pthread_mutex_lock(&monitor->mutex);
    if (status == STATUS_OK) {
        monitor->state = *found;
        monitor->probed_at_us = clock_monotonic_us();
    } else {
        monitor->state.reachable = false;
    }
    monitor->probed = true;
    pthread_cond_broadcast(&monitor->changed); /* who waits for the first probe */
    condition_wait_ms(&monitor->changed, &monitor->mutex, wait_ms, NULL, &monitor->stopping);
    const bool goes_on = !monitor->stopping;
    pthread_mutex_unlock(&monitor->mutex);
    return goes_on;
}

static void *run_monitor(void *arg)
{
    struct monitor *monitor = arg;
    bool goes_on = true;
    bool reachable = true;
    while (goes_on) {
        struct err err = {0};
        struct monitor_state found = {0};
        const enum status status = probe(monitor, monitor->connection, &found, &err);
        report(reachable, status, &err);
        reachable = status == STATUS_OK;
        goes_on = keep_and_wait(monitor, status, &found);
    }
    return NULL;
}

enum status monitor_create(const struct connection_options *connection,
                           struct monitor **ret_monitor, struct err *err)
{
    struct monitor *monitor = calloc(1, sizeof *monitor);
    if (monitor == NULL) {
        return err_no_memory(err);
    }
    monitor->options = *connection;
    monitor->options.statement_timeout_ms = STATEMENT_TIMEOUT_MS;
    monitor->options.prepared = &processing_state_statements;
    monitor->options.prepared_count = 1;
    monitor->options.setup = connection_batch_setup; /* it counts by partial indexes */
    condition_init(&monitor->changed);
    pthread_mutex_init(&monitor->mutex, NULL);
    monitor->connection = connection_create(&monitor->options);
    if (monitor->connection == NULL ||
        pthread_create(&monitor->thread, NULL, run_monitor, monitor) != 0) {
        connection_destroy(monitor->connection);
        pthread_cond_destroy(&monitor->changed);
        pthread_mutex_destroy(&monitor->mutex);
        free(monitor);
        return err_set(err, STATUS_NO_MEMORY, "cannot start the monitor's thread");
    }
    *ret_monitor = monitor;
    return STATUS_OK;
}

void monitor_destroy(struct monitor *monitor)
{
    if (monitor == NULL) {
        return;
    }
    pthread_mutex_lock(&monitor->mutex);
    monitor->stopping = true;
    pthread_cond_broadcast(&monitor->changed);
    pthread_mutex_unlock(&monitor->mutex);
    pthread_join(monitor->thread, NULL);
    connection_destroy(monitor->connection);
    pthread_cond_destroy(&monitor->changed);
    pthread_mutex_destroy(&monitor->mutex);
    free(monitor);
}

void monitor_wait(struct monitor *monitor)
{
    pthread_mutex_lock(&monitor->mutex);
    while (!monitor->probed) {
        pthread_cond_wait(&monitor->changed, &monitor->mutex);
    }
    pthread_mutex_unlock(&monitor->mutex);
}

void monitor_read(struct monitor *monitor, struct monitor_state *ret_state)
{
    pthread_mutex_lock(&monitor->mutex);
    *ret_state = monitor->state;
    const int64_t probed_at_us = monitor->probed_at_us;
    pthread_mutex_unlock(&monitor->mutex);
    if (probed_at_us == 0 || clock_monotonic_us() - probed_at_us > STALE_AFTER_US) {
        ret_state->reachable = false;
    }
}
