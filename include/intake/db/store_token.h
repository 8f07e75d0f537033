/* staff_tokens: who may call, by the hash of a token. */
#ifndef INTAKE_DB_STORE_TOKEN_H
#define INTAKE_DB_STORE_TOKEN_H

#include <stddef.h>

#include <stdint.h>

#include "intake/core/err.h"
#include "intake/core/id.h"
#include "intake/core/text.h"
#include "intake/db/connection.h"

struct audit_actor;

enum { TOKEN_HASH_BYTES = 32 };

struct token_record {
    char id[UUID_TEXT_SIZE];
    struct view name;
    struct view role;
    int64_t created_at_us;
    int64_t expires_at_us; /* 0: never */
    int64_t revoked_at_us; /* 0: live */
};

/* The live token with this hash; STATUS_NOT_FOUND otherwise. PQclear `ret_result`, which owns it.
 */
enum status token_find(struct connection *connection,
                       const unsigned char hash[static TOKEN_HASH_BYTES],
                       struct token_record *ret_record, PGresult **ret_result, struct err *err);

struct token_new {
    const char *id;
    const char *name;
    const char *role;
    const unsigned char *hash; /* TOKEN_HASH_BYTES of them */
    const char *expires;       /* what PostgreSQL takes as a timestamptz, or NULL */
};

/* STATUS_INVALID when `expires` is not a time or lies in the past. Audited, as all that follow. */
enum status token_insert(struct connection *connection, const struct audit_actor *actor,
                         const struct token_new *token, struct err *err);

/* Ends every live token with this id or name and counts them. */
enum status token_revoke(struct connection *connection, const struct audit_actor *actor,
                         const char *id_or_name, int *ret_count, struct err *err);

/* All tokens, oldest first; read rows with token_record_read. PQclear `ret_result`. */
enum status token_list(struct connection *connection, const struct audit_actor *actor,
                       PGresult **ret_result, struct err *err);
void token_record_read(const PGresult *result, int row, struct token_record *ret_record);

extern const struct statement_list token_statements;

#endif
