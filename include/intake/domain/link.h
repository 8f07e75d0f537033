/*
 * The link to a booking's questionnaire: whoever holds it may write and read the booking's draft,
 * and submit where the configuration demands it. Its token is `<expiry>.<mac>`: the expiry in
 * seconds since 1970, and the base64url of the HMAC-SHA256 (RFC 2104) of booking and expiry under
 * the service's secret. Nothing is stored: whether a token is good does not depend on whether the
 * booking exists. All of it is pure; any thread.
 */
#ifndef INTAKE_DOMAIN_LINK_H
#define INTAKE_DOMAIN_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "intake/core/err.h"
#include "intake/core/text.h"

enum {
    LINK_SECRET_MIN = 32, /* characters */
    LINK_TOKEN_SIZE = 64, /* 19 digits, ".", 43 characters, NUL */
};

/*
 * STATUS_INVALID when the secret is too short (NULL and "" are none, which is fine unless links
 * are `required`: made or demanded), or the base URL is none. The message does not quote the
 * secret.
 */
enum status link_check_settings(const char *secret, const char *base_url, bool required,
                                struct err *err);

/* Prints the token of a booking that is valid until `expires_s`, which is not negative. */
void link_print_token(const char *secret, const char *booking_uid, int64_t expires_s,
                      char ret_token[static LINK_TOKEN_SIZE]);

/*
 * Whether `token` is that of this booking and not over at `now_s`, and when it will be, in seconds
 * since 1970. STATUS_DENIED otherwise, with a sentence for the caller; how long that takes tells
 * nothing about the secret.
 */
enum status link_check_token(const char *secret, const char *booking_uid, const char *token,
                             int64_t now_s, int64_t *ret_expires_s, struct err *err);

/* Appends the link as the booking's mail carries it: `<base_url>/q/<booking_uid>?t=<token>`. */
void link_print(const char *base_url, const char *booking_uid, const char *token,
                struct strbuf *out);

#endif
