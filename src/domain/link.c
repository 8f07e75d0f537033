/* The link to a booking's questionnaire. */
#include "intake/domain/link.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
    MAC_TEXT_SIZE = 44, /* 32 bytes in base64url without padding, and the NUL */
    EXPIRY_DIGITS_MAX = 18,
};

_Static_assert(sodium_base64_ENCODED_LEN(crypto_auth_hmacsha256_BYTES,
                                         sodium_base64_VARIANT_URLSAFE_NO_PADDING) == MAC_TEXT_SIZE,
               "the text of a MAC fits");

enum status link_check_settings(const char *secret, const char *base_url, bool required,
                                struct err *err)
{
    const size_t len = secret != NULL ? utf8_length(secret, strlen(secret)) : 0;
    if (len == 0 && required) {
        return err_set(err, STATUS_INVALID,
                       "[link] secret: there is none, and links are to be made or demanded");
    }
    if (len > 0 && len < LINK_SECRET_MIN) {
        return err_set(err, STATUS_INVALID, "[link] secret: it must have at least %d characters",
                       LINK_SECRET_MIN);
    }
    if (!text_starts_with(base_url, "https://") && !text_starts_with(base_url, "http://")) {
        return err_set(err, STATUS_INVALID,
                       "[link] base_url: \"%s\" is not an address such as https://www.example.org",
                       base_url);
    }
    return STATUS_OK;
}

static void update(crypto_auth_hmacsha256_state *state, const char *text)
{
    crypto_auth_hmacsha256_update(state, (const unsigned char *)text, strlen(text));
}

void link_print_token(const char *secret, const char *booking_uid, int64_t expires_s,
                      char ret_token[static LINK_TOKEN_SIZE])
{
    char expiry[24];
    const int len = snprintf(expiry, sizeof expiry, "%" PRId64, expires_s);
    crypto_auth_hmacsha256_state state;
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret, strlen(secret));
    update(&state, "intake link\n");
    update(&state, expiry);
    update(&state, "\n");
    update(&state, booking_uid); /* last, so that no other split reads the same */
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_memzero(&state, sizeof state);
    memcpy(ret_token, expiry, (size_t)len);
    ret_token[len] = '.';
    sodium_bin2base64(ret_token + len + 1, MAC_TEXT_SIZE, mac, sizeof mac,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

enum status link_check_token(const char *secret, const char *booking_uid, const char *token,
                             int64_t now_s, int64_t *ret_expires_s, struct err *err)
{
    static const char denied[] = "This link does not belong to this booking.";
    char expiry[EXPIRY_DIGITS_MAX + 1] = {0};
    const size_t digits = strspn(token, "0123456789");
    long expires_s = 0;
    if (digits == 0 || digits > EXPIRY_DIGITS_MAX) {
        return err_set(err, STATUS_DENIED, denied);
    }
    memcpy(expiry, token, digits);
    (void)text_to_long(expiry, 0, INT64_MAX, &expires_s);
    char expected[LINK_TOKEN_SIZE];
    link_print_token(secret, booking_uid, expires_s, expected);
    const size_t len = strlen(expected);
    if (strlen(token) != len || sodium_memcmp(token, expected, len) != 0) {
        return err_set(err, STATUS_DENIED, denied);
    }
    if (expires_s <= now_s) { /* only the holder of a link that was good learns this */
        return err_set(err, STATUS_DENIED, "This link has expired; please ask for a new one.");
    }
    *ret_expires_s = expires_s;
    return STATUS_OK;
}

void link_print(const char *base_url, const char *booking_uid, const char *token,
                struct strbuf *out)
{
    size_t len = strlen(base_url);
    while (len > 0 && base_url[len - 1] == '/') {
        len--;
    }
    strbuf_append(out, base_url, len);
    strbuf_printf(out, "/q/%s?t=%s", booking_uid, token);
}
