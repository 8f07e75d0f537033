/* Entity tags. */
#include "intake/http/etag.h"

#include <string.h>

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

static bool is_same(struct view tag, const char *etag, enum etag_comparison comparison)
{
    const char *mine = skip_weak(etag);
    const char *opaque = skip_weak(tag.data);
    if (comparison == ETAG_STRONG && (mine != etag || opaque != tag.data)) {
        return false;
    }
    const size_t len = (size_t)(tag.data + tag.len - opaque);
    return strlen(mine) == len && memcmp(mine, opaque, len) == 0;
}

struct view etag_list_next(const char **at)
{
    const char *tag = *at + strspn(*at, " \t,");
    const char *end = *tag == '\0' ? NULL : end_of_tag(tag);
    if (end == NULL) {
        return (struct view){0};
    }
    *at = end;
    return (struct view){tag, (size_t)(end - tag)};
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
    const char *at = list;
    struct view tag = etag_list_next(&at);
    while (tag.data != NULL && !is_same(tag, etag, comparison)) {
        tag = etag_list_next(&at);
    }
    return tag.data != NULL;
}
