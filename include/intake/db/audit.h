/*
 * Who accesses a patient's data, and the row that tells it. A statement that reads or changes
 * something for somebody inserts into audit_log itself, so that both happen or neither.
 */
#ifndef INTAKE_DB_AUDIT_H
#define INTAKE_DB_AUDIT_H

#include <stdbool.h>
#include <string.h>

#include "intake/core/text.h"

enum { AUDIT_REASON_MAX = 200 }; /* characters */

/* Texts that the caller keeps; NULL where there is nothing to say, but for name and request_id. */
struct audit_actor {
    const char *token_id; /* of staff_tokens; NULL: a command on the server, or a link's holder */
    const char *name;
    const char *request_id;
    const char *client; /* the address */
    const char *reason; /* why, in the actor's words */
};

/* Whether a reason can be kept: UTF-8, and not too long. */
static inline bool audit_reason_fits(const char *reason)
{
    const size_t len = strlen(reason);
    return utf8_is_valid(reason, len) && utf8_length(reason, len) <= AUDIT_REASON_MAX;
}

/* What an INSERT … SELECT begins with, and the five of its values that the actor gives. */
#define AUDIT_INTO                                                                                 \
    "INSERT INTO audit_log (token_id, actor, request_id, client_address, reason, action,"          \
    " booking_uid, detail)"
#define AUDIT_PARAMETERS(a, b, c, d, e) "$" #a "::uuid, $" #b ", $" #c ", $" #d "::inet, $" #e
#define AUDIT_VALUES(actor)                                                                        \
    (actor)->token_id, (actor)->name, (actor)->request_id, (actor)->client, (actor)->reason

#endif
