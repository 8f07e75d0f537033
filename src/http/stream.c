/* A reply's body that is made while it is sent. */
#include "intake/http/stream.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/config.h"
#include "intake/core/log.h"
#include "intake/http/dispatch.h"
#include "intake/http/request.h"

struct stream {
    _Atomic size_t *count; /* of all streams */
    void (*want)(struct request *request);
    struct strbuf piece;
    size_t sent;                     /* of the piece */
    _Atomic enum stream_state state; /* publishes the piece to the connection's thread */
};

bool reply_stream(struct request *request, unsigned status, const char *content_type,
                  void (*want)(struct request *request))
{
    _Atomic size_t *count = &request->dispatch->streams;
    const size_t max = (size_t)request->services->config->http.streams_max;
    struct err err = {.status = STATUS_UNAVAILABLE, .message = "too many streams at once"};
    struct stream *stream = NULL;
    if (atomic_fetch_add(count, 1) < max) {
        stream = calloc(1, sizeof *stream);
        err = (struct err){.status = STATUS_NO_MEMORY, .message = "no memory for a stream"};
    }
    if (stream == NULL) {
        atomic_fetch_sub(count, 1);
        reply_failure(request, &err);
        return false;
    }
    stream->count = count;
    stream->want = want;
    atomic_init(&stream->state, STREAM_GOES_ON);
    reply_empty(request, status);
    request->reply.content_type = content_type;
    request->reply.stream = stream;
    return true;
}

void stream_destroy(struct stream *stream)
{
    if (stream != NULL) {
        atomic_fetch_sub(stream->count, 1);
        strbuf_finish(&stream->piece);
        free(stream);
    }
}

/* The next bytes of the body; libmicrohttpd's MHD_ContentReaderCallback. */
static ssize_t read_stream(void *context, uint64_t position, char *buffer, size_t max)
{
    (void)position;
    struct request *request = context;
    struct stream *stream = request->reply.stream;
    const enum stream_state state = atomic_load_explicit(&stream->state, memory_order_acquire);
    if (state == STREAM_BREAKS) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    size_t len = stream->piece.len - stream->sent;
    if (len > 0) {
        if (stream->sent == 0 && !deadline_enter(request->deadline, DEADLINE_RESPONSE)) {
            return MHD_CONTENT_READER_END_WITH_ERROR;
        }
        len = len < max ? len : max;
        memcpy(buffer, stream->piece.data + stream->sent, len);
        stream->sent += len;
        request->reply_bytes += len;
        return (ssize_t)len;
    }
    if (state == STREAM_ENDS) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (!deadline_enter(request->deadline, DEADLINE_NONE)) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    strbuf_clear(&stream->piece);
    stream->sent = 0;
    MHD_suspend_connection(request->connection);
    stream->want(request);
    return 0;
}

void stream_deliver(struct request *request, struct strbuf *piece, enum stream_state state)
{
    struct stream *stream = request->reply.stream;
    struct MHD_Connection *connection = request->connection;
    strbuf_finish(&stream->piece);
    stream->piece = *piece;
    *piece = (struct strbuf){0};
    const bool broken = stream->piece.failed;
    if (broken) {
        log_error("no memory for a piece of a stream", LOG_TEXT("request_id", request->id));
    }
    atomic_store_explicit(&stream->state, broken ? STREAM_BREAKS : state, memory_order_release);
    MHD_resume_connection(connection);
}

struct MHD_Response *stream_response(struct request *request)
{
    enum { BLOCK_BYTES = 16 * 1024 };
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream, request,
                                             NULL);
}
