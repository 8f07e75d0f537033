/*
 * The sealer: a thread that seals the audit about every second (store_seal.h says what that
 * proves), and tells the log the newest seal at its start and every hour. Any number of instances
 * may have one.
 */
#ifndef INTAKE_WORKER_SEALER_H
#define INTAKE_WORKER_SEALER_H

#include "intake/core/err.h"
#include "intake/db/connection.h"

struct metrics;
struct sealer;

/* Starts the thread. Main thread, as what follows. */
enum status sealer_create(const struct connection_options *connection, struct metrics *metrics,
                          struct sealer **ret_sealer, struct err *err);

/*
 * Seals what is there once more, and ends. Where there is more than some seconds' worth, the rest
 * is left to the next start, or to another instance. NULL is accepted.
 */
void sealer_destroy(struct sealer *sealer);

#endif
