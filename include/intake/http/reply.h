/*
 * The reply of a request: set by a handler or by the dispatcher, sent when the request is
 * complete. Setting it again replaces status and body and keeps the headers. One thread at a
 * time, like the request.
 *
 * Every reply gets X-Request-Id and X-Content-Type-Options, and Cache-Control: no-store unless
 * `cacheable` was set.
 */
#ifndef INTAKE_HTTP_REPLY_H
#define INTAKE_HTTP_REPLY_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "intake/core/err.h"
#include "intake/core/text.h"

struct issues;
struct request;
struct stream;

enum { REPLY_HEADERS_MAX = 16 };

struct reply {
    unsigned status; /* 0: not set yet */
    const char *content_type;
    char *body;         /* owned; or NULL, and what is sent is `shared` */
    const char *shared; /* lives as long as the server */
    size_t body_len;
    struct stream *stream; /* the body is made while it is sent (stream.h); else NULL */
    struct reply_header {
        const char *name; /* static */
        char *value;      /* owned */
    } headers[REPLY_HEADERS_MAX];
    size_t headers_count;
    bool cacheable;
    bool incomplete; /* memory was out for a header: it is not sent, and the connection ends */
    bool close;      /* the connection ends with this reply */
};

/* Frees what the reply holds. */
void reply_finish(struct reply *reply);

/* Takes back what was set since it had so many headers. */
void reply_forget(struct reply *reply, size_t headers_kept);

/* A body of JSON or another static media type; takes the content of `body` (reset). */
void reply_json(struct request *request, unsigned status, struct strbuf *body);
void reply_body(struct request *request, unsigned status, const char *content_type,
                struct strbuf *body);

/* A body that is not copied: it lives as long as the server. */
void reply_shared(struct request *request, unsigned status, const char *content_type,
                  struct view body);

/* No body. */
void reply_empty(struct request *request, unsigned status);

/* Adds a header; `name` is static, the value is printed and copied. */
void reply_header(struct request *request, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What every resource of FHIR is sent as. */
void reply_fhir(struct request *request, unsigned status, struct strbuf *body);

/*
 * problem+json (RFC 9457); below /fhir an OperationOutcome. `detail` is one sentence, copied, or
 * NULL.
 */
void reply_problem(struct request *request, unsigned status, const char *detail);

/* The same with `errors`, from all issues that there are; 503 where memory was out for one. */
void reply_issues(struct request *request, unsigned status, const char *detail,
                  const struct issues *issues);

/*
 * The problem that fits a failure of a lower layer: the one map from `enum status` to HTTP. What
 * is our fault is logged here, with the request's id, and not told.
 */
void reply_failure(struct request *request, const struct err *err);

/* Hands the reply to libmicrohttpd, with its body's memory. Connection's thread, in a call. */
enum MHD_Result reply_queue(struct request *request);

/* Appends the reply as it goes over the wire, for what cannot be queued. */
void reply_print(const struct request *request, struct strbuf *out);

/* "Not Found"; static. */
const char *reply_status_title(unsigned status);

#endif
