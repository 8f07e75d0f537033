/* The two clocks: one for deadlines and durations, one for stamps in logs and ids. */
#ifndef INTAKE_CORE_CLOCK_H
#define INTAKE_CORE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Microseconds of the monotonic clock: for deadlines and durations; a changed date is harmless. */
int64_t clock_monotonic_us(void);

/* Microseconds since 1970 in UTC. */
int64_t clock_wall_us(void);

#define RFC3339_SIZE 28 /* 2026-11-22T13:04:05.678901Z and the NUL */

/* Prints microseconds since 1970, from year 1 to 9999, as RFC 3339 in UTC. */
void clock_rfc3339(int64_t wall_us, char ret_text[static RFC3339_SIZE]);

#endif
