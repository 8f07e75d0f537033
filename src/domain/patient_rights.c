/* What a person may ask of us: everything that is held about them, and that it is erased. */
#include "intake/domain/patient_rights.h"

#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/db/connection.h"
#include "intake/db/store_patient.h"

/* How often it is begun anew, when it met another writer. */
enum { TRIES_MAX = 10 };

static enum status run(struct connection *connection, const char *sql, struct err *err)
{
    AUTO_RESULT PGresult *result = NULL;
    return connection_run(connection, sql, 0, &result, err);
}

/* Commits what went well, and rolls the rest back, so that the connection is of use again. */
static enum status end(struct connection *connection, enum status status, bool keep,
                       struct err *err)
{
    if (status == STATUS_OK && keep) {
        return run(connection, "COMMIT", err);
    }
    if (connection_is_open(connection) && run(connection, "ROLLBACK", NULL) != STATUS_OK) {
        connection_reset(connection);
    }
    return status;
}

static void print_several(const PGresult *found, struct strbuf *several)
{
    strbuf_clear(several);
    for (int row = 0; row < PQntuples(found); row++) {
        struct patient_scope scope;
        patient_scope_read(found, row, &scope);
        strbuf_printf(several, "  user %s, bookings %s\n",
                      scope.user_id != NULL ? scope.user_id : "-", scope.bookings);
    }
}

/* The one person that `who` means; `ret_scope` is valid as long as `ret_found`. */
static enum status find_one(struct connection *connection, const char *who, PGresult **ret_found,
                            struct patient_scope *ret_scope, struct strbuf *several,
                            struct err *err)
{
    AUTO_RESULT PGresult *found = NULL;
    const enum status status = patient_find(connection, who, &found, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (PQntuples(found) == 0) {
        return err_set(err, STATUS_NOT_FOUND, "nothing is held under that booking, id or e-mail");
    }
    if (PQntuples(found) > 1) {
        print_several(found, several);
        if (several->failed) {
            return err_no_memory(err);
        }
        return err_set(err, STATUS_CONFLICT,
                       "that may be several persons: name one by a booking or by the user's id");
    }
    patient_scope_read(found, 0, ret_scope);
    *ret_found = TAKE(found);
    return STATUS_OK;
}

static enum status put_section(struct connection *connection, size_t index,
                               const struct patient_scope *scope, struct strbuf *out,
                               struct err *err)
{
    AUTO_RESULT PGresult *rows = NULL;
    const char *name = patient_section_name(index);
    const enum status status = patient_section_read(connection, index, scope, &rows, err);
    if (status != STATUS_OK) {
        return status;
    }
    strbuf_puts(out, ",\n");
    strbuf_json_string(out, name, strlen(name));
    strbuf_puts(out, ":[");
    for (int row = 0; row < PQntuples(rows); row++) {
        strbuf_puts(out, row == 0 ? "\n" : ",\n");
        strbuf_append(out, PQgetvalue(rows, row, 0), (size_t)PQgetlength(rows, row, 0));
    }
    strbuf_putc(out, ']');
    return STATUS_OK;
}

static enum status print_archive(struct connection *connection, const struct patient_scope *scope,
                                 struct strbuf *out, struct err *err)
{
    char now[RFC3339_SIZE];
    enum status status = STATUS_OK;
    clock_rfc3339(clock_wall_us(), now);
    strbuf_printf(out, "{\"exported_at\":\"%s\"", now);
    for (size_t i = 0; status == STATUS_OK && patient_section_name(i) != NULL; i++) {
        status = put_section(connection, i, scope, out, err);
    }
    strbuf_puts(out, "}\n");
    return status == STATUS_OK && out->failed ? err_no_memory(err) : status;
}

enum status patient_rights_export(struct connection *connection, const struct audit_actor *actor,
                                  const char *who, struct strbuf *out, struct strbuf *several,
                                  struct err *err)
{
    AUTO_RESULT PGresult *found = NULL;
    struct patient_scope scope = {0};
    enum status status = run(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ", err);
    if (status != STATUS_OK) {
        return status;
    }
    status = find_one(connection, who, &found, &scope, several, err);
    if (status == STATUS_OK) {
        status = patient_audit(connection, actor, "patient.export", &scope, err);
    }
    if (status == STATUS_OK) {
        status = print_archive(connection, &scope, out, err);
    }
    return end(connection, status, true, err);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/*
 * Finds the person, locks, and finds again: what came in before the locks were held is erased with
 * the rest, and what comes in after is a new person's.
 */
static enum status find_and_lock(struct connection *connection, const char *who,
                                 PGresult **ret_found, struct patient_scope *ret_scope,
                                 struct strbuf *several, struct err *err)
{
    AUTO_RESULT PGresult *before = NULL;
    struct patient_scope scope = {0};
    enum status status = find_one(connection, who, &before, &scope, several, err);
    if (status == STATUS_OK) {
        status = erasure_lock(connection, &scope, err);
    }
    if (status == STATUS_OK) {
        status = find_one(connection, who, ret_found, ret_scope, several, err);
    }
    if (status == STATUS_OK && !(same_text(scope.user_id, ret_scope->user_id) &&
                                 same_text(scope.profile_id, ret_scope->profile_id) &&
                                 same_text(scope.bookings, ret_scope->bookings))) {
        return err_set(err, STATUS_RETRY, "the person's bookings changed at the same moment");
    }
    return status;
}

static bool has_erased(const struct erasure_report *report)
{
    for (size_t i = 0; i < report->erased_count; i++) {
        if (report->erased[i].rows > 0) {
            return true;
        }
    }
    return false;
}

static enum status erase_once(struct connection *connection, const struct audit_actor *actor,
                              const char *who, bool dry_run, struct erasure_report *ret_report,
                              struct strbuf *several, struct err *err)
{
    AUTO_RESULT PGresult *found = NULL;
    struct patient_scope scope = {0};
    enum status status = run(connection, "BEGIN", err);
    if (status != STATUS_OK) {
        return status;
    }
    status = find_and_lock(connection, who, &found, &scope, several, err);
    if (status == STATUS_OK) {
        status = erasure_bury(connection, &scope, err);
    }
    if (status == STATUS_OK) {
        status = erasure_run(connection, &scope, ret_report, err);
    }
    if (status == STATUS_OK && !dry_run && has_erased(ret_report)) {
        status = patient_audit(connection, actor, "patient.erase", &scope, err);
    }
    return end(connection, status, !dry_run, err);
}

enum status patient_rights_erase(struct connection *connection, const struct audit_actor *actor,
                                 const char *who, bool dry_run, struct erasure_report *ret_report,
                                 struct strbuf *several, struct err *err)
{
    enum status status = STATUS_RETRY;
    for (int i = 0; i < TRIES_MAX && status == STATUS_RETRY; i++) {
        status = erase_once(connection, actor, who, dry_run, ret_report, several, err);
    }
    return status;
}
