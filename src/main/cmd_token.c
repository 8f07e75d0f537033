/* `intake token`: create, list and revoke tokens. */
#include <stdio.h>
#include <unistd.h>

#include "command.h"
#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/db/audit.h"
#include "intake/db/connection.h"
#include "intake/db/store_token.h"
#include "intake/domain/staff.h"

static const char usage[] =
    "token [--config FILE] create --role staff|admin|intake|metrics --name NAME\n"
    "                      [--expires TIME|DAYSd]\n"
    "       intake token [--config FILE] list\n"
    "       intake token [--config FILE] revoke ID-OR-NAME\n"
    "\n"
    "  --reason TEXT   why, for the audit log";

static int create_token(struct connection *connection, const struct audit_actor *actor,
                        const struct token_arguments *arguments)
{
    struct err err = {0};
    enum role role;
    char token[STAFF_TOKEN_SIZE];
    if (role_from_name(arguments->role, &role, &err) != STATUS_OK ||
        staff_create_token(connection, actor, role, arguments->name, arguments->expires, token,
                           &err) != STATUS_OK) {
        return command_fail(&err);
    }
    puts(token);
    if (isatty(STDOUT_FILENO)) {
        fputs("Keep it now: it is stored only as a hash and cannot be shown again.\n", stderr);
    }
    return EXIT_DONE;
}

static void print_time(int64_t time_us)
{
    char text[RFC3339_SIZE] = "-";
    if (time_us != 0) {
        clock_rfc3339(time_us, text);
    }
    printf("  %-27s", text);
}

static int list_tokens(struct connection *connection, const struct audit_actor *actor)
{
    struct err err = {0};
    AUTO_RESULT PGresult *result = NULL;
    if (token_list(connection, actor, &result, &err) != STATUS_OK) {
        return command_fail(&err);
    }
    printf("%-36s  %-7s  %-27s  %-27s  %-27s  %s\n", "ID", "ROLE", "CREATED", "EXPIRES", "REVOKED",
           "NAME");
    for (int row = 0; row < PQntuples(result); row++) {
        struct token_record record;
        token_record_read(result, row, &record);
        AUTO(strbuf_finish) struct strbuf name = {0};
        strbuf_print_line(&name, record.name.data);
        if (name.failed) {
            (void)err_no_memory(&err);
            return command_fail(&err);
        }
        printf("%-36s  %-7s", record.id, record.role.data);
        print_time(record.created_at_us);
        print_time(record.expires_at_us);
        print_time(record.revoked_at_us);
        printf("  %s\n", name.data != NULL ? name.data : "");
    }
    return EXIT_DONE;
}

static int revoke_token(struct connection *connection, const struct audit_actor *actor,
                        const char *id_or_name)
{
    struct err err = {0};
    const enum status status = staff_revoke_token(connection, actor, id_or_name, &err);
    if (status == STATUS_NOT_FOUND) {
        fprintf(stderr, "intake: %s\n", err.message);
        return EXIT_NO;
    }
    return status == STATUS_OK ? EXIT_DONE : command_fail(&err);
}

static int run(struct connection *connection, const struct token_arguments *arguments)
{
    struct err err = {0};
    struct command_actor who;
    if (command_actor(arguments->reason, &who, &err) != STATUS_OK) {
        return command_fail(&err);
    }
    const struct audit_actor actor = command_audit_actor(&who);
    switch (arguments->action) {
    case TOKEN_CREATE:
        return create_token(connection, &actor, arguments);
    case TOKEN_LIST:
        return list_tokens(connection, &actor);
    case TOKEN_REVOKE:
        return revoke_token(connection, &actor, arguments->id_or_name);
    }
    return EXIT_UNUSABLE;
}

int cmd_token(int argc, char **argv)
{
    struct token_arguments arguments;
    const enum arguments_read read = token_arguments(argc, argv, &arguments);
    if (read != ARGUMENTS_READ) {
        return command_usage(usage, read);
    }
    struct err err = {0};
    AUTO(config_finish) struct config config = {0};
    struct connection *connection = NULL;
    if (config_load(arguments.config, &config, &err) != STATUS_OK ||
        command_connect(&config, "intake token", &token_statements, 1, &connection, &err) !=
            STATUS_OK) {
        return command_fail(&err);
    }
    const int code = run(connection, &arguments);
    connection_destroy(connection);
    return code;
}
