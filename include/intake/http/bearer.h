/* The header Authorization with a token (RFC 6750 section 2.1). */
#ifndef INTAKE_HTTP_BEARER_H
#define INTAKE_HTTP_BEARER_H

enum { BEARER_TOKEN_MAX = 512 }; /* characters */

/*
 * The token of `Bearer TOKEN`: a b64token of at most BEARER_TOKEN_MAX characters, which reaches to
 * the value's end; points into it. NULL where there is none, and for NULL. Pure.
 */
const char *bearer_token(const char *authorization);

#endif
