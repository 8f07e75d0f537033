/* What was said on the command line. */
#include "arguments.h"

#include <getopt.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/text.h"
#include "intake/domain/date_time.h"

enum { OPTIONS_MAX = 8, FIRST_OPTION = 256 };

/* An option, and where what it says goes: exactly one of the three. */
struct known_option {
    const char *name;
    const char **text;
    bool *flag;
    long *number; /* from min to max */
    long min, max;
};

/* The words that are no options. */
struct words {
    char **at;
    int count;
};

static bool take_option(const struct known_option *option, const char *value)
{
    if (option->flag != NULL) {
        *option->flag = true;
        return true;
    }
    if (option->text != NULL) {
        *option->text = value;
        return true;
    }
    return text_to_long(value, option->min, option->max, option->number);
}

static enum arguments_read read_options(int argc, char **argv, const struct known_option *known,
                                        size_t count, struct words *ret_words)
{
    struct option options[OPTIONS_MAX + 2] = {{"help", no_argument, NULL, 'h'}};
    bool valid = count <= OPTIONS_MAX;
    for (size_t i = 0; i < count && valid; i++) {
        const int argument = known[i].flag != NULL ? no_argument : required_argument;
        options[i + 1] = (struct option){known[i].name, argument, NULL, FIRST_OPTION + (int)i};
    }
    optind = 0; /* begin anew */
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'h') {
            return ARGUMENTS_HELP;
        }
        valid =
            valid && option >= FIRST_OPTION && take_option(&known[option - FIRST_OPTION], optarg);
    }
    *ret_words = (struct words){argv + optind, argc - optind};
    return valid ? ARGUMENTS_READ : ARGUMENTS_WRONG;
}

/* The number of the action that the first word names, or -1. */
static int action_of(const struct words *words, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count && words->count > 0; i++) {
        if (text_equal(words->at[0], names[i])) {
            return (int)i;
        }
    }
    return -1;
}

/* "12:3f…" */
static bool read_head(const char *text, struct audit_head *ret_head)
{
    char number[24];
    const char *colon = strchr(text, ':');
    long value;
    if (colon == NULL || (size_t)(colon - text) >= sizeof number ||
        strspn(colon + 1, "0123456789abcdef") != AUDIT_HASH_SIZE - 1 ||
        colon[AUDIT_HASH_SIZE] != '\0') {
        return false;
    }
    memcpy(number, text, (size_t)(colon - text));
    number[colon - text] = '\0';
    if (!text_to_long(number, 1, INT64_MAX, &value)) {
        return false;
    }
    ret_head->number = value;
    memcpy(ret_head->hash, colon + 1, AUDIT_HASH_SIZE);
    return true;
}

enum arguments_read audit_arguments(int argc, char **argv, struct audit_arguments *ret)
{
    static const char *const actions[] = {
        [AUDIT_VERIFY] = "verify", [AUDIT_SEAL] = "seal", [AUDIT_LIST] = "list"};
    struct audit_arguments read = {0};
    struct words words;
    const char *head = NULL;
    const struct known_option known[] = {
        {"config", .text = &read.config},
        {"head", .text = &head},
        {"booking", .text = &read.filter.booking_uid},
        {"since", .text = &read.filter.since},
        {"until", .text = &read.filter.until},
        {"reason", .text = &read.reason},
    };
    const enum arguments_read result = read_options(argc, argv, known, ARRAY_LENGTH(known), &words);
    if (result != ARGUMENTS_READ) {
        return result;
    }
    const int action = action_of(&words, actions, ARRAY_LENGTH(actions));
    if (action < 0 || words.count != 1 || (head != NULL && !read_head(head, &read.head)) ||
        (action == AUDIT_LIST && read.filter.booking_uid == NULL)) {
        return ARGUMENTS_WRONG;
    }
    read.action = (enum audit_action)action;
    *ret = read;
    return ARGUMENTS_READ;
}

/* A time that is still to come, with its zone, in seconds since 1970. */
static bool read_until(const char *text, int64_t *ret_expires_s)
{
    struct date_time time;
    if (!date_time_read(text, strlen(text), &time) || !time.has_zone) {
        return false;
    }
    *ret_expires_s = date_time_first_ms(&time) / 1000;
    return *ret_expires_s > clock_wall_us() / 1000000;
}

enum arguments_read link_arguments(int argc, char **argv, struct link_arguments *ret)
{
    struct link_arguments read = {0};
    struct words words;
    const char *until = NULL;
    const struct known_option known[] = {
        {"config", .text = &read.config},
        {"days", .number = &read.days, .min = 1, .max = LINK_DAYS_MAX},
        {"until", .text = &until},
    };
    const enum arguments_read result = read_options(argc, argv, known, ARRAY_LENGTH(known), &words);
    if (result != ARGUMENTS_READ) {
        return result;
    }
    if (words.count != 1 ||
        (until != NULL && (read.days > 0 || !read_until(until, &read.expires_s)))) {
        return ARGUMENTS_WRONG;
    }
    read.booking_uid = words.at[0];
    *ret = read;
    return ARGUMENTS_READ;
}

