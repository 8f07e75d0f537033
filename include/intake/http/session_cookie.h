/*
 * The cookie of the staff page, `intake_session`: read by admit.c where a request has no
 * Authorization, set and cleared here. It is HttpOnly and SameSite=Strict, and Secure unless the
 * page was asked for at a loopback address, where there is no TLS.
 */
#ifndef INTAKE_HTTP_SESSION_COOKIE_H
#define INTAKE_HTTP_SESSION_COOKIE_H

#include <stdbool.h>
#include <stddef.h>

#include "intake/core/text.h"

struct request;

#define SESSION_COOKIE "intake_session"

void session_cookie_set(struct request *request, const char *session);
void session_cookie_clear(struct request *request);

/*
 * Whether the request was made by a page of this very host: its Origin is `Host`, or, without an
 * Origin, the browser says Sec-Fetch-Site: same-origin. The name and port alone are compared,
 * because who ends the TLS is not known here.
 */
bool session_cookie_is_same_origin(const struct request *request);

/*
 * How many cookies of that name a Cookie header (RFC 6265 section 4.2.1) holds; `first` becomes the
 * value of the first one unless it is one already, and points into the header. Pure.
 */
size_t session_cookie_find(struct view header, struct view *first);

/* Whether a page of `origin` is one of `host`. Pure. */
bool session_cookie_origin_fits(struct view origin, struct view host);

/* Whether `host` (`localhost:8080`, `127.0.0.1`, `[::1]`) is this very machine. Pure. */
bool session_cookie_host_is_loopback(struct view host);

#endif
