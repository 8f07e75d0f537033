/*
 * What is held no longer than the configuration says: a batch of bookings at a time, each batch a
 * statement of its own, so that a run can end after any of them.
 */
#ifndef INTAKE_DB_STORE_RETENTION_H
#define INTAKE_DB_STORE_RETENTION_H

#include <stdint.h>

#include "intake/core/err.h"
#include "intake/core/id.h"
#include "intake/db/connection.h"

struct audit_actor;

extern const struct statement_list retention_statements;

enum { RETENTION_BATCH = 200, RETENTION_POSITION_SIZE = 40 };

/* Where the run stands in the order of creation, and what it came to; begins as {0}. */
struct retention_progress {
    char created_at[RETENTION_POSITION_SIZE];
    char id[UUID_TEXT_SIZE];
    int64_t rows;
};

/*
 * How many submissions are older than `days`, and revisions that were replaced longer ago than
 * `revision_days`; 0 days is for ever, and counts none.
 */
enum status retention_count(struct connection *connection, long days, long revision_days,
                            int64_t *ret_submissions, int64_t *ret_revisions, struct err *err);

/*
 * The bookings of the next batch of submissions older than `days`, as an array in PostgreSQL's text
 * form ("{}" after the last), and moves `progress` behind them. Free with PQclear.
 */
enum status retention_next(struct connection *connection, long days,
                           struct retention_progress *progress, PGresult **ret_result,
                           struct err *err);

/*
 * Takes the answers of these bookings out of the medical backgrounds where no other booking gave
 * them, too. In the transaction that erases the bookings, before it does so.
 */
enum status retention_forget_answers(struct connection *connection, const char *bookings,
                                     struct err *err);

/* Deletes a batch of replaced revisions. */
enum status retention_revisions(struct connection *connection, long days, int64_t *ret_rows,
                                struct err *err);

#endif
