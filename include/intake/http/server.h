/*
 * The HTTP server: libmicrohttpd with a pool of epoll threads, our listening socket, deadlines
 * and settings. Order at the end of the program: server_quiesce, server_drain, end of the lane
 * and the executor (which completes every request that was handed to them), server_stop.
 */
#ifndef INTAKE_HTTP_SERVER_H
#define INTAKE_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "intake/core/err.h"
#include "intake/http/route.h"
#include "intake/http/services.h"

struct config;
struct server;

struct server_options {
    const struct http_services *services; /* outlives the server */
    const struct route_table *table;      /* `&routes`; outlives the server */
    int inherited_fd; /* a listening socket of the service manager, never closed here; or -1 */
};

/*
 * Whether the http.* keys mean something here: the address can be listened on (a free port is
 * tried), the lists can be read. STATUS_INVALID names the key. Main thread.
 */
enum status server_check(const struct config *config, struct err *err);

/*
 * Starts to serve. Raises the soft limit of open files to what http.connections_max needs; when
 * the hard limit is lower, STATUS_INVALID says so. The threads block all signals. `ret_server` is
 * ended with server_stop. Main thread.
 */
enum status server_start(const struct server_options *options, struct server **ret_server,
                         struct err *err);

/* The TCP port that it listens on; 0 for another kind of socket. */
unsigned server_port(const struct server *server);

/* Takes over what http.* keys can change; on failure everything stays as it was. Main thread. */
enum status server_reload(struct server *server, const struct config *config, struct err *err);

/* Accepts no further connection; those that are open are served, and closed with their reply. */
void server_quiesce(struct server *server);

/*
 * Waits until no request is in flight; whether that is so. Connections that may ask something have
 * [http] farewell_ms to do so, and what is in flight has `limit_ms` after that. From its return on
 * no handler is started any more: what still comes is 503, so that what handlers use can end.
 * Main thread.
 */
bool server_drain(struct server *server, int64_t limit_ms);

/* Ends all connections and threads. Every suspended request must have been completed. */
void server_stop(struct server *server);

#endif
