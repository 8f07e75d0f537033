/* Text: a growing buffer, UTF-8, trimming, and the escapes of the formats that we print. */
#include "intake/core/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRBUF_MIN = 64 };

void strbuf_finish(struct strbuf *buf)
{
    free(buf->data);
    *buf = (struct strbuf){0};
}

void strbuf_clear(struct strbuf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

bool strbuf_reserve(struct strbuf *buf, size_t extra)
{
    if (buf->failed || extra >= SIZE_MAX - buf->len) {
        buf->failed = true;
        return false;
    }
    size_t needed = buf->len + extra + 1;
    if (needed <= buf->capacity) {
        return true;
    }
    size_t capacity = buf->capacity > STRBUF_MIN ? buf->capacity : STRBUF_MIN;
    while (capacity < needed) {
        if (capacity > SIZE_MAX / 2) {
            capacity = needed;
            break;
        }
        capacity *= 2;
    }
    char *data = realloc(buf->data, capacity);
    if (data == NULL) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

void strbuf_append(struct strbuf *buf, const char *data, size_t len)
{
    if (!strbuf_reserve(buf, len)) {
        return;
    }
    if (len > 0) {
        memcpy(buf->data + buf->len, data, len);
    }
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void strbuf_puts(struct strbuf *buf, const char *text)
{
    strbuf_append(buf, text, strlen(text));
}

void strbuf_putc(struct strbuf *buf, char c)
{
    strbuf_append(buf, &c, 1);
}

void strbuf_printf(struct strbuf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0) {
        buf->failed = true;
    } else if (strbuf_reserve(buf, (size_t)len)) {
        vsnprintf(buf->data + buf->len, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

void strbuf_json_string(struct strbuf *buf, const char *text, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    strbuf_putc(buf, '"');
    size_t start = 0;
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            continue;
        }
        strbuf_append(buf, text + start, i - start);
        start = i + 1;
        switch (c) {
        case '"':
            strbuf_append(buf, "\\\"", 2);
            break;
        case '\\':
            strbuf_append(buf, "\\\\", 2);
            break;
        case '\n':
            strbuf_append(buf, "\\n", 2);
            break;
        case '\r':
            strbuf_append(buf, "\\r", 2);
            break;
        case '\t':
            strbuf_append(buf, "\\t", 2);
            break;
        default: {
            const char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            strbuf_append(buf, escape, sizeof escape);
        }
        }
    }
    strbuf_append(buf, text + start, len - start);
    strbuf_putc(buf, '"');
}

char *strbuf_take(struct strbuf *buf)
{
    if (!buf->failed && buf->data == NULL) {
        (void)strbuf_reserve(buf, 0);
        if (buf->data != NULL) {
            buf->data[0] = '\0';
        }
    }
    char *data = buf->data;
    if (buf->failed) {
        free(data);
        data = NULL;
    }
    *buf = (struct strbuf){0};
    return data;
}

/* The length of the white space character at `text` (Unicode White_Space), or 0. */
static size_t space_length(const char *text, size_t len)
{
    const unsigned char *u = (const unsigned char *)text;
    if (u[0] == ' ' || (u[0] >= '\t' && u[0] <= '\r')) {
        return 1;
    }
    if (len >= 2 && u[0] == 0xC2 && (u[1] == 0xA0 || u[1] == 0x85)) {
        return 2; /* U+00A0, U+0085 */
    }
    if (len < 3) {
        return 0;
    }
    const bool general = u[0] == 0xE2 && u[1] == 0x80 &&
                         ((u[2] >= 0x80 && u[2] <= 0x8A) || u[2] == 0xA8 || u[2] == 0xA9 ||
                          u[2] == 0xAF); /* U+2000..200A, 2028, 2029, 202F */
    const bool other = (u[0] == 0xE1 && u[1] == 0x9A && u[2] == 0x80) || /* U+1680 */
                       (u[0] == 0xE2 && u[1] == 0x81 && u[2] == 0x9F) || /* U+205F */
                       (u[0] == 0xE3 && u[1] == 0x80 && u[2] == 0x80);   /* U+3000 */
    return general || other ? 3 : 0;
}

size_t text_unprintable_length(const char *text)
{
    const unsigned char *u = (const unsigned char *)text;
    if (u[0] < ' ' || u[0] == 0x7f) {
        return u[0] != '\0';
    }
    if (u[0] == 0xC2 && u[1] >= 0x80 && u[1] <= 0x9F) {
        return 2; /* C1, among them a terminal's CSI and the next line */
    }
    if (u[0] != 0xE2 || (u[1] != 0x80 && u[1] != 0x81)) {
        return 0;
    }
    const bool turns = u[1] == 0x80 ? u[2] == 0x8E || u[2] == 0x8F || (u[2] >= 0xA8 && u[2] <= 0xAE)
                                    : u[2] >= 0xA6 && u[2] <= 0xA9;
    return turns ? 3 : 0; /* U+200E, 200F, 2028..202E, 2066..2069 */
}

void strbuf_print_line(struct strbuf *buf, const char *text)
{
    while (*text != '\0') {
        const size_t len = text_unprintable_length(text);
        for (size_t i = 0; i < len; i++) {
            strbuf_printf(buf, "\\x%02x", (unsigned char)text[i]);
        }
        if (len == 0) {
            strbuf_putc(buf, *text);
        }
        text += len > 0 ? len : 1;
    }
}

struct view text_trim(const char *text, size_t len)
{
    while (len > 0) {
        const size_t space = space_length(text, len);
        if (space == 0) {
            break;
        }
        text += space;
        len -= space;
    }
    while (len > 0) {
        size_t start = len - 1; /* of the last character */
        while (start > 0 && ((unsigned char)text[start] & 0xC0) == 0x80) {
            start--;
        }
        if (space_length(text + start, len - start) != len - start) {
            break;
        }
        len = start;
    }
    return (struct view){.data = text, .len = len};
}

bool text_is_blank(const char *text, size_t len)
{
    return text_trim(text, len).len == 0;
}

size_t utf8_length(const char *text, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    }
    return count;
}

bool utf8_is_valid(const char *text, size_t len)
{
    const unsigned char *u = (const unsigned char *)text;
    size_t i = 0;
    while (i < len) {
        if (u[i] < 0x80) {
            i++;
            continue;
        }
        size_t extra;
        uint32_t point;
        uint32_t lowest;
        if ((u[i] & 0xE0) == 0xC0) {
            extra = 1;
            point = u[i] & 0x1FU;
            lowest = 0x80;
        } else if ((u[i] & 0xF0) == 0xE0) {
            extra = 2;
            point = u[i] & 0x0FU;
            lowest = 0x800;
        } else if ((u[i] & 0xF8) == 0xF0) {
            extra = 3;
            point = u[i] & 0x07U;
            lowest = 0x10000;
        } else {
            return false;
        }
        if (len - i <= extra) {
            return false;
        }
        for (size_t k = 1; k <= extra; k++) {
            if ((u[i + k] & 0xC0) != 0x80) {
                return false;
            }
            point = (point << 6) | (u[i + k] & 0x3FU);
        }
        if (point < lowest || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) {
            return false;
        }
        i += extra + 1;
    }
    return true;
}

bool text_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool text_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

char *text_copy(const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    if (copy == NULL) {
        return NULL;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

bool text_to_long(const char *text, long min, long max, long *ret_value)
{
    const bool starts = (*text >= '0' && *text <= '9') || *text == '-';
    if (!starts) {
        return false; /* strtol would skip white space and take a plus sign */
    }
    char *end = NULL;
    errno = 0;
    const long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < min || value > max) {
        return false;
    }
    *ret_value = value;
    return true;
}
