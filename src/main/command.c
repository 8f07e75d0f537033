/* What the subcommands share. */
#include "command.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "intake/core/id.h"
#include "intake/core/text.h"
#include "intake/db/audit.h"
#include "intake/db/connection.h"

int command_fail(const struct err *err)
{
    fprintf(stderr, "intake: %s\n", err->message);
    return EXIT_UNUSABLE;
}

int command_usage(const char *usage, enum arguments_read read)
{
    const bool asked_for = read == ARGUMENTS_HELP;
    fprintf(asked_for ? stdout : stderr, "usage: intake %s\n", usage);
    return asked_for ? EXIT_DONE : EXIT_UNUSABLE;
}

enum status command_connect(const struct config *config, const char *application_name,
                            const struct statement_list *statements, size_t count,
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
        .prepared_count = count,
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

enum status command_actor(const char *reason, struct command_actor *ret_actor, struct err *err)
{
    const size_t len = reason != NULL ? strlen(reason) : 0;
    if (len > 0 && !audit_reason_fits(reason)) {
        return err_set(err, STATUS_INVALID, "the reason must be at most %d characters in UTF-8",
                       AUDIT_REASON_MAX);
    }
    // cppcheck-suppress getpwuidCalled ; one thread
    const struct passwd *user = getpwuid(getuid()); // NOLINT(concurrency-mt-unsafe): one thread
    if (user != NULL && utf8_is_valid(user->pw_name, strlen(user->pw_name))) {
        snprintf(ret_actor->name, sizeof ret_actor->name, "cli:%.255s", user->pw_name);
    } else {
        snprintf(ret_actor->name, sizeof ret_actor->name, "cli:%u", (unsigned)getuid());
    }
    id_random_hex(ret_actor->request_id, sizeof ret_actor->request_id);
    ret_actor->reason = len > 0 && !text_is_blank(reason, len) ? reason : NULL;
    return STATUS_OK;
}

struct audit_actor command_audit_actor(const struct command_actor *actor)
{
    return (struct audit_actor){
        .name = actor->name,
        .request_id = actor->request_id,
        .reason = actor->reason,
    };
}
