/*
 * One request, from its first line to the end of its response.
 *
 * It belongs to the connection's HTTP thread; from request_suspend() until request_complete() it
 * belongs to whoever works on it. The body and all pointers stay valid until it is completed.
 */
#ifndef INTAKE_HTTP_REQUEST_H
#define INTAKE_HTTP_REQUEST_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake/db/executor.h"
#include "intake/domain/session.h"
#include "intake/domain/staff.h"
#include "intake/http/client_address.h"
#include "intake/http/deadline.h"
#include "intake/http/reply.h"
#include "intake/http/route.h"
#include "intake/http/services.h"
#include "intake/http/target.h"
#include "intake/http/wire.h"

struct audit_actor;
struct dispatch;

enum { REQUEST_ID_SIZE = 17 }; /* sixteen hexadecimal digits and the NUL */

enum request_stage {
    REQUEST_NEW,     /* the first line has come */
    REQUEST_BODY,    /* the headers were read; the body, if there is one, is coming */
    REQUEST_WORK,    /* it was handed over; the next call sends the reply */
    REQUEST_ENDED,   /* the reply is with libmicrohttpd */
    REQUEST_REFUSED, /* answered before the body's end, which is thrown away */
};

struct request {
    /* What handlers read. */
    char id[REQUEST_ID_SIZE];
    const struct http_services *services;
    const struct route *route; /* NULL: the path is unknown */
    const char *params[ROUTE_PARAMS_MAX];
    struct target target;
    char *body; /* NUL-terminated; NULL when empty */
    size_t body_len;
    struct client_address client;
    char client_text[CLIENT_ADDRESS_SIZE]; /* the same as text, "" where there is none */
    const char *reason;                    /* X-Intake-Reason: why this is done; or NULL */
    struct staff_caller caller;            /* of a guarded route */
    int64_t link_expires_s;                /* showed the booking's link; 0: none that is good */

    /* What handlers write, with the functions of reply.h. */
    struct reply reply;

    /* The dispatcher's. */
    struct dispatch *dispatch;
    struct MHD_Connection *connection;
    struct deadline_entry *deadline;
    enum request_stage stage;
    struct request *reading_previous, *reading_next; /* library_error.c */
    bool is_reading;
    bool suspended;
    _Atomic bool completed; /* publishes the reply to the connection's thread */
    bool counted;           /* among the requests in flight, and those who use questionnaires */
    struct questionnaire_use *questionnaires;
    char method[8];     /* for logs and metrics; a longer one is cut */
    int64_t started_us; /* monotonic */
    struct wire_headers headers;
    const char *token;          /* of the Authorization header */
    char session[SESSION_SIZE]; /* of the cookie, where a guarded route has no token; else "" */
    size_t body_capacity;
    size_t received_bytes;
    struct executor_job job;
    size_t reply_kept; /* headers that the reply had before the job, should it be done again */
    void *attachment;
    void (*attachment_destroy)(void *attachment);
    size_t reply_bytes; /* of the reply's body, which is gone when it is logged */
    size_t target_len;
    char target_text[]; /* what `target` points into */
};

/* A request that begins; NULL when memory is out. */
struct request *request_create(struct dispatch *dispatch, struct MHD_Connection *connection,
                               const char *target);
void request_destroy(struct request *request);

/* Appends to the body; false when memory is out. At most `limit` bytes are ever allocated. */
bool request_append_body(struct request *request, const char *data, size_t len, size_t limit);

/* Ties something of a handler to the request's life. At most one. */
void request_attach(struct request *request, void *attachment, void (*destroy)(void *attachment));

/*
 * Who calls, for the audit row: of a guarded route the token's holder, else "link", the holder of a
 * booking's link, or "public", anybody. Points into the request.
 */
struct audit_actor request_actor(const struct request *request);

/* Whether it came with something to find its caller by, on a route that asks for that. */
static inline bool request_has_credential(const struct request *request)
{
    return request->token != NULL || *request->session != '\0';
}

/* A header of the request, or NULL. */
const char *request_header(const struct request *request, const char *name);

/* The decoded query parameter, or NULL. */
const char *request_query(const struct request *request, const char *name);

/*
 * Answers where libmicrohttpd cannot: before the body's end, or before the headers'. Writes the
 * reply to the socket, closes our direction, and lets what still comes run into nothing for a
 * moment, because closing at once would reset the connection and the client might never read why.
 * False when the connection is over already. Connection's thread.
 */
bool request_reply_now(struct request *request);

/*
 * Takes the connection out of its thread's hands. BEFORE the request is given to another thread;
 * a second call does nothing.
 */
void request_suspend(struct request *request);

/*
 * The reply is set: gives a suspended request back to its connection. Exactly once, from any
 * thread; the caller must not touch the request afterwards.
 */
void request_complete(struct request *request);

#endif
