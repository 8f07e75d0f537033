/* `intake migrate`: up, down, grant, status and check. */
#include <stdio.h>

#include "command.h"
#include "intake/core/cleanup.h"
#include "intake/db/connection.h"
#include "intake/db/migrate.h"

static const char usage[] =
    "migrate [--config FILE] [--wait SECONDS] up [--to N]\n"
    "       intake migrate [--config FILE] [--wait SECONDS] down --to N\n"
    "       intake migrate [--config FILE] [--wait SECONDS] grant --role NAME\n"
    "       intake migrate [--config FILE] status\n"
    "       intake migrate [--config FILE] check\n"
    "\n"
    "  --to N          the number of the migration to stop at\n"
    "  --role NAME     the role of PostgreSQL under which the service works: it is granted what\n"
    "                  that needs and no more, now and after every step up\n"
    "  --wait SECONDS  how long a step keeps asking for a lock before it gives up (120)";

static void print_line(void *context, const char *line)
{
    (void)context;
    printf("%s\n", line);
    (void)fflush(stdout);
}

static void print_status(void *context, const struct migration_status *status)
{
    static const char *const states[] = {
        [MIGRATION_PENDING] = "pending",
        [MIGRATION_BEGUN] = "begun, not finished",
        [MIGRATION_APPLIED] = "applied",
    };
    (void)context;
    printf("%-28s  %-19s  %s%s%s\n", status->name, states[status->state], status->applied_at,
           status->changed ? "  changed since" : "",
           status->unknown ? "  unknown to this program" : "");
}

static int check(struct connection *connection)
{
    struct err err = {0};
    const enum status status = migrate_check(connection, &err);
    if (status == STATUS_CONFLICT) {
        fprintf(stderr, "intake: %s\n", err.message);
        return EXIT_NO;
    }
    return status == STATUS_OK ? EXIT_DONE : command_fail(&err);
}

static int show_status(struct connection *connection)
{
    struct err err = {0};
    const enum status status = migrate_status(connection, print_status, NULL, &err);
    return status == STATUS_OK ? EXIT_DONE : command_fail(&err);
}

static int run(struct connection *connection, const struct migrate_arguments *arguments)
{
    struct err err = {0};
    const struct migrate_options how = {
        .wait_limit_ms = (int64_t)arguments->wait_s * 1000,
        .report = print_line,
    };
    enum status status = STATUS_OK;
    switch (arguments->action) {
    case MIGRATE_UP:
        status = migrate_up(connection, arguments->to < 0 ? migrate_latest() : (int)arguments->to,
                            &how, &err);
        break;
    case MIGRATE_DOWN:
        status = migrate_down(connection, (int)arguments->to, &how, &err);
        break;
    case MIGRATE_GRANT:
        status = migrate_grant(connection, arguments->role, &how, &err);
        break;
    case MIGRATE_STATUS:
        return show_status(connection);
    case MIGRATE_CHECK:
        return check(connection);
    }
    return status == STATUS_OK ? EXIT_DONE : command_fail(&err);
}

int cmd_migrate(int argc, char **argv)
{
    struct migrate_arguments arguments;
    const enum arguments_read read = migrate_arguments(argc, argv, &arguments);
    if (read != ARGUMENTS_READ) {
        return command_usage(usage, read);
    }
    struct err err = {0};
    AUTO(config_finish) struct config config = {0};
    struct connection *connection = NULL;
    if (config_load(arguments.config, &config, &err) != STATUS_OK ||
        command_connect(&config, "intake migrate", NULL, 0, &connection, &err) != STATUS_OK) {
        return command_fail(&err);
    }
    const int code = run(connection, &arguments);
    connection_destroy(connection);
    return code;
}
