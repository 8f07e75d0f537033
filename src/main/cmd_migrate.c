/* `intake migrate`: up, down, grant, status and check. */
#include <getopt.h>
#include <stdio.h>

#include "command.h"
#include "intake/core/cleanup.h"
#include "intake/core/text.h"
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

struct options {
    const char *config;
    const char *role;
    long to; /* -1: not given */
    long wait_s;
};

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

/* `up`, `down` or `grant` */
static int move(struct connection *connection, const char *direction, const struct options *options)
{
    struct err err = {0};
    const struct migrate_options how = {
        .wait_limit_ms = (int64_t)options->wait_s * 1000,
        .report = print_line,
    };
    enum status status;
    if (text_equal(direction, "up")) {
        const int to = options->to < 0 ? migrate_latest() : (int)options->to;
        status = migrate_up(connection, to, &how, &err);
    } else if (text_equal(direction, "grant")) {
        status = migrate_grant(connection, options->role, &how, &err);
    } else {
        status = migrate_down(connection, (int)options->to, &how, &err);
    }
    return status == STATUS_OK ? EXIT_DONE : command_fail(&err);
}

static bool is_action(const char *action, const struct options *options)
{
    return text_equal(action, "up") || text_equal(action, "status") ||
           text_equal(action, "check") || (text_equal(action, "down") && options->to >= 0) ||
           (text_equal(action, "grant") && options->role != NULL);
}

static int run(struct connection *connection, const char *action, const struct options *options)
{
    struct err err = {0};
    if (text_equal(action, "check")) {
        return check(connection);
    }
    if (text_equal(action, "status")) {
        return migrate_status(connection, print_status, NULL, &err) == STATUS_OK
                   ? EXIT_DONE
                   : command_fail(&err);
    }
    return move(connection, action, options);
}

int cmd_migrate(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'}, {"role", required_argument, NULL, 'r'},
        {"to", required_argument, NULL, 't'},     {"wait", required_argument, NULL, 'w'},
        {"help", no_argument, NULL, 'h'},         {0},
    };
    struct options options = {.to = -1, .wait_s = 120};
    bool valid = true;
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            options.config = optarg;
            break;
        case 'r':
            options.role = optarg;
            break;
        case 't':
            valid = valid && text_to_long(optarg, 0, 999, &options.to);
            break;
        case 'w':
            valid = valid && text_to_long(optarg, 1, 86400, &options.wait_s);
            break;
        default:
            (void)command_usage(usage);
            return option == 'h' ? EXIT_DONE : EXIT_UNUSABLE;
        }
    }
    if (!valid || argc - optind != 1 || !is_action(argv[optind], &options)) {
        return command_usage(usage);
    }
    struct err err = {0};
    AUTO(config_finish) struct config config = {0};
    struct connection *connection = NULL;
    if (config_load(options.config, &config, &err) != STATUS_OK ||
        command_connect(&config, "intake migrate", NULL, 0, &connection, &err) != STATUS_OK) {
        return command_fail(&err);
    }
    const int code = run(connection, argv[optind], &options);
    connection_destroy(connection);
    return code;
}
