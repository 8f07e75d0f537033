/* What the connection's two files share. */
#ifndef INTAKE_DB_CONNECTION_STATE_H
#define INTAKE_DB_CONNECTION_STATE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "intake/db/connect_hosts.h"
#include "intake/db/connection.h"

enum {
    SQLSTATE_SIZE = 6,
    TIMELINE_SIZE = 9,
    CONNECTION_LOOK_US = 1000 * 1000,      /* between two looks for another server */
    CONNECTION_LOOK_LIMIT_US = 500 * 1000, /* of one */
};

struct connection {
    struct connection_options options;
    struct connect_hosts *hosts; /* NULL: libpq connects */
    PGconn *pg;
    bool ready;                   /* connected and prepared */
    size_t host;                  /* of the conninfo's, to which the latest link was made */
    unsigned losses;              /* of that host, when it was made */
    char timeline[TIMELINE_SIZE]; /* of that server, in hexadecimal; "": one host, or not told */
    int64_t looked_at_us;         /* for a server that replaced it */
    bool warned;                  /* a WARNING came since the last statement was sent */
    int unheard_pid; /* of a server's process that may still run what it was sent; 0: none */
    char sqlstate[SQLSTATE_SIZE];
};

/*
 * Drops the link to a server that is of no use: it is asked last the next time, and the program's
 * other connections leave it before they are used again, unless this one was not ready yet.
 */
void connection_lose(struct connection *connection);

/*
 * Whether another host takes writes, and on a later timeline: it was promoted in place of this
 * server, which does not know.
 */
bool connection_is_replaced(struct connection *connection);

/* Prepares a statement on a link that was just made. */
enum status connection_prepare(struct connection *connection, const struct statement *statement,
                               int64_t deadline_us, struct err *err);

#endif
