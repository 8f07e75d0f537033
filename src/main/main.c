/* The program: which subcommand runs. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "intake/core/cleanup.h"
#include "intake/core/text.h"

static int cmd_config(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    config_print_documentation(stdout);
    return EXIT_DONE;
}

static int cmd_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("intake " INTAKE_VERSION);
    return EXIT_DONE;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *meaning;
} commands[] = {
    {"serve", cmd_serve, "answer HTTP and process submissions"},
    {"migrate", cmd_migrate, "bring the database's schema up, down, or tell where it is"},
    {"questionnaire", cmd_questionnaire, "check a questionnaire, and answers to it"},
    {"token", cmd_token, "create, list and revoke tokens of staff and programs"},
    {"audit", cmd_audit, "verify the audit log, and list who has seen a booking"},
    {"patient", cmd_patient, "hand out or erase what is held about a person"},
    {"retention", cmd_retention, "erase what is held longer than configured"},
    {"link", cmd_link, "print the link to a booking's questionnaire"},
    {"config", cmd_config, "print every configuration key with its default"},
    {"version", cmd_version, "print the version"},
};

static int print_help(FILE *out)
{
    fputs("usage: intake COMMAND [OPTION]...\n\n", out);
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        fprintf(out, "  %-14s %s\n", commands[i].name, commands[i].meaning);
    }
    fputs("\nintake COMMAND --help tells more about one of them.\n", out);
    return out == stdout ? EXIT_DONE : EXIT_UNUSABLE;
}

static int run_command(int argc, char **argv)
{
    if (argc < 2) {
        return print_help(stderr);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        if (text_equal(argv[1], commands[i].name)) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    if (text_equal(argv[1], "--help") || text_equal(argv[1], "help")) {
        return print_help(stdout);
    }
    if (text_equal(argv[1], "--version")) {
        return cmd_version(argc, argv);
    }
    fprintf(stderr, "intake: there is no command \"%s\"\n\n", argv[1]);
    return print_help(stderr);
}

int main(int argc, char **argv)
{
    if (sodium_init() < 0) {
        fputs("intake: libsodium found no source of randomness\n", stderr);
        return EXIT_UNUSABLE;
    }
    const int code = run_command(argc, argv);
    if (fflush(stdout) == EOF || ferror(stdout) != 0) { /* a full disk is no success */
        fputs("intake: the output could not be printed\n", stderr);
        return EXIT_UNUSABLE;
    }
    return code;
}
