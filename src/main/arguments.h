/*
 * What was said on the command line, for each subcommand: read as a whole before anything is done
 * about it. Nothing here opens a file or a connection; texts point into `argv`.
 */
#ifndef INTAKE_MAIN_ARGUMENTS_H
#define INTAKE_MAIN_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "intake/db/store_audit.h"
#include "intake/db/store_seal.h"

/* HELP: somebody asked for it. WRONG: it cannot be understood. Both leave the output untouched. */
enum arguments_read { ARGUMENTS_READ, ARGUMENTS_HELP, ARGUMENTS_WRONG };

enum { LINK_DAYS_MAX = 3650, MIGRATE_WAIT_MAX_S = 86400, MIGRATION_NUMBER_MAX = 999 };

enum audit_action { AUDIT_VERIFY, AUDIT_SEAL, AUDIT_LIST };

struct audit_arguments {
    enum audit_action action;
    const char *config; /* a path, or NULL; so it is in all of them */
    const char *reason; /* or NULL */
    struct audit_filter filter;
    struct audit_head head; /* number 0: none was named */
};

struct link_arguments {
    const char *config;
    const char *booking_uid;
    long days;         /* 0: not given */
    int64_t expires_s; /* since 1970; 0: not given */
};

enum migrate_action { MIGRATE_UP, MIGRATE_DOWN, MIGRATE_GRANT, MIGRATE_STATUS, MIGRATE_CHECK };

struct migrate_arguments {
    enum migrate_action action;
    const char *config;
    const char *role; /* of `grant` never NULL */
    long to;          /* -1: not given; never so of `down` */
    long wait_s;
};

struct patient_arguments {
    const char *config;
    const char *output; /* a path, or NULL */
    const char *reason;
    const char *who;
    bool erase; /* rather than export */
    bool dry_run;
    bool yes;
};

struct questionnaire_arguments {
    const char *definition;
    const char *response; /* or NULL */
    bool flat;
};

struct retention_arguments {
    const char *config;
    bool dry_run;
};

struct serve_arguments {
    const char *config;
    bool check;
};

enum token_action { TOKEN_CREATE, TOKEN_LIST, TOKEN_REVOKE };

struct token_arguments {
    enum token_action action;
    const char *config;
    const char *role; /* this and the name: of `create` never NULL */
    const char *name;
    const char *expires;    /* or NULL */
    const char *id_or_name; /* of `revoke` */
    const char *reason;
};

/*
 * argv[0] is the subcommand's name. The options of `argv` are moved before the other words. What is
 * no option is told on standard error, unless `opterr` is 0. Main thread.
 */
enum arguments_read audit_arguments(int argc, char **argv, struct audit_arguments *ret);
enum arguments_read link_arguments(int argc, char **argv, struct link_arguments *ret);
enum arguments_read migrate_arguments(int argc, char **argv, struct migrate_arguments *ret);
enum arguments_read patient_arguments(int argc, char **argv, struct patient_arguments *ret);
enum arguments_read questionnaire_arguments(int argc, char **argv,
                                            struct questionnaire_arguments *ret);
enum arguments_read retention_arguments(int argc, char **argv, struct retention_arguments *ret);
enum arguments_read serve_arguments(int argc, char **argv, struct serve_arguments *ret);
enum arguments_read token_arguments(int argc, char **argv, struct token_arguments *ret);

#endif
