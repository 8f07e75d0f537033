/* audit_log: who has seen a booking. */
#include "intake/db/store_audit.h"

#include <inttypes.h>
#include <stdio.h>

#include "intake/core/cleanup.h"
#include "intake/db/audit.h"
#include "intake/db/connection.h"
#include "intake/db/result.h"

static const struct statement statements[] = {
    {"audit_list",
     "WITH audited AS ("
     "    " AUDIT_INTO "    SELECT " AUDIT_PARAMETERS(
         1, 2, 3, 4, 5) ", 'audit.list', $6::text, NULL"
                        ")\n"
                        "SELECT id, occurred_at, actor, action, host(client_address), request_id,"
                        "       reason "
                        "FROM audit_log "
                        "WHERE booking_uid = $6"
                        "  AND ($7::timestamptz IS NULL OR occurred_at >= $7)"
                        "  AND ($8::timestamptz IS NULL OR occurred_at < $8) "
                        "ORDER BY occurred_at, id"},
    {"audit_watch", "WITH audited AS ("
                    "    " AUDIT_INTO "    SELECT " AUDIT_PARAMETERS(
                        1, 2, 3, 4, 5) ", 'submission.watch', NULL, NULL"
                                       ") "
                                       "SELECT coalesce(max(id), 0) FROM audit_log"},
    {"audit_changes",
     "SELECT id, booking_uid, occurred_at, action = 'submission.revise' "
     "FROM audit_log "
     "WHERE id > $1::bigint AND action IN ('submission.create', 'submission.revise') "
     "ORDER BY id "
     "LIMIT $2::int"},
};

const struct statement_list audit_statements = {statements, ARRAY_LENGTH(statements)};

static const char *text_or_nothing(const PGresult *result, int row, int column)
{
    return result_is_null(result, row, column) ? "" : result_text(result, row, column).data;
}

enum status audit_list(struct connection *connection, const struct audit_actor *actor,
                       const struct audit_filter *filter,
                       void (*visit)(void *context, const struct audit_line *line), void *context,
                       struct err *err)
{
    const char *const values[] = {AUDIT_VALUES(actor), filter->booking_uid, filter->since,
                                  filter->until};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute(connection, "audit_list", &parameters, true, 0, &result, err);
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        const struct audit_line line = {
            .id = result_int8(result, row, 0),
            .occurred_at_us = result_timestamp(result, row, 1),
            .actor = text_or_nothing(result, row, 2),
            .action = text_or_nothing(result, row, 3),
            .client = text_or_nothing(result, row, 4),
            .request_id = text_or_nothing(result, row, 5),
            .reason = text_or_nothing(result, row, 6),
        };
        visit(context, &line);
    }
    return status;
}

enum status audit_watch(struct connection *connection, const struct audit_actor *actor,
                        int64_t *ret_newest_id, struct err *err)
{
    const char *const values[] = {AUDIT_VALUES(actor)};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute(connection, "audit_watch", &parameters, true, 0, &result, err);
    if (status == STATUS_OK) {
        *ret_newest_id = result_int8(result, 0, 0);
    }
    return status;
}

enum status audit_changes(struct connection *connection, int64_t after_id, PGresult **ret_result,
                          struct err *err)
{
    char after[24];
    char limit[16];
    snprintf(after, sizeof after, "%" PRId64, after_id);
    snprintf(limit, sizeof limit, "%d", AUDIT_CHANGES_MAX);
    const char *const values[] = {after, limit};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    return connection_execute(connection, "audit_changes", &parameters, true, 0, ret_result, err);
}

void audit_changes_visit(const PGresult *result,
                         void (*visit)(void *context, const struct submission_change *change),
                         void *context)
{
    for (int row = 0; row < PQntuples(result); row++) {
        const struct submission_change change = {
            .id = result_int8(result, row, 0),
            .booking_uid = text_or_nothing(result, row, 1),
            .occurred_at_us = result_timestamp(result, row, 2),
            .revised = result_bool(result, row, 3),
        };
        visit(context, &change);
    }
}
