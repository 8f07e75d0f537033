/*
 * Erasing what is held about a person. A booking keeps a row without personal data, deleted, so
 * that it is not taken anew. What other programs wrote about the person (messages) is not ours to
 * erase.
 */
#ifndef INTAKE_DB_STORE_ERASURE_H
#define INTAKE_DB_STORE_ERASURE_H

#include <stddef.h>
#include <stdint.h>

#include "intake/core/err.h"
#include "intake/db/connection.h"

struct patient_scope;

enum { ERASURE_LISTS = 4 };
extern const struct statement_list erasure_statements[ERASURE_LISTS];

enum { ERASURE_STEPS_MAX = 16 };

/* How many rows of which table were changed, and how many of other programs' tables stay. */
struct erasure_report {
    struct erasure_count {
        const char *table; /* static storage */
        int64_t rows;
    } erased[ERASURE_STEPS_MAX], kept[ERASURE_STEPS_MAX];
    size_t erased_count;
    size_t kept_count;
};

/* Locks the person's rows, in the order of the lanes and the worker. In a transaction. */
enum status erasure_lock(struct connection *connection, const struct patient_scope *scope,
                         struct err *err);

/*
 * Gives a booking that had no submission the row that stands for it, in the transaction that
 * locked. STATUS_RETRY when one of the bookings has become somebody's since it was looked at: roll
 * back and begin again.
 */
enum status erasure_bury(struct connection *connection, const struct patient_scope *scope,
                         struct err *err);

/* Erases, in that transaction. */
enum status erasure_run(struct connection *connection, const struct patient_scope *scope,
                        struct erasure_report *ret_report, struct err *err);

#endif
