/* What the connection's two files share. */
#ifndef INTAKE_DB_CONNECTION_STATE_H
#define INTAKE_DB_CONNECTION_STATE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "intake/db/connect_hosts.h"
#include "intake/db/connection.h"

enum { SQLSTATE_SIZE = 6 };

struct connection {
    struct connection_options options;
    struct connect_hosts *hosts; /* NULL: libpq connects */
    PGconn *pg;
    unsigned losses; /* of any connection, when this one was made or asked last */
    bool warned;     /* a WARNING came since the last statement was sent */
    int unheard_pid; /* of a server's process that may still run what it was sent; 0: none */
    char sqlstate[SQLSTATE_SIZE];
};

/* Prepares a statement on a link that was just made. */
enum status connection_prepare(struct connection *connection, const struct statement *statement,
                               int64_t deadline_us, struct err *err);

#endif
