/*
 * What a person may ask of us: everything that is held about them, and that it is erased. Each is
 * one transaction, with its rows of the audit. For commands: the connection is the caller's own.
 */
#ifndef INTAKE_DOMAIN_PATIENT_RIGHTS_H
#define INTAKE_DOMAIN_PATIENT_RIGHTS_H

#include "intake/core/err.h"
#include "intake/core/text.h"
#include "intake/db/store_erasure.h"

struct audit_actor;
struct connection;

/*
 * `who` is a booking UID, a user's id or an e-mail. STATUS_NOT_FOUND: nothing is held.
 * STATUS_CONFLICT: it may mean several persons, and `several` has a line for each, which names them
 * by id and booking.
 *
 * Export: `out` gets one JSON object with an array for each table.
 */
enum status patient_rights_export(struct connection *connection, const struct audit_actor *actor,
                                  const char *who, struct strbuf *out, struct strbuf *several,
                                  struct err *err);

/* Erases; with `dry_run` counts what would be, and changes nothing. */
enum status patient_rights_erase(struct connection *connection, const struct audit_actor *actor,
                                 const char *who, bool dry_run, struct erasure_report *ret_report,
                                 struct strbuf *several, struct err *err);

#endif
