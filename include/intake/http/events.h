/*
 * Server-sent events (WHATWG HTML, section "Server-sent events") for pages that are open: which
 * bookings were submitted or revised, by whichever instance. They are read from the audit's end
 * once a second while somebody listens, and hold no more than the booking and the time.
 */
#ifndef INTAKE_HTTP_EVENTS_H
#define INTAKE_HTTP_EVENTS_H

#include <stdint.h>

#include "intake/core/err.h"
#include "intake/core/text.h"

struct config;
struct events;
struct executor;
struct request;
struct submission_change;

/* Bytes that wait for one listener: who is further behind is told these, and asks anew. */
enum { EVENTS_PENDING_MAX = 256 * 1024 };

/* Starts the thread; `executor` outlives events_end(). The caller's (events_destroy). */
enum status events_create(struct executor *executor, const struct config *config,
                          struct events **ret_events, struct err *err);

/*
 * Ends every stream, and each that begins from now on; waits for nothing. Before the executor's
 * end; main thread.
 */
void events_end(struct events *events);

/* After the executor's end, and when no request is left that listens. NULL is accepted. */
void events_destroy(struct events *events);

/* Appends one event. */
void events_print(const struct submission_change *change, struct strbuf *out);

/*
 * The id of the last event that a page has got, out of its header Last-Event-ID (NULL: there is
 * none): it goes on behind it. 0, where it begins, for whatever is no id. Pure.
 */
int64_t events_last_id(const char *header);

/* How many changes were told so far. Any thread. */
int64_t events_told(struct events *events);

/*
 * Makes the request's reply a stream of what changes, beginning with `backlog` (reset). `heard` is
 * events_told() before, and `last_id` the audit's newest row at the time of, the look from which on
 * it shall hear everything; a change that came just then may be told twice. With more than
 * EVENTS_PENDING_MAX in the backlog the stream ends behind it. Executor thread, in a handler.
 */
void events_listen(struct events *events, struct request *request, int64_t heard, int64_t last_id,
                   struct strbuf *backlog);

#endif
