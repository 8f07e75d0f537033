/*
 * Brings the database to a migration, forward or back, and tells where it is.
 *
 * One run at a time: a session-level advisory lock, so the connection must be a direct one or
 * pooled by session. What was applied stands in the table intake_migrations.
 */
#ifndef INTAKE_DB_MIGRATE_H
#define INTAKE_DB_MIGRATE_H

#include <stdbool.h>
#include <stdint.h>

#include "intake/core/err.h"

struct connection;

struct migrate_options {
    int64_t wait_limit_ms; /* how long one statement may keep asking for its locks */
    /* Called with a line to show for every step and for long waits; may be NULL. */
    void (*report)(void *context, const char *line);
    void *context;
};

enum migration_state { MIGRATION_PENDING, MIGRATION_BEGUN, MIGRATION_APPLIED };

struct migration_status {
    int number;
    const char *name;
    enum migration_state state;
    bool changed;           /* applied with other content than this binary has */
    bool unknown;           /* this binary does not have it */
    const char *applied_at; /* as PostgreSQL prints it; "" when it is not applied */
};

/* The number of the newest migration in this binary. */
int migrate_latest(void);

/*
 * Applies, in order, what is missing up to and including number `to`. Another run is waited for,
 * up to options->wait_limit_ms. STATUS_INVALID: there is no such number. STATUS_CONFLICT: the
 * database is newer than this binary, or was migrated with other files; nothing is done then.
 * STATUS_UNAVAILABLE: a lock was not granted in time; what was done before stays done, and the
 * next run goes on from there. One thread per connection.
 */
enum status migrate_up(struct connection *connection, int to, const struct migrate_options *options,
                       struct err *err);

/* Takes back everything above number `to`, newest first; otherwise as migrate_up(). */
enum status migrate_down(struct connection *connection, int to,
                         const struct migrate_options *options, struct err *err);

/*
 * Lets `role` do what the daemon does, and no more (migrations/grants.sql), now and after every
 * migrate_up(). STATUS_CONFLICT: there is no such role or no schema yet, or it could change the
 * schema or the audit by what it has from elsewhere; then nothing is changed.
 */
enum status migrate_grant(struct connection *connection, const char *role,
                          const struct migrate_options *options, struct err *err);

/* Calls `visit` for every migration that the binary or the database knows, by number. */
enum status migrate_status(struct connection *connection,
                           void (*visit)(void *context, const struct migration_status *status),
                           void *context, struct err *err);

/*
 * STATUS_OK when the schema is exactly what this binary needs. Otherwise STATUS_CONFLICT, and the
 * message ends with the command that mends it. One query; changes nothing.
 */
enum status migrate_check(struct connection *connection, struct err *err);

#endif
