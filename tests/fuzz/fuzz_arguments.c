/* A command line: the first byte names the subcommand, each further line is a word. It is
 * understood, within its limits, or refused and nothing of it is kept. */
#include "fuzz.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "intake/core/text.h"

enum { WORDS_MAX = 12 };

/* A word of the command line is a part of the input, or nothing. */
static void check_word(const char *word, const char *text, size_t size)
{
    fuzz_assert(word == NULL || (word >= text && word <= text + size), "a word of ours", text);
}

static void check_link(int argc, char **argv, const char *text, size_t size)
{
    struct link_arguments read = {0};
    if (link_arguments(argc, argv, &read) == ARGUMENTS_READ) {
        fuzz_assert(read.booking_uid != NULL, "a booking", text);
        fuzz_assert(read.days >= 0 && read.days <= LINK_DAYS_MAX, "days", text);
        fuzz_assert(read.days == 0 || read.expires_s == 0, "one end", text);
    }
    check_word(read.booking_uid, text, size);
    check_word(read.config, text, size);
}

static void check_audit(int argc, char **argv, const char *text, size_t size)
{
    struct audit_arguments read = {0};
    if (audit_arguments(argc, argv, &read) == ARGUMENTS_READ) {
        fuzz_assert(read.action != AUDIT_LIST || read.filter.booking_uid != NULL, "whose", text);
        fuzz_assert(read.head.number >= 0, "a head", text);
        fuzz_assert(read.head.number == 0 || strlen(read.head.hash) == AUDIT_HASH_SIZE - 1,
                    "its hash", text);
    }
    check_word(read.filter.booking_uid, text, size);
    check_word(read.filter.since, text, size);
    check_word(read.reason, text, size);
}

static void check_migrate(int argc, char **argv, const char *text, size_t size)
{
    struct migrate_arguments read = {.to = -1};
    if (migrate_arguments(argc, argv, &read) == ARGUMENTS_READ) {
        fuzz_assert(read.to >= (read.action == MIGRATE_DOWN ? 0 : -1), "where to", text);
        fuzz_assert(read.to <= MIGRATION_NUMBER_MAX, "a migration", text);
        fuzz_assert(read.wait_s >= 1 && read.wait_s <= MIGRATE_WAIT_MAX_S, "how long", text);
        fuzz_assert(read.action != MIGRATE_GRANT || read.role != NULL, "to whom", text);
    }
    check_word(read.role, text, size);
}

static void check_patient(int argc, char **argv, const char *text, size_t size)
{
    struct patient_arguments read = {0};
    const bool is_read = patient_arguments(argc, argv, &read) == ARGUMENTS_READ;
    fuzz_assert(is_read == (read.who != NULL), "who", text);
    check_word(read.who, text, size);
    check_word(read.output, text, size);
}

static void check_token(int argc, char **argv, const char *text, size_t size)
{
    struct token_arguments read = {0};
    if (token_arguments(argc, argv, &read) == ARGUMENTS_READ) {
        fuzz_assert(read.action != TOKEN_CREATE || (read.role != NULL && read.name != NULL),
                    "what for", text);
        fuzz_assert((read.action == TOKEN_REVOKE) == (read.id_or_name != NULL), "which", text);
    }
    check_word(read.name, text, size);
    check_word(read.id_or_name, text, size);
}

static void check_rest(int argc, char **argv, const char *text, size_t size)
{
    struct questionnaire_arguments check = {0};
    struct retention_arguments retention = {0};
    struct serve_arguments serve = {0};
    const bool is_read = questionnaire_arguments(argc, argv, &check) == ARGUMENTS_READ;
    fuzz_assert(is_read == (check.definition != NULL), "what to check", text);
    fuzz_assert(!check.flat || check.response != NULL, "flat answers", text);
    check_word(check.definition, text, size);
    check_word(check.response, text, size);
    (void)retention_arguments(argc, argv, &retention);
    check_word(retention.config, text, size);
    (void)serve_arguments(argc, argv, &serve);
    check_word(serve.config, text, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const checks[])(int, char **, const char *, size_t) = {
        check_audit, check_link, check_migrate, check_patient, check_token, check_rest};
    char name[] = "command";
    char *argv[WORDS_MAX + 2] = {name};
    int argc = 1;
    if (size == 0 || memchr(data, '\0', size) != NULL) {
        return 0;
    }
    char *text = text_copy((const char *)data + 1, size - 1);
    char *rest = NULL;
    for (char *word = strtok_r(text, "\n", &rest); word != NULL && argc <= WORDS_MAX;
         word = strtok_r(NULL, "\n", &rest)) {
        argv[argc++] = word;
    }
    opterr = 0;
    checks[data[0] % (sizeof checks / sizeof checks[0])](argc, argv, text, size);
    free(text);
    return 0;
}
