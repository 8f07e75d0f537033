/*
 * The mechanism of the route table: what a row says, and which row a request gets. The table
 * itself is routes.c; from its rows follow 404, 405 with Allow, HEAD, OPTIONS, authentication,
 * limits, metrics and the log, so that no handler can forget them.
 */
#ifndef INTAKE_HTTP_ROUTE_H
#define INTAKE_HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "intake/core/config.h"
#include "intake/core/text.h"
#include "intake/http/target.h"

struct connection;
struct request;

enum { ROUTE_PARAMS_MAX = 2, ROUTE_BODY_TYPES_MAX = 2 };

enum route_runs {
    ROUTE_INLINE,   /* on the HTTP thread: must not wait for anything */
    ROUTE_DATABASE, /* on an executor thread, with its connection */
};

enum handled {
    HANDLED_NOW,   /* the reply is set */
    HANDLED_LATER, /* after request_suspend(); somebody will call request_complete() */
};

struct route {
    const char *method; /* HEAD comes with GET, OPTIONS with everything */
    /* `/v1/submissions/{booking_uid}`: a part in braces fits any one segment that is not empty.
     * The path as it stands here is also the label in metrics and logs. */
    const char *path;
    unsigned roles;       /* mask of enum role that may call it; 0: everybody */
    enum route_runs runs; /* a guarded route always runs on an executor thread */
    /* Whether `roles` counts under this configuration; NULL: always. */
    bool (*guarded_when)(const struct config *config);
    bool linked;     /* needs the link of the booking in the path's first part in braces */
    bool takes_body; /* up to http.body_max_bytes; other routes take none */
    bool unlimited;  /* the per-address rate does not count: probes, assets */
    bool passive;    /* a page asks it by itself: no use that keeps a session from ending */
    /* Reads only, but for rows of the audit, and locks nothing: many are one transaction. Its
     * handler never returns HANDLED_LATER. */
    bool shares_commit;
    bool quiet; /* logged at debug level: probes, assets */
    /* The media types that a body may have, at most ROUTE_BODY_TYPES_MAX. None: any. */
    const char *body_types[ROUTE_BODY_TYPES_MAX];
    /* Names of the query parameters, each at most once; others are 400. NULL: none is read. */
    const char *const *query;
    /*
     * Parses, calls the domain, sets the reply. `connection` is NULL on the HTTP thread. May
     * return HANDLED_LATER only after request_suspend().
     */
    enum handled (*handle)(struct request *request, struct connection *connection);
};

struct route_table {
    const struct route *rows;
    size_t count;
};

/* The table of this program (routes.c). */
extern const struct route_table routes;

struct route_match {
    const struct route *route; /* the row; for OPTIONS and 405 the first of its path; NULL: 404 */
    bool method_allowed;
    const char *params[ROUTE_PARAMS_MAX]; /* what stands where the braces are, in order */
};

struct route_match route_find(const struct route_table *table, const char *method,
                              const struct target *target);

/* Appends the methods of that path, "GET, HEAD, OPTIONS"; for a NULL path, all of the table. */
void route_print_methods(const struct route_table *table, const char *path, struct strbuf *out);

/* Whether a Content-Type, with its parameters or without, is one that the route takes. */
bool route_takes_type(const struct route *route, struct view content_type);

bool route_is_guarded(const struct route *route, const struct config *config);

#endif
