/*
 * What the connections of one program tell each other of. Two things one alone learns concern all:
 * that a server did not answer in time, being frozen, or replaced without its knowledge, would cost
 * each of them a deadline; and what a session that was not heard was sent may still be carried out,
 * and would undo what another connection writes meanwhile.
 */
#ifndef INTAKE_DB_CONNECTION_GROUP_H
#define INTAKE_DB_CONNECTION_GROUP_H

#include <pthread.h>
#include <stdatomic.h>

#include "intake/db/connect_hosts.h"

struct connection;

/* Of one conninfo; CONNECTION_GROUP_INIT. Any thread; it outlives its connections. */
struct connection_group {
    atomic_uint losses[CONNECT_HOSTS_MAX]; /* by host; where libpq connects, the first */
    pthread_mutex_t mutex;                 /* guards the list, and whether each is unheard */
    struct connection *first;
};

#define CONNECTION_GROUP_INIT                                                                      \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER                                                         \
    }

#endif
