/* `intake patient`: hand out everything that is held about a person, and erase it. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "intake/core/cleanup.h"
#include "intake/core/text.h"
#include "intake/db/audit.h"
#include "intake/db/connection.h"
#include "intake/db/store_erasure.h"
#include "intake/db/store_patient.h"
#include "intake/domain/patient_rights.h"

static const char usage[] =
    "patient [--config FILE] export WHO [--output FILE] [--reason TEXT]\n"
    "       intake patient [--config FILE] erase WHO [--dry-run] [--yes] [--reason TEXT]\n"
    "\n"
    "WHO is a booking UID, a user's id or an e-mail. Run it as the owner of the tables.\n"
    "export prints one JSON archive of everything that is held about that person, or writes it to\n"
    "a file that only its owner can read.\n"
    "erase takes it out, for ever: answers, drafts, earlier revisions, contact data. A row "
    "without\n"
    "personal data stays for each booking, so that it is not taken anew. It asks first, unless\n"
    "--yes is given; with --dry-run it only counts.\n"
    "  --reason TEXT   why, for the audit log; no personal data\n"
    "Ends with 1 when nothing is held, or when WHO may mean several persons.";

/* What became of finding the person, where it is no success. */
static int fail(enum status status, const struct strbuf *several, const struct err *err)
{
    if (status != STATUS_NOT_FOUND && status != STATUS_CONFLICT) {
        return command_fail(err);
    }
    fprintf(stderr, "intake: %s\n", err->message);
    if (status == STATUS_CONFLICT && several->data != NULL) {
        fputs(several->data, stderr);
    }
    return EXIT_NO;
}

static bool write_all(int fd, const struct strbuf *text)
{
    size_t done = 0;
    while (done < text->len) {
        const ssize_t written = write(fd, text->data + done, text->len - done);
        if (written < 0) {
            return false;
        }
        done += (size_t)written;
    }
    return true;
}

/* Under another name first, so that the file is there as a whole or not at all. */
static int write_file(const char *path, const struct strbuf *text)
{
    struct stat there;
    if (lstat(path, &there) == 0 && !S_ISREG(there.st_mode)) { /* /dev/stdout would be replaced */
        fputs("intake: the file could not be written: something else than a file is there\n",
              stderr);
        return EXIT_UNUSABLE;
    }
    AUTO(strbuf_finish) struct strbuf temporary = {0};
    strbuf_printf(&temporary, "%s.XXXXXX", path);
    if (temporary.failed) {
        fputs("intake: out of memory\n", stderr);
        return EXIT_UNUSABLE;
    }
    const int fd = mkstemp(temporary.data); /* mode 600 */
    bool done = fd >= 0 && write_all(fd, text) && fsync(fd) == 0;
    if (fd >= 0) {
        done = close(fd) == 0 && done;
        done = done && rename(temporary.data, path) == 0;
    }
    if (!done) {
        perror("intake: the file could not be written"); /* before errno is another call's */
        if (fd >= 0) {
            (void)unlink(temporary.data);
        }
        return EXIT_UNUSABLE;
    }
    return EXIT_DONE;
}

static int export_patient(struct connection *connection, const struct audit_actor *actor,
                          const struct patient_arguments *arguments)
{
    struct err err = {0};
    AUTO(strbuf_finish) struct strbuf archive = {0};
    AUTO(strbuf_finish) struct strbuf several = {0};
    const enum status status =
        patient_rights_export(connection, actor, arguments->who, &archive, &several, &err);
    if (status != STATUS_OK) {
        return fail(status, &several, &err);
    }
    if (arguments->output != NULL) {
        return write_file(arguments->output, &archive);
    }
    if (!write_all(STDOUT_FILENO, &archive)) {
        perror("intake: the archive could not be printed");
        return EXIT_UNUSABLE;
    }
    return EXIT_DONE;
}

static bool confirmed(const struct patient_arguments *arguments)
{
    char line[8];
    if (arguments->yes || arguments->dry_run) {
        return true;
    }
    if (!isatty(STDIN_FILENO)) {
        fputs("intake: nobody is there to ask: say --yes, or --dry-run to count only\n", stderr);
        return false;
    }
    fputs("What is erased cannot be brought back. Type yes to go on: ", stderr);
    return fgets(line, sizeof line, stdin) != NULL && text_equal(line, "yes\n");
}

static void print_report(const struct erasure_report *report, bool dry_run)
{
    printf("%s\n", dry_run ? "would be erased:" : "erased:");
    for (size_t i = 0; i < report->erased_count; i++) {
        printf("  %-34s %" PRId64 "\n", report->erased[i].table, report->erased[i].rows);
    }
    puts("stays, without contact data:");
    for (size_t i = 0; i < report->kept_count; i++) {
        printf("  %-34s %" PRId64 "\n", report->kept[i].table, report->kept[i].rows);
    }
}

static int erase_patient(struct connection *connection, const struct audit_actor *actor,
                         const struct patient_arguments *arguments)
{
    struct err err = {0};
    struct erasure_report report;
    AUTO(strbuf_finish) struct strbuf several = {0};
    if (!confirmed(arguments)) {
        return EXIT_UNUSABLE;
    }
    const enum status status = patient_rights_erase(connection, actor, arguments->who,
                                                    arguments->dry_run, &report, &several, &err);
    if (status != STATUS_OK) {
        return fail(status, &several, &err);
    }
    print_report(&report, arguments->dry_run);
    return EXIT_DONE;
}

static int run(const struct config *config, const struct patient_arguments *arguments)
{
    struct err err = {0};
    struct command_actor person;
    const struct statement_list lists[] = {
        patient_statements,    erasure_statements[0], erasure_statements[1],
        erasure_statements[2], erasure_statements[3],
    };
    _Static_assert(ERASURE_LISTS == 4, "all of them are above");
    struct connection *connection = NULL;
    if (command_actor(arguments->reason, &person, &err) != STATUS_OK ||
        command_connect(config, "intake patient", lists, ARRAY_LENGTH(lists), &connection, &err) !=
            STATUS_OK) {
        return command_fail(&err);
    }
    const struct audit_actor actor = command_audit_actor(&person);
    const int code = arguments->erase ? erase_patient(connection, &actor, arguments)
                                      : export_patient(connection, &actor, arguments);
    connection_destroy(connection);
    return code;
}

int cmd_patient(int argc, char **argv)
{
    struct patient_arguments arguments;
    const enum arguments_read read = patient_arguments(argc, argv, &arguments);
    if (read != ARGUMENTS_READ) {
        return command_usage(usage, read);
    }
    struct err err = {0};
    AUTO(config_finish) struct config config = {0};
    if (config_load(arguments.config, &config, &err) != STATUS_OK) {
        return command_fail(&err);
    }
    return run(&config, &arguments);
}
