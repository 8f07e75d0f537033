/* audit_log: who has seen a booking. */
#include "intake/db/store_audit.h"

#include <inttypes.h>
#include <stdio.h>

#include "intake/core/cleanup.h"
#include "intake/db/audit.h"
#include "intake/db/connection.h"
#include "intake/db/result.h"

/* Who looks is in the audit as well. */
#define LOOKED                                                                                     \
    "WITH audited AS ("                                                                            \
    "    " AUDIT_INTO "    SELECT " AUDIT_PARAMETERS(1, 2, 3, 4, 5) ", 'audit.list', $6::text, "   \
                                                                    "NULL) "

/* In the order in which read_line() takes them. */
#define LINE_COLUMNS                                                                               \
    "id, occurred_at, actor, action, host(client_address) AS client, request_id, reason,"          \
    " token_id, detail "

#define CHANGES_SQL                                                                                \
    "SELECT id, booking_uid, occurred_at, action = 'submission.revise' FROM audit_log "            \
    "WHERE action IN ('submission.create', 'submission.revise') AND "

static const struct statement statements[] = {
    {"audit_list", LOOKED "SELECT " LINE_COLUMNS "FROM audit_log "
                          "WHERE booking_uid = $6"
                          "  AND ($7::timestamptz IS NULL OR occurred_at >= $7)"
                          "  AND ($8::timestamptz IS NULL OR occurred_at < $8) "
                          "ORDER BY occurred_at, id"},
    /* The newest first, so that what the looks themselves add does not come on a later page. */
    {"audit_page", LOOKED "SELECT line.*, counted.total "
                          "FROM (SELECT count(*) AS total FROM audit_log WHERE booking_uid = $6) "
                          "    AS counted "
                          "LEFT JOIN ("
                          "    SELECT " LINE_COLUMNS "    FROM audit_log"
                          "    WHERE booking_uid = $6"
                          "      AND ($7::bigint IS NULL"
                          "           OR (occurred_at, id) < ("
                          "               SELECT occurred_at, id"
                          "               FROM audit_log"
                          "               WHERE id = $7 AND booking_uid = $6))"
                          "    ORDER BY occurred_at DESC, id DESC"
                          "    LIMIT $8::int + 1" /* the one more tells that there is a next page */
                          ") AS line ON true "
                          "ORDER BY line.occurred_at DESC, line.id DESC"},
    {"audit_watch", "WITH audited AS ("
                    "    " AUDIT_INTO "    SELECT " AUDIT_PARAMETERS(
                        1, 2, 3, 4, 5) ", 'submission.watch', NULL, NULL"
                                       ") "
                                       "SELECT coalesce(max(id), 0) FROM audit_log"},
    {"audit_changes",
     CHANGES_SQL "id > $1::bigint AND id <= $2::bigint "
                 "UNION ALL "
                 "(" CHANGES_SQL "id > greatest($1::bigint, $2::bigint) ORDER BY id LIMIT $3::int) "
                 "ORDER BY id"},
};

const struct statement_list audit_statements = {statements, ARRAY_LENGTH(statements)};

static const char *text_or_nothing(const PGresult *result, int row, int column)
{
    return result_is_null(result, row, column) ? "" : result_text(result, row, column).data;
}

static struct audit_line read_line(const PGresult *result, int row)
{
    struct audit_line line = {
        .id = result_int8(result, row, 0),
        .occurred_at_us = result_timestamp(result, row, 1),
        .actor = text_or_nothing(result, row, 2),
        .action = text_or_nothing(result, row, 3),
        .client = text_or_nothing(result, row, 4),
        .request_id = text_or_nothing(result, row, 5),
        .reason = text_or_nothing(result, row, 6),
        .detail = result_json(result, row, 8),
    };
    result_uuid(result, row, 7, line.token_id);
    return line;
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
        const struct audit_line line = read_line(result, row);
        visit(context, &line);
    }
    return status;
}

enum status audit_page(struct connection *connection, const struct audit_actor *actor,
                       const struct audit_page_filter *filter, struct audit_page *ret_page,
                       struct err *err)
{
    enum { TOTAL_COLUMN = 9 };
    char before_id[24];
    char limit[16];
    snprintf(before_id, sizeof before_id, "%" PRId64, filter->before_id);
    snprintf(limit, sizeof limit, "%d", (int)filter->limit);
    const bool begins = filter->before_id == 0;
    const char *const values[] = {AUDIT_VALUES(actor), filter->booking_uid,
                                  begins ? NULL : before_id, limit};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    PGresult *result = NULL;
    const enum status status =
        connection_execute_checked(connection, "audit_page", &parameters, &result, err);
    if (status != STATUS_OK) {
        return status;
    }
    const int rows = result_is_null(result, 0, 0) ? 0 : PQntuples(result);
    *ret_page = (struct audit_page){
        .result = result,
        .count = rows > filter->limit ? filter->limit : rows,
        .more = rows > filter->limit,
        .total = result_int8(result, 0, TOTAL_COLUMN),
    };
    return STATUS_OK;
}

struct audit_line audit_page_line(const struct audit_page *page, int32_t index)
{
    return read_line(page->result, index);
}

void audit_page_finish(struct audit_page *page)
{
    PQclear(page->result);
    *page = (struct audit_page){0};
}

enum status audit_watch(struct connection *connection, const struct audit_actor *actor,
                        int64_t *ret_newest_id, struct err *err)
{
    const char *const values[] = {AUDIT_VALUES(actor)};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    AUTO_RESULT PGresult *result = NULL;
    const enum status status =
        connection_execute_checked(connection, "audit_watch", &parameters, &result, err);
    if (status == STATUS_OK) {
        *ret_newest_id = result_int8(result, 0, 0);
    }
    return status;
}

enum status audit_changes(struct connection *connection, int64_t after_id, int64_t newest_id,
                          struct audit_changes *ret_changes, struct err *err)
{
    char after[24];
    char newest[24];
    char limit[16];
    snprintf(after, sizeof after, "%" PRId64, after_id);
    snprintf(newest, sizeof newest, "%" PRId64, newest_id);
    snprintf(limit, sizeof limit, "%d", AUDIT_CHANGES_MAX);
    const char *const values[] = {after, newest, limit};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    PGresult *result = NULL;
    const enum status status =
        connection_execute_checked(connection, "audit_changes", &parameters, &result, err);
    if (status == STATUS_OK) {
        *ret_changes = (struct audit_changes){.result = result, .count = PQntuples(result)};
    }
    return status;
}

struct submission_change audit_changes_at(const struct audit_changes *changes, int32_t index)
{
    const PGresult *result = changes->result;
    return (struct submission_change){
        .id = result_int8(result, index, 0),
        .booking_uid = text_or_nothing(result, index, 1),
        .occurred_at_us = result_timestamp(result, index, 2),
        .revised = result_bool(result, index, 3),
    };
}

void audit_changes_finish(struct audit_changes *changes)
{
    PQclear(changes->result);
    *changes = (struct audit_changes){0};
}
