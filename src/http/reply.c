/* The reply of a request. */
#include "intake/http/reply.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/log.h"
#include "intake/domain/issue.h"
#include "intake/http/request.h"
#include "intake/http/stream.h"

static const char problem_type[] = "application/problem+json";
static const char fhir_type[] = "application/fhir+json";

/* The problems that we send: `type` is urn:intake:problem: and the slug. */
static const struct problem {
    unsigned status;
    const char *slug;
    const char *title;
    const char *issue_type; /* FHIR R4 issue-type */
} problems[] = {
    {400, "bad-request", "Bad Request", "invalid"},
    {401, "unauthorized", "Unauthorized", "login"},
    {403, "forbidden", "Forbidden", "forbidden"},
    {404, "not-found", "Not Found", "not-found"},
    {405, "method-not-allowed", "Method Not Allowed", "not-supported"},
    {409, "conflict", "Conflict", "conflict"},
    {412, "precondition-failed", "Precondition Failed", "conflict"},
    {413, "content-too-large", "Content Too Large", "too-long"},
    {414, "uri-too-long", "URI Too Long", "too-long"},
    {415, "unsupported-media-type", "Unsupported Media Type", "not-supported"},
    {417, "expectation-failed", "Expectation Failed", "not-supported"},
    {422, "unprocessable-content", "Unprocessable Content", "processing"},
    {428, "precondition-required", "Precondition Required", "conflict"},
    {429, "too-many-requests", "Too Many Requests", "throttled"},
    {431, "header-fields-too-large", "Request Header Fields Too Large", "too-long"},
    {500, "internal-error", "Internal Server Error", "exception"},
    {503, "service-unavailable", "Service Unavailable", "transient"},
    {505, "http-version-not-supported", "HTTP Version Not Supported", "not-supported"},
};

static const struct problem *find_problem(unsigned status)
{
    static const struct problem other = {0, "error", "Error", "processing"};
    for (size_t i = 0; i < ARRAY_LENGTH(problems); i++) {
        if (problems[i].status == status) {
            return &problems[i];
        }
    }
    return &other;
}

const char *reply_status_title(unsigned status)
{
    return find_problem(status)->title;
}

void reply_finish(struct reply *reply)
{
    stream_destroy(reply->stream);
    free(reply->body);
    for (size_t i = 0; i < reply->headers_count; i++) {
        free(reply->headers[i].value);
    }
    *reply = (struct reply){0};
}

void reply_forget(struct reply *reply, size_t headers_kept)
{
    stream_destroy(TAKE(reply->stream));
    free(TAKE(reply->body));
    while (reply->headers_count > headers_kept) {
        reply->headers_count--;
        free(TAKE(reply->headers[reply->headers_count].value));
    }
    reply->body_len = 0;
    reply->status = 0;
    reply->cacheable = false;
}

void reply_body(struct request *request, unsigned status, const char *content_type,
                struct strbuf *body)
{
    struct reply *reply = &request->reply;
    stream_destroy(TAKE(reply->stream));
    free(reply->body);
    reply->shared = NULL;
    reply->status = status;
    reply->content_type = content_type;
    reply->body_len = body->len;
    reply->body = strbuf_take(body);
    if (reply->body == NULL) { /* no memory for a body: at least no wrong status */
        reply->status = status < 400 ? 503 : status;
        reply->body_len = 0;
        if (status < 400) {
            reply_header(request, "Retry-After", "2");
        }
    }
}

void reply_shared(struct request *request, unsigned status, const char *content_type,
                  struct view body)
{
    reply_empty(request, status);
    request->reply.content_type = content_type;
    request->reply.shared = body.data;
    request->reply.body_len = body.len;
}

void reply_json(struct request *request, unsigned status, struct strbuf *body)
{
    reply_body(request, status, "application/json", body);
}

void reply_fhir(struct request *request, unsigned status, struct strbuf *body)
{
    reply_body(request, status, fhir_type, body);
}

