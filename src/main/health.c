/* What /health and the gauges of /metrics tell about the running service. */
#include <stdlib.h>

#include "app.h"
#include "intake/core/metrics.h"
#include "intake/db/executor.h"
#include "intake/db/lane.h"
#include "intake/worker/monitor.h"
#include "intake/worker/worker.h"

enum {
    WORKER_SILENT_MAX_US = 60 * 1000 * 1000,
    SECOND_US = 1000 * 1000,
};

enum gauge {
    GAUGE_LANE_DEPTH,
    GAUGE_EXECUTOR_DEPTH,
    GAUGE_DATABASE_UP,
    GAUGE_OLDEST_SECONDS,
    GAUGE_SUBMITTED,
    GAUGE_FAILED,
    GAUGES,
};

struct app_gauges {
    struct metric *metric[GAUGES];
};

static const struct {
    const char *name;
    const char *help;
} gauge_names[GAUGES] = {
    [GAUGE_LANE_DEPTH] = {"intake_lane_queue_depth", "Submissions that wait for a lane."},
    [GAUGE_EXECUTOR_DEPTH] = {"intake_executor_queue_depth",
                              "Requests that wait for a database connection."},
    [GAUGE_DATABASE_UP] = {"intake_database_up",
                           "1 when the last probe of the database went well, else 0."},
    [GAUGE_OLDEST_SECONDS] = {"intake_oldest_unprocessed_seconds",
                              "Age of the oldest submission that is due and not processed."},
    [GAUGE_SUBMITTED] = {"intake_submissions_waiting",
                         "Submissions that wait to be processed, counted up to 2000."},
    [GAUGE_FAILED] = {"intake_submissions_failed",
                      "Submissions whose processing failed, counted up to 1000."},
};

static void read_database(void *context, struct health_item *ret_item)
{
    struct app *app = context;
    struct monitor_state state;
    monitor_read(app->monitor, &state);
    ret_item->status = state.reachable && state.writable ? HEALTH_PASS : HEALTH_FAIL;
    ret_item->output =
        !state.reachable ? "the database is out of reach" : "the database takes no writes";
}

static void read_schema(void *context, struct health_item *ret_item)
{
    struct app *app = context;
    struct monitor_state state;
    monitor_read(app->monitor, &state);
    ret_item->status = state.schema_fits ? HEALTH_PASS : HEALTH_FAIL;
    ret_item->output = "the schema is not the one of this version: run intake migrate check";
}

static void read_worker(void *context, struct health_item *ret_item)
{
    struct app *app = context;
    struct monitor_state state;
    monitor_read(app->monitor, &state);
    ret_item->has_value = true;
    ret_item->value = state.oldest_us / SECOND_US;
    ret_item->unit = "s";
    ret_item->status =
        worker_silent_us(app->worker) > WORKER_SILENT_MAX_US ? HEALTH_FAIL : HEALTH_PASS;
    ret_item->output = "the worker has not shown itself for a minute";
}

static void read_queue(void *context, struct health_item *ret_item)
{
    struct app *app = context;
    const size_t depth = lanes_depth(app->lanes);
    ret_item->has_value = true;
    ret_item->value = (int64_t)depth;
    ret_item->unit = "submissions";
    ret_item->status = depth >= (size_t)app->config.lane.queue_max ? HEALTH_FAIL : HEALTH_PASS;
    ret_item->output = "the queue of submissions is full";
}

static void update_gauges(void *context)
{
    struct app *app = context;
    struct monitor_state state;
    monitor_read(app->monitor, &state);
    const int64_t values[GAUGES] = {
        [GAUGE_LANE_DEPTH] = (int64_t)lanes_depth(app->lanes),
        [GAUGE_EXECUTOR_DEPTH] = (int64_t)executor_depth(app->executor),
        [GAUGE_DATABASE_UP] = state.reachable,
        [GAUGE_OLDEST_SECONDS] = state.oldest_us / SECOND_US,
        [GAUGE_SUBMITTED] = state.submitted,
        [GAUGE_FAILED] = state.failed,
    };
    for (size_t i = 0; i < GAUGES; i++) {
        metric_set(app->gauges->metric[i], 0, values[i]);
    }
}

bool app_add_health(struct app *app)
{
    const struct health_check checks[APP_CHECKS] = {
        {"database", "datastore", true, read_database, app},
        {"schema", "datastore", true, read_schema, app},
        {"worker", "component", true, read_worker, app},
        {"queue", "component", true, read_queue, app},
    };
    for (size_t i = 0; i < APP_CHECKS; i++) {
        app->checks[i] = checks[i];
    }
    app->services.checks = app->checks;
    app->services.checks_count = APP_CHECKS;

    app->gauges = calloc(1, sizeof *app->gauges);
    if (app->gauges == NULL) {
        return false;
    }
    for (size_t i = 0; i < GAUGES; i++) {
        app->gauges->metric[i] =
            metrics_add(app->metrics, METRIC_GAUGE, gauge_names[i].name, gauge_names[i].help);
        metric_add_series(app->gauges->metric[i], "");
    }
    app->services.update_metrics = update_gauges;
    app->services.update_metrics_context = app;
    return true;
}

void app_finish_health(struct app *app)
{
    free(app->gauges);
    app->gauges = NULL;
}
