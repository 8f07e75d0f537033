/*
 * What main plugs into the HTTP layer: the parts of the program that handlers call. Filled before
 * the server starts, unchanged while it runs, owned by main.
 */
#ifndef INTAKE_HTTP_SERVICES_H
#define INTAKE_HTTP_SERVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct events;
struct executor;
struct lanes;
struct metrics;
struct questionnaire_offer;

enum health_status { HEALTH_PASS, HEALTH_WARN, HEALTH_FAIL };

/* One check of `application/health+json`. Texts are static, and say nothing about patients. */
struct health_item {
    enum health_status status;
    bool has_value;
    int64_t value;      /* "observedValue", with has_value */
    const char *unit;   /* "observedUnit", or NULL */
    const char *output; /* what is wrong, or NULL */
};

struct health_check {
    const char *name; /* "database:connection" */
    const char *type; /* "datastore", "component", "system" */
    bool needed;      /* its failure means that this instance is not ready: 503 */
    /* Reads the last known state; must not wait for anything. Any thread. */
    void (*read)(void *context, struct health_item *ret_item);
    void *context;
};

struct http_services {
    /* What needs a restart is read from here; what reloads is given to server_reload(). */
    const struct config *config;
    struct metrics *metrics;
    struct executor *executor;
    struct questionnaire_offer *offer;
    struct lanes *lanes;
    struct events *events;
    const struct health_check *checks;
    size_t checks_count;
    /* Brings gauges up to date before they are printed; NULL: none. Must not wait. Any thread. */
    void (*update_metrics)(void *context);
    void *update_metrics_context;
};

#endif
