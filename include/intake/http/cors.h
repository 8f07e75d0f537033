/* Cross-origin requests from browsers (the Fetch standard, "HTTP extensions": CORS). */
#ifndef INTAKE_HTTP_CORS_H
#define INTAKE_HTTP_CORS_H

#include "intake/http/request.h"
#include "intake/http/settings.h"

/* Adds what lets a page of an allowed origin read the reply; whether the origin is allowed. */
bool cors_allow(struct request *request, const struct http_settings *settings);

/* Adds the answer to a preflight, when this OPTIONS is one; its origin is allowed. */
void cors_allow_preflight(struct request *request, const char *methods);

#endif
