/*
 * Runs the SQL of one migration against a live database: asks for locks with patience but without
 * making others wait, and tells what is in the way when it gives up.
 */
#ifndef INTAKE_DB_MIGRATION_RUNNER_H
#define INTAKE_DB_MIGRATION_RUNNER_H

#include "intake/core/embedded.h"
#include "intake/core/err.h"
#include "intake/db/migrate.h"

struct connection;

/* Sets the session up for migrations; once per connection. */
enum status migration_runner_prepare(struct connection *connection,
                                     const struct migrate_options *options, struct err *err);

/*
 * Runs `file`. One that is a transaction gets `record` (SQL) as its last statement, so that both
 * happen or neither; for one that is not, `record` runs after all of it. A unit that meets a lock,
 * or falls into a deadlock or a serialisation failure, is tried again until it has waited for
 * options->wait_limit_ms; then STATUS_UNAVAILABLE, with the oldest open transaction in the
 * message. The calling thread waits.
 */
enum status migration_runner_run(struct connection *connection, const struct embedded_file *file,
                                 const char *record, const struct migrate_options *options,
                                 struct err *err);

#endif
