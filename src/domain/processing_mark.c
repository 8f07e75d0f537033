/* Writing what came of a batch, in the transaction that wrote its patients' backgrounds. */
#include "processing_mark.h"

#include <stdlib.h>

#include "intake/core/cleanup.h"
#include "intake/db/store_processing.h"
#include "processing_item.h"

static const char *status_text(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_PROCESSED:
        return "processed";
    case VERDICT_FAILED:
        return "failed";
    case VERDICT_RETRY:
        return "submitted";
    }
    return "submitted";
}

static enum status mark(struct connection *connection, const struct processing_item *const *items,
                        size_t count, struct err *err)
{
    AUTO_FREE struct processing_result *results = calloc(count, sizeof *results);
    if (results == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        const bool processed = items[i]->verdict == VERDICT_PROCESSED;
        results[i] = (struct processing_result){
            .id = items[i]->claimed.id,
            .status = status_text(items[i]->verdict),
            .failure_reason = processed ? NULL : items[i]->reason,
            .contradictions = items[i]->contradictions_text,
            .evaluation = processed ? items[i]->evaluation_text : NULL,
            .retry_after_ms = items[i]->retry_after_ms,
        };
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): AUTO_FREE frees it */
    return processing_mark(connection, results, count, err);
}

/* Only what failed leaves a row, so that the way of all others is not longer by a statement. */
static enum status note_failures(struct connection *connection,
                                 const struct processing_item *const *items, size_t count,
                                 struct err *err)
{
    AUTO_FREE struct processing_failure *failures = calloc(count, sizeof *failures);
    if (failures == NULL) {
        return err_no_memory(err);
    }
    size_t failed = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i]->verdict != VERDICT_PROCESSED) {
            failures[failed++] = (struct processing_failure){
                .submission_id = items[i]->claimed.id,
                .revision = items[i]->claimed.revision,
                .attempt = items[i]->claimed.attempts,
                .reason = items[i]->reason,
                .is_final = items[i]->verdict == VERDICT_FAILED,
            };
        }
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): AUTO_FREE frees it */
    return failed > 0 ? processing_note_failures(connection, failures, failed, err) : STATUS_OK;
}

enum status processing_mark_items(struct connection *connection,
                                  const struct processing_item *const *items, size_t count,
                                  struct processing_counts *ret_counts, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        ret_counts->processed += items[i]->verdict == VERDICT_PROCESSED;
        ret_counts->failed += items[i]->verdict == VERDICT_FAILED;
        ret_counts->retried += items[i]->verdict == VERDICT_RETRY;
    }
    const enum status status = count > 0 ? mark(connection, items, count, err) : STATUS_OK;
    return status == STATUS_OK && ret_counts->processed < count
               ? note_failures(connection, items, count, err)
               : status;
}
