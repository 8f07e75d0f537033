/* Callers with a token: who they are and what they may do. */
#ifndef INTAKE_DOMAIN_STAFF_H
#define INTAKE_DOMAIN_STAFF_H

#include <stdint.h>

#include "intake/core/err.h"
#include "intake/core/id.h"

struct audit_actor;
struct connection;

/* What a token may be for; a set of them is a mask. */
enum role {
    ROLE_STAFF = 1 << 0,   /* reads patients' data */
    ROLE_ADMIN = 1 << 1,   /* staff, and more */
    ROLE_INTAKE = 1 << 2,  /* posts submissions */
    ROLE_METRICS = 1 << 3, /* reads metrics */
};

enum {
    STAFF_NAME_MAX = 200,  /* bytes of a token's name */
    STAFF_TOKEN_SIZE = 65, /* 64 hexadecimal characters (256 random bits) and the NUL */
};

struct staff_caller {
    enum role role;
    char token_id[UUID_TEXT_SIZE];
    char name[STAFF_NAME_MAX + 1];
    int64_t expires_at_us; /* of the token, or of the session; 0: never */
};

/* "staff" and its kin, or NULL. Static storage. */
const char *role_name(enum role role);
enum status role_from_name(const char *name, enum role *ret_role, struct err *err);

/*
 * Finds the caller that a bearer token belongs to. STATUS_DENIED when there is none, or it was
 * revoked or has expired; the time it takes tells nothing about which. Only the token's SHA-256
 * is compared and stored. Executor thread.
 */
enum status staff_authenticate(struct connection *connection, const char *token,
                               struct staff_caller *ret_caller, struct err *err);

/*
 * Makes a token and stores its hash. `expires` is an RFC 3339 time, a number of days such as
 * "30d", or NULL for never. `ret_token` is the only place where the token ever is.
 */
enum status staff_create_token(struct connection *connection, const struct audit_actor *actor,
                               enum role role, const char *name, const char *expires,
                               char ret_token[static STAFF_TOKEN_SIZE], struct err *err);

/* Ends the tokens with this id or name; STATUS_NOT_FOUND when no live one has it. */
enum status staff_revoke_token(struct connection *connection, const struct audit_actor *actor,
                               const char *id_or_name, struct err *err);

#endif
