/* What the subcommands share: their entry points, the configuration, a connection. */
#ifndef INTAKE_MAIN_COMMAND_H
#define INTAKE_MAIN_COMMAND_H

#include "intake/core/config.h"
#include "intake/core/err.h"

struct connection;
struct statement_list;

/* Exit codes: 0 done, 1 the answer is no, 2 it could not be done. */
enum { EXIT_DONE = 0, EXIT_NO = 1, EXIT_UNUSABLE = 2 };

/* argv[0] is the subcommand's name. */
int cmd_link(int argc, char **argv);
int cmd_migrate(int argc, char **argv);
int cmd_questionnaire(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_token(int argc, char **argv);

/* Prints "intake: message" on standard error and returns EXIT_UNUSABLE. */
int command_fail(const struct err *err);

/* Prints "intake: " and a usage line on standard error and returns EXIT_UNUSABLE. */
int command_usage(const char *usage);

/*
 * Connects as the configuration says, with one list of statements (NULL: none). The caller
 * destroys the connection; it must not outlive `config`.
 */
enum status command_connect(const struct config *config, const char *application_name,
                            const struct statement_list *statements,
                            struct connection **ret_connection, struct err *err);

#endif
