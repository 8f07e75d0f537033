/*
 * Cuts a migration file into the units that are sent and, if need be, sent again: a statement, or
 * all from BEGIN to COMMIT. Knows PostgreSQL's lexical structure (comments, quotes, dollar quotes:
 * PostgreSQL documentation, section 4.1) as far as it takes to find the semicolons.
 */
#ifndef INTAKE_DB_SQL_UNITS_H
#define INTAKE_DB_SQL_UNITS_H

#include <stdbool.h>
#include <stddef.h>

#include "intake/core/err.h"

struct sql_unit {
    const char *text; /* in the caller's SQL, with the closing semicolon; not NUL-terminated */
    size_t length;
    size_t line;     /* of its first word, from 1 */
    bool concurrent; /* CREATE or DROP INDEX CONCURRENTLY */
};

/*
 * Splits `sql`. `ret_units` is the caller's (free); its texts point into `sql`. STATUS_INVALID
 * when a quote or a transaction is not closed. Any thread.
 */
enum status sql_units_split(const char *sql, size_t length, struct sql_unit **ret_units,
                            size_t *ret_count, struct err *err);

#endif
