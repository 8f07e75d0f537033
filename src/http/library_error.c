/* What libmicrohttpd refuses by itself is answered by us. */
#include "intake/http/library_error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/log.h"
#include "intake/http/request.h"

/* The requests whose headers, or whose chunks, this thread is reading. */
static _Thread_local struct request *reading;

void library_error_watch(struct request *request)
{
    request->reading_previous = NULL;
    request->reading_next = reading;
    if (reading != NULL) {
        reading->reading_previous = request;
    }
    reading = request;
    request->is_reading = true;
}

void library_error_forget(struct request *request)
{
    if (!request->is_reading) {
        return;
    }
    request->is_reading = false;
    if (request->reading_previous != NULL) {
        request->reading_previous->reading_next = request->reading_next;
    } else {
        reading = request->reading_next;
    }
    if (request->reading_next != NULL) {
        request->reading_next->reading_previous = request->reading_previous;
    }
}

/* The status that the library is about to answer with; 0 when this is about something else. */
static unsigned status_of(const char *format, const char *text)
{
    static const char words[] = "HTTP response code is ";
    const char *found = strstr(format, words) != NULL ? strstr(text, words) : NULL;
    return found == NULL ? 0 : (unsigned)strtoul(found + sizeof words - 1, NULL, 10);
}

static const char *detail_of(unsigned status, bool in_body)
{
    switch (status) {
    case 413:
        return "The body is too large.";
    case 431:
        return "The headers are too large.";
    default:
        return in_body ? "The body's chunks cannot be understood."
                       : "The headers cannot be understood.";
    }
}

static bool has_info(const struct request *request, enum MHD_ConnectionInfoType type)
{
    return MHD_get_connection_info(request->connection, type) != NULL;
}

/* Between the end of its headers and our first call: of a thread's requests, one at most. */
static bool is_between(const struct request *request)
{
    return request->stage == REQUEST_NEW &&
           has_info(request, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE) &&
           !has_info(request, MHD_CONNECTION_INFO_HTTP_STATUS);
}

/* The request that is about to be refused; NULL where another connection's could be meant. */
static struct request *find_refused(unsigned status, const char *text)
{
    const bool in_body = status == 500 || strstr(text, "chunk") != NULL;
    struct request *found = NULL;
    size_t possible = 0;
    for (struct request *request = reading; request != NULL; request = request->reading_next) {
        if (is_between(request)) {
            return request;
        }
        if (request->stage != REQUEST_NEW || !in_body) {
            found = request;
            possible++;
        }
    }
    /* Any other status is also for first lines, whose requests have not begun. */
    if (possible != 1 || !(in_body || status == 431)) {
        return NULL;
    }
    const bool answered = found->stage != REQUEST_NEW && found->stage != REQUEST_BODY;
    return answered ? NULL : found;
}

/* Logs a message without its arguments, one of which can be the path, and that a booking's. */
static void log_unfilled(const char *format)
{
    char text[128];
    const size_t len = strcspn(format, "\n");
    const size_t kept = len < sizeof text ? len : sizeof text - 1;
    memcpy(text, format, kept);
    text[kept] = '\0';
    log_debug("libmicrohttpd", LOG_TEXT("text", text));
}

void library_error_log(void *context, const char *format, va_list arguments)
{
    (void)context;
    char text[256] = "";
    if (format != NULL) {
        log_unfilled(format);
        vsnprintf(text, sizeof text, format, arguments);
    }
    const unsigned status = format != NULL ? status_of(format, text) : 0;
    struct request *request = status >= 400 ? find_refused(status, text) : NULL;
    if (request == NULL) {
        return;
    }
    library_error_forget(request);
    const bool in_body = request->stage == REQUEST_BODY;
    if (request->reply.status == 0) {
        /* 500: the line of a chunk's size does not fit into its buffer. */
        reply_problem(request, status == 500 ? 400 : status, detail_of(status, in_body));
    }
    (void)request_reply_now(request);
}
