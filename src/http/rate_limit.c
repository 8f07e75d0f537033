/* Requests, or failures, of a client in a time. */
#include "intake/http/rate_limit.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SETS = 4096, WAYS = 4, STRIPES = 32, KEY_BYTES = 16, V6_CUSTOMER_BYTES = 8 };

/*
 * The bucket as one time stamp (the generic cell rate algorithm): when it will be full again.
 * Each request moves that by 1/rate; it may lie at most a burst ahead.
 */
struct bucket {
    unsigned char key[KEY_BYTES];
    int64_t full_at_us; /* 0: unused */
};

struct rate_limit {
    _Atomic int64_t interval_us; /* between tokens; 0: no limit */
    _Atomic int64_t burst;
    unsigned char hash_key[crypto_shorthash_KEYBYTES]; /* so that nobody can aim at one set */
    pthread_mutex_t stripes[STRIPES];                  /* each guards the sets that fall to it */
    struct bucket buckets[SETS][WAYS];
};

struct rate_limit *rate_limit_create(long count, long period_s, long burst)
{
    struct rate_limit *limit = calloc(1, sizeof *limit);
    if (limit == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < STRIPES; i++) {
        pthread_mutex_init(&limit->stripes[i], NULL);
    }
    crypto_shorthash_keygen(limit->hash_key);
    rate_limit_set(limit, count, period_s, burst);
    return limit;
}

void rate_limit_destroy(struct rate_limit *limit)
{
    if (limit == NULL) {
        return;
    }
    for (size_t i = 0; i < STRIPES; i++) {
        pthread_mutex_destroy(&limit->stripes[i]);
    }
    free(limit);
}

void rate_limit_set(struct rate_limit *limit, long count, long period_s, long burst)
{
    atomic_store(&limit->burst, burst);
    atomic_store(&limit->interval_us, count == 0 ? 0 : period_s * 1000000 / count);
}

/* The client's bucket; without one NULL, or with `makes` a new one in the oldest one's place. */
static struct bucket *find_bucket(struct bucket *set, const unsigned char *key, bool makes)
{
    struct bucket *oldest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].full_at_us != 0 && memcmp(set[i].key, key, KEY_BYTES) == 0) {
            return &set[i];
        }
        if (set[i].full_at_us < oldest->full_at_us) {
            oldest = &set[i];
        }
    }
    if (!makes) {
        return NULL;
    }
    memcpy(oldest->key, key, KEY_BYTES);
    oldest->full_at_us = 0;
    return oldest;
}

/* What both functions of the header do. */
static long ask(struct rate_limit *limit, const struct client_address *client, int64_t now_us,
                bool takes)
{
    const int64_t interval_us = atomic_load_explicit(&limit->interval_us, memory_order_relaxed);
    if (interval_us == 0) {
        return 0;
    }
    const int64_t burst_us =
        interval_us * atomic_load_explicit(&limit->burst, memory_order_relaxed);
    unsigned char key[KEY_BYTES];
    memcpy(key, client->bytes, sizeof key);
    if (!client_address_is_v4(client)) {
        memset(key + V6_CUSTOMER_BYTES, 0, sizeof key - V6_CUSTOMER_BYTES);
    }
    uint64_t hash;
    _Static_assert(sizeof hash == crypto_shorthash_BYTES, "the hash is 64 bits");
    crypto_shorthash((unsigned char *)&hash, key, sizeof key, limit->hash_key);
    const size_t set = hash % SETS;

    pthread_mutex_t *stripe = &limit->stripes[set % STRIPES];
    pthread_mutex_lock(stripe);
    struct bucket *bucket = find_bucket(limit->buckets[set], key, takes);
    int64_t full_at_us =
        bucket != NULL && bucket->full_at_us > now_us ? bucket->full_at_us : now_us;
    full_at_us += interval_us;
    const int64_t excess_us = full_at_us - now_us - burst_us;
    if (excess_us <= 0 && bucket != NULL && takes) {
        bucket->full_at_us = full_at_us;
    }
    pthread_mutex_unlock(stripe);
    return excess_us <= 0 ? 0 : (long)((excess_us + 999999) / 1000000);
}

long rate_limit_take(struct rate_limit *limit, const struct client_address *client, int64_t now_us)
{
    return ask(limit, client, now_us, true);
}

long rate_limit_wait_s(struct rate_limit *limit, const struct client_address *client,
                       int64_t now_us)
{
    return ask(limit, client, now_us, false);
}
