/* What SQLSTATEs mean to a caller. */
#include "intake/db/sqlstate.h"

#include <stddef.h>

#include "intake/core/text.h"

/* The first whose prefix fits counts; the last fits each. */
static const struct sqlstate sqlstates[] = {
    {"40001", STATUS_RETRY, false, true},      /* serialization_failure */
    {"40P01", STATUS_RETRY, false, true},      /* deadlock_detected */
    {"55P03", STATUS_RETRY, false, true},      /* lock_not_available */
    {"23505", STATUS_RETRY, false, false},     /* unique_violation: a race with another writer */
    {"23503", STATUS_RETRY, false, false},     /* foreign_key_violation: a race with a deletion */
    {"40003", STATUS_UNKNOWN, true, true},     /* statement_completion_unknown */
    {"25006", STATUS_UNAVAILABLE, true, true}, /* read_only_sql_transaction: not the primary */
    /* A table or column that a migration has taken back, or not brought yet. */
    {"42P01", STATUS_UNAVAILABLE, false, true}, /* undefined_table */
    {"42703", STATUS_UNAVAILABLE, false, true}, /* undefined_column */
    {"42P10", STATUS_UNAVAILABLE, false, true}, /* ON CONFLICT without its unique index */
    {"57014", STATUS_UNAVAILABLE, false, true}, /* query_canceled: a time-out */
    {"57", STATUS_UNAVAILABLE, true, true},     /* operator intervention */
    {"08", STATUS_UNAVAILABLE, true, true},     /* connection exception */
    {"53", STATUS_UNAVAILABLE, false, true},    /* insufficient resources */
    {"58", STATUS_UNAVAILABLE, false, true},    /* system error */
    {"22", STATUS_INVALID, false, false},       /* data exception */
    {"23", STATUS_INVALID, false, false},       /* integrity constraint violation */
    {"P0", STATUS_INTERNAL, false, false},      /* what a trigger of somebody else says */
    {"", STATUS_INTERNAL, false, true},
};

const struct sqlstate *sqlstate_find(const char *code)
{
    size_t i = 0;
    while (!text_starts_with(code, sqlstates[i].prefix)) {
        i++;
    }
    return &sqlstates[i];
}
