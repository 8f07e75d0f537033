/* The running service: everything that `intake serve` starts, in one place. */
#ifndef INTAKE_MAIN_APP_H
#define INTAKE_MAIN_APP_H

#include <stdbool.h>

#include "intake/core/config.h"
#include "intake/core/err.h"
#include "intake/db/connection_group.h"
#include "intake/http/services.h"

struct executor;
struct lanes;
struct metrics;
struct monitor;
struct sealer;
struct server;
struct questionnaire_offer;
struct worker;

/* The checks that /health shows; their contexts are the app. */
enum { APP_CHECKS = 4 };

struct app {
    const char *config_path; /* NULL: where config_load() looks */
    struct config config;    /* as it was at the start */
    struct metrics *metrics;
    struct connection_group connections;
    struct lanes *lanes;
    struct executor *executor;
    struct questionnaire_offer *offer;
    struct worker *worker;
    struct monitor *monitor;
    struct sealer *sealer;
    struct health_check checks[APP_CHECKS];
    struct events *events;
    struct http_services services;
    struct app_gauges *gauges;
    struct server *server;
};

/*
 * Checks configuration, questionnaires and schema; the part of a start that `serve --check` does.
 * `app->config` is filled. Main thread, as all of these.
 */
enum status app_check(struct app *app, struct err *err);

/* Starts everything after app_check(). `inherited_fd`: a socket of the service manager, or -1. */
enum status app_start(struct app *app, int inherited_fd, struct err *err);

/* Re-reads what can change while the service runs; on failure everything stays as it was. */
enum status app_reload(struct app *app, struct err *err);

/* Answers what was accepted, then ends everything; also after an incomplete start. */
void app_stop(struct app *app);

/* health.c: fills app->checks and the gauges; false when memory is out. */
bool app_add_health(struct app *app);
void app_finish_health(struct app *app);

#endif
