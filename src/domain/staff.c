/* Callers with a token: who they are and what they may do. */
#include "intake/domain/staff.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/text.h"
#include "intake/db/store_token.h"

static const struct {
    enum role role;
    const char *name;
} roles[] = {
    {ROLE_STAFF, "staff"},
    {ROLE_ADMIN, "admin"},
    {ROLE_INTAKE, "intake"},
    {ROLE_METRICS, "metrics"},
};

const char *role_name(enum role role)
{
    for (size_t i = 0; i < ARRAY_LENGTH(roles); i++) {
        if (roles[i].role == role) {
            return roles[i].name;
        }
    }
    return NULL;
}

enum status role_from_name(const char *name, enum role *ret_role, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(roles); i++) {
        if (text_equal(roles[i].name, name)) {
            *ret_role = roles[i].role;
            return STATUS_OK;
        }
    }
    return err_set(err, STATUS_INVALID, "\"%s\" is no role: staff, admin, intake or metrics", name);
}

static void hash_token(const char *token, unsigned char ret_hash[static TOKEN_HASH_BYTES])
{
    _Static_assert(TOKEN_HASH_BYTES == crypto_hash_sha256_BYTES, "the hash is SHA-256");
    crypto_hash_sha256(ret_hash, (const unsigned char *)token, strlen(token));
}

/*
 * The index look-up by hash is not constant-time, and need not be: what it can tell is about
 * SHA-256 of a guess, of which no token follows.
 */
enum status staff_authenticate(struct connection *connection, const char *token,
                               struct staff_caller *ret_caller, struct err *err)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    hash_token(token, hash);
    AUTO_RESULT PGresult *result = NULL;
    struct token_record record;
    enum status status = token_find(connection, hash, &record, &result, err);
    if (status == STATUS_NOT_FOUND) {
        return err_set(err, STATUS_DENIED, "the token is not known, was revoked or has expired");
    }
    struct staff_caller caller = {0};
    if (status == STATUS_OK) {
        status = role_from_name(record.role.data, &caller.role, err);
    }
    if (status == STATUS_OK) {
        memcpy(caller.token_id, record.id, sizeof caller.token_id);
        snprintf(caller.name, sizeof caller.name, "%s", record.name.data);
        caller.expires_at_us = record.expires_at_us;
        *ret_caller = caller;
    }
    return status;
}

/* "30d" as a time from now; anything else is left to PostgreSQL. */
static const char *read_expiry(const char *expires, char buffer[static RFC3339_SIZE])
{
    char days_text[8] = {0};
    const size_t len = expires != NULL ? strlen(expires) : 0;
    long days;
    if (len < 2 || len > sizeof days_text || expires[len - 1] != 'd') {
        return expires;
    }
    memcpy(days_text, expires, len - 1);
    if (!text_to_long(days_text, 1, 36500, &days)) {
        return expires;
    }
    clock_rfc3339(clock_wall_us() + (int64_t)days * 24 * 3600 * 1000000, buffer);
    return buffer;
}

enum status staff_create_token(struct connection *connection, const struct audit_actor *actor,
                               enum role role, const char *name, const char *expires,
                               char ret_token[static STAFF_TOKEN_SIZE], struct err *err)
{
    if (text_is_blank(name, strlen(name)) || strlen(name) > STAFF_NAME_MAX ||
        !utf8_is_valid(name, strlen(name))) {
        return err_set(err, STATUS_INVALID, "the name must have 1 to %d bytes of UTF-8",
                       STAFF_NAME_MAX);
    }
    char until[RFC3339_SIZE];
    char id[UUID_TEXT_SIZE];
    char token[STAFF_TOKEN_SIZE];
    unsigned char hash[TOKEN_HASH_BYTES];
    id_uuid7(id);
    id_random_hex(token, sizeof token);
    hash_token(token, hash);
    const struct token_new fresh = {
        .id = id,
        .name = name,
        .role = role_name(role),
        .hash = hash,
        .expires = read_expiry(expires, until),
    };
    const enum status status = token_insert(connection, actor, &fresh, err);
    if (status == STATUS_OK) {
        memcpy(ret_token, token, sizeof token);
    }
    sodium_memzero(token, sizeof token);
    return status;
}

enum status staff_revoke_token(struct connection *connection, const struct audit_actor *actor,
                               const char *id_or_name, struct err *err)
{
    int count = 0;
    const enum status status = token_revoke(connection, actor, id_or_name, &count, err);
    if (status == STATUS_OK && count == 0) {
        return err_set(err, STATUS_NOT_FOUND, "no live token has the id or name \"%s\"",
                       id_or_name);
    }
    return status;
}
