/* GET /v1/export: any number of submissions, a page of them in memory at a time. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/log.h"
#include "intake/db/audit.h"
#include "intake/db/store_find.h"
#include "intake/domain/csv_table.h"
#include "intake/domain/fhir_response.h"
#include "intake/domain/issue.h"
#include "intake/domain/questionnaire.h"
#include "intake/domain/questionnaire_offer.h"
#include "intake/domain/questionnaire_set.h"
#include "intake/domain/submission_view.h"
#include "intake/http/handlers.h"
#include "intake/http/request.h"
#include "intake/http/stream.h"
#include "intake/http/submission_query.h"

enum {
    PAGE_ROWS = 200,
    COUNTED_MAX = 100000, /* rows beyond are not counted beforehand */
};

struct export;

/* One of the forms that an export can have. */
struct export_format {
    const char *name;
    const char *content_type;
    const char *suffix;
    enum status (*print)(struct export *export, const struct submission_record *record,
                         struct strbuf *out, struct err *err);
};

/* An export on its way; attached to its request. */
struct export
{
    const struct export_format *format;
    const struct questionnaire_set *questionnaires;
    struct submission_query query;
    struct csv_table *table; /* of a CSV */
    bool begun;
};

static enum status print_csv(struct export *export, const struct submission_record *record,
                             struct strbuf *out, struct err *err)
{
    return csv_table_print_row(export->table, record, out, err);
}

static enum status print_json(struct export *export, const struct submission_record *record,
                              struct strbuf *out, struct err *err)
{
    (void)export;
    const enum status status = submission_print_record(record, out, err);
    strbuf_putc(out, '\n');
    return status;
}

/* What answers a questionnaire that is gone is told, in its place. */
static enum status print_fhir(struct export *export, const struct submission_record *record,
                              struct strbuf *out, struct err *err)
{
    const size_t begin = out->len;
    const enum status status = fhir_response_print_record(export->questionnaires, record, out, err);
    if (status == STATUS_CONFLICT) {
        out->len = begin;
        strbuf_puts(out, "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":"
                         "\"error\",\"code\":\"not-found\",\"diagnostics\":\"The questionnaire of "
                         "QuestionnaireResponse/");
        strbuf_printf(out, "%s is not in the questionnaire folder any more.\"}]}\n", record->id);
        return STATUS_OK;
    }
    strbuf_putc(out, '\n');
    return status;
}

static const struct export_format formats[] = {
    {"csv", "text/csv; charset=utf-8; header=present", "csv", print_csv},
    {"ndjson", "application/x-ndjson", "ndjson", print_json},
    {"fhir", "application/fhir+ndjson", "fhir.ndjson", print_fhir},
};

static void export_destroy(void *attachment)
{
    struct export *export = attachment;
    csv_table_destroy(export->table);
    free(export);
}

/* Moves the key of the next page behind this one. */
static void go_on_behind(struct export *export, const struct submission_page *page)
{
    struct submission_query *query = &export->query;
    memcpy(query->cursor, page->next_id, sizeof page->next_id);
    query->filter.before_id = query->cursor;
    query->filter.before_us = page->next_us;
}

/* Reads the next page, and its audit, and prints it. */
static enum status print_page(struct export *export, struct connection *connection,
                              const struct audit_actor *actor, struct strbuf *out, bool *ret_more,
                              struct err *err)
{
    AUTO(submission_page_finish) struct submission_page page = {0};
    enum status status = lookup_export(connection, actor, &export->query.filter, &page, err);
    if (status == STATUS_OK && !export->begun && export->table != NULL) {
        csv_table_print_head(export->table, out);
    }
    struct submission_record record = {0};
    for (int32_t i = 0; status == STATUS_OK && i < page.count; i++) {
        submission_page_record(&page, i, &record);
        status = export->format->print(export, &record, out, err);
    }
    if (status == STATUS_OK && page.more) {
        go_on_behind(export, &page);
    }
    export->begun = true;
    *ret_more = page.more;
    return status;
}

static void break_off(struct request *request, struct strbuf *piece, const struct err *err)
{
    log_warning("export broken off", LOG_TEXT("request_id", request->id),
                LOG_TEXT("status", status_name(err->status)), LOG_TEXT("reason", err->message));
    stream_deliver(request, piece, STREAM_BREAKS);
}

static struct request *request_of(struct executor_job *job)
{
    return (struct request *)((char *)job - offsetof(struct request, job));
}

