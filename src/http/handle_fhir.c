/* The FHIR interface but for its posts (handle_submissions.c) and definitions
 * (handle_questionnaires.c): what staff read, the check without storing, and what there is. */
#include <stdint.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/db/audit.h"
#include "intake/db/store_audit.h"
#include "intake/db/store_lookup.h"
#include "intake/domain/contact.h"
#include "intake/domain/fhir_audit_event.h"
#include "intake/domain/fhir_bundle.h"
#include "intake/domain/fhir_capability.h"
#include "intake/domain/fhir_response.h"
#include "intake/domain/flat_fhir.h"
#include "intake/domain/issue.h"
#include "intake/domain/questionnaire_offer.h"
#include "intake/http/handlers.h"
#include "intake/http/request.h"

enum handled handle_fhir_metadata(struct request *request, struct connection *connection)
{
    (void)connection;
    struct strbuf body = {0};
    fhir_print_capability(INTAKE_VERSION, &body);
    reply_fhir(request, 200, &body);
    return HANDLED_NOW;
}

enum handled handle_fhir_validate_response(struct request *request, struct connection *connection)
{
    (void)connection;
    struct err err = {0};
    AUTO(issues_finish) struct issues issues = {0};
    const enum status status = fhir_response_validate(
        questionnaire_offer_now(request->services->offer),
        request->body != NULL ? request->body : "", request->body_len, &issues, &err);
    if (status != STATUS_OK) {
        reply_failure(request, &err);
        return HANDLED_NOW;
    }
    struct strbuf body = {0};
    issues_print_operation_outcome(&issues, &body);
    reply_fhir(request, 200, &body);
    return HANDLED_NOW;
}

/* Prints what was found, and lets go of it. */
static enum status print_record(const struct request *request, struct submission_record *record,
                                struct strbuf *out, struct err *err)
{
    const enum status status = fhir_response_print_record(
        questionnaire_offer_now(request->services->offer), record, out, err);
    submission_record_finish(record);
    return status;
}

enum handled handle_fhir_response_get(struct request *request, struct connection *connection)
{
    if (!id_is_uuid(request->params[0])) {
        reply_problem(request, 404, "There is no such QuestionnaireResponse.");
        return HANDLED_NOW;
    }
    struct err err = {0};
    struct strbuf body = {0};
    struct submission_record record;
    const struct audit_actor actor = request_actor(request);
    enum status status =
        lookup_submission_id(connection, &actor, request->params[0], &record, &err);
    if (status == STATUS_OK) {
        const int revision = (int)record.revision;
        status = print_record(request, &record, &body, &err);
        if (status == STATUS_OK) {
            reply_header(request, "ETag", "W/\"%d\"", revision);
            reply_fhir(request, 200, &body);
            return HANDLED_NOW;
        }
    }
    reply_failure(request, &err);
    strbuf_finish(&body);
    return HANDLED_NOW;
}

/* The booking that a token (`system|value` or `value`) asks for; NULL when there can be none. */
static const char *booking_of_token(const char *token)
{
    const char *bar = strchr(token, '|');
    if (bar != NULL) {
        const size_t len = (size_t)(bar - token);
        if (len != strlen(BOOKING_SYSTEM) || strncmp(token, BOOKING_SYSTEM, len) != 0) {
            return NULL;
        }
        token = bar + 1;
    }
    return booking_uid_is_valid(token) ? token : NULL;
}

enum handled handle_fhir_response_search(struct request *request, struct connection *connection)
{
    static const char type[] = "QuestionnaireResponse";
    static const char parameter[] = "identifier";
    const char *token = request_query(request, parameter);
    if (token == NULL) {
        reply_problem(request, 400, "The parameter identifier says which booking is looked for.");
        return HANDLED_NOW;
    }
    struct err err = {0};
    struct submission_record record;
    AUTO(strbuf_finish) struct strbuf found = {0};
    const struct audit_actor actor = request_actor(request);
    const char *booking_uid = booking_of_token(token);
    enum status status = booking_uid == NULL
                             ? STATUS_NOT_FOUND
                             : lookup_submission(connection, &actor, booking_uid, &record, &err);
    char id[UUID_TEXT_SIZE] = "";
    if (status == STATUS_OK) {
        memcpy(id, record.id, sizeof id);
        status = print_record(request, &record, &found, &err);
    }
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        reply_failure(request, &err);
        return HANDLED_NOW;
    }
    struct strbuf body = {0};
    const struct fhir_search search = {.type = type, .parameter = parameter, .value = token};
    fhir_print_searchset(&search, id, status == STATUS_OK ? &found : NULL, &body);
    reply_fhir(request, 200, &body);
    return HANDLED_NOW;
}

/* What is wrong with the search, or NULL. */
static const char *read_audit_search(const struct request *request,
                                     struct audit_page_filter *ret_filter)
{
    enum { COUNT_STANDARD = 50, COUNT_MAX = 200 };
    const char *entity = request_query(request, "entity");
    const char *cursor = request_query(request, "cursor");
    const char *count = request_query(request, "_count");
    long limit = COUNT_STANDARD;
    long before_id = 0;
    if (entity == NULL) {
        return "The parameter entity says which booking is looked for.";
    }
    if (count != NULL && !text_to_long(count, 1, COUNT_MAX, &limit)) {
        return "The parameter _count must be a number from 1 to 200.";
    }
    if (cursor != NULL && !text_to_long(cursor, 1, INT64_MAX, &before_id)) {
        return "The parameter cursor must be that of a link next.";
    }
    *ret_filter = (struct audit_page_filter){
        .booking_uid = booking_of_token(entity),
        .before_id = before_id,
        .limit = (int32_t)limit,
    };
    return NULL;
}

enum handled handle_fhir_audit_search(struct request *request, struct connection *connection)
{
    struct audit_page_filter filter;
    const char *fault = read_audit_search(request, &filter);
    if (fault != NULL) {
        reply_problem(request, 400, fault);
        return HANDLED_NOW;
    }
    struct err err = {0};
    AUTO(audit_page_finish) struct audit_page page = {0};
    const struct audit_actor actor = request_actor(request);
    if (filter.booking_uid != NULL &&
        audit_page(connection, &actor, &filter, &page, &err) != STATUS_OK) {
        reply_failure(request, &err);
        return HANDLED_NOW;
    }
    struct strbuf body = {0};
    fhir_print_audit_page(&page, &filter, request_query(request, "entity"), &body);
    reply_fhir(request, 200, &body);
    return HANDLED_NOW;
}
