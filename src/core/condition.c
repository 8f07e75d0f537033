/* Condition variables that time out by the monotonic clock. */
#include "intake/core/condition.h"

#include <time.h>

void condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void condition_wait_ms(pthread_cond_t *condition, pthread_mutex_t *mutex, long wait_ms,
                       const bool *flag, const bool *stop)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int timed_out = 0;
    while (!*stop && !(flag != NULL && *flag) && timed_out == 0) {
        timed_out = pthread_cond_timedwait(condition, mutex, &until);
    }
}
