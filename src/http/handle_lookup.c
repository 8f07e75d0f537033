/* What staff read: one submission, a list of them; and the second try of what failed. */
#include <inttypes.h>

#include "intake/core/cleanup.h"
#include "intake/core/text.h"
#include "intake/db/audit.h"
#include "intake/db/store_lookup.h"
#include "intake/domain/contact.h"
#include "intake/domain/issue.h"
#include "intake/domain/submission_view.h"
#include "intake/http/handlers.h"
#include "intake/http/request.h"
#include "intake/http/submission_query.h"

/* The booking of the path; NULL, and the reply set, when it cannot be one. */
static const char *booking_of(struct request *request)
{
    if (booking_uid_is_valid(request->params[0])) {
        return request->params[0];
    }
    reply_problem(request, 404, "There is no submission for this booking.");
    return NULL;
}

enum handled handle_submission_get(struct request *request, struct connection *connection)
{
    const char *booking_uid = booking_of(request);
    if (booking_uid == NULL) {
        return HANDLED_NOW;
    }
    struct err err = {0};
    struct submission_record record;
    const struct audit_actor actor = request_actor(request);
    enum status status = lookup_submission(connection, &actor, booking_uid, &record, &err);
    if (status != STATUS_OK) {
        reply_failure(request, &err);
        return HANDLED_NOW;
    }
    struct strbuf body = {0};
    status = submission_print_record(&record, &body, &err);
    submission_record_finish(&record);
    if (status == STATUS_OK) {
        reply_json(request, 200, &body);
    } else {
        reply_failure(request, &err);
        strbuf_finish(&body);
    }
    return HANDLED_NOW;
}

enum handled handle_submission_retry(struct request *request, struct connection *connection)
{
    const char *booking_uid = booking_of(request);
    if (booking_uid == NULL) {
        return HANDLED_NOW;
    }
    struct err err = {0};
    struct submission_record record;
    const struct audit_actor actor = request_actor(request);
    if (lookup_retry(connection, &actor, booking_uid, &record, &err) != STATUS_OK) {
        reply_failure(request, &err);
        return HANDLED_NOW;
    }
    struct strbuf body = {0};
    submission_print_record_receipt(&record, &body);
    submission_record_finish(&record);
    reply_json(request, 200, &body);
    return HANDLED_NOW;
}

/* The page as JSON; `next_cursor` is null on the last one. */
static void print_page(const struct submission_page *page, struct strbuf *out)
{
    struct submission_line line = {0};
    strbuf_puts(out, "{\"submissions\":[");
    for (int32_t i = 0; i < page->count; i++) {
        submission_page_line(page, i, &line);
        if (i > 0) {
            strbuf_putc(out, ',');
        }
        submission_print_line(&line, out);
    }
    strbuf_puts(out, "],\"next_cursor\":");
    if (page->more) {
        strbuf_printf(out, "\"%" PRId64 "-%s\"}", page->next_us, page->next_id);
    } else {
        strbuf_puts(out, "null}");
    }
}

enum handled handle_submissions_list(struct request *request, struct connection *connection)
{
    AUTO(issues_finish) struct issues issues = {0};
    struct submission_query query;
    submission_query_read(request, &query, &issues);
    submission_query_read_page(request, &query, &issues);
    if (!issues_are_none(&issues)) {
        reply_issues(request, 400, "The query cannot be understood.", &issues);
        return HANDLED_NOW;
    }
    struct err err = {0};
    AUTO(submission_page_finish) struct submission_page page = {0};
    const struct audit_actor actor = request_actor(request);
    if (lookup_list(connection, &actor, &query.filter, &page, &err) != STATUS_OK) {
        reply_failure(request, &err);
        return HANDLED_NOW;
    }
    struct strbuf body = {0};
    print_page(&page, &body);
    reply_json(request, 200, &body);
    return HANDLED_NOW;
}
