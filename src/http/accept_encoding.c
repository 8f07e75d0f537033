/* The header Accept-Encoding. */
#include "intake/http/accept_encoding.h"

#include <string.h>
#include <strings.h>

static const char blanks[] = " \t";

/* Whether the parameters of an item, which begin at its `;` if there are any, say `q=0`. */
static bool is_refused(const char *parameters, size_t len)
{
    const char *end = parameters + len;
    const char *at = memchr(parameters, '=', len);
    if (at == NULL) {
        return false;
    }
    for (at++; at < end; at++) {
        if (*at >= '1' && *at <= '9') {
            return false;
        }
    }
    return true; /* 0, 0.0, or no number */
}

bool accept_encoding_has_gzip(const char *value)
{
    bool star = false;
    for (const char *at = value; at != NULL && *at != '\0';) {
        at += strspn(at, ", \t");
        const size_t item = strcspn(at, ",");
        size_t name = strcspn(at, ",;");
        const bool refused = is_refused(at + name, item - name);
        while (name > 0 && strchr(blanks, at[name - 1]) != NULL) {
            name--;
        }
        if ((name == 4 && strncasecmp(at, "gzip", 4) == 0) ||
            (name == 6 && strncasecmp(at, "x-gzip", 6) == 0)) {
            return !refused;
        }
        star = star || (name == 1 && *at == '*' && !refused);
        at += item;
    }
    return star;
}
