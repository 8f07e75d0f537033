/*
 * audit_seals: sealing the audit, and verifying it.
 *
 * A seal covers rows of audit_log: it holds the SHA-256 of each, and its own hash is over these
 * and over the hash of the seal before it. Rows are sealed after their commit, by whoever comes
 * first of the instances, about every second; so no look-up waits for another. Ids are given out
 * before a commit: one that is still missing when later ones are sealed is kept as a gap, and its
 * row goes under a later seal when it comes within an hour.
 *
 * What that proves. A row that is altered or removed, one that is slipped in among sealed ones,
 * and a seal that is altered or removed from the midst, are found, and named. What it cannot: a
 * row that is removed before it is sealed; and who may write the tables freely (their owner with
 * the triggers disabled, a superuser) can cut off the newest rows together with their seals, or
 * make the whole chain anew. That is found only by a seal's number and hash that were kept
 * elsewhere: the log has one at each start and every hour.
 */
#ifndef INTAKE_DB_STORE_SEAL_H
#define INTAKE_DB_STORE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake/core/err.h"

struct connection;
struct statement_list;

enum {
    AUDIT_HASH_SIZE = 65, /* 64 hexadecimal digits and the NUL */
    AUDIT_SEAL_ROWS = 250 /* at most under one seal, late ones aside */
};

struct audit_head {
    int64_t number; /* of the newest seal; 0: none yet */
    char hash[AUDIT_HASH_SIZE];
};

/*
 * Seals what was committed and is not sealed. `ret_rows`: how many rows; AUDIT_SEAL_ROWS or more
 * tell that there is probably more, 0 that there was nothing or another instance was quicker.
 * `deadline_us` is monotonic; 0: none.
 */
enum status audit_seal(struct connection *connection, int64_t deadline_us, int64_t *ret_rows,
                       struct err *err);
enum status audit_read_head(struct connection *connection, int64_t deadline_us,
                            struct audit_head *ret_head, struct err *err);

enum audit_fault {
    AUDIT_INTACT,
    AUDIT_ROW_ALTERED,
    AUDIT_ROW_REMOVED,
    AUDIT_ROW_ADDED,  /* among sealed ones, and under no seal */
    AUDIT_SEAL_WRONG, /* altered, or the one before it was, or that was removed */
    AUDIT_HEAD_WRONG, /* the seal that was kept elsewhere is another one here, or none */
};

struct audit_report {
    int64_t rows;  /* sealed ones that were looked at */
    int64_t seals; /* the same of seals */
    int64_t unsealed;
    int64_t unsealed_since_us; /* the oldest of those; 0: none */
    struct audit_head head;
    enum audit_fault fault; /* the first */
    int64_t bad_row;        /* its id */
    int64_t bad_seal;       /* its number */
};

/*
 * Compares every sealed row with its seal, and every seal with the one before, in one snapshot;
 * changes nothing. `known` is a seal to look for, or NULL. What is wrong stands in the report and
 * is no failure.
 */
enum status audit_verify(struct connection *connection, const struct audit_head *known,
                         struct audit_report *ret_report, struct err *err);

/* For who seals; and for who verifies. */
extern const struct statement_list audit_seal_statements;
extern const struct statement_list audit_verify_statements;

#endif
