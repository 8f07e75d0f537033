/* The executor: threads with a connection each and one bounded queue. */
#include "intake/db/executor.h"

#include <pthread.h>
#include <stdlib.h>

#include "intake/core/clock.h"

struct executor {
    struct executor_options options;
    pthread_mutex_t mutex; /* guards everything below */
    pthread_cond_t wake;
    struct executor_job *first;
    struct executor_job **end;
    size_t depth;
    bool stopping;
    pthread_t *threads;
    size_t threads_count;
};

/* The next job; NULL when the executor stops and nothing waits. */
static struct executor_job *take_job(struct executor *executor, bool *ret_stopping)
{
    pthread_mutex_lock(&executor->mutex);
    while (executor->first == NULL && !executor->stopping) {
        pthread_cond_wait(&executor->wake, &executor->mutex);
    }
    struct executor_job *job = executor->first;
    if (job != NULL) {
        executor->first = job->next;
        executor->depth--;
        if (executor->first == NULL) {
            executor->end = &executor->first;
        }
    }
    *ret_stopping = executor->stopping;
    pthread_mutex_unlock(&executor->mutex);
    return job;
}

static void *run_thread(void *arg)
{
    struct executor *executor = arg;
    struct connection *connection = connection_create(&executor->options.connection);
    for (;;) {
        struct err err = {0};
        bool stopping;
        struct executor_job *job = take_job(executor, &stopping);
        if (job == NULL) {
            break;
        }
        if (stopping) {
            (void)err_set(&err, STATUS_UNAVAILABLE, "shutting down");
            job->refuse(job, &err);
        } else if (clock_monotonic_us() > job->deadline_us) {
            (void)err_set(&err, STATUS_UNAVAILABLE, "waited too long for a database connection");
            job->refuse(job, &err);
        } else if (connection == NULL || connection_ensure(connection, &err) != STATUS_OK) {
            job->refuse(job, &err);
        } else {
            job->run(job, connection);
        }
    }
    connection_destroy(connection);
    return NULL;
}

enum status executor_create(const struct executor_options *options, struct executor **ret_executor,
                            struct err *err)
{
    struct executor *executor = calloc(1, sizeof *executor);
    if (executor == NULL) {
        return err_no_memory(err);
    }
    executor->options = *options;
    executor->end = &executor->first;
    pthread_mutex_init(&executor->mutex, NULL);
    pthread_cond_init(&executor->wake, NULL);
    executor->threads = calloc((size_t)options->count, sizeof *executor->threads);
    for (long i = 0; executor->threads != NULL && i < options->count; i++) {
        if (pthread_create(&executor->threads[i], NULL, run_thread, executor) != 0) {
            break;
        }
        executor->threads_count++;
    }
    if (executor->threads_count != (size_t)options->count) {
        executor_destroy(executor);
        return err_set(err, STATUS_NO_MEMORY, "cannot start the executor's threads");
    }
    *ret_executor = executor;
    return STATUS_OK;
}

void executor_destroy(struct executor *executor)
{
    if (executor == NULL) {
        return;
    }
    pthread_mutex_lock(&executor->mutex);
    executor->stopping = true;
    pthread_cond_broadcast(&executor->wake);
    pthread_mutex_unlock(&executor->mutex);
    for (size_t i = 0; i < executor->threads_count; i++) {
        pthread_join(executor->threads[i], NULL);
    }
    pthread_cond_destroy(&executor->wake);
    pthread_mutex_destroy(&executor->mutex);
    free(executor->threads);
    free(executor);
}

bool executor_submit(struct executor *executor, struct executor_job *job)
{
    job->next = NULL;
    job->deadline_us = clock_monotonic_us() + executor->options.deadline_ms * 1000;
    pthread_mutex_lock(&executor->mutex);
    const bool taken = !executor->stopping && executor->depth < (size_t)executor->options.queue_max;
    if (taken) {
        *executor->end = job;
        executor->end = &job->next;
        executor->depth++;
        pthread_cond_signal(&executor->wake);
    }
    pthread_mutex_unlock(&executor->mutex);
    return taken;
}

size_t executor_depth(struct executor *executor)
{
    pthread_mutex_lock(&executor->mutex);
    const size_t depth = executor->depth;
    pthread_mutex_unlock(&executor->mutex);
    return depth;
}
