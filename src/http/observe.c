/* What the HTTP layer counts, and the line that each request leaves in the log. */
#include "intake/http/observe.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/log.h"
#include "intake/core/text.h"
#include "intake/http/request.h"

static const char unmatched[] = "unmatched"; /* every path that no route has, under one label */

static const unsigned statuses[] = {
    200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 408, 409,
    412, 413, 415, 417, 422, 428, 429, 431, 500, 503, 0 /* any other */};

/* The methods that a row of the table can be asked with. */
enum method { METHOD_OWN, METHOD_HEAD, METHOD_OPTIONS, METHOD_OTHER, METHODS_COUNT };

static const int64_t duration_bounds_us[] = {
    500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000};

/* Of the phases that have an end. */
static const char *const phase_labels[DEADLINE_PHASES_COUNT] = {
    [DEADLINE_IDLE] = "phase=\"idle\"",     [DEADLINE_HEADERS] = "phase=\"headers\"",
    [DEADLINE_BODY] = "phase=\"body\"",     [DEADLINE_RESPONSE] = "phase=\"response\"",
    [DEADLINE_LINGER] = "phase=\"linger\"",
};

struct observe {
    const struct route_table *table;
    struct metric *requests;
    struct metric *durations;
    struct metric *connections;
    struct metric *in_flight;
    struct metric *timeouts;
    size_t timeout_series[DEADLINE_PHASES_COUNT];
};

static const char *method_label(const struct route *route, enum method method)
{
    switch (method) {
    case METHOD_OWN:
        return route != NULL ? route->method : "any";
    case METHOD_HEAD:
        return "HEAD";
    case METHOD_OPTIONS:
        return "OPTIONS";
    case METHOD_OTHER:
    case METHODS_COUNT:
        break;
    }
    return "other";
}

/* NULL when memory was out. */
static const char *text_of(const struct strbuf *text)
{
    return text->failed ? NULL : text->data;
}

static void add_series(struct observe *observe, const struct route *route)
{
    const char *path = route != NULL ? route->path : unmatched;
    for (int method = 0; method < METHODS_COUNT; method++) {
        const char *name = method_label(route, (enum method)method);
        struct strbuf labels = {0};
        strbuf_printf(&labels, "route=\"%s\",method=\"%s\"", path, name);
        metric_add_series(observe->durations, text_of(&labels));
        for (size_t i = 0; i < ARRAY_LENGTH(statuses); i++) {
            strbuf_clear(&labels);
            strbuf_printf(&labels, "route=\"%s\",method=\"%s\",status=\"", path, name);
            if (statuses[i] != 0) {
                strbuf_printf(&labels, "%u\"", statuses[i]);
            } else {
                strbuf_puts(&labels, "other\"");
            }
            metric_add_series(observe->requests, text_of(&labels));
        }
        strbuf_finish(&labels);
    }
}

struct observe *observe_create(struct metrics *metrics, const struct route_table *table)
{
    struct observe *observe = calloc(1, sizeof *observe);
    if (observe == NULL) {
        return NULL;
    }
    observe->table = table;
    observe->requests = metrics_add(metrics, METRIC_COUNTER, "intake_http_requests_total",
                                    "Requests by route, method and status.");
    metric_hide_untouched(observe->requests);
    observe->durations =
        metrics_add_histogram(metrics, "intake_http_request_duration_seconds",
                              "Seconds from a request's first line to the end of its response.",
                              duration_bounds_us, ARRAY_LENGTH(duration_bounds_us), 1e-6);
    metric_hide_untouched(observe->durations);
    for (size_t i = 0; i < table->count; i++) {
        add_series(observe, &table->rows[i]);
    }
    add_series(observe, NULL);

    observe->connections =
        metrics_add(metrics, METRIC_GAUGE, "intake_http_connections", "Open connections.");
    metric_add_series(observe->connections, "");
    observe->in_flight = metrics_add(metrics, METRIC_GAUGE, "intake_http_requests_in_flight",
                                     "Requests that have begun and not ended.");
    metric_add_series(observe->in_flight, "");
    observe->timeouts =
        metrics_add(metrics, METRIC_COUNTER, "intake_http_timeouts_total",
                    "Connections that were ended for being too slow, by the phase they were in.");
    for (int phase = 0; phase < DEADLINE_PHASES_COUNT; phase++) {
        if (phase_labels[phase] != NULL) {
            observe->timeout_series[phase] =
                metric_add_series(observe->timeouts, phase_labels[phase]);
        }
    }
    return observe;
}

void observe_destroy(struct observe *observe)
{
    free(observe);
}

static enum method method_of(const struct request *request)
{
    if (request->route == NULL || text_equal(request->method, request->route->method)) {
        return METHOD_OWN;
    }
    if (text_equal(request->method, "HEAD")) {
        return METHOD_HEAD;
    }
    return text_equal(request->method, "OPTIONS") ? METHOD_OPTIONS : METHOD_OTHER;
}

static size_t status_index(unsigned status)
{
    size_t i = 0;
    while (statuses[i] != status && statuses[i] != 0) {
        i++;
    }
    return i;
}

void observe_request(struct observe *observe, const struct request *request, unsigned status,
                     bool whole)
{
    const struct route *route = request->route;
    const enum method method = method_of(request);
    const size_t row =
        route != NULL ? (size_t)(route - observe->table->rows) : observe->table->count;
    const size_t series = row * METHODS_COUNT + (size_t)method;
    const int64_t duration_us = clock_monotonic_us() - request->started_us;
    metric_observe(observe->durations, series, duration_us);
    metric_add(observe->requests, series * ARRAY_LENGTH(statuses) + status_index(status), 1);

    const enum log_level level =
        route != NULL && route->quiet && status < 500 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    if (!log_enabled(level)) {
        return;
    }
    char duration_ms[32];
    snprintf(duration_ms, sizeof duration_ms, "%lld.%03d", (long long)(duration_us / 1000),
             (int)(duration_us % 1000));
    LOG_AT(level, whole ? "request" : "request cut short", LOG_TEXT("request_id", request->id),
           LOG_TEXT("method", method_label(route, method)),
           LOG_TEXT("route", route != NULL ? route->path : unmatched), LOG_NUMBER("status", status),
           LOG_TEXT("duration_ms", duration_ms), LOG_NUMBER("bytes", request->reply_bytes));
}

void observe_connections(struct observe *observe, int change)
{
    metric_add(observe->connections, 0, change);
}

void observe_in_flight(struct observe *observe, int change)
{
    metric_add(observe->in_flight, 0, change);
}

void observe_timeout(struct observe *observe, enum deadline_phase phase, const char *request_id)
{
    if (phase == DEADLINE_HEADERS) { /* no request began, so that there is no other line */
        log_info("headers too slow", LOG_TEXT("request_id", request_id));
    }
    metric_add(observe->timeouts, observe->timeout_series[phase], 1);
}
