/* Whether a request is let in, decided from its headers alone. */
#include "intake/http/admit.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/db/audit.h"
#include "intake/domain/issue.h"
#include "intake/http/bearer.h"
#include "intake/http/booking_link.h"
#include "intake/http/cors.h"
#include "intake/http/dispatch.h"
#include "intake/http/session_cookie.h"

enum { DETAIL_SIZE = 96 };

/* Space for a copy of the method; longer ones are known to no route. */
static void keep_method(struct request *request, const char *method)
{
    const size_t len = strnlen(method, sizeof request->method - 1);
    memcpy(request->method, method, len);
}

static bool check_rate(struct request *request)
{
    if (request->route != NULL && request->route->unlimited) {
        return true;
    }
    const long wait_seconds =
        rate_limit_take(request->dispatch->rate_limit, &request->client, clock_monotonic_us());
    if (wait_seconds == 0) {
        return true;
    }
    reply_header(request, "Retry-After", "%ld", wait_seconds);
    reply_problem(request, 429, "There were too many requests from this address.");
    return false;
}

/* 404, 405, and what OPTIONS says. */
static bool check_method(struct request *request, const char *method, bool method_allowed,
                         bool origin_allowed)
{
    const struct route *route = request->route;
    const bool asks_options = strcmp(method, "OPTIONS") == 0;
    if (route == NULL && !(asks_options && request->target.is_asterisk)) {
        reply_problem(request, 404, "There is nothing at this address.");
        return false;
    }
    if (method_allowed) {
        return true;
    }
    struct strbuf methods = {0};
    route_print_methods(request->dispatch->table, route != NULL ? route->path : NULL, &methods);
    const char *allowed = methods.failed ? "" : methods.data;
    reply_header(request, "Allow", "%s", allowed);
    if (asks_options) {
        if (origin_allowed) {
            cors_allow_preflight(request, allowed);
        }
        reply_empty(request, 204);
    } else {
        reply_problem(request, 405, "This address does not know that method.");
    }
    strbuf_finish(&methods);
    return false;
}

/* Whether wrong guesses from this address keep it waiting; the reply is set then. */
static bool must_wait(struct request *request, const char *guess)
{
    const long wait_seconds = guess_limit_wait_s(request->dispatch->guess_limit, &request->client,
                                                 guess, clock_monotonic_us());
    if (wait_seconds > 0) {
        reply_header(request, "Retry-After", "%ld", wait_seconds);
        reply_problem(request, 429, "There were too many wrong tokens from this address.");
    }
    return wait_seconds > 0;
}

static void count_failure(struct request *request, const char *guess)
{
    guess_limit_failed(request->dispatch->guess_limit, &request->client, guess,
                       clock_monotonic_us());
}

/* The cookie that cannot be or is not a session any more; the browser is told to forget it. */
static void reply_no_session(struct request *request)
{
    session_cookie_clear(request);
    reply_header(request, "WWW-Authenticate", "Bearer realm=\"intake\"");
    reply_problem(request, 401, "The session is not known, or has ended: sign in again.");
}

static void reply_other_origin(struct request *request)
{
    reply_problem(request, 403, "This must come from a page of this very host.");
}

/* A cookie is sent by a browser whoever made the request: so one that changes must be ours. */
static bool check_session(struct request *request)
{
    const struct wire_headers *headers = &request->headers;
    const struct view cookie = headers->session_cookie;
    const bool is_one =
        headers->session_cookies == 1 && session_is_well_formed(cookie.data, cookie.len);
    if (is_one) {
        memcpy(request->session, cookie.data, cookie.len);
    }
    if (must_wait(request, is_one ? request->session : NULL)) {
        return false;
    }
    if (!is_one) {
        count_failure(request, "");
        reply_no_session(request);
        return false;
    }
    const bool only_reads = text_equal(request->route->method, "GET");
    if (!only_reads && !session_cookie_is_same_origin(request)) {
        reply_other_origin(request);
        return false;
    }
    return true;
}

