/* Condition variables that time out by the monotonic clock: a changed date is harmless. */
#ifndef INTAKE_CORE_CONDITION_H
#define INTAKE_CORE_CONDITION_H

#include <pthread.h>
#include <stdbool.h>

/* Destroyed with pthread_cond_destroy. */
void condition_init(pthread_cond_t *condition);

/*
 * Waits, with `mutex` held, until `*flag` (NULL: none) or `*stop` is set, or `wait_ms` are over.
 * Who sets a flag signals the condition.
 */
void condition_wait_ms(pthread_cond_t *condition, pthread_mutex_t *mutex, long wait_ms,
                       const bool *flag, const bool *stop);

#endif
