/* What is held about one person, across all tables: finding the person, and reading everything. */
#ifndef INTAKE_DB_STORE_PATIENT_H
#define INTAKE_DB_STORE_PATIENT_H

#include "intake/core/err.h"
#include "intake/db/connection.h"

struct audit_actor;

extern const struct statement_list patient_statements;

/* One person, or a booking that nobody's profile goes with. Valid as long as the result it is of.
 */
struct patient_scope {
    const char *user_id;    /* NULL: a booking alone */
    const char *profile_id; /* NULL: there is none */
    const char *bookings;   /* an array in PostgreSQL's text form */
};

/*
 * Everybody whom `who` may mean: a booking UID, then a user's id, then an e-mail. One row of
 * `ret_result` (PQclear) each, for patient_scope_read().
 */
enum status patient_find(struct connection *connection, const char *who, PGresult **ret_result,
                         struct err *err);
void patient_scope_read(const PGresult *result, int row, struct patient_scope *ret_scope);

/* A row of the audit for each of the bookings; without one, a single row that names the user. */
enum status patient_audit(struct connection *connection, const struct audit_actor *actor,
                          const char *action, const struct patient_scope *scope, struct err *err);

/*
 * The tables of the archive: the name of number `index`, or NULL after the last; and its rows, each
 * as JSON text in column 0 (PQclear).
 */
const char *patient_section_name(size_t index);
enum status patient_section_read(struct connection *connection, size_t index,
                                 const struct patient_scope *scope, PGresult **ret_result,
                                 struct err *err);

#endif
