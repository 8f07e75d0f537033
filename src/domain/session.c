/* Sessions of staff: a token that was exchanged for a cookie. */
#include "intake/domain/session.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/json.h"
#include "intake/db/connection.h"
#include "intake/db/store_session.h"
#include "intake/domain/issue.h"

enum status session_read(const json_t *body, const char **ret_token, struct issues *issues,
                         struct err *err)
{
    static const char name[] = "token";
    if (!json_is_object(body)) {
        return err_set(err, STATUS_INVALID, "The body must be a JSON object.");
    }
    const json_t *token = json_object_get(body, name);
    if (!json_is_string(token) || json_has_nul(token)) {
        issues_add(issues, token == NULL ? "required" : "invalidAnswerType", name, NULL,
                   "This must be a token.");
        return err_set(err, STATUS_INVALID, "there is no token");
    }
    *ret_token = json_string_value(token);
    return STATUS_OK;
}

bool session_is_well_formed(const char *text, size_t len)
{
    if (len != SESSION_SIZE - 1) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        const bool digit = text[i] >= '0' && text[i] <= '9';
        if (!digit && !(text[i] >= 'a' && text[i] <= 'f')) {
            return false;
        }
    }
    return true;
}

static void hash_session(const char *session, unsigned char ret_hash[static SESSION_HASH_BYTES])
{
    _Static_assert(SESSION_HASH_BYTES == crypto_hash_sha256_BYTES, "the hash is SHA-256");
    crypto_hash_sha256(ret_hash, (const unsigned char *)session, strlen(session));
}

static enum status read_caller(const struct session_record *record, struct staff_caller *ret_caller,
                               struct err *err)
{
    struct staff_caller caller = {.expires_at_us = record->expires_at_us};
    if (!record->is_live) {
        return err_set(err, STATUS_DENIED, "the session or its token has ended");
    }
    const enum status status = role_from_name(record->role.data, &caller.role, err);
    if (status == STATUS_OK) {
        memcpy(caller.token_id, record->token_id, sizeof caller.token_id);
        snprintf(caller.name, sizeof caller.name, "%s", record->name.data);
        *ret_caller = caller;
    }
    return status;
}

enum status session_authenticate(struct connection *connection, const char *session,
                                 long idle_minutes, bool is_use, struct staff_caller *ret_caller,
                                 bool *ret_was_known, struct err *err)
{
    unsigned char hash[SESSION_HASH_BYTES];
    hash_session(session, hash);
    struct session_record record;
    enum status status = session_find(connection, hash, idle_minutes, is_use, &record, err);
    *ret_was_known = status == STATUS_OK;
    if (status == STATUS_NOT_FOUND) {
        return err_set(err, STATUS_DENIED, "the session is not known");
    }
    if (status == STATUS_OK) {
        status = read_caller(&record, ret_caller, err);
        PQclear(record.result);
    }
    return status;
}

enum status session_begin(struct connection *connection, const struct audit_actor *actor,
                          long hours, char ret_session[static SESSION_SIZE],
                          int64_t *ret_expires_at_us, struct err *err)
{
    char session[SESSION_SIZE];
    unsigned char hash[SESSION_HASH_BYTES];
    id_random_hex(session, sizeof session);
    hash_session(session, hash);
    const enum status status =
        session_insert(connection, actor, hash, hours, ret_expires_at_us, err);
    if (status == STATUS_OK) {
        memcpy(ret_session, session, sizeof session);
    }
    sodium_memzero(session, sizeof session);
    return status;
}

enum status session_finish(struct connection *connection, const struct audit_actor *actor,
                           const char *session, struct err *err)
{
    unsigned char hash[SESSION_HASH_BYTES];
    hash_session(session, hash);
    return session_end(connection, actor, hash, err);
}
