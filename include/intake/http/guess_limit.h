/*
 * Slows down whoever tries tokens: wrong ones are counted for each address (IPv6: for each /64),
 * and where there were too many, nothing with a token is looked at for a while. Who was let in
 * from there lately is let in again with the same token, so that a colleague's misconfigured
 * program does not lock a clinic out. Tables of fixed size.
 */
#ifndef INTAKE_HTTP_GUESS_LIMIT_H
#define INTAKE_HTTP_GUESS_LIMIT_H

#include <stdint.h>

#include "intake/http/client_address.h"

struct guess_limit;

/*
 * `failures_per_minute` from one address, and ten times as many from the loopback address, where
 * proxies are that nobody has named to us; 0: no limit. NULL when memory is out.
 */
struct guess_limit *guess_limit_create(long failures_per_minute);
void guess_limit_destroy(struct guess_limit *limit);

/* Changes the limit while others ask. Any thread. */
void guess_limit_set(struct guess_limit *limit, long failures_per_minute);

/*
 * 0: the token may be tried; otherwise the whole seconds after which one may. `token` NULL: what
 * came is none. `now_us` is monotonic, here and below. Any thread.
 */
long guess_limit_wait_s(struct guess_limit *limit, const struct client_address *client,
                        const char *token, int64_t now_us);

/* What came of it. Any thread. */
void guess_limit_failed(struct guess_limit *limit, const struct client_address *client,
                        const char *token, int64_t now_us);
void guess_limit_succeeded(struct guess_limit *limit, const struct client_address *client,
                           const char *token, int64_t now_us);

#endif
