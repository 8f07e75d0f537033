/*
 * Requests, or failures, of a client in a time: a token bucket for each address (IPv6: for each
 * /64, which is what one customer has), in a table of fixed size. When it is full, whoever has
 * asked least lately is forgotten.
 */
#ifndef INTAKE_HTTP_RATE_LIMIT_H
#define INTAKE_HTTP_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "intake/http/client_address.h"

struct rate_limit;

/* `count` in `period_s` seconds; 0 lets everything through. NULL when memory is out. */
struct rate_limit *rate_limit_create(long count, long period_s, long burst);
void rate_limit_destroy(struct rate_limit *limit);

/* Changes the rate while others ask. Any thread. */
void rate_limit_set(struct rate_limit *limit, long count, long period_s, long burst);

/*
 * Takes one token of `client` at `now_us` (monotonic). 0: go ahead; otherwise the whole seconds
 * after which there will be one again. Any thread.
 */
long rate_limit_take(struct rate_limit *limit, const struct client_address *client, int64_t now_us);

/* What rate_limit_take() would return now; takes nothing. Any thread. */
long rate_limit_wait_s(struct rate_limit *limit, const struct client_address *client,
                       int64_t now_us);

#endif
