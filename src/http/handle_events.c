/* GET /v1/events: what is submitted while a page is open. */
#include <stdbool.h>
#include <stdint.h>

#include "intake/core/cleanup.h"
#include "intake/db/audit.h"
#include "intake/db/store_audit.h"
#include "intake/http/events.h"
#include "intake/http/handlers.h"
#include "intake/http/request.h"

/* What the page did not get since row `seen_id`, as much of it as may wait for one listener. */
static enum status read_missed(struct connection *connection, int64_t seen_id,
                               struct strbuf *backlog, struct err *err)
{
    enum status status = STATUS_OK;
    bool more = true;
    while (status == STATUS_OK && more && backlog->len <= EVENTS_PENDING_MAX) {
        AUTO(audit_changes_finish) struct audit_changes missed = {0};
        status = audit_changes(connection, seen_id, seen_id, &missed, err);
        for (int32_t i = 0; i < missed.count; i++) {
            const struct submission_change change = audit_changes_at(&missed, i);
            events_print(&change, backlog);
            seen_id = change.id;
        }
        more = missed.count == AUDIT_CHANGES_MAX;
    }
    return status;
}

enum handled handle_events(struct request *request, struct connection *connection)
{
    struct err err = {0};
    const struct audit_actor actor = request_actor(request);
    struct events *events = request->services->events;
    const int64_t heard = events_told(events);
    int64_t newest_id = 0;
    const int64_t seen_id = events_last_id(request_header(request, "Last-Event-ID"));
    AUTO(strbuf_finish) struct strbuf backlog = {0};
    strbuf_puts(&backlog, "retry: 2000\n\n");
    enum status status = audit_watch(connection, &actor, &newest_id, &err);
    if (status == STATUS_OK && seen_id > 0) {
        status = read_missed(connection, seen_id, &backlog, &err);
    }
    if (status != STATUS_OK) {
        reply_failure(request, &err);
        return HANDLED_NOW;
    }
    events_listen(events, request, heard, newest_id, &backlog);
    return HANDLED_NOW;
}
