/* The executor: threads with a connection each and one bounded queue. */
#include "intake/db/executor.h"

#include <pthread.h>
#include <stdlib.h>

#include "intake/core/clock.h"
#include "intake/core/condition.h"
#include "intake/db/transaction.h"

enum {
    TOGETHER_MAX = 32, /* jobs that share a transaction */
    UNHEARD_MS = 100,  /* between attempts to end a session that was not heard */
};

struct executor {
    struct executor_options options;
    struct executor_thread *threads; /* options.count of them; the creator's */
    pthread_mutex_t mutex;           /* guards everything below */
    pthread_cond_t wake;
    pthread_cond_t pause;
    struct executor_job *first;
    struct executor_job **end;
    size_t depth;
    bool stopping;
};

/* What one thread works with. */
struct executor_thread {
    struct executor *executor;
    struct connection *connection;
    bool started;
    pthread_t thread;
};

/* Takes the first job off the queue, which is not empty. Mutex held. */
static struct executor_job *take_first(struct executor *executor)
{
    struct executor_job *job = executor->first;
    executor->first = job->next;
    executor->depth--;
    if (executor->first == NULL) {
        executor->end = &executor->first;
    }
    return job;
}

/*
 * The next job, or those next that may share a transaction; 0 when the executor stops, or for a
 * thread that has something to do meanwhile.
 */
static size_t take_jobs(struct executor *executor, bool waits,
                        struct executor_job *jobs[static TOGETHER_MAX], bool *ret_stopping)
{
    size_t count = 0;
    pthread_mutex_lock(&executor->mutex);
    while (waits && executor->first == NULL && !executor->stopping) {
        pthread_cond_wait(&executor->wake, &executor->mutex);
    }
    if (executor->first != NULL) {
        jobs[count++] = take_first(executor);
    }
    while (count > 0 && count < TOGETHER_MAX && jobs[0]->work != NULL && !executor->stopping &&
           executor->first != NULL && executor->first->work != NULL) {
        jobs[count++] = take_first(executor);
    }
    *ret_stopping = executor->stopping;
    pthread_mutex_unlock(&executor->mutex);
    return count;
}

static bool is_late(const struct executor_job *job)
{
    return clock_monotonic_us() > job->deadline_us;
}

static void run_alone(struct executor_job *job, struct connection *connection, bool stopping)
{
    struct err err = {0};
    if (stopping) {
        (void)err_set(&err, STATUS_UNAVAILABLE, "shutting down");
        job->refuse(job, &err);
    } else if (is_late(job)) {
        (void)err_set(&err, STATUS_UNAVAILABLE, "waited too long for a database connection");
        job->refuse(job, &err);
    } else if (connection_ensure(connection, &err) != STATUS_OK) {
        job->refuse(job, &err);
    } else {
        job->run(job, connection);
    }
}

/* All in one transaction, until one of them fails; false: nothing was committed, or nobody knows.
 */
static bool work_together(struct executor_job *const *jobs, size_t count,
                          struct connection *connection, size_t *ret_worked)
{
    *ret_worked = 0;
    if (connection_ensure(connection, NULL) != STATUS_OK ||
        transaction_begin(connection, NULL) != STATUS_OK) {
        return false;
    }
    for (size_t i = 0; i < count && !is_late(jobs[i]) && transaction_is_sound(connection); i++) {
        jobs[i]->work(jobs[i], i > 0 ? jobs[i - 1] : NULL, connection);
        (*ret_worked)++;
    }
    if (*ret_worked == count && transaction_commit(connection, NULL) == STATUS_OK) {
        return true;
    }
    transaction_roll_back(connection);
    return false;
}

/* One that fails, or is late, costs its neighbours a commit of their own and nothing else. */
static void run_together(struct executor_job *const *jobs, size_t count,
                         struct connection *connection)
{
    size_t worked;
    if (work_together(jobs, count, connection, &worked)) {
        for (size_t i = 0; i < count; i++) {
            jobs[i]->tell(jobs[i]);
        }
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (i < worked) {
            jobs[i]->forget(jobs[i]);
        }
        run_alone(jobs[i], connection, false);
    }
}

/*
 * Ends a session that was not heard, as soon as the database can be reached: what it was sent shall
 * not be carried out after what another thread does for the same person later.
 */
static void end_unheard(struct executor *executor, struct connection *connection)
{
    if (connection_ensure(connection, NULL) != STATUS_OK) {
        pthread_mutex_lock(&executor->mutex);
        condition_wait_ms(&executor->pause, &executor->mutex, UNHEARD_MS, NULL,
                          &executor->stopping);
        pthread_mutex_unlock(&executor->mutex);
    }
}

static void *run_thread(void *arg)
{
    const struct executor_thread *thread = arg;
    struct executor *executor = thread->executor;
    struct executor_job *jobs[TOGETHER_MAX];
    bool stopping = false;
    for (size_t count = 1; count > 0 || !stopping;) {
        const bool unheard = connection_is_unheard(thread->connection);
        count = take_jobs(executor, !unheard, jobs, &stopping);
        if (count == 0 && !stopping) {
            end_unheard(executor, thread->connection);
        } else if (count == 1) {
            run_alone(jobs[0], thread->connection, stopping);
        } else if (count > 1) {
            run_together(jobs, count, thread->connection);
        }
    }
    return NULL;
}

static bool start_thread(struct executor *executor, struct executor_thread *thread)
{
    thread->executor = executor;
    thread->connection = connection_create(&executor->options.connection);
    thread->started = thread->connection != NULL &&
                      pthread_create(&thread->thread, NULL, run_thread, thread) == 0;
    return thread->started;
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
    condition_init(&executor->pause);
    executor->threads = calloc((size_t)options->count, sizeof *executor->threads);
    bool started = executor->threads != NULL;
    for (long i = 0; i < options->count && started; i++) {
        started = start_thread(executor, &executor->threads[i]);
    }
    if (!started) {
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
    pthread_cond_broadcast(&executor->pause);
    pthread_mutex_unlock(&executor->mutex);
    for (long i = 0; i < executor->options.count && executor->threads != NULL; i++) {
        if (executor->threads[i].started) {
            pthread_join(executor->threads[i].thread, NULL);
        }
        connection_destroy(executor->threads[i].connection);
    }
    pthread_cond_destroy(&executor->pause);
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
