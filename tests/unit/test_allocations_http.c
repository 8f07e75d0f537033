/*
 * Every allocation in turn fails, once and for good: what was done either says that memory is out
 * or comes to what it comes to otherwise; nothing leaks, and the next try succeeds. What is
 * answered without a database.
 */
#include "cmocka_all.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <string.h>

#include "allocations.h"
#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/config.h"
#include "intake/core/log.h"
#include "intake/core/metrics.h"
#include "intake/db/store_audit.h"
#include "intake/domain/fhir_audit_event.h"
#include "intake/domain/issue.h"
#include "intake/domain/questionnaire_offer.h"
#include "intake/domain/questionnaire_set.h"
#include "intake/domain/submission.h"
#include "intake/http/dispatch.h"
#include "intake/http/events.h"
#include "intake/http/handlers.h"
#include "intake/http/observe.h"
#include "intake/http/request.h"
#include "intake/http/stream.h"

static size_t wrong;

#define EXHAUST(subject, run) (wrong += allocations_exhaust((subject), #run, (run)))

/* --- replies ---------------------------------------------------------------------------------- */

static struct questionnaire_offer *offer;

static enum handled reply_with_issues(struct request *request, struct connection *connection)
{
    (void)connection;
    AUTO(issues_finish) struct issues issues = {0};
    issues_add(&issues, "required", "attendee_name", NULL, "This must be answered.");
    issues_add(&issues, "invalidAnswerType", "attendee_email", NULL, "This must be a text.");
    reply_issues(request, 422, "There are errors.", &issues);
    return HANDLED_NOW;
}

static enum handled reply_twice(struct request *request, struct connection *connection)
{
    (void)connection;
    struct strbuf body = {0};
    strbuf_printf(&body, "{\"some\":\"%0300d\"}", 1);
    reply_header(request, "Location", "/v1/submissions/%s", "a-booking");
    const size_t kept = request->reply.headers_count;
    reply_header(request, "ETag", "\"%d\"", 1);
    reply_json(request, 201, &body);
    reply_forget(&request->reply, kept);
    const struct err err = {.status = STATUS_CONFLICT, .message = "there is one"};
    reply_failure(request, &err);
    return HANDLED_NOW;
}

static enum handled reply_the_body(struct request *request, struct connection *connection)
{
    (void)connection;
    static const char piece[] = "some of the body, which comes in pieces";
    for (int i = 0; i < 300; i++) {
        if (!request_append_body(request, piece, strlen(piece), 65536)) {
            const struct err err = {.status = STATUS_NO_MEMORY, .message = "no memory for a body"};
            reply_failure(request, &err);
            return HANDLED_NOW;
        }
    }
    reply_shared(request, 200, "text/plain", (struct view){piece, strlen(piece)});
    return HANDLED_NOW;
}

static const struct reply_case {
    const char *target;
    const char *param;
    enum handled (*handle)(struct request *request, struct connection *connection);
    const char *body;
} cases[] = {
    {"/health/live", NULL, handle_health_live, NULL},
    {"/health/ready", NULL, handle_health_ready, NULL},
    {"/v1/questionnaires", NULL, handle_questionnaires_list, NULL},
    {"/v1/questionnaires/hair-transplant", "hair-transplant", handle_questionnaire_get, NULL},
    {"/v1/questionnaires/none?version=%31", "none", handle_questionnaire_get, NULL},
    {"/fhir/Questionnaire/none", "none", handle_fhir_questionnaire_get, NULL},
    {"/fhir/Questionnaire?url=urn:none", NULL, handle_fhir_questionnaire_search, NULL},
    {"/v1/session", NULL, handle_session_get, NULL},
    {"/v1/submissions", NULL, reply_with_issues, NULL},
    {"/fhir/QuestionnaireResponse", NULL, reply_with_issues, NULL},
    {"/v1/submissions", NULL, reply_twice, NULL},
    {"/v1/submissions", NULL, reply_the_body, NULL},
    {"/v1/version", NULL, handle_version, NULL},
    {"/fhir/metadata", NULL, handle_fhir_metadata, NULL},
    /* What is refused before the database is asked. */
    {"/v1/submissions?status=none&limit=0&from=never", NULL, handle_submissions_list, NULL},
    {"/v1/submissions?cursor=1", NULL, handle_submissions_list, NULL},
    {"/v1/export?format=none", NULL, handle_export, NULL},
    {"/v1/export?questionnaire=none", NULL, handle_export, NULL},
    {"/v1/export?format=ndjson&review=none", NULL, handle_export, NULL},
    {"/v1/session", NULL, handle_session_post, "{\"token\":1}"},
    {"/v1/submissions/b1/review", "b1", handle_review_put, "{\"state\":1,\"other\":2}"},
    {"/v1/submissions/b1/review", "b1", handle_review_put, "{"},
    {"/fhir/QuestionnaireResponse/$validate", NULL, handle_fhir_validate_response, "{\"a\":1}"},
    {"/v1/submissions", NULL, handle_submissions_post, "{\"booking_uid\":\"b1\",\"a\":1}"},
    {"/fhir/QuestionnaireResponse", NULL, handle_fhir_response_post, "{\"a\":1}"},
};

