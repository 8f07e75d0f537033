/*
 * What libmicrohttpd 0.9.75 lets through although it is not plain HTTP/1.1 (RFC 9112), and what
 * requests are smuggled with: looked for once, in the first call for a request.
 *
 * Most of it is visible in the headers as they are handed over. What is not (a NUL that cuts a
 * value, folded lines, a header without a name, lines that end in LF alone) is found by their
 * place: each part of a plain header lies right behind the part before it, and the end behind the
 * last. What is not found, since the library makes a NUL of each byte that ends a line:
 *
 * - a header line that ends in NUL LF instead of CR LF;
 * - four other bytes than CR LF CR LF at the end, if they are NUL, CR and LF and the library takes
 *   them for it (such as LF NUL CR LF), or with a ':' that begins the last line, which it takes for
 *   an empty one (such as CR LF ':' LF);
 * - lines before the first that begin with a NUL: it skips them as if they were empty;
 * - a malformed trailer (such as one whose first line begins with white space, or with a ':'): the
 *   library refuses it, or overlooks it, as its pieces come. Nobody reads trailers, and after a
 *   body in chunks a connection ends.
 */
#ifndef INTAKE_HTTP_WIRE_H
#define INTAKE_HTTP_WIRE_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "intake/core/text.h"

enum { WIRE_FORWARDED_MAX = 8 };

/* The headers that the server itself reads; they live as long as the request. */
struct wire_headers {
    int64_t content_length; /* -1: none */
    bool chunked;
    bool expects_continue;
    struct view authorization;
    struct view content_type;
    struct view origin;
    struct view host;
    struct view cors_method;
    struct view session_cookie;                    /* the first of the cookies of that name */
    size_t session_cookies;                        /* how many there are */
    struct view forwarded_for[WIRE_FORWARDED_MAX]; /* the last ones of more */
    size_t forwarded_count;
};

/* Whether a body follows the headers. */
static inline bool wire_has_body(const struct wire_headers *headers)
{
    return headers->chunked || headers->content_length > 0;
}

/*
 * Keeps the library from parsing cookies, whose headers have not come yet: it parses the first
 * Cookie header, and this is an empty one. 0.9.75 copies all of it and makes a record of each
 * cookie in the memory that is for headers, so that a few kilobytes of somebody else's cookies, or
 * a single quote, were 431 for people who only ever came to answer. We read the header ourselves.
 */
void wire_hide_cookies(struct MHD_Connection *connection);

enum wire_verdict {
    WIRE_PLAIN,
    WIRE_MALFORMED,   /* 400, and the connection is not to be believed any further */
    WIRE_EXPECTATION, /* 417: an Expect that nobody knows */
};

/*
 * Checks the method and all headers. `target_len`: bytes of the request target as it came.
 * `ret_fault` is a sentence without anything of the request, when the verdict is not plain.
 */
enum wire_verdict wire_check(struct MHD_Connection *connection, const char *method,
                             size_t target_len, const char *version,
                             struct wire_headers *ret_headers, const char **ret_fault);

/* Whether all of it is a token (RFC 9110 section 5.6.2): methods and names of headers. */
bool wire_is_token(const char *text, size_t len);

/* Whether a header's value has no control character but the tab (RFC 9110 section 5.5). */
bool wire_is_value(const char *text, size_t len);

#endif
