/* audit_log: who has seen a booking. */
#ifndef INTAKE_DB_STORE_AUDIT_H
#define INTAKE_DB_STORE_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "intake/core/err.h"
#include "intake/core/id.h"
#include "intake/core/text.h"

struct audit_actor;
struct connection;
struct pg_result; /* libpq's PGresult */
struct statement_list;

struct audit_filter {
    const char *booking_uid;
    const char *since; /* what PostgreSQL takes as a timestamptz, or NULL */
    const char *until;
};

/*
 * A row as it is shown; texts live as long as the call or the page, and are "" where there is
 * nothing.
 */
struct audit_line {
    int64_t id;
    int64_t occurred_at_us;
    const char *actor;
    const char *action;
    const char *client;
    const char *request_id;
    const char *reason;
    char token_id[UUID_TEXT_SIZE]; /* of staff_tokens */
    struct view detail;            /* JSON, or data is NULL */
};

/* Calls `visit` for every access to that booking, oldest first; is one itself, and audited. */
enum status audit_list(struct connection *connection, const struct audit_actor *actor,
                       const struct audit_filter *filter,
                       void (*visit)(void *context, const struct audit_line *line), void *context,
                       struct err *err);

/* Which page of a booking's rows. */
struct audit_page_filter {
    const char *booking_uid;
    int64_t before_id; /* rows before this one, which is the booking's; 0: from the newest */
    int32_t limit;
};

struct audit_page {
    struct pg_result *result;
    int32_t count;
    bool more;     /* there are older rows */
    int64_t total; /* of the booking, on all pages */
};

/* The accesses to a booking, newest first; is one itself, and audited like audit_list(). */
enum status audit_page(struct connection *connection, const struct audit_actor *actor,
                       const struct audit_page_filter *filter, struct audit_page *ret_page,
                       struct err *err);
struct audit_line audit_page_line(const struct audit_page *page, int32_t index);
void audit_page_finish(struct audit_page *page);

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

struct audit_changes {
    struct pg_result *result;
    int32_t count;
};

/*
 * The changes behind row `after_id` up to row `newest_id`, and the first AUDIT_CHANGES_MAX behind
 * both.
 */
enum status audit_changes(struct connection *connection, int64_t after_id, int64_t newest_id,
                          struct audit_changes *ret_changes, struct err *err);
/* One of them; its texts live as long as they all. */
struct submission_change audit_changes_at(const struct audit_changes *changes, int32_t index);
void audit_changes_finish(struct audit_changes *changes);

extern const struct statement_list audit_statements;

#endif
