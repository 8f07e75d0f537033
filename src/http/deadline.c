/* Absolute deadlines of a connection's phases. */
#include "intake/http/deadline.h"

#include <inttypes.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "intake/core/clock.h"

enum {
    PHASE_BITS = 3,
    TICK_MIN_MS = 10,
    TICK_MAX_MS = 250,
    FINISHED_MS = 50,
    FINISHED_LOOK_MS = 500
};

/* The kernel's TCP_CLOSE_WAIT, which its own header does not name. */
enum { TCP_CLOSE_WAIT_STATE = 8 };

#define PHASE_MASK ((UINT64_C(1) << PHASE_BITS) - 1)

struct deadlines {
    struct deadline_limits limits;
    int64_t tick_ms;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards the list, `stopping`, and that no listed fd is closed */
    pthread_cond_t changed;
    struct deadline_entry *first;
    bool stopping;
};

static uint64_t pack(int64_t deadline_us, enum deadline_phase phase)
{
    return ((uint64_t)deadline_us << PHASE_BITS) | (uint64_t)phase;
}

static enum deadline_phase phase_of(uint64_t state)
{
    return (enum deadline_phase)(state & PHASE_MASK);
}

/* What the kernel knows about the peer; zeros where it does not tell (no TCP). */
struct peer {
    uint64_t received_bytes; /* in all the connection's life */
    bool has_finished;       /* it will send nothing any more */
};

static struct peer look_at_peer(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    memset(&info, 0, sizeof info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) {
        return (struct peer){0};
    }
    return (struct peer){
        .received_bytes = info.tcpi_bytes_received,
        .has_finished = info.tcpi_state == TCP_CLOSE_WAIT_STATE,
    };
}