static void run_page(struct executor_job *job, struct connection *connection)
{
    struct request *request = request_of(job);
    struct err err = {0};
    struct strbuf piece = {0};
    bool more = false;
    const struct audit_actor actor = request_actor(request);
    if (print_page(request->attachment, connection, &actor, &piece, &more, &err) != STATUS_OK) {
        break_off(request, &piece, &err);
        return;
    }
    stream_deliver(request, &piece, more ? STREAM_GOES_ON : STREAM_ENDS);
}

static void refuse_page(struct executor_job *job, const struct err *err)
{
    struct strbuf nothing = {0};
    break_off(request_of(job), &nothing, err);
}

static void want_page(struct request *request)
{
    request->job = (struct executor_job){.run = run_page, .refuse = refuse_page};
    if (!executor_submit(request->services->executor, &request->job)) {
        const struct err err = {.status = STATUS_UNAVAILABLE,
                                .message = "the executor's queue is full"};
        refuse_page(&request->job, &err);
    }
}

static const struct export_format *read_format(const struct request *request, struct issues *issues)
{
    const char *name = request_query(request, "format");
    for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
        if (text_equal(name != NULL ? name : "csv", formats[i].name)) {
            return &formats[i];
        }
    }
    issues_add(issues, "invalidAnswerOption", "format", NULL, "This must be csv, ndjson or fhir.");
    return NULL;
}

/* A CSV has the columns of one questionnaire: the one that is asked for, or the default one. */
static enum status prepare_table(struct export *export, const struct config *config,
                                 struct issues *issues, struct err *err)
{
    struct submission_filter *filter = &export->query.filter;
    if (export->format->print != print_csv) {
        return STATUS_OK;
    }
    if (filter->questionnaire_id == NULL) {
        filter->questionnaire_id = config->questionnaires.default_id;
    }
    bool known = false;
    for (size_t i = 0; i < questionnaire_set_count(export->questionnaires); i++) {
        known |= text_equal(questionnaire_id(questionnaire_set_at(export->questionnaires, i)),
                            filter->questionnaire_id);
    }
    if (!known) {
        issues_add(issues, "invalidAnswerOption", "questionnaire", NULL,
                   "There is no questionnaire of this id.");
        return STATUS_OK;
    }
    export->table = csv_table_create(export->questionnaires, filter->questionnaire_id);
    return export->table != NULL ? STATUS_OK : err_no_memory(err);
}

/*
 * How many rows there will be, for a progress bar: exact up to COUNTED_MAX; beyond, and where the
 * database needs too long to count, there is no such header.
 */
static void announce_count(struct request *request, struct export *export,
                           struct connection *connection)
{
    int64_t count = 0;
    export->query.filter.limit = COUNTED_MAX + 1;
    if (find_count(connection, &export->query.filter, &count, NULL) == STATUS_OK &&
        count <= COUNTED_MAX) {
        reply_header(request, "X-Total-Count", "%" PRId64, count);
    }
    export->query.filter.limit = PAGE_ROWS;
}

static void announce_file(struct request *request, const struct export_format *format)
{
    char today[RFC3339_SIZE];
    clock_rfc3339(clock_wall_us(), today);
    reply_header(request, "Content-Disposition", "attachment; filename=\"submissions-%.10s.%s\"",
                 today, format->suffix);
}

enum handled handle_export(struct request *request, struct connection *connection)
{
    AUTO(issues_finish) struct issues issues = {0};
    struct err err = {0};
    struct export *export = calloc(1, sizeof *export);
    if (export == NULL) {
        (void)err_no_memory(&err);
        reply_failure(request, &err);
        return HANDLED_NOW;
    }
    request_attach(request, export, export_destroy);
    export->questionnaires = questionnaire_offer_now(request->services->offer);
    export->format = read_format(request, &issues);
    submission_query_read(request, &export->query, &issues);
    if (export->format != NULL &&
        prepare_table(export, request->services->config, &issues, &err) != STATUS_OK) {
        reply_failure(request, &err);
        return HANDLED_NOW;
    }
    if (export->format == NULL || !issues_are_none(&issues)) {
        reply_issues(request, 400, "The query cannot be understood.", &issues);
        return HANDLED_NOW;
    }
    if (reply_stream(request, 200, export->format->content_type, want_page)) {
        announce_count(request, export, connection);
        announce_file(request, export->format);
    }
    return HANDLED_NOW;
}
