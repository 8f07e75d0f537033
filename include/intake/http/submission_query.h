/* The query parameters that narrow lists and exports of submissions, and those that page a list. */
#ifndef INTAKE_HTTP_SUBMISSION_QUERY_H
#define INTAKE_HTTP_SUBMISSION_QUERY_H

#include "intake/db/store_lookup.h"
#include "intake/domain/contact.h"

struct issues;
struct request;

enum {
    SUBMISSION_CURSOR_SIZE = 64, /* microseconds, "-", a UUID */
    SUBMISSION_SEARCH_MAX = 254, /* bytes of q */
};

/* Points into the request, and into itself: it is not copied. */
struct submission_query {
    struct submission_filter filter;
    char cursor[SUBMISSION_CURSOR_SIZE];
    char search[SUBMISSION_SEARCH_MAX + 1];
    char phone[PHONE_SIZE];
};

/* What a route with these parameters names in its row. */
#define SUBMISSION_QUERY_FILTERS "status", "review", "questionnaire", "flag", "since", "until", "q"

/* Reads the filters; what cannot be understood is an issue. */
void submission_query_read(const struct request *request, struct submission_query *ret_query,
                           struct issues *issues);

/* Reads `limit` and `cursor` as well. */
void submission_query_read_page(const struct request *request, struct submission_query *query,
                                struct issues *issues);

#endif
