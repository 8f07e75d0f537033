/* The log: one line per event on standard error, in logfmt. */
#include "intake/core/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "intake/core/clock.h"
#include "intake/core/text.h"

/* A line is cut at this length; under PIPE_BUF, so that a write to a pipe is not split. */
enum { LINE_MAX_BYTES = 2048 };

static _Atomic int lowest_level = LOG_LEVEL_INFO;

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

struct line {
    char data[LINE_MAX_BYTES];
    size_t len;
};

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&lowest_level, (int)level, memory_order_relaxed);
}

bool log_level_from_name(const char *name, enum log_level *ret_level)
{
    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        if (strcmp(level_names[level], name) == 0) {
            *ret_level = (enum log_level)level;
            return true;
        }
    }
    return false;
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&lowest_level, memory_order_relaxed);
}

static void line_put(struct line *line, const char *data, size_t len)
{
    const size_t room = sizeof line->data - 1 - line->len; /* one byte stays for the newline */
    if (len > room) {
        len = room;
    }
    memcpy(line->data + line->len, data, len);
    line->len += len;
}

static void line_puts(struct line *line, const char *text)
{
    line_put(line, text, strlen(text));
}

static bool is_plain(const char *text)
{
    if (*text == '\0') {
        return false;
    }
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f || *c == '"' || *c == '=' ||
            *c == '\\') {
            return false;
        }
    }
    return true;
}

static void line_put_text(struct line *line, const char *text)
{
    if (is_plain(text)) {
        line_puts(line, text);
        return;
    }
    line_put(line, "\"", 1);
    for (const char *c = text; *c != '\0'; c++) {
        const size_t unprintable = text_unprintable_length(c);
        for (size_t i = 0; i < unprintable; i++) {
            char escape[8];
            const int len = snprintf(escape, sizeof escape, "\\x%02x", (unsigned char)c[i]);
            line_put(line, escape, (size_t)len);
        }
        if (unprintable > 0) {
            c += unprintable - 1;
        } else if (*c == '"' || *c == '\\') {
            const char escape[2] = {'\\', *c};
            line_put(line, escape, sizeof escape);
        } else {
            line_put(line, c, 1);
        }
    }
    line_put(line, "\"", 1);
}

void log_write(enum log_level level, const char *message, const struct log_field *fields,
               size_t fields_count)
{
    struct line line;
    line.len = 0;
    char stamp[RFC3339_SIZE];
    clock_rfc3339(clock_wall_us(), stamp);

    line_puts(&line, "time=");
    line_puts(&line, stamp);
    line_puts(&line, " level=");
    line_puts(&line, level_names[level]);
    line_puts(&line, " message=");
    line_put_text(&line, message);
    for (size_t i = 0; i < fields_count; i++) {
        line_put(&line, " ", 1);
        line_puts(&line, fields[i].key);
        line_put(&line, "=", 1);
        if (fields[i].text != NULL) {
            line_put_text(&line, fields[i].text);
        } else {
            char number[24];
            const int len = snprintf(number, sizeof number, "%lld", (long long)fields[i].number);
            line_put(&line, number, (size_t)len);
        }
    }
    line.data[line.len++] = '\n';
    const ssize_t written = write(STDERR_FILENO, line.data, line.len);
    (void)written; /* there is nowhere to report that the log cannot be written */
}
