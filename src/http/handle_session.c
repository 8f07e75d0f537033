/* /v1/session: staff sign in with their token, see who they are, and sign out. */
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/config.h"
#include "intake/core/json.h"
#include "intake/db/audit.h"
#include "intake/domain/issue.h"
#include "intake/domain/session.h"
#include "intake/http/admit.h"
#include "intake/http/handlers.h"
#include "intake/http/request.h"
#include "intake/http/session_cookie.h"

/* The token of the body, as long as `body` lives; NULL, and the reply set, when there is none. */
static const char *read_token(struct request *request, json_t **ret_body)
{
    struct err err = {0};
    AUTO(issues_finish) struct issues issues = {0};
    const char *token = NULL;
    enum status status =
        json_parse(request->body != NULL ? request->body : "", request->body_len, ret_body, &err);
    if (status == STATUS_OK) {
        status = session_read(*ret_body, &token, &issues, &err);
    }
    if (!issues_are_none(&issues)) {
        reply_issues(request, 422, "There is no token to sign in with.", &issues);
    } else if (status != STATUS_OK) {
        reply_failure(request, &err);
    }
    return token;
}

/* What the page shows of whoever is signed in. */
static void reply_caller(struct request *request, unsigned status)
{
    const struct staff_caller *caller = &request->caller;
    struct strbuf body = {0};
    strbuf_puts(&body, "{\"name\":");
    strbuf_json_string(&body, caller->name, strlen(caller->name));
    strbuf_printf(&body, ",\"role\":\"%s\",\"expires_at\":", role_name(caller->role));
    if (caller->expires_at_us != 0) {
        char text[RFC3339_SIZE];
        clock_rfc3339(caller->expires_at_us, text);
        strbuf_printf(&body, "\"%s\"}", text);
    } else {
        strbuf_puts(&body, "null}");
    }
    reply_json(request, status, &body);
}

enum handled handle_session_post(struct request *request, struct connection *connection)
{
    json_auto_t *body = NULL;
    const char *token = read_token(request, &body);
    if (token == NULL || !admit_sign_in(request, connection, token)) {
        return HANDLED_NOW;
    }
    struct err err = {0};
    char session[SESSION_SIZE];
    const struct audit_actor actor = request_actor(request);
    const enum status status =
        session_begin(connection, &actor, request->services->config->session.hours, session,
                      &request->caller.expires_at_us, &err);
    if (status != STATUS_OK) {
        reply_failure(request, &err);
        return HANDLED_NOW;
    }
    admit_remember(request, session);
    session_cookie_set(request, session);
    reply_caller(request, 201);
    return HANDLED_NOW;
}

enum handled handle_session_get(struct request *request, struct connection *connection)
{
    (void)connection;
    reply_caller(request, 200);
    return HANDLED_NOW;
}

enum handled handle_session_delete(struct request *request, struct connection *connection)
{
    if (*request->session == '\0') {
        reply_problem(request, 404, "There is no session: the request came with a token.");
        return HANDLED_NOW;
    }
    struct err err = {0};
    const struct audit_actor actor = request_actor(request);
    if (session_finish(connection, &actor, request->session, &err) != STATUS_OK) {
        reply_failure(request, &err);
        return HANDLED_NOW;
    }
    session_cookie_clear(request);
    reply_empty(request, 204);
    return HANDLED_NOW;
}
