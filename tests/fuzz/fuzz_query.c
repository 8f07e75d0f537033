/* A target whose query narrows a list of submissions: what is understood is within its limits. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/id.h"
#include "intake/core/text.h"
#include "intake/db/store_find.h"
#include "intake/domain/issue.h"
#include "intake/http/request.h"
#include "intake/http/submission_query.h"

static const int64_t year_9999_us = INT64_C(253402300799) * 1000000;

static void check_times(const struct submission_filter *filter, const char *text)
{
    fuzz_assert(filter->since_us >= 0 && filter->since_us <= year_9999_us, "since", text);
    fuzz_assert(filter->until_us >= 0 && filter->until_us <= year_9999_us, "until", text);
}

static void check_search(const struct submission_search *search, const char *text)
{
    const int meanings = (search->email != NULL) + (search->phone != NULL) + (search->name != NULL);
    fuzz_assert(meanings <= 1, "one meaning", text);
    fuzz_assert(search->booking_uid == NULL || booking_uid_is_valid(search->booking_uid),
                "a booking", text);
    fuzz_assert(search->phone == NULL || *search->phone == '+', "a phone", text);
}

/* The cursor that was understood is understood as the same one when we write it. */
static void check_cursor(const struct submission_filter *filter, const char *text)
{
    char target[SUBMISSION_CURSOR_SIZE + 16];
    if (filter->before_id == NULL) {
        fuzz_assert(filter->before_us == 0, "no half of a cursor", text);
        return;
    }
    fuzz_assert(id_is_uuid(filter->before_id) && filter->before_us > 0, "a cursor", text);
    (void)snprintf(target, sizeof target, "/?cursor=%lld-%s", (long long)filter->before_us,
                   filter->before_id);
    struct request request = {0};
    struct submission_query again = {0};
    struct issues issues = {0};
    fuzz_assert(target_parse(target, &request.target), "our cursor", text);
    submission_query_read_page(&request, &again, &issues);
    fuzz_assert(issues_are_none(&issues) && again.filter.before_us == filter->before_us &&
                    strcmp(again.filter.before_id, filter->before_id) == 0,
                "the same cursor", text);
    issues_finish(&issues);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request request = {0};
    struct submission_query query;
    struct issues issues = {0};
    struct strbuf text = {0};
    if (memchr(data, '\0', size) != NULL) {
        return 0;
    }
    strbuf_puts(&text, "/?");
    strbuf_append(&text, (const char *)data, size);
    char *target = strbuf_take(&text);
    if (target_parse(target, &request.target)) {
        submission_query_read(&request, &query, &issues);
        submission_query_read_page(&request, &query, &issues);
        check_times(&query.filter, target);
        check_search(&query.filter.search, target);
        check_cursor(&query.filter, target);
        fuzz_assert(query.filter.limit >= 1 && query.filter.limit <= FIND_MAX, "limit", target);
    }
    issues_finish(&issues);
    free(target);
    return 0;
}
