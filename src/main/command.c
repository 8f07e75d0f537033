/* What the subcommands share. */
#include "command.h"

#include <stdio.h>

#include "intake/db/connection.h"

int command_fail(const struct err *err)
{
    fprintf(stderr, "intake: %s\n", err->message);
    return EXIT_UNUSABLE;
}

int command_usage(const char *usage)
{
    fprintf(stderr, "usage: intake %s\n", usage);
    return EXIT_UNUSABLE;
}

enum status command_connect(const struct config *config, const char *application_name,
                            const struct statement_list *statements,
                            struct connection **ret_connection, struct err *err)
{
    if (*config->database.conninfo == '\0') {
        return err_set(err, STATUS_INVALID,
                       "no database is configured: set [database] conninfo, or "
                       "INTAKE_DATABASE_CONNINFO, or the credential database.conninfo");
    }
    const struct connection_options options = {
        .conninfo = config->database.conninfo,
        .application_name = application_name,
        .connect_timeout_s = config->database.connect_timeout_s,
        .prepared = statements,
        .prepared_count = statements != NULL,
    };
    struct connection *connection = connection_create(&options);
    if (connection == NULL) {
        return err_no_memory(err);
    }
    const enum status status = connection_ensure(connection, err);
    if (status != STATUS_OK) {
        connection_destroy(connection);
        return status;
    }
    *ret_connection = connection;
    return STATUS_OK;
}
