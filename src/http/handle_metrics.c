/* GET /metrics: what this instance counts. */
#include "intake/core/metrics.h"
#include "intake/http/handlers.h"
#include "intake/http/request.h"

enum handled handle_metrics(struct request *request, struct connection *connection)
{
    (void)connection;
    const struct http_services *services = request->services;
    if (services->update_metrics != NULL) {
        services->update_metrics(services->update_metrics_context);
    }
    struct strbuf body = {0};
    metrics_render(services->metrics, &body);
    reply_body(request, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
    return HANDLED_NOW;
}
