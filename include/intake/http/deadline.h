/*
 * Absolute deadlines of a connection's phases. libmicrohttpd only knows inactivity, so that
 * somebody who sends a byte now and then keeps a connection for ever; here each phase has an end.
 *
 * A phase is entered by the connection's own thread without a lock; a thread of ours looks for
 * those that are over and shuts their socket down, which libmicrohttpd then notices. It holds the
 * lock that deadline_forget() takes too, so that a descriptor is never touched once it is closed.
 */
#ifndef INTAKE_HTTP_DEADLINE_H
#define INTAKE_HTTP_DEADLINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake/core/err.h"

enum deadline_phase {
    DEADLINE_IDLE,     /* waiting for a request, or for the end of its first line */
    DEADLINE_HEADERS,  /* the first line has come: the rest of the headers */
    DEADLINE_BODY,     /* the body is coming */
    DEADLINE_NONE,     /* the request is being worked on: others watch over it */
    DEADLINE_RESPONSE, /* the client is reading the response */
    DEADLINE_LINGER,   /* answered before the body's end: what still comes is thrown away */
    DEADLINE_EXPIRED,  /* over: the socket was shut down */
};

enum { DEADLINE_PHASES_COUNT = DEADLINE_EXPIRED };

/* Milliseconds for each phase; that of DEADLINE_NONE is not read. */
struct deadline_limits {
    int64_t ms[DEADLINE_PHASES_COUNT];
};

/* One connection; embedded in what the server keeps for it. */
struct deadline_entry {
    struct deadlines *deadlines;
    struct deadline_entry *previous, *next; /* under the lock of `deadlines` */
    int fd;
    _Atomic uint64_t state;      /* deadline in microseconds << 3 | phase */
    uint64_t received_bytes;     /* what the socket had received when the idle phase began */
    int64_t idle_until_us;       /* end of the idle phase, while nothing comes */
    _Atomic uint64_t request_id; /* of the latest request; sixteen hexadecimal digits in a 408 */
};

struct deadlines;

/* Starts the thread. `ret_deadlines` is freed by deadlines_destroy, when no entry is left. */
enum status deadlines_create(const struct deadline_limits *limits, struct deadlines **ret_deadlines,
                             struct err *err);
void deadlines_destroy(struct deadlines *deadlines);

/* A new connection: begins in DEADLINE_IDLE. Any thread. */
void deadline_watch(struct deadlines *deadlines, struct deadline_entry *entry, int fd);
/* Before the descriptor is closed. Any thread. */
void deadline_forget(struct deadline_entry *entry);

/*
 * Begins a phase; false when the one before is over already, so that the socket is shut down and
 * nothing may be sent any more. The connection's thread.
 */
bool deadline_enter(struct deadline_entry *entry, enum deadline_phase phase);

/* The phase that was over when the socket was shut down; DEADLINE_EXPIRED when none was. */
enum deadline_phase deadline_expired_phase(const struct deadline_entry *entry);

#endif
