/* Which row of the route table a request gets. */
#include "intake/http/route.h"

#include <string.h>
#include <strings.h>

static bool path_fits(const char *pattern, const struct target *target, const char **params)
{
    size_t params_count = 0;
    size_t segment = 0;
    for (const char *at = pattern; *at == '/'; segment++) {
        at++;
        const size_t len = strcspn(at, "/");
        if (segment >= target->segments_count) {
            return false;
        }
        const char *text = target->segments[segment];
        if (*at == '{') {
            if (*text == '\0' || params_count == ROUTE_PARAMS_MAX) {
                return false;
            }
            params[params_count++] = text;
        } else if (strncmp(text, at, len) != 0 || text[len] != '\0') {
            return false;
        }
        at += len;
    }
    return segment == target->segments_count;
}

static bool method_fits(const char *row_method, const char *method)
{
    return strcmp(row_method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(row_method, "GET") == 0);
}

struct route_match route_find(const struct route_table *table, const char *method,
                              const struct target *target)
{
    struct route_match match = {0};
    if (target->is_asterisk || target->segments_count > TARGET_SEGMENTS_MAX) {
        return match;
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct route *row = &table->rows[i];
        const char *params[ROUTE_PARAMS_MAX] = {0};
        if (!path_fits(row->path, target, params)) {
            continue;
        }
        if (match.route == NULL || method_fits(row->method, method)) {
            match.route = row;
            memcpy(match.params, params, sizeof params);
        }
        if (method_fits(row->method, method)) {
            match.method_allowed = true;
            break;
        }
    }
    return match;
}

static void add_method(struct strbuf *out, size_t begin, const char *method)
{
    if (out->data != NULL && strstr(out->data + begin, method) != NULL) {
        return;
    }
    strbuf_puts(out, method);
    strbuf_puts(out, ", ");
}

void route_print_methods(const struct route_table *table, const char *path, struct strbuf *out)
{
    const size_t begin = out->len;
    for (size_t i = 0; i < table->count; i++) {
        const struct route *row = &table->rows[i];
        if (path != NULL && strcmp(row->path, path) != 0) {
            continue;
        }
        add_method(out, begin, row->method);
        if (strcmp(row->method, "GET") == 0) {
            add_method(out, begin, "HEAD");
        }
    }
    strbuf_puts(out, "OPTIONS");
}

/* Whether `content_type` is that media type (RFC 9110 section 8.3.1). */
static bool is_type(struct view content_type, const char *type)
{
    const size_t len = strlen(type);
    if (content_type.data == NULL || content_type.len < len ||
        strncasecmp(content_type.data, type, len) != 0) {
        return false;
    }
    const char *rest = content_type.data + len;
    rest += strspn(rest, " \t");
    return *rest == '\0' || *rest == ';';
}

bool route_takes_type(const struct route *route, struct view content_type)
{
    for (size_t i = 0; i < ROUTE_BODY_TYPES_MAX && route->body_types[i] != NULL; i++) {
        if (is_type(content_type, route->body_types[i])) {
            return true;
        }
    }
    return route->body_types[0] == NULL;
}

bool route_is_guarded(const struct route *route, const struct config *config)
{
    return route->roles != 0 && (route->guarded_when == NULL || route->guarded_when(config));
}
