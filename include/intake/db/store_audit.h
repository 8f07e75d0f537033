/* audit_log: who has seen a booking. */
#ifndef INTAKE_DB_STORE_AUDIT_H
#define INTAKE_DB_STORE_AUDIT_H

#include <stdint.h>

#include "intake/core/err.h"

struct audit_actor;
struct connection;
struct statement_list;

struct audit_filter {
    const char *booking_uid;
    const char *since; /* what PostgreSQL takes as a timestamptz, or NULL */
    const char *until;
};

/* A row as it is shown; texts live as long as the call, and are "" where there is nothing. */
struct audit_line {
    int64_t id;
    int64_t occurred_at_us;
    const char *actor;
    const char *action;
    const char *client;
    const char *request_id;
    const char *reason;
};

/* Calls `visit` for every access to that booking, oldest first; is one itself, and audited. */
enum status audit_list(struct connection *connection, const struct audit_actor *actor,
                       const struct audit_filter *filter,
                       void (*visit)(void *context, const struct audit_line *line), void *context,
                       struct err *err);

extern const struct statement_list audit_statements;

#endif
