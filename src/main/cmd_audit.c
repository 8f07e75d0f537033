/* `intake audit`: verify the chain of seals, seal, and list who has seen a booking. */
#include <inttypes.h>
#include <stdio.h>

#include "command.h"
#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/text.h"
#include "intake/db/audit.h"
#include "intake/db/connection.h"
#include "intake/db/store_audit.h"
#include "intake/db/store_seal.h"

static const char usage[] =
    "audit [--config FILE] verify [--head NUMBER:HASH]\n"
    "       intake audit [--config FILE] seal\n"
    "       intake audit [--config FILE] list --booking UID [--since TIME] [--until TIME]\n"
    "                    [--reason TEXT]\n"
    "\n"
    "verify tells whether every sealed row of the audit is there as it was written: 0 yes, 1 no,\n"
    "and then which is not. With --head also whether a seal is there that was noted elsewhere:\n"
    "without it, nobody can tell that the newest rows and their seals were cut off together.\n"
    "seal does by hand what the service does every second.\n"
    "list tells who has seen or changed what belongs to a booking, oldest first.";

static void print_unsealed(const struct audit_report *report)
{
    char since[RFC3339_SIZE];
    if (report->unsealed == 0) {
        puts("every row is sealed");
        return;
    }
    clock_rfc3339(report->unsealed_since_us, since);
    printf("%" PRId64 " rows are not sealed yet, the oldest of %s\n", report->unsealed, since);
}

/* What is wrong, on standard error. */
static void print_fault(const struct audit_report *report)
{
    switch (report->fault) {
    case AUDIT_INTACT:
        break;
    case AUDIT_ROW_ALTERED:
        fprintf(stderr, "intake: row %" PRId64 " of audit_log was altered (seal %" PRId64 ")\n",
                report->bad_row, report->bad_seal);
        break;
    case AUDIT_ROW_REMOVED:
        fprintf(stderr, "intake: row %" PRId64 " of audit_log was removed (seal %" PRId64 ")\n",
                report->bad_row, report->bad_seal);
        break;
    case AUDIT_ROW_ADDED:
        fprintf(stderr,
                "intake: row %" PRId64 " of audit_log is among sealed ones and under no "
                "seal: it was added later\n",
                report->bad_row);
        break;
    case AUDIT_SEAL_WRONG:
        fprintf(stderr,
                "intake: seal %" PRId64 " of audit_seals does not fit: it, or the one "
                "before it, was altered or removed\n",
                report->bad_seal);
        break;
    case AUDIT_HEAD_WRONG:
        fprintf(stderr,
                "intake: there is no seal %" PRId64 " with that hash: rows were cut off, "
                "or the chain was made anew\n",
                report->bad_seal);
        break;
    }
}

static int verify(struct connection *connection, const struct audit_head *known)
{
    struct err err = {0};
    struct audit_report report;
    if (audit_verify(connection, known->number > 0 ? known : NULL, &report, &err) != STATUS_OK) {
        return command_fail(&err);
    }
    if (report.fault != AUDIT_INTACT) {
        print_fault(&report);
        return EXIT_NO;
    }
    printf("%" PRId64 " rows under %" PRId64 " seals are as they were written\n", report.rows,
           report.seals);
    print_unsealed(&report);
    if (report.head.number > 0) {
        printf("head %" PRId64 ":%s\n", report.head.number, report.head.hash);
    }
    return EXIT_DONE;
}

static int seal(struct connection *connection)
{
    struct err err = {0};
    int64_t rows = AUDIT_SEAL_ROWS;
    int64_t all = 0;
    while (rows >= AUDIT_SEAL_ROWS) {
        if (audit_seal(connection, 0, &rows, &err) != STATUS_OK) {
            return command_fail(&err);
        }
        all += rows;
    }
    printf("%" PRId64 " rows were sealed\n", all);
    return EXIT_DONE;
}

/* `context` is a bool: whether a line could not be printed, because memory was out. */
static void print_line(void *context, const struct audit_line *line)
{
    bool *failed = context;
    char at[RFC3339_SIZE];
    AUTO(strbuf_finish) struct strbuf actor = {0};
    AUTO(strbuf_finish) struct strbuf reason = {0};
    clock_rfc3339(line->occurred_at_us, at);
    strbuf_print_line(&actor, line->actor);
    strbuf_print_line(&reason, *line->reason != '\0' ? line->reason : "-");
    if (actor.failed || reason.failed) {
        *failed = true;
        return;
    }
    printf("%-27s  %-18s  %-24s  %-15s  %-16s  %s\n", at, line->action,
           actor.data != NULL ? actor.data : "", *line->client != '\0' ? line->client : "-",
           line->request_id, reason.data);
}

static int list(struct connection *connection, const struct audit_arguments *arguments)
{
    struct err err = {0};
    struct command_actor who;
    if (command_actor(arguments->reason, &who, &err) != STATUS_OK) {
        return command_fail(&err);
    }
    const struct audit_actor actor = command_audit_actor(&who);
    printf("%-27s  %-18s  %-24s  %-15s  %-16s  %s\n", "TIME", "ACTION", "ACTOR", "CLIENT",
           "REQUEST", "REASON");
    bool failed = false;
    enum status status =
        audit_list(connection, &actor, &arguments->filter, print_line, &failed, &err);
    if (status == STATUS_OK && failed) {
        status = err_no_memory(&err);
    }
    return status == STATUS_OK ? EXIT_DONE : command_fail(&err);
}

static int run(struct connection *connection, const struct audit_arguments *arguments)
{
    switch (arguments->action) {
    case AUDIT_VERIFY:
        return verify(connection, &arguments->head);
    case AUDIT_SEAL:
        return seal(connection);
    case AUDIT_LIST:
        return list(connection, arguments);
    }
    return EXIT_UNUSABLE;
}

int cmd_audit(int argc, char **argv)
{
    static const struct statement_list *const statements[] = {
        [AUDIT_VERIFY] = &audit_verify_statements,
        [AUDIT_SEAL] = &audit_seal_statements,
        [AUDIT_LIST] = &audit_statements,
    };
    struct audit_arguments arguments;
    const enum arguments_read read = audit_arguments(argc, argv, &arguments);
    if (read != ARGUMENTS_READ) {
        return command_usage(usage, read);
    }
    struct err err = {0};
    AUTO(config_finish) struct config config = {0};
    struct connection *connection = NULL;
    if (config_load(arguments.config, &config, &err) != STATUS_OK ||
        command_connect(&config, "intake audit", statements[arguments.action], 1, &connection,
                        &err) != STATUS_OK) {
        return command_fail(&err);
    }
    const int code = run(connection, &arguments);
    connection_destroy(connection);
    return code;
}
