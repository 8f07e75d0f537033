/* Erasing what is held longer than the configuration says, batch by batch. For commands. */
#ifndef INTAKE_DOMAIN_RETENTION_H
#define INTAKE_DOMAIN_RETENTION_H

#include "intake/core/err.h"
#include "intake/db/store_retention.h"

/*
 * Erases the next batch of submissions older than `days` in one transaction, with a row of the
 * audit for each: the booking's row stays as patient_rights_erase() leaves it, and its answers
 * leave the medical background. `ret_more` is false when nothing was left.
 */
enum status retention_erase_batch(struct connection *connection, const struct audit_actor *actor,
                                  long days, struct retention_progress *progress, bool *ret_more,
                                  struct err *err);

#endif
