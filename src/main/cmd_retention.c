/* `intake retention run`: erase what is held longer than the configuration says. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "command.h"
#include "intake/core/cleanup.h"
#include "intake/db/audit.h"
#include "intake/db/connection.h"
#include "intake/db/store_erasure.h"
#include "intake/db/store_patient.h"
#include "intake/domain/retention.h"

static const char usage[] =
    "retention [--config FILE] run [--dry-run]\n"
    "\n"
    "Erases submissions and earlier revisions that are older than [retention] in the "
    "configuration\n"
    "says. Works in batches; Ctrl-C ends it after the current one, and the next run goes on.\n"
    "Run it as the owner of the tables.";

/* Whether somebody asked to end; SIGINT and SIGTERM are blocked, and wait to be asked for. */
static bool asked_to_end(const sigset_t *signals)
{
    const struct timespec now = {0};
    return sigtimedwait(signals, NULL, &now) > 0;
}

static enum status run_all(struct connection *connection, const struct audit_actor *actor,
                           const struct config *config, int64_t *ret_submissions,
                           int64_t *ret_revisions, struct err *err)
{
    sigset_t signals;
    struct retention_progress progress = {0};
    bool more = true;
    int64_t rows = config->retention.revision_days > 0 ? RETENTION_BATCH : 0;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    enum status status = STATUS_OK;
    while (status == STATUS_OK && more && !asked_to_end(&signals)) {
        status = retention_erase_batch(connection, actor, config->retention.submission_days,
                                       &progress, &more, err);
    }
    while (status == STATUS_OK && !more && rows == RETENTION_BATCH && !asked_to_end(&signals)) {
        status = retention_revisions(connection, config->retention.revision_days, &rows, err);
        *ret_revisions += status == STATUS_OK ? rows : 0;
    }
    *ret_submissions = progress.rows;
    return status;
}

static int run(struct connection *connection, const struct config *config, bool dry_run)
{
    struct err err = {0};
    struct command_actor who;
    int64_t submissions = 0;
    int64_t revisions = 0;
    if (command_actor(NULL, &who, &err) != STATUS_OK) {
        return command_fail(&err);
    }
    const struct audit_actor actor = command_audit_actor(&who);
    const enum status status =
        dry_run ? retention_count(connection, config->retention.submission_days,
                                  config->retention.revision_days, &submissions, &revisions, &err)
                : run_all(connection, &actor, config, &submissions, &revisions, &err);
    if (status != STATUS_OK) {
        return command_fail(&err);
    }
    printf("%s: %" PRId64 " submissions, %" PRId64 " earlier revisions\n",
           dry_run ? "would be erased" : "erased", submissions, revisions);
    return EXIT_DONE;
}

int cmd_retention(int argc, char **argv)
{
    struct retention_arguments arguments;
    const enum arguments_read read = retention_arguments(argc, argv, &arguments);
    if (read != ARGUMENTS_READ) {
        return command_usage(usage, read);
    }
    struct err err = {0};
    AUTO(config_finish) struct config config = {0};
    const struct statement_list lists[] = {
        retention_statements,  patient_statements,    erasure_statements[0],
        erasure_statements[1], erasure_statements[2], erasure_statements[3],
    };
    struct connection *connection = NULL;
    if (config_load(arguments.config, &config, &err) != STATUS_OK ||
        command_connect(&config, "intake retention", lists, ARRAY_LENGTH(lists), &connection,
                        &err) != STATUS_OK) {
        return command_fail(&err);
    }
    const int code = run(connection, &config, arguments.dry_run);
    connection_destroy(connection);
    return code;
}
