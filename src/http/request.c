/* One request, from its first line to the end of its response. */
#include "intake/http/request.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "intake/core/clock.h"
#include "intake/db/audit.h"

/* The first buffer for a body whose length is not announced. */
enum { CHUNKED_FIRST_BYTES = 4096 };

struct request *request_create(struct dispatch *dispatch, struct MHD_Connection *connection,
                               const char *target)
{
    const size_t target_len = strlen(target);
    struct request *request = calloc(1, sizeof *request + target_len + 1);
    if (request == NULL) {
        return NULL;
    }
    request->dispatch = dispatch;
    request->connection = connection;
    request->started_us = clock_monotonic_us();
    request->target_len = target_len;
    memcpy(request->target_text, target, target_len + 1);
    return request;
}

void request_destroy(struct request *request)
{
    if (request == NULL) {
        return;
    }
    if (request->attachment_destroy != NULL) {
        request->attachment_destroy(request->attachment);
    }
    free(request->body);
    reply_finish(&request->reply);
    free(request);
}

bool request_append_body(struct request *request, const char *data, size_t len, size_t limit)
{
    const size_t needed = request->body_len + len;
    if (needed > request->body_capacity) {
        size_t capacity = request->body_capacity * 2;
        if (capacity == 0) {
            capacity = request->headers.content_length > 0 ? (size_t)request->headers.content_length
                                                           : CHUNKED_FIRST_BYTES;
        }
        capacity = capacity > limit ? limit : capacity;
        capacity = capacity < needed ? needed : capacity;
        char *grown = realloc(request->body, capacity + 1);
        if (grown == NULL) {
            return false;
        }
        request->body = grown;
        request->body_capacity = capacity;
    }
    memcpy(request->body + request->body_len, data, len);
    request->body_len = needed;
    request->body[needed] = '\0';
    return true;
}

void request_attach(struct request *request, void *attachment, void (*destroy)(void *attachment))
{
    request->attachment = attachment;
    request->attachment_destroy = destroy;
}

struct audit_actor request_actor(const struct request *request)
{
    const bool has_token = *request->caller.token_id != '\0';
    const char *nameless = request->link_expires_s > 0 ? "link" : "public";
    return (struct audit_actor){
        .token_id = has_token ? request->caller.token_id : NULL,
        .name = has_token ? request->caller.name : nameless,
        .request_id = request->id,
        .client = *request->client_text != '\0' ? request->client_text : NULL,
        .reason = request->reason,
    };
}

const char *request_header(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *request_query(const struct request *request, const char *name)
{
    return target_query(&request->target, name);
}

bool request_reply_now(struct request *request)
{
    if (!deadline_enter(request->deadline, DEADLINE_LINGER)) {
        return false;
    }
    struct strbuf text = {0};
    reply_print(request, &text);
    if (!text.failed && !request->reply.incomplete) {
        const ssize_t sent =
            send(request->deadline->fd, text.data, text.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)sent; /* a client that does not read gets the end of the connection alone */
    }
    strbuf_finish(&text);
    (void)shutdown(request->deadline->fd, SHUT_WR);
    request->reply_bytes = request->reply.body_len;
    request->stage = REQUEST_REFUSED;
    return true;
}

void request_suspend(struct request *request)
{
    if (request->suspended) {
        return;
    }
    request->suspended = true;
    (void)deadline_enter(request->deadline, DEADLINE_NONE);
    MHD_suspend_connection(request->connection);
}

void request_complete(struct request *request)
{
    struct MHD_Connection *connection = request->connection;
    atomic_store_explicit(&request->completed, true, memory_order_release);
    MHD_resume_connection(connection);
}
