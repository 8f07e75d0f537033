/* The header Authorization with a token. */
#include "intake/http/bearer.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

const char *bearer_token(const char *authorization)
{
    static const char scheme[] = "Bearer ";
    static const char characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-._~+/";
    const size_t scheme_len = sizeof scheme - 1;
    if (authorization == NULL || strncasecmp(authorization, scheme, scheme_len) != 0) {
        return NULL;
    }
    const char *token = authorization + scheme_len;
    token += strspn(token, " ");
    const size_t unpadded = strspn(token, characters);
    const size_t len = unpadded + strspn(token + unpadded, "=");
    return unpadded > 0 && len <= BEARER_TOKEN_MAX && token[len] == '\0' ? token : NULL;
}
