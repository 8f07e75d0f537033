/* Text: a growing buffer, UTF-8, trimming, and the escapes of the formats that we print. */
#ifndef INTAKE_CORE_TEXT_H
#define INTAKE_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A growing byte buffer. Zero-initialise it (`struct strbuf b = {0};`), append, and look at
 * `failed` once at the end: after a failed allocation every append is a no-op. The content is
 * always NUL-terminated once something was appended. Not thread-safe.
 */
struct strbuf {
    char *data;
    size_t len;
    size_t capacity;
    bool failed;
};

void strbuf_finish(struct strbuf *buf);
/* Empties the buffer and keeps its memory. */
void strbuf_clear(struct strbuf *buf);
/* Makes room for `extra` more bytes and their NUL; false (and `failed`) when memory is out. */
bool strbuf_reserve(struct strbuf *buf, size_t extra);
void strbuf_append(struct strbuf *buf, const char *data, size_t len);
void strbuf_puts(struct strbuf *buf, const char *text);
void strbuf_putc(struct strbuf *buf, char c);
void strbuf_printf(struct strbuf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Appends `text` as a JSON string, with its quotes (RFC 8259 section 7). */
void strbuf_json_string(struct strbuf *buf, const char *text, size_t len);
/* The content, owned by the caller (free); NULL when an append failed. Resets the buffer. */
char *strbuf_take(struct strbuf *buf);

/* A part of somebody else's text; not NUL-terminated. */
struct view {
    const char *data;
    size_t len;
};

/*
 * How many bytes the character at `text` has, where a line for people must not hold it as it is:
 * control characters of any kind, what ends a line, what turns the text around. Else 0.
 */
size_t text_unprintable_length(const char *text);

/* `text` on one line, with such characters as \x1b. */
void strbuf_print_line(struct strbuf *buf, const char *text);

/* `text` without the white space at its ends (ASCII and Unicode White_Space). */
struct view text_trim(const char *text, size_t len);
/* Whether nothing but white space is in it. */
bool text_is_blank(const char *text, size_t len);
/* The number of Unicode code points in valid UTF-8. */
size_t utf8_length(const char *text, size_t len);
/* Whether the bytes are well-formed UTF-8 (RFC 3629). */
bool utf8_is_valid(const char *text, size_t len);

/* Either may be NULL, which equals only NULL. */
bool text_equal(const char *a, const char *b);
bool text_starts_with(const char *text, const char *prefix);

/* A copy in allocated memory (free), NUL-terminated; NULL when memory is out. */
char *text_copy(const char *text, size_t len);

/*
 * Reads a whole decimal number between `min` and `max` from all of `text`; false when it is
 * anything else.
 */
bool text_to_long(const char *text, long min, long max, long *ret_value);

#endif