static void send_timeout_problem(int fd, uint64_t request_id)
{
    char body[256];
    const int body_len =
        snprintf(body, sizeof body,
                 "{\"type\":\"urn:intake:problem:request-timeout\",\"title\":\"Request Timeout\","
                 "\"status\":408,\"detail\":\"The request did not arrive in time.\","
                 "\"request_id\":\"%016" PRIx64 "\"}",
                 request_id);
    char text[768];
    const int len = snprintf(text, sizeof text,
                             "HTTP/1.1 408 Request Timeout\r\n"
                             "Content-Type: application/problem+json\r\n"
                             "X-Request-Id: %016" PRIx64 "\r\n"
                             "Cache-Control: no-store\r\n"
                             "X-Content-Type-Options: nosniff\r\n"
                             "Connection: close\r\n"
                             "Content-Length: %d\r\n\r\n%s",
                             request_id, body_len, body);
    const ssize_t sent = send(fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent; /* a client that does not read gets the end of the connection alone */
}

/*
 * What the client has not read is dropped with the connection: otherwise the kernel keeps it, up to
 * megabytes, for as long as the client says that it is still there.
 */
static void drop_unread(int fd)
{
    int unread_bytes = 0;
    if (ioctl(fd, SIOCOUTQ, &unread_bytes) == 0 && unread_bytes > 0) {
        const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
}

/*
 * The idle phase is looked at once per header limit: what received nothing since may go on until
 * its end; what has begun a request and not finished its first line by now is too slow.
 */
static bool idle_goes_on(struct deadlines *deadlines, struct deadline_entry *entry, uint64_t state,
                         int64_t now_us, bool has_begun)
{
    if (now_us >= entry->idle_until_us || has_begun) {
        return false;
    }
    int64_t next_us = now_us + deadlines->limits.ms[DEADLINE_HEADERS] * 1000;
    if (next_us > entry->idle_until_us) {
        next_us = entry->idle_until_us;
    }
    atomic_compare_exchange_strong(&entry->state, &state, pack(next_us, DEADLINE_IDLE));
    return true;
}

/*
 * libmicrohttpd misses the end of what a client sends when it comes together with other bytes, and
 * would wait for the rest of a request that cannot come any more: wakes it up.
 */
static void wake_when_peer_has_finished(const struct deadline_entry *entry, int64_t age_us)
{
    int unread_bytes = 0;
    if (age_us >= INT64_C(1000) * FINISHED_LOOK_MS && look_at_peer(entry->fd).has_finished &&
        ioctl(entry->fd, FIONREAD, &unread_bytes) == 0 && unread_bytes == 0) {
        (void)shutdown(entry->fd, SHUT_RD);
    }
}

/* Under the lock. */
static void expire(struct deadlines *deadlines, struct deadline_entry *entry, int64_t now_us)
{
    uint64_t state = atomic_load(&entry->state);
    enum deadline_phase phase = phase_of(state);
    if (phase == DEADLINE_EXPIRED || phase == DEADLINE_NONE) {
        return;
    }
    const int64_t left_us = (int64_t)(state >> PHASE_BITS) - now_us;
    if (left_us > 0) {
        if (phase == DEADLINE_HEADERS || phase == DEADLINE_BODY) {
            wake_when_peer_has_finished(entry, deadlines->limits.ms[phase] * 1000 - left_us);
        }
        return;
    }
    if (phase == DEADLINE_IDLE) {
        const bool has_begun = look_at_peer(entry->fd).received_bytes != entry->received_bytes;
        if (idle_goes_on(deadlines, entry, state, now_us, has_begun)) {
            return;
        }
        phase = has_begun ? DEADLINE_HEADERS : DEADLINE_IDLE;
    }
    if (!atomic_compare_exchange_strong(&entry->state, &state, pack(phase, DEADLINE_EXPIRED))) {
        return; /* it came to its end at this moment */
    }
    if (phase == DEADLINE_HEADERS || phase == DEADLINE_BODY) {
        if (phase_of(state) == DEADLINE_IDLE) { /* it has no id yet */
            uint64_t request_id;
            randombytes_buf(&request_id, sizeof request_id);
            atomic_store(&entry->request_id, request_id);
        }
        send_timeout_problem(entry->fd, atomic_load(&entry->request_id));
    } else {
        drop_unread(entry->fd);
    }
    (void)shutdown(entry->fd, SHUT_RDWR);
}

static void *deadlines_thread(void *context)
{
    struct deadlines *deadlines = context;
    pthread_mutex_lock(&deadlines->mutex);
    while (!deadlines->stopping) {
        if (deadlines->first == NULL) {
            pthread_cond_wait(&deadlines->changed, &deadlines->mutex);
            continue;
        }
        const int64_t now_us = clock_monotonic_us();
        for (struct deadline_entry *entry = deadlines->first; entry != NULL; entry = entry->next) {
            expire(deadlines, entry, now_us);
        }
        const int64_t wake_us = now_us + deadlines->tick_ms * 1000;
        const struct timespec wake = {.tv_sec = wake_us / 1000000,
                                      .tv_nsec = wake_us % 1000000 * 1000};
        int waited = 0;
        while (!deadlines->stopping && waited == 0) {
            waited = pthread_cond_timedwait(&deadlines->changed, &deadlines->mutex, &wake);
        }
    }
    pthread_mutex_unlock(&deadlines->mutex);
    return NULL;
}

enum status deadlines_create(const struct deadline_limits *limits, struct deadlines **ret_deadlines,
                             struct err *err)
{
    struct deadlines *deadlines = calloc(1, sizeof *deadlines);
    if (deadlines == NULL) {
        return err_no_memory(err);
    }
    deadlines->limits = *limits;
    deadlines->tick_ms = TICK_MAX_MS;
    for (int phase = 0; phase < DEADLINE_PHASES_COUNT; phase++) {
        if (phase != DEADLINE_NONE && limits->ms[phase] / 4 < deadlines->tick_ms) {
            deadlines->tick_ms = limits->ms[phase] / 4;
        }
    }
    if (deadlines->tick_ms < TICK_MIN_MS) {
        deadlines->tick_ms = TICK_MIN_MS;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&deadlines->mutex, NULL);
    pthread_cond_init(&deadlines->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    const int code = pthread_create(&deadlines->thread, NULL, deadlines_thread, deadlines);
    if (code != 0) {
        pthread_cond_destroy(&deadlines->changed);
        pthread_mutex_destroy(&deadlines->mutex);
        free(deadlines);
        return err_set(err, STATUS_UNAVAILABLE, "thread for deadlines: %s", strerror(code));
    }
    *ret_deadlines = deadlines;
    return STATUS_OK;
}

void deadlines_destroy(struct deadlines *deadlines)
{
    if (deadlines == NULL) {
        return;
    }
    pthread_mutex_lock(&deadlines->mutex);
    deadlines->stopping = true;
    pthread_cond_broadcast(&deadlines->changed);
    pthread_mutex_unlock(&deadlines->mutex);
    pthread_join(deadlines->thread, NULL);
    pthread_cond_destroy(&deadlines->changed);
    pthread_mutex_destroy(&deadlines->mutex);
    free(deadlines);
}

/*
 * When the idle phase that begins now is looked at first; also sets its end. A client that will
 * send nothing any more has its answer; a moment is enough for what it sent before.
 */
static int64_t begin_idle(struct deadline_entry *entry, int64_t now_us, bool peer_has_finished)
{
    const struct deadline_limits *limits = &entry->deadlines->limits;
    const int64_t limit_ms = peer_has_finished ? FINISHED_MS : limits->ms[DEADLINE_IDLE];
    entry->idle_until_us = now_us + limit_ms * 1000;
    const int64_t first_look_us = now_us + limits->ms[DEADLINE_HEADERS] * 1000;
    return first_look_us < entry->idle_until_us ? first_look_us : entry->idle_until_us;
}

void deadline_watch(struct deadlines *deadlines, struct deadline_entry *entry, int fd)
{
    entry->deadlines = deadlines;
    entry->fd = fd;
    entry->received_bytes = 0;
    entry->previous = NULL;
    atomic_init(&entry->state, pack(begin_idle(entry, clock_monotonic_us(), false), DEADLINE_IDLE));

    pthread_mutex_lock(&deadlines->mutex);
    entry->next = deadlines->first;
    if (entry->next != NULL) {
        entry->next->previous = entry;
    } else {
        pthread_cond_signal(&deadlines->changed);
    }
    deadlines->first = entry;
    pthread_mutex_unlock(&deadlines->mutex);
}

void deadline_forget(struct deadline_entry *entry)
{
    struct deadlines *deadlines = entry->deadlines;
    pthread_mutex_lock(&deadlines->mutex);
    if (entry->previous != NULL) {
        entry->previous->next = entry->next;
    } else {
        deadlines->first = entry->next;
    }
    if (entry->next != NULL) {
        entry->next->previous = entry->previous;
    }
    pthread_mutex_unlock(&deadlines->mutex);
}

bool deadline_enter(struct deadline_entry *entry, enum deadline_phase phase)
{
    const struct deadline_limits *limits = &entry->deadlines->limits;
    uint64_t state = atomic_load(&entry->state);
    if (phase_of(state) == DEADLINE_EXPIRED) {
        return false;
    }
    uint64_t fresh;
    if (phase == DEADLINE_NONE) {
        fresh = pack(0, DEADLINE_NONE);
    } else if (phase == DEADLINE_IDLE) {
        const struct peer peer = look_at_peer(entry->fd);
        entry->received_bytes = peer.received_bytes;
        fresh = pack(begin_idle(entry, clock_monotonic_us(), peer.has_finished), DEADLINE_IDLE);
    } else {
        fresh = pack(clock_monotonic_us() + limits->ms[phase] * 1000, phase);
    }
    while (!atomic_compare_exchange_weak(&entry->state, &state, fresh)) {
        if (phase_of(state) == DEADLINE_EXPIRED) {
            return false;
        }
    }
    return true;
}

enum deadline_phase deadline_expired_phase(const struct deadline_entry *entry)
{
    const uint64_t state = atomic_load(&entry->state);
    return phase_of(state) == DEADLINE_EXPIRED ? (enum deadline_phase)(state >> PHASE_BITS)
                                               : DEADLINE_EXPIRED;
}
