/* The request target (RFC 9112 section 3.2), taken apart and percent-decoded, strictly. */
#ifndef INTAKE_HTTP_TARGET_H
#define INTAKE_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>

enum { TARGET_SEGMENTS_MAX = 8, TARGET_QUERY_MAX = 24 };

struct target_query {
    const char *name;
    const char *value; /* "" where there is no "=" */
};

struct target {
    bool is_asterisk; /* `OPTIONS *`: the server, not a resource */
    /* The path between its slashes: /a/b%2Fc is "a", "b/c", and / is one empty segment. */
    const char *segments[TARGET_SEGMENTS_MAX];
    size_t segments_count; /* more than fit: TARGET_SEGMENTS_MAX + 1, which no route has */
    struct target_query query[TARGET_QUERY_MAX];
    size_t query_count;
};

/*
 * Takes `text` apart in place; `ret_target` points into it. False when it is no target: neither
 * `/path?query` nor an http URL nor `*`, a `%` without two hexadecimal digits, decoded text that
 * is not UTF-8 or holds a control character, more than TARGET_QUERY_MAX parameters.
 */
bool target_parse(char *text, struct target *ret_target);

/* The first parameter of that name, or NULL. */
const char *target_query(const struct target *target, const char *name);

#endif