void reply_empty(struct request *request, unsigned status)
{
    struct reply *reply = &request->reply;
    stream_destroy(TAKE(reply->stream));
    free(TAKE(reply->body));
    reply->shared = NULL;
    reply->body_len = 0;
    reply->status = status;
}

void reply_header(struct request *request, const char *name, const char *format, ...)
{
    struct reply *reply = &request->reply;
    if (reply->headers_count == REPLY_HEADERS_MAX) {
        log_error("too many headers for a reply", LOG_TEXT("header", name));
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    char *value;
    const int len = vasprintf(&value, format, arguments);
    va_end(arguments);
    if (len < 0) { /* a packed body without Content-Encoding would be no body at all */
        reply->incomplete = true;
        return;
    }
    reply->headers[reply->headers_count++] = (struct reply_header){name, value};
}

/* Whether the request is for the FHIR interface, of which every answer is a resource; also before
 * its target was parsed, which is the last of what may be wrong with its headers. */
static bool is_fhir(const struct request *request)
{
    const struct target *target = &request->target;
    return target->segments_count > 0 ? text_equal(target->segments[0], "fhir")
                                      : text_starts_with(request->target_text, "/fhir/");
}

/* An OperationOutcome with the request's id, as far as there are no issues that say more. */
static void put_outcome(struct request *request, unsigned status, const char *detail,
                        const struct issues *issues)
{
    const struct problem *problem = find_problem(status);
    const char *text = detail != NULL ? detail : problem->title;
    struct strbuf body = {0};
    if (issues != NULL) {
        issues_print_operation_outcome(issues, &body);
    } else {
        strbuf_printf(&body,
                      "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":\"error\","
                      "\"code\":\"%s\",\"details\":{\"text\":",
                      problem->issue_type);
        strbuf_json_string(&body, text, strlen(text));
        strbuf_printf(&body, "},\"diagnostics\":\"request %s\"}]}", request->id);
    }
    reply_fhir(request, status, &body);
}

static void put_problem(struct request *request, unsigned status, const char *detail,
                        const struct issues *issues)
{
    if (is_fhir(request)) {
        put_outcome(request, status, detail, issues);
        return;
    }
    struct strbuf body = {0};
    strbuf_printf(&body, "{\"type\":\"urn:intake:problem:%s\",\"title\":\"%s\",\"status\":%u",
                  find_problem(status)->slug, reply_status_title(status), status);
    if (detail != NULL) {
        strbuf_puts(&body, ",\"detail\":");
        strbuf_json_string(&body, detail, strlen(detail));
    }
    strbuf_printf(&body, ",\"request_id\":\"%s\"", request->id);
    if (issues != NULL) {
        strbuf_puts(&body, ",\"errors\":");
        issues_print_errors(issues, &body);
    }
    strbuf_putc(&body, '}');
    reply_body(request, status, problem_type, &body);
}

void reply_problem(struct request *request, unsigned status, const char *detail)
{
    put_problem(request, status, detail, NULL);
}

void reply_issues(struct request *request, unsigned status, const char *detail,
                  const struct issues *issues)
{
    if (issues->failed) {
        const struct err err = {.status = STATUS_NO_MEMORY, .message = "no memory for the issues"};
        reply_failure(request, &err);
        return;
    }
    put_problem(request, status, detail, issues);
}

void reply_failure(struct request *request, const struct err *err)
{
    switch (err->status) {
    case STATUS_INVALID:
        reply_problem(request, 400, err->message);
        return;
    case STATUS_DENIED:
        reply_problem(request, 403, err->message);
        return;
    case STATUS_NOT_FOUND:
        reply_problem(request, 404, err->message);
        return;
    case STATUS_CONFLICT:
        reply_problem(request, 409, err->message);
        return;
    case STATUS_RETRY:
    case STATUS_UNAVAILABLE:
    case STATUS_UNKNOWN:
    case STATUS_NO_MEMORY:
        log_warning("request refused", LOG_TEXT("request_id", request->id),
                    LOG_TEXT("status", status_name(err->status)), LOG_TEXT("reason", err->message));
        reply_header(request, "Retry-After", "2");
        reply_problem(request, 503, "The service cannot do this at the moment; please try again.");
        return;
    case STATUS_OK:
    case STATUS_INTERNAL:
        break;
    }
    log_error("request failed", LOG_TEXT("request_id", request->id),
              LOG_TEXT("reason", err->message));
    reply_problem(request, 500, "The service failed; the log has the reason under the request id.");
}

/* All headers but Content-Length and Connection, in the order in which they are sent. */
enum { FIXED_HEADERS_MAX = 4, ALL_HEADERS_MAX = FIXED_HEADERS_MAX + REPLY_HEADERS_MAX };

struct header_view {
    const char *name;
    const char *value;
};

static size_t collect_headers(const struct request *request,
                              struct header_view ret_headers[ALL_HEADERS_MAX])
{
    const struct reply *reply = &request->reply;
    size_t count = 0;
    if (reply->body != NULL || reply->shared != NULL || reply->stream != NULL) {
        ret_headers[count++] = (struct header_view){"Content-Type", reply->content_type};
    }
    if (!reply->cacheable) {
        ret_headers[count++] = (struct header_view){"Cache-Control", "no-store"};
    }
    ret_headers[count++] = (struct header_view){"X-Content-Type-Options", "nosniff"};
    ret_headers[count++] = (struct header_view){"X-Request-Id", request->id};
    for (size_t i = 0; i < reply->headers_count; i++) {
        ret_headers[count++] =
            (struct header_view){reply->headers[i].name, reply->headers[i].value};
    }
    return count;
}

enum MHD_Result reply_queue(struct request *request)
{
    struct reply *reply = &request->reply;
    if (reply->incomplete) {
        return MHD_NO;
    }
    /* NOLINTBEGIN(performance-no-int-to-ptr): libmicrohttpd takes no const, and only reads it */
    struct MHD_Response *response =
        reply->stream != NULL ? stream_response(request)
        : reply->body != NULL
            ? MHD_create_response_from_buffer(reply->body_len, reply->body, MHD_RESPMEM_MUST_FREE)
            : MHD_create_response_from_buffer(reply->body_len, (void *)(uintptr_t)reply->shared,
                                              MHD_RESPMEM_PERSISTENT);
    /* NOLINTEND(performance-no-int-to-ptr): as above */
    if (response == NULL) {
        return MHD_NO;
    }
    struct header_view headers[ALL_HEADERS_MAX];
    const size_t count = collect_headers(request, headers);
    reply->body = NULL; /* the response frees it */
    enum MHD_Result result = MHD_YES;
    for (size_t i = 0; i < count && result == MHD_YES; i++) {
        result = MHD_add_response_header(response, headers[i].name, headers[i].value);
    }
    if (result == MHD_YES && reply->close) {
        result = MHD_add_response_header(response, "Connection", "close");
    }
    if (result == MHD_YES) {
        result = MHD_queue_response(request->connection, reply->status, response);
    }
    MHD_destroy_response(response);
    return result;
}

void reply_print(const struct request *request, struct strbuf *out)
{
    const struct reply *reply = &request->reply;
    struct header_view headers[ALL_HEADERS_MAX];
    const size_t count = collect_headers(request, headers);
    strbuf_printf(out, "HTTP/1.1 %u %s\r\n", reply->status, reply_status_title(reply->status));
    for (size_t i = 0; i < count; i++) {
        strbuf_printf(out, "%s: %s\r\n", headers[i].name, headers[i].value);
    }
    strbuf_printf(out, "Content-Length: %zu\r\nConnection: close\r\n\r\n", reply->body_len);
    const char *body = reply->body != NULL ? reply->body : reply->shared;
    strbuf_append(out, body != NULL ? body : "", reply->body_len);
}