static bool check_token(struct request *request)
{
    if (!route_is_guarded(request->route, request->services->config)) {
        return true;
    }
    const struct view authorization = request->headers.authorization;
    if (authorization.data == NULL && request->headers.session_cookies > 0) {
        return check_session(request);
    }
    const char *token = bearer_token(authorization.data);
    if (authorization.len > 0 && must_wait(request, token)) {
        return false;
    }
    request->token = token;
    if (token == NULL) {
        if (authorization.len > 0) {
            count_failure(request, "");
        }
        reply_header(request, "WWW-Authenticate", "Bearer realm=\"intake\"");
        reply_problem(request, 401, "This needs a token: Authorization: Bearer TOKEN.");
        return false;
    }
    return true;
}

static bool check_link(struct request *request)
{
    return !request->route->linked || booking_link_admits(request, request->params[0]);
}

/* Why this is done, for the audit row. */
static bool check_reason(struct request *request)
{
    if (!request_has_credential(request) && request->route->runs != ROUTE_DATABASE) {
        return true;
    }
    const char *reason = request_header(request, "X-Intake-Reason");
    const size_t len = reason != NULL ? strlen(reason) : 0;
    if (len == 0 || text_is_blank(reason, len)) {
        return true;
    }
    if (!audit_reason_fits(reason)) {
        char detail[DETAIL_SIZE];
        snprintf(detail, sizeof detail, "X-Intake-Reason must be at most %d characters in UTF-8.",
                 AUDIT_REASON_MAX);
        reply_problem(request, 400, detail);
        return false;
    }
    request->reason = reason;
    return true;
}

static bool check_content(struct request *request)
{
    if (!route_takes_type(request->route, request->headers.content_type)) {
        char detail[DETAIL_SIZE];
        snprintf(detail, sizeof detail, "The body must be %s.", request->route->body_types[0]);
        reply_problem(request, 415, detail);
        return false;
    }
    if (request->headers.content_length > (int64_t)admit_body_limit(request)) {
        reply_problem(request, 413, "The body is too large.");
        return false;
    }
    return true;
}

static bool check_query(struct request *request)
{
    const char *const *known = request->route->query;
    const struct target *target = &request->target;
    if (known == NULL) {
        return true;
    }
    struct issues issues = {0};
    for (size_t i = 0; i < target->query_count; i++) {
        AUTO(strbuf_finish) struct strbuf path = {0};
        strbuf_printf(&path, "http.%s", target->query[i].name);
        issues.failed |= path.failed;
        const char *name = target->query[i].name;
        size_t k = 0;
        while (known[k] != NULL && strcmp(known[k], name) != 0) {
            k++;
        }
        if (known[k] == NULL) {
            issues_add(&issues, "unknownParameter", name, path.data, "There is no such parameter.");
        } else if (target_query(target, name) != target->query[i].value) {
            issues_add(&issues, "maxCount", name, path.data, "This parameter is there twice.");
        }
    }
    const bool fine = issues_are_none(&issues);
    if (!fine) {
        reply_issues(request, 400, "The query is not understood.", &issues);
    }
    issues_finish(&issues);
    return fine;
}

/* What depends on settings that reload; whether the Origin, if any, is allowed. */
static bool apply_settings(struct request *request, const struct client_address *peer)
{
    struct dispatch *dispatch = request->dispatch;
    pthread_rwlock_rdlock(&dispatch->settings_lock);
    request->client =
        client_address_forwarded(&dispatch->settings.trusted_proxies, peer,
                                 request->headers.forwarded_for, request->headers.forwarded_count);
    const bool origin_allowed = cors_allow(request, &dispatch->settings);
    pthread_rwlock_unlock(&dispatch->settings_lock);
    client_address_print(&request->client, request->client_text);
    return origin_allowed;
}

void admit(struct request *request, const char *method, const char *version,
           const struct client_address *peer)
{
    keep_method(request, method);
    const char *fault = NULL;
    const enum wire_verdict verdict = wire_check(request->connection, method, request->target_len,
                                                 version, &request->headers, &fault);
    if (verdict != WIRE_PLAIN) {
        request->reply.close = true;
        reply_problem(request, verdict == WIRE_EXPECTATION ? 417 : 400, fault);
        return;
    }
    if (!target_parse(request->target_text, &request->target)) {
        request->reply.close = true;
        reply_problem(request, 400, "The request target is not an address.");
        return;
    }
    const struct route_match match = route_find(request->dispatch->table, method, &request->target);
    request->route = match.route;
    memcpy(request->params, match.params, sizeof request->params);
    const bool origin_allowed = apply_settings(request, peer);
    (void)(check_rate(request) &&
           check_method(request, method, match.method_allowed, origin_allowed) &&
           check_token(request) && check_reason(request) && check_link(request) &&
           check_query(request) && check_content(request));
}

