/* What the connection's files share. */
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
    struct connection_group *group; /* the options', or its own */
    struct connection_group own;
    struct connection *next; /* of the group; its mutex guards this */
    int unheard_pid; /* and this: of a process that may still run what it was sent; 0: none */
    struct connect_hosts *hosts; /* NULL: libpq connects */
    PGconn *pg;
    bool ready;                   /* connected and prepared */
    size_t host;                  /* of the conninfo's, to which the latest link was made */
    unsigned losses;              /* of that host, when it was made */
    char timeline[TIMELINE_SIZE]; /* of that server, in hexadecimal; "": one host, or not told */
    int64_t looked_at_us;         /* for a server that replaced it */
    bool warned;                  /* a WARNING came since the last statement was sent */
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

void connection_group_join(struct connection *connection);
void connection_group_leave(struct connection *connection);

/* A session that was not heard: the server's process, 0 when there is none, and whose it was. */
struct unheard {
    int pid;
    const char *application_name;
};

/* Notes such a session, unless the connection has one already. */
void connection_group_note_unheard(struct connection *connection, int pid);

/* The first of such sessions, and to say that it was ended. */
struct unheard connection_group_unheard(struct connection_group *group);
void connection_group_forget(struct connection_group *group, int pid);

/* Prepares a statement on a link that was just made. */
enum status connection_prepare(struct connection *connection, const struct statement *statement,
                               int64_t deadline_us, struct err *err);

#endif
