/* staff_sessions: browsers that staff have signed in with, by the hash of their cookie. */
#ifndef INTAKE_DB_STORE_SESSION_H
#define INTAKE_DB_STORE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "intake/core/err.h"
#include "intake/core/id.h"
#include "intake/core/text.h"

struct audit_actor;
struct connection;
struct pg_result; /* libpq's PGresult */
struct statement_list;

enum { SESSION_HASH_BYTES = 32 };

/* A session and the token that it was made with. Texts live as long as `result`. */
struct session_record {
    bool is_live; /* neither ended nor expired nor unused for too long, and its token is good */
    int64_t expires_at_us;
    char token_id[UUID_TEXT_SIZE];
    struct view name;
    struct view role;
    struct pg_result *result;
};

/*
 * Finds the session with this hash, live or not, and notes that a live one was used where this is
 * a use, at most once a minute, so that most look-ups write nothing. `idle_minutes` without use end
 * it.
 * STATUS_NOT_FOUND when there never was one, or it is long gone. PQclear the record's result.
 */
enum status session_find(struct connection *connection,
                         const unsigned char hash[static SESSION_HASH_BYTES], long idle_minutes,
                         bool is_use, struct session_record *ret_record, struct err *err);

/*
 * Makes a session of the actor's token, for `hours` or as long as the token is good; audited.
 * Sessions that expired a day ago are removed with it.
 */
enum status session_insert(struct connection *connection, const struct audit_actor *actor,
                           const unsigned char hash[static SESSION_HASH_BYTES], long hours,
                           int64_t *ret_expires_at_us, struct err *err);

/* Ends it; audited, unless it had ended before. */
enum status session_end(struct connection *connection, const struct audit_actor *actor,
                        const unsigned char hash[static SESSION_HASH_BYTES], struct err *err);

extern const struct statement_list session_statements;

#endif
