/* Entity tags. */
#include "intake/http/etag.h"

#include <string.h>

#include "intake/core/text.h"

static const char *skip_weak(const char *tag)
{
    return text_starts_with(tag, "W/") ? tag + 2 : tag;
}

/* The character behind the tag at `at`, or NULL when there is none (RFC 9110 section 8.8.3). */
static const char *end_of_tag(const char *at)
{
    at = skip_weak(at);
    if (*at != '"') {
        return NULL;
    }
    const char *close = strchr(at + 1, '"');
    return close == NULL ? NULL : close + 1;
}

static bool is_same(const char *tag, const char *end, const char *etag,
                    enum etag_comparison comparison)
{
    const char *mine = skip_weak(etag);
    const char *opaque = skip_weak(tag);
    if (comparison == ETAG_STRONG && (mine != etag || opaque != tag)) {
        return false;
    }
    const size_t len = (size_t)(end - opaque);
    return strlen(mine) == len && memcmp(mine, opaque, len) == 0;
}

bool etag_list_has(const char *list, const char *etag, enum etag_comparison comparison)
{
    if (list == NULL) {
        return false;
    }
    const struct view all = text_trim(list, strlen(list));
    if (all.len == 1 && *all.data == '*') {
        return true;
    }
    for (const char *at = list + strspn(list, " \t,"); *at != '\0'; at += strspn(at, " \t,")) {
        const char *end = end_of_tag(at);
        if (end == NULL) {
            return false;
        }
        if (is_same(at, end, etag, comparison)) {
            return true;
        }
        at = end;
    }
    return false;
}
