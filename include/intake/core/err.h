/*
 * How every function that can fail says so: a status to act on, and a sentence for the operator.
 *
 * Lower layers fill a caller-owned `struct err` and never log; http, worker and main log it once.
 * The message never holds what a patient wrote: it may end in a log.
 */
#ifndef INTAKE_CORE_ERR_H
#define INTAKE_CORE_ERR_H

enum status {
    STATUS_OK = 0,
    STATUS_INVALID,     /* the caller's data is at fault; trying again changes nothing */
    STATUS_DENIED,      /* the caller is not known, or lacks the right */
    STATUS_NOT_FOUND,   /* what was asked for does not exist */
    STATUS_CONFLICT,    /* the state of the thing does not allow this */
    STATUS_RETRY,       /* a passing fault (serialisation, deadlock): the same call may succeed */
    STATUS_UNAVAILABLE, /* a resource is out of reach or exhausted for now: 503 */
    STATUS_UNKNOWN,     /* a commit was sent and its outcome was not learnt */
    STATUS_NO_MEMORY,
    STATUS_INTERNAL, /* a bug or a broken installation */
};

struct err {
    enum status status;
    char message[512];
};

/*
 * Sets `err` (which may be NULL) from a printf format and returns `status`, so that a failure is
 * one line: `return err_set(err, STATUS_INVALID, "%s: no such key", key);`
 */
enum status err_set(struct err *err, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the message that `err` holds; returns its status. */
enum status err_prefix(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* STATUS_NO_MEMORY with its message. */
enum status err_no_memory(struct err *err);

/* The status as a word for logs and metrics: "ok", "unavailable", … Static storage. */
const char *status_name(enum status status);

#endif
