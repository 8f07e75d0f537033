/* The running service: started from the bottom up, and stopped in the reverse order. */
#include "app.h"

#include <string.h>

#include "command.h"
#include "intake/core/cleanup.h"
#include "intake/core/log.h"
#include "intake/core/metrics.h"
#include "intake/core/text.h"
#include "intake/db/connection.h"
#include "intake/db/executor.h"
#include "intake/db/lane.h"
#include "intake/db/migrate.h"
#include "intake/db/store_audit.h"
#include "intake/db/store_contradiction.h"
#include "intake/db/store_draft.h"
#include "intake/db/store_find.h"
#include "intake/db/store_lookup.h"
#include "intake/db/store_review.h"
#include "intake/db/store_session.h"
#include "intake/db/store_token.h"
#include "intake/domain/link.h"
#include "intake/domain/questionnaire_offer.h"
#include "intake/domain/questionnaire_set.h"
#include "intake/http/events.h"
#include "intake/http/server.h"
#include "intake/worker/monitor.h"
#include "intake/worker/sealer.h"
#include "intake/worker/worker.h"

static struct connection_options connection_options(struct app *app, const char *name,
                                                    long statement_timeout_ms)
{
    return (struct connection_options){
        .conninfo = app->config.database.conninfo,
        .application_name = name,
        .group = &app->connections,
        .connect_timeout_s = app->config.database.connect_timeout_s,
        .statement_timeout_ms = statement_timeout_ms,
    };
}

static enum status load_questionnaires(const struct config *config,
                                       struct questionnaire_set **ret_set, struct err *err)
{
    return questionnaire_set_load(config->questionnaires.directory,
                                  config->questionnaires.default_id, ret_set, err);
}

