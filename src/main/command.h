/* What the subcommands share: their entry points, the configuration, a connection. */
#ifndef INTAKE_MAIN_COMMAND_H
#define INTAKE_MAIN_COMMAND_H

#include "arguments.h"
#include "intake/core/config.h"
#include "intake/core/err.h"

struct audit_actor;
struct connection;
struct statement_list;

/* Exit codes: 0 done, 1 the answer is no, 2 it could not be done. */
enum { EXIT_DONE = 0, EXIT_NO = 1, EXIT_UNUSABLE = 2 };

/* argv[0] is the subcommand's name. */
int cmd_audit(int argc, char **argv);
int cmd_link(int argc, char **argv);
int cmd_migrate(int argc, char **argv);
int cmd_patient(int argc, char **argv);
int cmd_questionnaire(int argc, char **argv);
int cmd_retention(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_token(int argc, char **argv);

/* Prints "intake: message" on standard error and returns EXIT_UNUSABLE. */
int command_fail(const struct err *err);

/*
 * Prints "usage: intake " and `usage`: on standard output, and returns EXIT_DONE, when somebody
 * asked for it; on standard error, and returns EXIT_UNUSABLE, when they were misunderstood.
 */
int command_usage(const char *usage, enum arguments_read read);

/*
 * Connects as the configuration says, with `count` lists of statements. The caller
 * destroys the connection; it must not outlive `config`.
 */
enum status command_connect(const struct config *config, const char *application_name,
                            const struct statement_list *statements, size_t count,
                            struct connection **ret_connection, struct err *err);

enum { COMMAND_ACTOR_SIZE = 280 };

/* Who runs the command, for the audit. */
struct command_actor {
    char name[COMMAND_ACTOR_SIZE]; /* "cli:" and the user of the operating system */
    char request_id[17];
    const char *reason; /* or NULL */
};

/* Keeps `reason` (or NULL). STATUS_INVALID when it is too long. Main thread. */
enum status command_actor(const char *reason, struct command_actor *ret_actor, struct err *err);

/* The same as the audit takes it; points into `actor`. */
struct audit_actor command_audit_actor(const struct command_actor *actor);

#endif