static const struct reply_case *current;

static char default_id[] = "hair-transplant";
static const struct config config = {
    .questionnaires.default_id = default_id,
    .http.streams_max = 1,
};

static void read_check(void *context, struct health_item *ret_item)
{
    (void)context;
    *ret_item = (struct health_item){.has_value = true, .value = 1, .unit = "s"};
}

static const struct health_check checks[] = {
    {"database", "datastore", true, read_check, NULL},
    {"worker", "component", true, read_check, NULL},
};

/* The bytes on the wire, but for the time of a check. */
static void print_reply(const struct request *request, struct strbuf *out)
{
    static const char name[] = "\"time\":\"";
    reply_print(request, out);
    char *at = out->failed ? NULL : strstr(out->data, name);
    while (at != NULL) {
        memset(at + strlen(name), '0', RFC3339_SIZE - 1);
        at = strstr(at + 1, name);
    }
}

/* From the first line to the bytes on the wire. */
static enum status respond(const struct subject *subject, struct strbuf *out)
{
    (void)subject;
    const struct http_services services = {
        .offer = offer,
        .config = &config,
        .checks = checks,
        .checks_count = ARRAY_LENGTH(checks),
    };
    struct request *request = request_create(NULL, NULL, current->target);
    if (request == NULL) {
        return STATUS_NO_MEMORY;
    }
    request->services = &services;
    request->params[0] = current->param;
    const size_t len = current->body != NULL ? strlen(current->body) : 0;
    if (len > 0 && !request_append_body(request, current->body, len, 65536)) {
        request_destroy(request);
        return STATUS_NO_MEMORY;
    }
    assert_true(target_parse(request->target_text, &request->target));
    (void)current->handle(request, NULL);
    const struct reply *reply = &request->reply;
    /* What it is closed with, what asks to come again, and a refusal without words. */
    const bool out_of_memory =
        reply->incomplete || reply->status == 503 || (reply->body == NULL && reply->shared == NULL);
    print_reply(request, out);
    request_destroy(request);
    return out_of_memory ? STATUS_NO_MEMORY : STATUS_OK;
}

static void test_replies(void **state)
{
    (void)state;
    AUTO(strbuf_finish) struct strbuf path = {0};
    struct questionnaire_set *set = NULL;
    allocations_path(&path, "config/questionnaires");
    assert_int_equal(questionnaire_set_load(path.data, "hair-transplant", &set, NULL), STATUS_OK);
    offer = questionnaire_offer_create(set);
    assert_non_null(offer);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        current = &cases[i];
        const struct subject subject = {.name = current->target};
        EXHAUST(&subject, respond);
    }
    questionnaire_offer_destroy(offer);
    assert_int_equal(wrong, 0);
}

/* --- streams ---------------------------------------------------------------------------------- */

static void want_nothing(struct request *request)
{
    (void)request;
}

/* Where there is no stream, its place is free again; the next one has it. */
static enum status begin_stream(const struct subject *subject, struct strbuf *out)
{
    static struct dispatch dispatch;
    const struct http_services services = {.config = &config};
    struct request *request = request_create(NULL, NULL, subject->name);
    if (request == NULL) {
        return STATUS_NO_MEMORY;
    }
    request->services = &services;
    request->dispatch = &dispatch;
    const bool begun = reply_stream(request, 200, "text/plain", want_nothing);
    strbuf_printf(out, "%u", request->reply.status);
    const bool right = begun ? dispatch.streams == 1 && request->reply.stream != NULL
                             : dispatch.streams == 0 && request->reply.status != 200;
    request_destroy(request);
    if (!right || dispatch.streams != 0) {
        print_error("%zu streams are counted\n", (size_t)dispatch.streams);
        wrong++;
    }
    return begun ? STATUS_OK : STATUS_NO_MEMORY;
}

