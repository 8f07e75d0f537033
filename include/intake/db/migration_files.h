/* The migrations that are built into this binary: migrations/NNN_name.{up,down}.sql. */
#ifndef INTAKE_DB_MIGRATION_FILES_H
#define INTAKE_DB_MIGRATION_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "intake/core/embedded.h"
#include "intake/core/err.h"

enum {
    MIGRATION_NAME_SIZE = 64,
    MIGRATION_CHECKSUM_SIZE = 65, /* SHA-256 in hexadecimal, and the NUL */
};

struct migration {
    int number;
    char name[MIGRATION_NAME_SIZE];         /* "001_medical_questionnaire" */
    const struct embedded_file *up;         /* static storage */
    const struct embedded_file *down;       /* NULL: there is no way back */
    char checksum[MIGRATION_CHECKSUM_SIZE]; /* of the step up */
};

/*
 * All of them, by number from 0 without gaps. `ret_migrations` is the caller's (free).
 * STATUS_INTERNAL when a file's name is not of that form or a number is missing. Any thread.
 */
enum status migration_files_load(struct migration **ret_migrations, size_t *ret_count,
                                 struct err *err);

/* The highest number. */
int migration_files_latest(void);

/* What every step is written with (migrations/support.sql). */
const struct embedded_file *migration_files_support(void);

/* What the daemon's role may do (migrations/grants.sql). */
const struct embedded_file *migration_files_grants(void);

/* Whether the file runs as one transaction: it does not begin with "-- intake: no-transaction". */
bool migration_file_is_transaction(const struct embedded_file *file);

#endif
