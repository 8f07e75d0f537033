/*
 * Several statements as one transaction. Whoever owns the connection owns the transaction: one
 * thread. What a statement of it returned may be told to nobody before transaction_commit().
 */
#ifndef INTAKE_DB_TRANSACTION_H
#define INTAKE_DB_TRANSACTION_H

#include <stdbool.h>

#include "intake/core/err.h"

struct connection;

/* Begins one on an open connection. */
enum status transaction_begin(struct connection *connection, struct err *err);

/* Whether it can still be committed: no statement of it failed, and the link stands. */
bool transaction_is_sound(struct connection *connection);

/* Ends it. Anything but STATUS_OK: nothing was written, or (STATUS_UNKNOWN) nobody knows. */
enum status transaction_commit(struct connection *connection, struct err *err);

/* Takes it back; a link that is gone has done so. */
void transaction_roll_back(struct connection *connection);

#endif