enum status app_check(struct app *app, struct err *err)
{
    enum status status = config_load(app->config_path, &app->config, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = server_check(&app->config, err);
    if (status == STATUS_OK) {
        status = link_check_settings(app->config.link.secret, app->config.link.base_url,
                                     text_equal(app->config.link.submissions, "required"), err);
    }
    struct questionnaire_set *set = NULL;
    status = status == STATUS_OK ? load_questionnaires(&app->config, &set, err) : status;
    if (status != STATUS_OK) {
        return status;
    }
    questionnaire_set_destroy(set);

    struct connection *connection = NULL;
    status = command_connect(&app->config, "intake check", NULL, 0, &connection, err);
    if (status == STATUS_OK) {
        status = migrate_check(connection, err);
    }
    connection_destroy(connection);
    return status;
}

static void wake_worker(void *context)
{
    worker_wake(context);
}

static enum status start_lanes(struct app *app, struct err *err)
{
    const struct lane_options options = {
        .count = app->config.lane.count,
        .batch_max = app->config.lane.batch_max,
        .queue_max = app->config.lane.queue_max,
        .deadline_ms = app->config.lane.deadline_ms,
        .connection = connection_options(app, "intake lane", app->config.lane.deadline_ms),
        .metrics = app->metrics,
        .committed = wake_worker,
        .context = app->worker,
    };
    return lanes_create(&options, &app->lanes, err);
}

static const struct statement_list *executor_statements(size_t *ret_count)
{
    static struct statement_list lists[8];
    lists[0] = lookup_statements;
    lists[1] = token_statements;
    lists[2] = draft_statements;
    lists[3] = session_statements;
    lists[4] = review_statements;
    lists[5] = contradiction_statements;
    lists[6] = audit_statements;
    lists[7] = find_statements;
    *ret_count = ARRAY_LENGTH(lists);
    return lists;
}

static enum status start_executor(struct app *app, struct err *err)
{
    struct executor_options options = {
        .count = app->config.executor.count,
        .queue_max = app->config.executor.queue_max,
        .deadline_ms = app->config.executor.deadline_ms,
        .connection =
            connection_options(app, "intake executor", app->config.database.statement_timeout_ms),
    };
    options.connection.setup = connection_batch_setup;
    options.connection.prepared = executor_statements(&options.connection.prepared_count);
    return executor_create(&options, &app->executor, err);
}

static enum status start_offer(struct app *app, struct err *err)
{
    struct questionnaire_set *set = NULL;
    const enum status status = load_questionnaires(&app->config, &set, err);
    if (status != STATUS_OK) {
        return status;
    }
    app->offer = questionnaire_offer_create(set);
    if (app->offer == NULL) {
        questionnaire_set_destroy(set);
        return err_no_memory(err);
    }
    return STATUS_OK;
}

static enum status start_worker(struct app *app, struct err *err)
{
    const struct worker_options options = {
        .connection =
            connection_options(app, "intake worker", app->config.database.statement_timeout_ms),
        .processing =
            {
                .batch_max = app->config.worker.batch_max,
                .lease_ms = app->config.worker.lease_ms,
                .attempts_max = app->config.worker.attempts_max,
                .backoff_ms = app->config.worker.backoff_ms,
                .backoff_max_ms = app->config.worker.backoff_max_ms,
            },
        .count = app->config.worker.count,
        .poll_ms = app->config.worker.poll_ms,
        .yield_age_ms = app->config.worker.yield_age_ms,
        .lanes = app->lanes,
        .offer = app->offer,
    };
    return app->config.worker.enabled ? worker_start(app->worker, &options, err) : STATUS_OK;
}

static enum status start_sealer(struct app *app, struct err *err)
{
    const struct connection_options options =
        connection_options(app, "intake sealer", app->config.database.statement_timeout_ms);
    return app->config.worker.enabled ? sealer_create(&options, app->metrics, &app->sealer, err)
                                      : STATUS_OK;
}

static enum status start_server(struct app *app, int inherited_fd, struct err *err)
{
    app->services.config = &app->config;
    app->services.metrics = app->metrics;
    app->services.executor = app->executor;
    app->services.offer = app->offer;
    app->services.lanes = app->lanes;
    app->services.events = app->events;
    const struct server_options options = {
        .services = &app->services,
        .table = &routes,
        .inherited_fd = inherited_fd,
    };
    return server_start(&options, &app->server, err);
}

enum status app_start(struct app *app, int inherited_fd, struct err *err)
{
    log_set_level(config_log_level(&app->config));
    app->metrics = metrics_create();
    app->worker = app->metrics != NULL ? worker_create(app->metrics) : NULL;
    if (app->worker == NULL || !app_add_health(app)) {
        return err_no_memory(err);
    }
    const struct connection_options monitoring = connection_options(app, "intake monitor", 0);
    enum status status = monitor_create(&monitoring, &app->monitor, err);
    status = status == STATUS_OK ? start_lanes(app, err) : status;
    status = status == STATUS_OK ? start_executor(app, err) : status;
    status = status == STATUS_OK ? start_offer(app, err) : status;
    status = status == STATUS_OK ? start_worker(app, err) : status;
    status = status == STATUS_OK ? start_sealer(app, err) : status;
    status = status == STATUS_OK ? events_create(app->executor, &app->config, &app->events, err)
                                 : status;
    status = status == STATUS_OK ? start_server(app, inherited_fd, err) : status;
    if (status == STATUS_OK) {
        monitor_wait(app->monitor);
    }
    return status;
}

enum status app_reload(struct app *app, struct err *err)
{
    AUTO(config_finish) struct config fresh = {0};
    enum status status = config_load(app->config_path, &fresh, err);
    if (status != STATUS_OK) {
        return status;
    }
    const char *key = config_needs_restart(&app->config, &fresh);
    if (key != NULL) {
        log_warning("a changed key takes effect at the next restart", LOG_TEXT("key", key));
    }
    struct questionnaire_set *set = NULL;
    status = load_questionnaires(&fresh, &set, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = server_reload(app->server, &fresh, err);
    if (status == STATUS_OK && !questionnaire_offer_exchange(app->offer, set)) {
        status = err_no_memory(err);
    }
    if (status != STATUS_OK) {
        questionnaire_set_destroy(set);
        return status;
    }
    log_set_level(config_log_level(&fresh));
    return STATUS_OK;
}

void app_stop(struct app *app)
{
    if (app->server != NULL) {
        server_quiesce(app->server);
        const int64_t limit_ms = app->config.lane.deadline_ms + app->config.executor.deadline_ms;
        if (!server_drain(app->server, limit_ms)) {
            log_warning("requests were still in flight at the end",
                        LOG_NUMBER("limit_ms", limit_ms));
        }
    }
    if (app->events != NULL) {
        events_end(app->events);
    }
    worker_stop(app->worker);        /* it looks at the lanes, and they wake it to their end */
    executor_destroy(app->executor); /* a post with a token goes through it to the lanes */
    lanes_destroy(app->lanes);
    sealer_destroy(app->sealer); /* with what the executor did last */
    if (app->server != NULL) {
        server_stop(app->server);
    }
    events_destroy(app->events);
    worker_destroy(app->worker);
    monitor_destroy(app->monitor);
    questionnaire_offer_destroy(app->offer);
    app_finish_health(app);
    metrics_destroy(app->metrics);
    config_finish(&app->config);
}
