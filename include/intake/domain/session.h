/* Sessions of staff: a token that was exchanged for a cookie. */
#ifndef INTAKE_DOMAIN_SESSION_H
#define INTAKE_DOMAIN_SESSION_H

#include <jansson.h>
#include <stdbool.h>

#include "intake/core/err.h"
#include "intake/domain/staff.h"

struct audit_actor;
struct connection;
struct issues;

enum {
    SESSION_SIZE = 65,                       /* 64 hexadecimal characters (256 random bits), NUL */
    SESSION_ROLES = ROLE_STAFF | ROLE_ADMIN, /* persons; programs send their token each time */
};

/*
 * Reads `{"token":…}`, with which a session is asked for, out of a parsed body; the token lives as
 * long as the body. STATUS_INVALID: `issues` says what is wrong; where it is empty, the body is not
 * an object.
 */
enum status session_read(const json_t *body, const char **ret_token, struct issues *issues,
                         struct err *err);

/* Whether a cookie's value has the form of a session. */
bool session_is_well_formed(const char *text, size_t len);

/*
 * Finds the caller that a session belongs to. STATUS_DENIED when there is none, or it or its token
 * has ended; `ret_was_known` tells the two apart, because only one who makes sessions up is
 * guessing. Unless this `is_use`, it does not keep the session from ending after `idle_minutes`.
 * Only the SHA-256 is compared and stored. Executor thread.
 */
enum status session_authenticate(struct connection *connection, const char *session,
                                 long idle_minutes, bool is_use, struct staff_caller *ret_caller,
                                 bool *ret_was_known, struct err *err);

/*
 * Begins a session of the actor, whose token must be of one of SESSION_ROLES; audited, like its
 * end. `ret_session` is the only place where the session's name ever is.
 */
enum status session_begin(struct connection *connection, const struct audit_actor *actor,
                          long hours, char ret_session[static SESSION_SIZE],
                          int64_t *ret_expires_at_us, struct err *err);
enum status session_finish(struct connection *connection, const struct audit_actor *actor,
                           const char *session, struct err *err);

#endif
