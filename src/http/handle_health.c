/* GET /health and its kin: the state of this instance (draft-inadarei-api-health-check). */
#include <inttypes.h>
#include <string.h>

#include "intake/core/clock.h"
#include "intake/http/handlers.h"
#include "intake/http/request.h"

static const char media_type[] = "application/health+json";

static const char *const status_words[] = {
    [HEALTH_PASS] = "pass",
    [HEALTH_WARN] = "warn",
    [HEALTH_FAIL] = "fail",
};

static void print_check(const struct health_check *check, const struct health_item *item,
                        struct strbuf *out)
{
    char now[RFC3339_SIZE];
    clock_rfc3339(clock_wall_us(), now);
    strbuf_printf(out, "\"%s\":[{\"componentType\":\"%s\",\"status\":\"%s\",\"time\":\"%s\"",
                  check->name, check->type, status_words[item->status], now);
    if (item->has_value) {
        strbuf_printf(out, ",\"observedValue\":%" PRId64, item->value);
    }
    if (item->unit != NULL) {
        strbuf_printf(out, ",\"observedUnit\":\"%s\"", item->unit);
    }
    if (item->output != NULL && item->status != HEALTH_PASS) {
        strbuf_puts(out, ",\"output\":");
        strbuf_json_string(out, item->output, strlen(item->output));
    }
    strbuf_puts(out, "}]");
}

/* The worst of the checks; one that is not needed for serving only warns. */
static enum health_status read_checks(const struct http_services *services, struct strbuf *out)
{
    enum health_status worst = HEALTH_PASS;
    for (size_t i = 0; i < services->checks_count; i++) {
        const struct health_check *check = &services->checks[i];
        struct health_item item = {0};
        check->read(check->context, &item);
        if (i > 0) {
            strbuf_putc(out, ',');
        }
        print_check(check, &item, out);
        enum health_status counts = item.status;
        if (counts == HEALTH_FAIL && !check->needed) {
            counts = HEALTH_WARN;
        }
        worst = counts > worst ? counts : worst;
    }
    return worst;
}

static enum handled reply_health(struct request *request, enum health_status status,
                                 const struct strbuf *checks)
{
    struct strbuf body = {0};
    strbuf_printf(&body,
                  "{\"status\":\"%s\",\"version\":\"1\",\"releaseId\":\"" INTAKE_VERSION "\","
                  "\"serviceId\":\"intake\"",
                  status_words[status]);
    if (checks != NULL) {
        strbuf_printf(&body, ",\"checks\":{%s}", checks->len > 0 ? checks->data : "");
        body.failed |= checks->failed; /* less than all would say that all is well */
    }
    strbuf_putc(&body, '}');
    reply_body(request, status == HEALTH_FAIL ? 503 : 200, media_type, &body);
    return HANDLED_NOW;
}

enum handled handle_health_ready(struct request *request, struct connection *connection)
{
    (void)connection;
    struct strbuf checks = {0};
    const enum health_status status = read_checks(request->services, &checks);
    const enum handled handled = reply_health(request, status, &checks);
    strbuf_finish(&checks);
    return handled;
}

enum handled handle_health(struct request *request, struct connection *connection)
{
    return handle_health_ready(request, connection);
}

/* That this can answer is all that it says: what restarts the program must not ask for more. */
enum handled handle_health_live(struct request *request, struct connection *connection)
{
    (void)connection;
    return reply_health(request, HEALTH_PASS, NULL);
}
