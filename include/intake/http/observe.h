/* What the HTTP layer counts, and the line that each request leaves in the log. */
#ifndef INTAKE_HTTP_OBSERVE_H
#define INTAKE_HTTP_OBSERVE_H

#include <stdbool.h>

#include "intake/core/metrics.h"
#include "intake/http/deadline.h"
#include "intake/http/route.h"

struct request;
struct observe;

/* Registers the families; the table must not change. NULL when memory is out. */
struct observe *observe_create(struct metrics *metrics, const struct route_table *table);
void observe_destroy(struct observe *observe);

/* A request has ended; `status` is what its client got, `whole`: all of it. Any thread. */
void observe_request(struct observe *observe, const struct request *request, unsigned status,
                     bool whole);

/* A connection came (1) or went (-1); a request is begun or ended. Any thread. */
void observe_connections(struct observe *observe, int change);
void observe_in_flight(struct observe *observe, int change);

/* A connection was ended for being too slow in that phase of that request. Any thread. */
void observe_timeout(struct observe *observe, enum deadline_phase phase, const char *request_id);

#endif
