/* Erasing what is held longer than the configuration says. */
#include "intake/domain/retention.h"

#include "intake/core/cleanup.h"
#include "intake/core/text.h"
#include "intake/db/store_erasure.h"
#include "intake/db/store_patient.h"

/* How often a batch is begun anew, when it met another writer. */
enum { TRIES_MAX = 10 };

static enum status run(struct connection *connection, const char *sql, struct err *err)
{
    AUTO_RESULT PGresult *result = NULL;
    return connection_run(connection, sql, 0, &result, err);
}

static enum status erase(struct connection *connection, const struct audit_actor *actor,
                         const char *bookings, struct err *err)
{
    const struct patient_scope scope = {.bookings = bookings};
    struct erasure_report report;
    enum status status = run(connection, "BEGIN", err);
    if (status != STATUS_OK) {
        return status;
    }
    status = retention_forget_answers(connection, bookings, err);
    if (status == STATUS_OK) {
        status = erasure_run(connection, &scope, &report, err);
    }
    if (status == STATUS_OK) {
        status = patient_audit(connection, actor, "retention.erase", &scope, err);
    }
    if (status == STATUS_OK) {
        return run(connection, "COMMIT", err);
    }
    if (connection_is_open(connection) && run(connection, "ROLLBACK", NULL) != STATUS_OK) {
        connection_reset(connection);
    }
    return status;
}

enum status retention_erase_batch(struct connection *connection, const struct audit_actor *actor,
                                  long days, struct retention_progress *progress, bool *ret_more,
                                  struct err *err)
{
    AUTO_RESULT PGresult *batch = NULL;
    enum status status = retention_next(connection, days, progress, &batch, err);
    if (status != STATUS_OK) {
        return status;
    }
    const char *bookings = PQgetvalue(batch, 0, 0);
    *ret_more = !text_equal(bookings, "{}");
    status = *ret_more ? STATUS_RETRY : STATUS_OK;
    for (int i = 0; i < TRIES_MAX && status == STATUS_RETRY; i++) {
        status = erase(connection, actor, bookings, err);
    }
    return status;
}
