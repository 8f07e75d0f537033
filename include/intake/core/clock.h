/* The two clocks: one for deadlines and durations, one for stamps in logs and ids. */
#ifndef INTAKE_CORE_CLOCK_H
#define INTAKE_CORE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Microseconds of the monotonic clock: for deadlines and durations; a changed date is harmless. */
int64_t clock_monotonic_us(void);

/* Milliseconds since 1970 in UTC. */
int64_t clock_wall_ms(void);

#define RFC3339_SIZE 25 /* 2026-11-22T13:04:05.678Z and the NUL */

/* Prints `wall_ms` as RFC 3339 in UTC with milliseconds. */
void clock_rfc3339(int64_t wall_ms, char ret_text[static RFC3339_SIZE]);

#endif
