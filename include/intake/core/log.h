/*
 * The log: one line per event on standard error, in logfmt (key=value), made for journald and for
 * a terminal. Only http, worker and main log. No patient data goes in, ever: names of things,
 * counts, codes and request ids do.
 */
#ifndef INTAKE_CORE_LOG_H
#define INTAKE_CORE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log_field {
    const char *key;
    const char *text; /* NULL: `number` is the value */
    int64_t number;
};

static inline const char *log_text_or_empty(const char *text)
{
    return text != NULL ? text : "";
}

#define LOG_TEXT(name, value)   ((struct log_field){.key = (name), .text = log_text_or_empty(value)})
#define LOG_NUMBER(name, value) ((struct log_field){.key = (name), .number = (int64_t)(value)})

/* The lowest level that is written; the one mutable global of the program. Any thread. */
void log_set_level(enum log_level level);
bool log_level_from_name(const char *name, enum log_level *ret_level);
bool log_enabled(enum log_level level);

/*
 * Writes one line: time, level, message, fields. Values are quoted and escaped, so that no value
 * can forge a line. One write(2) per line: lines of several threads do not mix.
 */
void log_write(enum log_level level, const char *message, const struct log_field *fields,
               size_t fields_count);

#define LOG_AT(level, message, ...)                                                                \
    do {                                                                                           \
        if (log_enabled(level)) {                                                                  \
            const struct log_field fields_[] = {__VA_ARGS__};                                      \
            log_write((level), (message), fields_, sizeof(fields_) / sizeof(fields_[0]));          \
        }                                                                                          \
    } while (0)

#define log_error(message, ...)   LOG_AT(LOG_LEVEL_ERROR, message, __VA_ARGS__)
#define log_warning(message, ...) LOG_AT(LOG_LEVEL_WARNING, message, __VA_ARGS__)
#define log_info(message, ...)    LOG_AT(LOG_LEVEL_INFO, message, __VA_ARGS__)
#define log_debug(message, ...)   LOG_AT(LOG_LEVEL_DEBUG, message, __VA_ARGS__)

#endif
