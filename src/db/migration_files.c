/* The migrations that are built into this binary. */
#include "intake/db/migration_files.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/text.h"

/* Made by src/tools/embed.py from the list in meson.build. */
extern const struct embedded_file embedded_migrations[];
extern const size_t embedded_migrations_count;

static const char support_name[] = "support.sql";
static const char grants_name[] = "grants.sql";

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text);
    const size_t end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* The number that the file's name begins with, -1 when it is not NNN_…. */
static int number_of(const struct embedded_file *file)
{
    char digits[4] = "";
    long number = -1;
    snprintf(digits, sizeof digits, "%s", file->name);
    if (strlen(file->name) < 5 || file->name[3] != '_' || !text_to_long(digits, 0, 999, &number)) {
        return -1;
    }
    return (int)number;
}

static const struct embedded_file *find(const char *name)
{
    for (size_t i = 0; i < embedded_migrations_count; i++) {
        if (text_equal(embedded_migrations[i].name, name)) {
            return &embedded_migrations[i];
        }
    }
    return NULL;
}

const struct embedded_file *migration_files_support(void)
{
    return find(support_name);
}

const struct embedded_file *migration_files_grants(void)
{
    return find(grants_name);
}

int migration_files_latest(void)
{
    int latest = -1;
    for (size_t i = 0; i < embedded_migrations_count; i++) {
        const int number = number_of(&embedded_migrations[i]);
        latest = number > latest ? number : latest;
    }
    return latest;
}

bool migration_file_is_transaction(const struct embedded_file *file)
{
    return !text_starts_with((const char *)file->data, "-- intake: no-transaction\n");
}

static void fill_up(struct migration *migration, int number, const struct embedded_file *file)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    migration->number = number;
    migration->up = file;
    snprintf(migration->name, sizeof migration->name, "%.*s",
             (int)(strlen(file->name) - strlen(".up.sql")), file->name);
    crypto_hash_sha256(hash, file->data, file->size);
    sodium_bin2hex(migration->checksum, sizeof migration->checksum, hash, sizeof hash);
}

enum status migration_files_load(struct migration **ret_migrations, size_t *ret_count,
                                 struct err *err)
{
    const int latest = migration_files_latest();
    if (latest < 0) {
        return err_set(err, STATUS_INTERNAL, "no migration is built in");
    }
    const size_t count = (size_t)latest + 1;
    AUTO_FREE struct migration *migrations = calloc(count, sizeof *migrations);
    if (migrations == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < embedded_migrations_count; i++) {
        const struct embedded_file *file = &embedded_migrations[i];
        const int number = number_of(file);
        if (number >= 0 && ends_with(file->name, ".up.sql")) {
            fill_up(&migrations[number], number, file);
        } else if (number >= 0 && ends_with(file->name, ".down.sql")) {
            migrations[number].down = file;
        } else if (!text_equal(file->name, support_name) && !text_equal(file->name, grants_name)) {
            return err_set(err, STATUS_INTERNAL, "migration %s: not NNN_name.{up,down}.sql",
                           file->name);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (migrations[i].up == NULL || (i > 0 && migrations[i].down == NULL)) {
            /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): AUTO_FREE frees it */
            return err_set(err, STATUS_INTERNAL, "migration %03zu: a file is missing", i);
        }
    }
    *ret_migrations = TAKE(migrations);
    *ret_count = count;
    return STATUS_OK;
}
