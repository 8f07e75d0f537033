/* Several statements as one transaction. */
#include "intake/db/transaction.h"

#include "intake/core/cleanup.h"
#include "intake/db/connection.h"
#include "intake/db/result.h"

static enum status run(struct connection *connection, const char *sql, struct err *err)
{
    AUTO_RESULT PGresult *result = NULL;
    return connection_run(connection, sql, 0, &result, err);
}

enum status transaction_begin(struct connection *connection, struct err *err)
{
    return run(connection, "BEGIN", err);
}

bool transaction_is_sound(struct connection *connection)
{
    return connection_is_open(connection) &&
           PQtransactionStatus(connection_raw(connection)) == PQTRANS_INTRANS;
}

enum status transaction_commit(struct connection *connection, struct err *err)
{
    /* PostgreSQL answers the COMMIT of a failed transaction with a ROLLBACK, and no error. */
    if (!transaction_is_sound(connection)) {
        return err_set(err, STATUS_UNAVAILABLE, "a statement of the transaction failed");
    }
    return run(connection, "COMMIT", err);
}

void transaction_roll_back(struct connection *connection)
{
    if (connection_is_open(connection) &&
        PQtransactionStatus(connection_raw(connection)) != PQTRANS_IDLE &&
        run(connection, "ROLLBACK", NULL) != STATUS_OK) {
        connection_reset(connection);
    }
}
