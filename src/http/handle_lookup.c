/* What staff read: one submission, a list of them; and the second try of what failed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/text.h"
#include "intake/db/audit.h"
#include "intake/db/store_lookup.h"
#include "intake/domain/contact.h"
#include "intake/domain/date_time.h"
#include "intake/domain/issue.h"
#include "intake/domain/submission_view.h"
#include "intake/http/handlers.h"
#include "intake/http/request.h"

enum {
    LIMIT_STANDARD = 50,
    LIMIT_MAX = 200,
    SEARCH_MAX = 254,
    CURSOR_SIZE = 64, /* microseconds, "-", a UUID */
};

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

/* No submission is older or younger; what a zone's offset moves out of the calendar stays in it. */
static const int64_t TIME_FIRST_US = 1;
static const int64_t TIME_LAST_US = INT64_C(253402300799) * 1000000; /* in the year 9999 */

/* A time of the query in microseconds since 1970; 0 when it is not given. */
static int64_t read_time(const struct request *request, const char *name, struct issues *issues)
{
    const char *text = request_query(request, name);
    int64_t time_us = 0;
    struct date_time read;
    if (text == NULL) {
        return 0;
    }
    if (date_time_read(text, strlen(text), &read)) {
        time_us = date_time_first_ms(&read) * 1000;
        time_us = time_us < TIME_FIRST_US ? TIME_FIRST_US : time_us;
        time_us = time_us > TIME_LAST_US ? TIME_LAST_US : time_us;
    } else {
        issues_add(issues, "format", name, NULL,
                   "This must be a date (2026-11-22) or a time (2026-11-22T13:00:00Z).");
    }
    return time_us;
}

static const char *read_status(const struct request *request, struct issues *issues)
{
    static const char *const known[] = {"submitted", "processed", "failed"};
    const char *text = request_query(request, "status");
    for (size_t i = 0; text != NULL && i < ARRAY_LENGTH(known); i++) {
        if (text_equal(text, known[i])) {
            return text;
        }
    }
    if (text != NULL) {
        issues_add(issues, "invalidAnswerOption", "status", NULL,
                   "This must be submitted, processed or failed.");
    }
    return NULL;
}

static int32_t read_limit(const struct request *request, struct issues *issues)
{
    const char *text = request_query(request, "limit");
    long limit = LIMIT_STANDARD;
    if (text != NULL && !text_to_long(text, 1, LIMIT_MAX, &limit)) {
        issues_add(issues, "format", "limit", NULL, "This must be a number from 1 to %d.",
                   LIMIT_MAX);
    }
    return (int32_t)limit;
}

static const char *read_search(const struct request *request, struct issues *issues)
{
    const char *text = request_query(request, "q");
    if (text == NULL || text_is_blank(text, strlen(text))) {
        return NULL;
    }
    if (strlen(text) > SEARCH_MAX) {
        issues_add(issues, "maxLength", "q", NULL, "This must have at most %d bytes.", SEARCH_MAX);
    }
    return text;
}

/* Splits a cursor, "<created_at in microseconds>-<id>", in place of `buffer`. */
static void read_cursor(const struct request *request, char buffer[static CURSOR_SIZE],
                        struct submission_filter *filter, struct issues *issues)
{
    const char *text = request_query(request, "cursor");
    if (text == NULL) {
        return;
    }
    const size_t len = strlen(text);
    const char *dash = strchr(text, '-');
    long time_us;
    if (len < CURSOR_SIZE && dash != NULL && id_is_uuid(dash + 1)) {
        memcpy(buffer, text, len + 1);
        buffer[dash - text] = '\0';
        if (text_to_long(buffer, 1, INT64_MAX, &time_us)) {
            filter->before_us = time_us;
            filter->before_id = buffer + (dash - text) + 1;
            return;
        }
    }
    issues_add(issues, "format", "cursor", NULL,
               "This must be the next_cursor of an earlier reply.");
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
        strbuf_printf(out, "\"%" PRId64 "-%s\"}", line.created_at_us, line.id);
    } else {
        strbuf_puts(out, "null}");
    }
}

enum handled handle_submissions_list(struct request *request, struct connection *connection)
{
    AUTO(issues_finish) struct issues issues = {0};
    char cursor[CURSOR_SIZE];
    struct submission_filter filter = {
        .status = read_status(request, &issues),
        .since_us = read_time(request, "since", &issues),
        .until_us = read_time(request, "until", &issues),
        .search = read_search(request, &issues),
        .limit = read_limit(request, &issues),
    };
    read_cursor(request, cursor, &filter, &issues);
    if (issues.count > 0) {
        reply_issues(request, 400, "The query cannot be understood.", &issues);
        return HANDLED_NOW;
    }
    struct err err = {0};
    AUTO(submission_page_finish) struct submission_page page = {0};
    const struct audit_actor actor = request_actor(request);
    if (lookup_list(connection, &actor, &filter, &page, &err) != STATUS_OK) {
        reply_failure(request, &err);
        return HANDLED_NOW;
    }
    struct strbuf body = {0};
    print_page(&page, &body);
    reply_json(request, 200, &body);
    return HANDLED_NOW;
}
