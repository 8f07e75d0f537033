/* audit_log: who has seen a booking. */
#ifndef INTAKE_DB_STORE_AUDIT_H
#define INTAKE_DB_STORE_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "intake/core/err.h"

struct audit_actor;
struct connection;
struct pg_result; /* libpq's PGresult */
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

/* A booking that was submitted, or whose submission was revised. */
struct submission_change {
    int64_t id; /* of the audit's row; later ones are mostly greater */
    const char *booking_uid;
    int64_t occurred_at_us;
    bool revised;
};

enum { AUDIT_CHANGES_MAX = 500 };

/*
 * Somebody begins to watch what is submitted, and is audited. `ret_newest_id`: of the audit's
 * newest row.
 */
enum status audit_watch(struct connection *connection, const struct audit_actor *actor,
                        int64_t *ret_newest_id, struct err *err);

/* The first AUDIT_CHANGES_MAX changes behind row `after_id`; the result is the caller's (PQclear).
 */
enum status audit_changes(struct connection *connection, int64_t after_id,
                          struct pg_result **ret_result, struct err *err);
/* Calls `visit` for each of them; texts live as long as the result. */
void audit_changes_visit(const struct pg_result *result,
                         void (*visit)(void *context, const struct submission_change *change),
                         void *context);

extern const struct statement_list audit_statements;

#endif
