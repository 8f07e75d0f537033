/* /v1/drafts/{booking_uid}: answers that were begun, for who holds the booking's link. */
#include "intake/core/cleanup.h"
#include "intake/core/config.h"
#include "intake/db/audit.h"
#include "intake/domain/draft.h"
#include "intake/domain/issue.h"
#include "intake/http/handlers.h"
#include "intake/http/precondition.h"
#include "intake/http/request.h"

/* What If-Match and If-None-Match say; false, and the reply set, when it makes no sense. */
static bool read_condition(struct request *request, struct draft_condition *ret_condition)
{
    const char *fault =
        precondition_of_draft(request_header(request, "If-Match"),
                              request_header(request, "If-None-Match"), ret_condition);
    if (fault != NULL) {
        reply_problem(request, 400, fault);
    }
    return fault == NULL;
}

/* The condition did not hold. */
static void reply_conflict(struct request *request, const struct draft_condition *condition)
{
    switch (condition->expectation) {
    case DRAFT_NOT_STATED:
        reply_problem(request, 428,
                      "There is a draft already: read it, and send its ETag as If-Match.");
        return;
    case DRAFT_ABSENT:
        reply_problem(request, 412, "There is a draft already.");
        return;
    case DRAFT_ANY:
        reply_problem(request, 412, "There is no draft: it was sent, it expired, or never was.");
        return;
    case DRAFT_ONE_OF:
        reply_problem(request, 412,
                      "The draft is another one by now, or gone: read it before writing again.");
        return;
    }
}

static void reply_draft(struct request *request, unsigned status, const struct draft_record *draft,
                        const struct issues *issues)
{
    struct strbuf body = {0};
    draft_print(request->params[0], draft, issues, &body);
    reply_header(request, "ETag", "\"%s\"", draft->version);
    reply_json(request, status, &body);
}

enum handled handle_draft_get(struct request *request, struct connection *connection)
{
    const char *booking_uid = request->params[0];
    struct err err = {0};
    AUTO(draft_record_finish) struct draft_record draft = {0};
    AUTO(issues_finish) struct issues issues = {0};
    const struct audit_actor actor = request_actor(request);
    enum status status = draft_find(connection, &actor, booking_uid, &draft, &err);
    if (status == STATUS_OK) {
        status = draft_check(request->services->offer, booking_uid, draft.data, &issues, &err);
    }
    if (status == STATUS_OK) {
        reply_draft(request, 200, &draft, &issues);
    } else {
        reply_failure(request, &err);
    }
    return HANDLED_NOW;
}

enum handled handle_draft_put(struct request *request, struct connection *connection)
{
    struct err err = {0};
    struct draft_condition condition;
    struct draft_record draft;
    AUTO(issues_finish) struct issues issues = {0};
    bool created = false;
    if (!read_condition(request, &condition)) {
        return HANDLED_NOW;
    }
    const struct view body = {request->body != NULL ? request->body : "", request->body_len};
    const enum status status =
        draft_put(connection, request->services->offer, request->params[0], body, &condition,
                  request->services->config->drafts.days, &draft, &created, &issues, &err);
    if (status == STATUS_OK) {
        reply_draft(request, created ? 201 : 200, &draft, &issues);
    } else if (status == STATUS_NOT_FOUND) {
        reply_problem(request, 409, "The submission of this booking was deleted.");
    } else if (status == STATUS_CONFLICT) {
        reply_conflict(request, &condition);
    } else {
        reply_failure(request, &err);
    }
    return HANDLED_NOW;
}

enum handled handle_draft_delete(struct request *request, struct connection *connection)
{
    struct err err = {0};
    struct draft_condition condition;
    if (!read_condition(request, &condition)) {
        return HANDLED_NOW;
    }
    if (condition.expectation != DRAFT_ANY && condition.expectation != DRAFT_ONE_OF) {
        reply_problem(request, 428, "This needs the draft's ETag as If-Match, or If-Match: *.");
        return HANDLED_NOW;
    }
    const struct audit_actor actor = request_actor(request);
    const enum status status =
        draft_delete(connection, &actor, request->params[0], &condition, &err);
    if (status == STATUS_OK) {
        reply_empty(request, 204);
    } else if (status == STATUS_CONFLICT) {
        reply_conflict(request, &condition);
    } else {
        reply_failure(request, &err);
    }
    return HANDLED_NOW;
}
