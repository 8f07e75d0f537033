/*
 * What staff decide where a post contradicts what was stored before: the stored value stays, or
 * the posted one takes its place. Each decision is a row of contradiction_resolutions.
 */
#ifndef INTAKE_DB_STORE_CONTRADICTION_H
#define INTAKE_DB_STORE_CONTRADICTION_H

#include <stdint.h>

#include "intake/core/err.h"
#include "intake/core/text.h"

struct audit_actor;
struct connection;
struct pg_result; /* libpq's PGresult */
struct statement_list;

enum contradiction_decision {
    CONTRADICTION_KEEP,
    CONTRADICTION_TAKE_CONTACT, /* of attendee_name, attendee_email, attendee_phone */
    CONTRADICTION_TAKE_ANSWER,  /* of a question; its name is the linkId */
};

struct contradiction_write {
    const char *booking_uid;
    const char *field;
    enum contradiction_decision decision;
    int32_t revision; /* which its author has read */
};

/*
 * Decides a contradiction, in one transaction that locks the submission first, then the patient's
 * user and profile, or the medical background: the order of the lanes and the worker. The same
 * decision again changes nothing. Audited.
 *
 * STATUS_NOT_FOUND without a submission or such a contradiction. STATUS_CONFLICT when the
 * submission is at another revision, the posted value was taken before, it belongs to somebody
 * else, there is no patient to write it to, or another value is stored by now; of this the
 * submission takes note, so that whoever reads it again sees what is to be decided.
 *
 * `ret_contradiction` is JSON with its resolution; it lives as long as `ret_result` (PQclear).
 */
enum status contradiction_decide(struct connection *connection, const struct audit_actor *actor,
                                 const struct contradiction_write *write,
                                 struct view *ret_contradiction, struct pg_result **ret_result,
                                 struct err *err);

extern const struct statement_list contradiction_statements;

#endif
