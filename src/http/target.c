/* The request target, taken apart and percent-decoded. */
#include "intake/http/target.h"

#include <string.h>
#include <strings.h>

#include "intake/core/text.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Decodes in place. In a query "+" is a space (what browsers send for forms). */
static bool decode(char *text, bool plus_is_space)
{
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        if (*in == ' ') {
            return false; /* it would end the target */
        }
        char c = *in;
        if (c == '%') {
            const int high = hex_value(in[1]);
            const int low = high < 0 ? -1 : hex_value(in[2]);
            if (low < 0) {
                return false;
            }
            c = (char)(high << 4 | low);
            in += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        const unsigned char byte = (unsigned char)c;
        if (byte < ' ' || byte == 0x7f) {
            return false;
        }
        *out++ = c;
    }
    *out = '\0';
    return utf8_is_valid(text, (size_t)(out - text));
}

static bool parse_path(char *path, struct target *target)
{
    size_t count = 0;
    for (char *segment = path; segment != NULL;) {
        char *slash = strchr(segment, '/');
        if (slash != NULL) {
            *slash = '\0';
        }
        if (!decode(segment, false)) {
            return false;
        }
        if (count < TARGET_SEGMENTS_MAX) {
            target->segments[count] = segment;
        }
        count++;
        segment = slash != NULL ? slash + 1 : NULL;
    }
    target->segments_count = count <= TARGET_SEGMENTS_MAX ? count : TARGET_SEGMENTS_MAX + 1;
    return true;
}

static bool parse_query(char *query, struct target *target)
{
    for (char *item = query; item != NULL;) {
        char *next = strchr(item, '&');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (*item != '\0') {
            if (target->query_count == TARGET_QUERY_MAX) {
                return false;
            }
            char *value = strchr(item, '=');
            if (value != NULL) {
                *value++ = '\0';
            } else {
                value = item + strlen(item);
            }
            if (!decode(item, true) || !decode(value, true)) {
                return false;
            }
            target->query[target->query_count++] = (struct target_query){item, value};
        }
        item = next;
    }
    return true;
}

/* The path of an http URL, which proxies send (RFC 9112 section 3.2.2); NULL for other text. */
static char *path_of_url(char *text)
{
    static const char *const schemes[] = {"http://", "https://"};
    static const char authority_bytes[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        "-._~!$&'()*+,;=%:[]"; /* RFC 3986 section 3.2.2 */
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        const size_t len = strlen(schemes[i]);
        if (strncasecmp(text, schemes[i], len) == 0) {
            const size_t authority = strspn(text + len, authority_bytes);
            return authority > 0 && text[len + authority] == '/' ? text + len + authority : NULL;
        }
    }
    return NULL;
}

bool target_parse(char *text, struct target *ret_target)
{
    ret_target->is_asterisk = strcmp(text, "*") == 0;
    ret_target->segments_count = 0;
    ret_target->query_count = 0;
    if (ret_target->is_asterisk) {
        return true;
    }
    char *path = text[0] == '/' ? text : path_of_url(text);
    if (path == NULL || strchr(path, '#') != NULL) {
        return false;
    }
    char *query = strchr(path, '?');
    if (query != NULL) {
        *query++ = '\0';
    }
    return parse_path(path + 1, ret_target) && parse_query(query, ret_target);
}

const char *target_query(const struct target *target, const char *name)
{
    for (size_t i = 0; i < target->query_count; i++) {
        if (strcmp(target->query[i].name, name) == 0) {
            return target->query[i].value;
        }
    }
    return NULL;
}
