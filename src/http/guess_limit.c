/* Slows down whoever tries tokens. */
#include "intake/http/guess_limit.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "intake/http/rate_limit.h"

enum { SETS = 1024, WAYS = 4, MINUTE_S = 60, LOOPBACK_FACTOR = 10 };

static const int64_t remembered_us = INT64_C(3600) * 1000000;

/* An address and a token that was right from there. */
struct known {
    uint64_t mark;
    int64_t until_us; /* 0: unused */
};

struct guess_limit {
    struct rate_limit *others;
    struct rate_limit *loopback;
    unsigned char hash_key[crypto_shorthash_KEYBYTES]; /* nobody else can make a mark */
    pthread_mutex_t mutex;                             /* guards known */
    struct known known[SETS][WAYS];
};

struct guess_limit *guess_limit_create(long failures_per_minute)
{
    struct guess_limit *limit = calloc(1, sizeof *limit);
    if (limit == NULL) {
        return NULL;
    }
    pthread_mutex_init(&limit->mutex, NULL);
    crypto_shorthash_keygen(limit->hash_key);
    limit->others = rate_limit_create(0, MINUTE_S, 0);
    limit->loopback = rate_limit_create(0, MINUTE_S, 0);
    if (limit->others == NULL || limit->loopback == NULL) {
        guess_limit_destroy(limit);
        return NULL;
    }
    guess_limit_set(limit, failures_per_minute);
    return limit;
}

void guess_limit_destroy(struct guess_limit *limit)
{
    if (limit == NULL) {
        return;
    }
    rate_limit_destroy(limit->others);
    rate_limit_destroy(limit->loopback);
    pthread_mutex_destroy(&limit->mutex);
    free(limit);
}

void guess_limit_set(struct guess_limit *limit, long failures_per_minute)
{
    const long loopback = failures_per_minute * LOOPBACK_FACTOR;
    rate_limit_set(limit->others, failures_per_minute, MINUTE_S, failures_per_minute);
    rate_limit_set(limit->loopback, loopback, MINUTE_S, loopback);
}

static struct rate_limit *failures_of(const struct guess_limit *limit,
                                      const struct client_address *client)
{
    return client_address_is_loopback(client) ? limit->loopback : limit->others;
}

static uint64_t mark_of(const struct guess_limit *limit, const struct client_address *client,
                        const char *token)
{
    uint64_t halves[2];
    uint64_t mark;
    crypto_shorthash((unsigned char *)&halves[0], client->bytes, sizeof client->bytes,
                     limit->hash_key);
    crypto_shorthash((unsigned char *)&halves[1], (const unsigned char *)token, strlen(token),
                     limit->hash_key);
    crypto_shorthash((unsigned char *)&mark, (const unsigned char *)halves, sizeof halves,
                     limit->hash_key);
    return mark;
}

/* The place of the mark, or NULL. Mutex held. */
static struct known *find_held(struct guess_limit *limit, uint64_t mark)
{
    struct known *set = limit->known[mark % SETS];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].until_us != 0 && set[i].mark == mark) {
            return &set[i];
        }
    }
    return NULL;
}

/* The place in the mark's set that was used the longest time ago. Mutex held. */
static struct known *oldest_held(struct guess_limit *limit, uint64_t mark)
{
    struct known *set = limit->known[mark % SETS];
    struct known *oldest = &set[0];
    for (size_t i = 1; i < WAYS; i++) {
        if (set[i].until_us < oldest->until_us) {
            oldest = &set[i];
        }
    }
    return oldest;
}

long guess_limit_wait_s(struct guess_limit *limit, const struct client_address *client,
                        const char *token, int64_t now_us)
{
    const long wait_s = rate_limit_wait_s(failures_of(limit, client), client, now_us);
    if (wait_s == 0 || token == NULL) {
        return wait_s;
    }
    const uint64_t mark = mark_of(limit, client, token);
    pthread_mutex_lock(&limit->mutex);
    const struct known *known = find_held(limit, mark);
    const bool is_known = known != NULL && known->until_us > now_us;
    pthread_mutex_unlock(&limit->mutex);
    return is_known ? 0 : wait_s;
}

void guess_limit_failed(struct guess_limit *limit, const struct client_address *client,
                        const char *token, int64_t now_us)
{
    (void)rate_limit_take(failures_of(limit, client), client, now_us);
    const uint64_t mark = mark_of(limit, client, token);
    pthread_mutex_lock(&limit->mutex);
    struct known *known = find_held(limit, mark);
    if (known != NULL) {
        *known = (struct known){0}; /* it was right, and was revoked or has expired */
    }
    pthread_mutex_unlock(&limit->mutex);
}

void guess_limit_succeeded(struct guess_limit *limit, const struct client_address *client,
                           const char *token, int64_t now_us)
{
    const uint64_t mark = mark_of(limit, client, token);
    pthread_mutex_lock(&limit->mutex);
    struct known *known = find_held(limit, mark);
    if (known == NULL) {
        known = oldest_held(limit, mark);
    }
    *known = (struct known){.mark = mark, .until_us = now_us + remembered_us};
    pthread_mutex_unlock(&limit->mutex);
}