static void test_streams(void **state)
{
    (void)state;
    const struct subject subject = {.name = "/v1/export"};
    EXHAUST(&subject, begin_stream);
    assert_int_equal(wrong, 0);
}

/* --- routes, metrics, events, audit ----------------------------------------------------------- */

static enum status print_methods(const struct subject *subject, struct strbuf *out)
{
    (void)subject;
    route_print_methods(&routes, NULL, out);
    route_print_methods(&routes, "/v1/questionnaires", out);
    return STATUS_OK;
}

/* Registering them is for the start, which ends the program where memory is out. */
static struct metrics *metrics;

static enum status render_metrics(const struct subject *subject, struct strbuf *out)
{
    (void)subject;
    metrics_render(metrics, out);
    return STATUS_OK;
}

static enum status print_events(const struct subject *subject, struct strbuf *out)
{
    (void)subject;
    for (int i = 0; i < 20; i++) {
        const struct submission_change change = {
            .id = i, .booking_uid = "a \"booking\"", .revised = i % 2};
        events_print(&change, out);
    }
    return STATUS_OK;
}

static PGresult *audit_rows;

static enum status print_audit(const struct subject *subject, struct strbuf *out)
{
    (void)subject;
    const struct audit_page page = {
        .result = audit_rows, .count = PQntuples(audit_rows), .more = true, .total = 9};
    const struct audit_page_filter filter = {.booking_uid = "b1", .limit = 3};
    fhir_print_audit_page(&page, &filter, "b1", out);
    return STATUS_OK;
}

static void put(int row, int column, const void *value, size_t len)
{
    char bytes[256];
    assert_true(len <= sizeof bytes);
    memcpy(bytes, value, len);
    assert_int_equal(PQsetvalue(audit_rows, row, column, bytes, (int)len), 1);
}

static void put_text(int row, int column, const char *text)
{
    put(row, column, text, strlen(text));
}

static void make_audit_rows(void)
{
    static char name[] = "column";
    PGresAttDesc columns[10] = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(columns); i++) {
        columns[i].name = name;
        columns[i].format = 1;
    }
    audit_rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    assert_non_null(audit_rows);
    assert_int_equal(PQsetResultAttrs(audit_rows, ARRAY_LENGTH(columns), columns), 1);
    for (int row = 0; row < 3; row++) {
        const uint32_t id[2] = {0, htonl((uint32_t)row + 1)};
        put(row, 0, id, sizeof id);
        put(row, 1, id, sizeof id);
        put_text(row, 2, "A member of staff");
        put_text(row, 3, row == 0 ? "submission.read" : "submission.revise");
        put_text(row, 4, "192.0.2.1");
        put_text(row, 5, "0123456789abcdef");
        put_text(row, 6, "a reason with \"quotes\" and of some length");
        put(row, 7, "0123456789abcdef", 16);
        put_text(row, 8, "\1{\"field\":\"allergies\",\"revision\":2,\"of\":{\"a\":[1,2]}}");
    }
}

static void test_what_is_printed(void **state)
{
    (void)state;
    const struct subject subject = {.name = "printed"};
    EXHAUST(&subject, print_methods);
    metrics = metrics_create();
    assert_non_null(metrics);
    struct observe *observe = observe_create(metrics, &routes);
    assert_non_null(observe);
    observe_in_flight(observe, 1);
    EXHAUST(&subject, render_metrics);
    observe_destroy(observe);
    metrics_destroy(metrics);
    EXHAUST(&subject, print_events);
    make_audit_rows();
    EXHAUST(&subject, print_audit);
    PQclear(audit_rows);
    assert_int_equal(wrong, 0);
}

/* Last: what comes before it says nothing when none was. */
static void test_memory_was_out(void **state)
{
    (void)state;
    allocations_assert_refused(100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_what_is_printed),
        cmocka_unit_test(test_memory_was_out),
    };
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
