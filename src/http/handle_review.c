/* What staff decide about a submission, and its history. */
#include "intake/core/cleanup.h"
#include "intake/core/json.h"
#include "intake/db/audit.h"
#include "intake/domain/contact.h"
#include "intake/domain/issue.h"
#include "intake/domain/review.h"
#include "intake/http/handlers.h"
#include "intake/http/request.h"

/* The booking of the path; NULL, and the reply set, when it cannot be one. */
static const char *booking_of(struct request *request)
{
    if (booking_uid_is_valid(request->params[0])) {
        return request->params[0];
    }
    reply_problem(request, 404, "There is no submission for this booking.");
    return NULL;
}

/* The parsed body; NULL, and the reply set, when it is no JSON. */
static json_t *read_body(struct request *request)
{
    json_t *body = NULL;
    struct err err = {0};
    const char *text = request->body != NULL ? request->body : "";
    if (json_parse(text, request->body_len, &body, &err) != STATUS_OK) {
        reply_failure(request, &err);
    }
    return body;
}

struct decision {
    const char *const *params; /* the path's: the booking, and what else names what is decided */
    const json_t *body;
    struct audit_actor actor;
    struct strbuf view; /* what came of it */
    struct issues issues;
    struct err err;
};

static enum status decide_review(struct decision *decision, struct connection *connection)
{
    struct review_write write;
    const enum status status =
        review_read(decision->body, decision->params[0], &write, &decision->issues, &decision->err);
    return status != STATUS_OK
               ? status
               : review_put(connection, &decision->actor, &write, &decision->view, &decision->err);
}

static enum status decide_contradiction(struct decision *decision, struct connection *connection)
{
    struct contradiction_write write;
    const enum status status =
        contradiction_read(decision->body, decision->params[0], decision->params[1], &write,
                           &decision->issues, &decision->err);
    return status != STATUS_OK ? status
                               : contradiction_put(connection, &decision->actor, &write,
                                                   &decision->view, &decision->err);
}

static enum handled put_decision(struct request *request, struct connection *connection,
                                 enum status (*decide)(struct decision *decision,
                                                       struct connection *connection))
{
    json_auto_t *body = booking_of(request) != NULL ? read_body(request) : NULL;
    if (body == NULL) {
        return HANDLED_NOW;
    }
    struct decision decision = {
        .params = request->params,
        .body = body,
        .actor = request_actor(request),
    };
    if (decide(&decision, connection) == STATUS_OK) {
        reply_json(request, 200, &decision.view);
    } else if (!issues_are_none(&decision.issues)) {
        reply_issues(request, 422, "The decision cannot be understood.", &decision.issues);
    } else {
        reply_failure(request, &decision.err);
    }
    issues_finish(&decision.issues);
    strbuf_finish(&decision.view);
    return HANDLED_NOW;
}

enum handled handle_review_put(struct request *request, struct connection *connection)
{
    return put_decision(request, connection, decide_review);
}

enum handled handle_contradiction_put(struct request *request, struct connection *connection)
{
    return put_decision(request, connection, decide_contradiction);
}

enum handled handle_history_get(struct request *request, struct connection *connection)
{
    const char *booking_uid = booking_of(request);
    if (booking_uid == NULL) {
        return HANDLED_NOW;
    }
    struct err err = {0};
    AUTO(history_record_finish) struct history_record record = {0};
    const struct audit_actor actor = request_actor(request);
    AUTO(strbuf_finish) struct strbuf body = {0};
    enum status status = history_read(connection, &actor, booking_uid, &record, &err);
    if (status == STATUS_OK) {
        status = history_print(&record, &body, &err);
    }
    if (status == STATUS_OK) {
        reply_json(request, 200, &body);
    } else {
        reply_failure(request, &err);
    }
    return HANDLED_NOW;
}
