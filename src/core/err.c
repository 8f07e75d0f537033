/* Statuses and their messages. */
#include "intake/core/err.h"

#include <stdarg.h>
#include <stdio.h>

enum status err_set(struct err *err, enum status status, const char *format, ...)
{
    if (err == NULL) {
        return status;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    err->status = status;
    return status;
}

enum status err_prefix(struct err *err, const char *format, ...)
{
    if (err == NULL) {
        return STATUS_INTERNAL;
    }
    char prefix[sizeof err->message];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);

    const struct err inner = *err;
    return err_set(err, inner.status, "%s: %s", prefix, inner.message);
}

enum status err_no_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "out of memory");
}

const char *status_name(enum status status)
{
    switch (status) {
    case STATUS_OK:
        return "ok";
    case STATUS_INVALID:
        return "invalid";
    case STATUS_DENIED:
        return "denied";
    case STATUS_NOT_FOUND:
        return "not_found";
    case STATUS_CONFLICT:
        return "conflict";
    case STATUS_RETRY:
        return "retry";
    case STATUS_UNAVAILABLE:
        return "unavailable";
    case STATUS_UNKNOWN:
        return "unknown";
    case STATUS_NO_MEMORY:
        return "no_memory";
    case STATUS_INTERNAL:
        return "internal";
    }
    return "internal";
}
