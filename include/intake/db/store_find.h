/*
 * Finds the submissions that a filter leaves, newest first, by their keys alone: what is in them
 * is read, and audited, by the statements that take the keys. The effort is bounded, however many
 * rows there are and however few of them fit.
 */
#ifndef INTAKE_DB_STORE_FIND_H
#define INTAKE_DB_STORE_FIND_H

#include <stdbool.h>
#include <stdint.h>

#include "intake/core/err.h"
#include "intake/core/id.h"

struct connection;
struct statement_list;
struct submission_filter;

enum { FIND_MAX = 200 }; /* keys in a page */

/*
 * A page of keys. It may be short, or empty, although there is `more`: then it was searched as
 * far as `next`, and the search goes on from there.
 */
struct found_keys {
    char ids[FIND_MAX][UUID_TEXT_SIZE];
    int32_t count;
    bool more;
    int64_t next_us; /* the key to go on behind, as before_us and before_id of the filter */
    char next_id[UUID_TEXT_SIZE];
};

/* At most filter->limit (1 to FIND_MAX) keys. Executor thread. */
enum status find_submissions(struct connection *connection, const struct submission_filter *filter,
                             struct found_keys *ret_keys, struct err *err);

/* How many submissions the filter leaves, counted up to its limit. Executor thread. */
enum status find_count(struct connection *connection, const struct submission_filter *filter,
                       int64_t *ret_count, struct err *err);

extern const struct statement_list find_statements;

#endif