enum arguments_read migrate_arguments(int argc, char **argv, struct migrate_arguments *ret)
{
    static const char *const actions[] = {[MIGRATE_UP] = "up",
                                          [MIGRATE_DOWN] = "down",
                                          [MIGRATE_GRANT] = "grant",
                                          [MIGRATE_STATUS] = "status",
                                          [MIGRATE_CHECK] = "check"};
    struct migrate_arguments read = {.to = -1, .wait_s = 120};
    struct words words;
    const struct known_option known[] = {
        {"config", .text = &read.config},
        {"role", .text = &read.role},
        {"to", .number = &read.to, .max = MIGRATION_NUMBER_MAX},
        {"wait", .number = &read.wait_s, .min = 1, .max = MIGRATE_WAIT_MAX_S},
    };
    const enum arguments_read result = read_options(argc, argv, known, ARRAY_LENGTH(known), &words);
    if (result != ARGUMENTS_READ) {
        return result;
    }
    const int action = action_of(&words, actions, ARRAY_LENGTH(actions));
    if (action < 0 || words.count != 1 || (action == MIGRATE_DOWN && read.to < 0) ||
        (action == MIGRATE_GRANT && read.role == NULL)) {
        return ARGUMENTS_WRONG;
    }
    read.action = (enum migrate_action)action;
    *ret = read;
    return ARGUMENTS_READ;
}

enum arguments_read patient_arguments(int argc, char **argv, struct patient_arguments *ret)
{
    static const char *const actions[] = {"export", "erase"};
    struct patient_arguments read = {0};
    struct words words;
    const struct known_option known[] = {
        {"config", .text = &read.config}, {"output", .text = &read.output},
        {"reason", .text = &read.reason}, {"dry-run", .flag = &read.dry_run},
        {"yes", .flag = &read.yes},
    };
    const enum arguments_read result = read_options(argc, argv, known, ARRAY_LENGTH(known), &words);
    if (result != ARGUMENTS_READ) {
        return result;
    }
    const int action = action_of(&words, actions, ARRAY_LENGTH(actions));
    if (action < 0 || words.count != 2) {
        return ARGUMENTS_WRONG;
    }
    read.erase = action == 1;
    read.who = words.at[1];
    *ret = read;
    return ARGUMENTS_READ;
}

enum arguments_read questionnaire_arguments(int argc, char **argv,
                                            struct questionnaire_arguments *ret)
{
    struct questionnaire_arguments read = {0};
    struct words words;
    const struct known_option known[] = {{"flat", .flag = &read.flat}};
    const enum arguments_read result = read_options(argc, argv, known, ARRAY_LENGTH(known), &words);
    if (result != ARGUMENTS_READ) {
        return result;
    }
    if (words.count < 2 || words.count > 3 || !text_equal(words.at[0], "check") ||
        (read.flat && words.count == 2)) {
        return ARGUMENTS_WRONG;
    }
    read.definition = words.at[1];
    read.response = words.count == 3 ? words.at[2] : NULL;
    *ret = read;
    return ARGUMENTS_READ;
}

enum arguments_read retention_arguments(int argc, char **argv, struct retention_arguments *ret)
{
    struct retention_arguments read = {0};
    struct words words;
    const struct known_option known[] = {
        {"config", .text = &read.config},
        {"dry-run", .flag = &read.dry_run},
    };
    const enum arguments_read result = read_options(argc, argv, known, ARRAY_LENGTH(known), &words);
    if (result != ARGUMENTS_READ) {
        return result;
    }
    if (words.count != 1 || !text_equal(words.at[0], "run")) {
        return ARGUMENTS_WRONG;
    }
    *ret = read;
    return ARGUMENTS_READ;
}

enum arguments_read serve_arguments(int argc, char **argv, struct serve_arguments *ret)
{
    struct serve_arguments read = {0};
    struct words words;
    const struct known_option known[] = {
        {"config", .text = &read.config},
        {"check", .flag = &read.check},
    };
    const enum arguments_read result = read_options(argc, argv, known, ARRAY_LENGTH(known), &words);
    if (result != ARGUMENTS_READ) {
        return result;
    }
    if (words.count != 0) {
        return ARGUMENTS_WRONG;
    }
    *ret = read;
    return ARGUMENTS_READ;
}

enum arguments_read token_arguments(int argc, char **argv, struct token_arguments *ret)
{
    static const char *const actions[] = {
        [TOKEN_CREATE] = "create", [TOKEN_LIST] = "list", [TOKEN_REVOKE] = "revoke"};
    struct token_arguments read = {0};
    struct words words;
    const struct known_option known[] = {
        {"config", .text = &read.config}, {"role", .text = &read.role},
        {"name", .text = &read.name},     {"expires", .text = &read.expires},
        {"reason", .text = &read.reason},
    };
    const enum arguments_read result = read_options(argc, argv, known, ARRAY_LENGTH(known), &words);
    if (result != ARGUMENTS_READ) {
        return result;
    }
    const int action = action_of(&words, actions, ARRAY_LENGTH(actions));
    if (action < 0 || words.count != (action == TOKEN_REVOKE ? 2 : 1) ||
        (action == TOKEN_CREATE && (read.role == NULL || read.name == NULL))) {
        return ARGUMENTS_WRONG;
    }
    read.action = (enum token_action)action;
    read.id_or_name = action == TOKEN_REVOKE ? words.at[1] : NULL;
    *ret = read;
    return ARGUMENTS_READ;
}
