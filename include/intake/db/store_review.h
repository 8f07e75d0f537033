/*
 * What staff decide about a submission, and its history: reviews, revisions, attempts. Audited by
 * the statements that read and write it.
 */
#ifndef INTAKE_DB_STORE_REVIEW_H
#define INTAKE_DB_STORE_REVIEW_H

#include <stdint.h>

#include "intake/core/err.h"
#include "intake/core/text.h"

struct audit_actor;
struct connection;
struct pg_result; /* libpq's PGresult */
struct statement_list;

struct review_write {
    const char *booking_uid;
    const char *state;   /* "received", "has_issues", "approved", "rejected" */
    const char *comment; /* or NULL */
    int32_t revision;    /* which its author has read */
};

/*
 * Sets the review state. STATUS_NOT_FOUND without a submission, STATUS_CONFLICT when it is at
 * another revision by now. `ret_review` is JSON; it lives as long as `ret_result` (PQclear).
 */
enum status review_set(struct connection *connection, const struct audit_actor *actor,
                       const struct review_write *write, struct view *ret_review,
                       struct pg_result **ret_result, struct err *err);

enum {
    HISTORY_REVISIONS_MAX = 100, /* the newest ones; each can be as long as a body */
    HISTORY_EVENTS_MAX = 500,
};

/* JSON arrays, the newest first. They live as long as `result`. */
struct history_record {
    struct view revisions; /* with the posted body as "data" */
    struct view processing;
    struct view reviews;
    struct view other_bookings; /* of the same patient */
    struct pg_result *result;
};

/* STATUS_NOT_FOUND without a submission. Free with history_record_finish. */
enum status history_read(struct connection *connection, const struct audit_actor *actor,
                         const char *booking_uid, struct history_record *ret_record,
                         struct err *err);
void history_record_finish(struct history_record *record);

extern const struct statement_list review_statements;

#endif