size_t admit_body_limit(const struct request *request)
{
    const bool takes_body = request->route != NULL && request->route->takes_body;
    return takes_body ? (size_t)request->services->config->http.body_max_bytes : 0;
}

void admit_remember(struct request *request, const char *guess)
{
    guess_limit_succeeded(request->dispatch->guess_limit, &request->client, guess,
                          clock_monotonic_us());
}

/* What came of looking for a caller; false: the reply is set. */
static bool take_verdict(struct request *request, enum status status, const char *guess,
                         bool was_known, const struct err *err)
{
    if (status == STATUS_DENIED) {
        if (!was_known) {
            count_failure(request, guess);
        }
        return false;
    }
    if (status != STATUS_OK) {
        reply_failure(request, err);
        return false;
    }
    admit_remember(request, guess);
    return true;
}

/* Whether this keeps an idle session from ending: not what a page asks with nobody there. */
static bool is_use(const struct request *request)
{
    return !request->route->passive && request_header(request, "X-Intake-Unattended") == NULL;
}

static bool find_by_session(struct request *request, struct connection *connection)
{
    struct err err = {0};
    bool was_known = false;
    const enum status status = session_authenticate(
        connection, request->session, request->services->config->session.idle_minutes,
        is_use(request), &request->caller, &was_known, &err);
    const bool found = take_verdict(request, status, request->session, was_known, &err);
    if (status == STATUS_DENIED) {
        reply_no_session(request);
    }
    return found;
}

static bool find_by_token(struct request *request, struct connection *connection, const char *token)
{
    struct err err = {0};
    const enum status status = staff_authenticate(connection, token, &request->caller, &err);
    const bool found = take_verdict(request, status, token, false, &err);
    if (status == STATUS_DENIED) {
        reply_header(request, "WWW-Authenticate",
                     "Bearer realm=\"intake\", error=\"invalid_token\"");
        reply_problem(request, 401, "The token is not known, or has ended.");
    }
    return found;
}

static bool check_role(struct request *request, unsigned roles)
{
    if ((roles & (unsigned)request->caller.role) != 0) {
        return true;
    }
    reply_header(request, "WWW-Authenticate",
                 "Bearer realm=\"intake\", error=\"insufficient_scope\"");
    reply_problem(request, 403, "The token's role may not do this.");
    return false;
}

bool admit_caller(struct request *request, struct connection *connection)
{
    const bool found = request->token != NULL ? find_by_token(request, connection, request->token)
                                              : find_by_session(request, connection);
    return found && check_role(request, request->route->roles);
}

/* How long that takes tells nothing of the other's token but its length. */
static bool has_token_of(const struct request *request, const struct request *earlier)
{
    const size_t len = request->token != NULL ? strlen(request->token) : 0;
    return len > 0 && earlier->token != NULL && strlen(earlier->token) == len &&
           sodium_memcmp(request->token, earlier->token, len) == 0;
}

bool admit_caller_after(struct request *request, const struct request *earlier,
                        struct connection *connection)
{
    /* The caller is set when the token was found, whether or not its role sufficed. */
    if (earlier == NULL || earlier->caller.role == 0 || !has_token_of(request, earlier)) {
        return admit_caller(request, connection);
    }
    request->caller = earlier->caller;
    admit_remember(request, request->token);
    return check_role(request, request->route->roles);
}

bool admit_sign_in(struct request *request, struct connection *connection, const char *token)
{
    if (request->headers.origin.data != NULL && !session_cookie_is_same_origin(request)) {
        reply_other_origin(request);
        return false;
    }
    return !must_wait(request, token) && find_by_token(request, connection, token) &&
           check_role(request, SESSION_ROLES);
}
