/*
 * A reply's body that is made while it is sent, piece by piece, with one piece in memory at a time.
 *
 * The connection is suspended first, and then more is asked for; whoever makes it hands it over
 * with stream_deliver(). Each piece has the deadline of a whole response: a client that reads
 * slowly must get on, and one that has stopped ends the stream. A stream that breaks ends without
 * the end of its chunked body (RFC 9112 section 7.1), so that nobody takes a part for the whole.
 */
#ifndef INTAKE_HTTP_STREAM_H
#define INTAKE_HTTP_STREAM_H

#include <stdbool.h>

#include "intake/core/text.h"

struct MHD_Response;
struct request;
struct stream;

enum stream_state {
    STREAM_GOES_ON, /* more is asked for once this piece was sent */
    STREAM_ENDS,    /* this was the last piece */
    STREAM_BREAKS,  /* something failed; the piece is not sent any more */
};

/*
 * Sets the reply: its headers, and a body that `want` is asked for. `want` is called on the
 * connection's thread and must not wait; from then on the request belongs to whoever works on it,
 * until stream_deliver(). Nothing is asked for when the request is a HEAD, or the client has gone.
 * False, and the reply is 503, when there are http.streams_max of them already.
 */
bool reply_stream(struct request *request, unsigned status, const char *content_type,
                  void (*want)(struct request *request));

/*
 * Hands over the next piece (reset; empty is fine), exactly once for each `want`. Any thread; the
 * caller must not touch the request afterwards.
 */
void stream_deliver(struct request *request, struct strbuf *piece, enum stream_state state);

/* For reply.c: the response that libmicrohttpd sends, and the end of the reply. */
struct MHD_Response *stream_response(struct request *request);
void stream_destroy(struct stream *stream);

#endif
