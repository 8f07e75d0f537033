/* Entity tags (RFC 9110 section 8.8.3) and the headers that name them. */
#ifndef INTAKE_HTTP_ETAG_H
#define INTAKE_HTTP_ETAG_H

#include <stdbool.h>

#include "intake/core/text.h"

enum etag_comparison {
    ETAG_WEAK,   /* If-None-Match: `W/` does not count */
    ETAG_STRONG, /* If-Match: a weak tag never matches */
};

/*
 * Whether `list`, the value of If-Match or If-None-Match (NULL: no such header), is `*` or names
 * `etag`, which is given with its quotes. What is no list of tags matches nothing.
 */
bool etag_list_has(const char *list, const char *etag, enum etag_comparison comparison);

/*
 * The next tag of the list at `*at`, with its quotes and any `W/`, and moves `*at` behind it. NULL
 * data at the end, and where it is no list of tags.
 */
struct view etag_list_next(const char **at);

#endif
