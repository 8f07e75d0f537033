/* The query parameters that narrow lists and exports of submissions. */
#include "intake/http/submission_query.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/id.h"
#include "intake/core/text.h"
#include "intake/db/store_find.h"
#include "intake/domain/date_time.h"
#include "intake/domain/issue.h"
#include "intake/http/request.h"

enum { LIMIT_STANDARD = 50, LIMIT_MAX = FIND_MAX };

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

/* One of the texts that a parameter may be; `message` says which they are. */
struct choices {
    const char *name;
    const char *known[5]; /* the last is NULL */
    const char *message;
};

static const struct choices statuses = {
    "status",
    {"submitted", "processed", "failed"},
    "This must be submitted, processed or failed.",
};
static const struct choices review_states = {
    "review",
    {"received", "has_issues", "approved", "rejected"},
    "This must be received, has_issues, approved or rejected.",
};

static const char *read_choice(const struct request *request, const struct choices *choices,
                               struct issues *issues)
{
    const char *text = request_query(request, choices->name);
    for (size_t i = 0; text != NULL && choices->known[i] != NULL; i++) {
        if (text_equal(text, choices->known[i])) {
            return text;
        }
    }
    if (text != NULL) {
        issues_add(issues, "invalidAnswerOption", choices->name, NULL, "%s", choices->message);
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

/* A phone number with its country code, with or without the plus (which URLs make a space of). */
static bool read_phone(const char *text, char ret_phone[static PHONE_SIZE])
{
    char with_plus[SUBMISSION_SEARCH_MAX + 2];
    snprintf(with_plus, sizeof with_plus, "+%s", text);
    return phone_normalize(text, ret_phone) || phone_normalize(with_plus, ret_phone);
}

/*
 * What `q` may mean. Something with an @ is an e-mail; what has only the digits and dashes of a
 * phone is no name.
 */
static void read_search(const struct request *request, struct submission_query *query,
                        struct issues *issues)
{
    const char *text = request_query(request, "q");
    if (text == NULL) {
        return;
    }
    const struct view trimmed = text_trim(text, strlen(text));
    if (trimmed.len > SUBMISSION_SEARCH_MAX) {
        issues_add(issues, "maxLength", "q", NULL, "This must have at most %d bytes.",
                   SUBMISSION_SEARCH_MAX);
        return;
    }
    if (trimmed.len == 0) {
        return;
    }
    memcpy(query->search, trimmed.data, trimmed.len);
    query->search[trimmed.len] = '\0';
    struct submission_search *search = &query->filter.search;
    if (booking_uid_is_valid(query->search)) {
        search->booking_uid = query->search;
    }
    if (strchr(query->search, '@') != NULL) {
        search->email = query->search;
    } else if (read_phone(query->search, query->phone)) {
        search->phone = query->phone;
    } else {
        search->name = query->search;
    }
}

/* Splits a cursor, "<created_at in microseconds>-<id>", in place of `buffer`. */
static void read_cursor(const struct request *request, struct submission_query *query,
                        struct issues *issues)
{
    char *buffer = query->cursor;
    struct submission_filter *filter = &query->filter;
    const char *text = request_query(request, "cursor");
    if (text == NULL) {
        return;
    }
    const size_t len = strlen(text);
    const char *dash = strchr(text, '-');
    long time_us;
    if (len < sizeof query->cursor && dash != NULL && id_is_uuid(dash + 1)) {
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

void submission_query_read(const struct request *request, struct submission_query *ret_query,
                           struct issues *issues)
{
    *ret_query = (struct submission_query){
        .filter =
            {
                .status = read_choice(request, &statuses, issues),
                .review_state = read_choice(request, &review_states, issues),
                .flag = request_query(request, "flag"),
                .since_us = read_time(request, "since", issues),
                .until_us = read_time(request, "until", issues),
                .questionnaire_id = request_query(request, "questionnaire"),
            },
    };
    read_search(request, ret_query, issues);
}

void submission_query_read_page(const struct request *request, struct submission_query *query,
                                struct issues *issues)
{
    query->filter.limit = read_limit(request, issues);
    read_cursor(request, query, issues);
}
