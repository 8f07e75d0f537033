/* The route table of the program. */
#include "intake/core/cleanup.h"
#include "intake/domain/staff.h"
#include "intake/http/handlers.h"
#include "intake/http/route.h"
#include "intake/http/submission_query.h"

#define JSON_TYPE "application/json"
#define FHIR_TYPE "application/fhir+json"

static bool metrics_are_guarded(const struct config *config)
{
    return config->http.metrics_require_token;
}

static bool submissions_are_guarded(const struct config *config)
{
    return config->http.submissions_require_token;
}

static const char *const list_query[] = {SUBMISSION_QUERY_FILTERS, "limit", "cursor", NULL};
static const char *const export_query[] = {SUBMISSION_QUERY_FILTERS, "format", NULL};
static const char *const version_query[] = {"version", NULL};
static const char *const url_query[] = {"url", NULL};
static const char *const identifier_query[] = {"identifier", NULL};
static const char *const audit_query[] = {"entity", "_count", "cursor", NULL};

static const struct route rows[] = {
    {
        .method = "POST",
        .path = "/v1/submissions",
        .roles = ROLE_INTAKE | ROLE_ADMIN,
        .guarded_when = submissions_are_guarded,
        .takes_body = true,
        .body_types = {JSON_TYPE},
        .handle = handle_submissions_post,
    },
    {
        .method = "GET",
        .path = "/v1/submissions",
        .roles = ROLE_STAFF | ROLE_ADMIN,
        .runs = ROUTE_DATABASE,
        .query = list_query,
        .handle = handle_submissions_list,
    },
    {
        .method = "GET",
        .path = "/v1/submissions/{booking_uid}",
        .roles = ROLE_STAFF | ROLE_ADMIN,
        .runs = ROUTE_DATABASE,
        .shares_commit = true,
        .handle = handle_submission_get,
    },
    {
        .method = "GET",
        .path = "/v1/submissions/{booking_uid}/history",
        .roles = ROLE_STAFF | ROLE_ADMIN,
        .runs = ROUTE_DATABASE,
        .handle = handle_history_get,
    },
    {
        .method = "PUT",
        .path = "/v1/submissions/{booking_uid}/review",
        .roles = ROLE_STAFF | ROLE_ADMIN,
        .runs = ROUTE_DATABASE,
        .takes_body = true,
        .body_types = {JSON_TYPE},
        .handle = handle_review_put,
    },
    {
        .method = "PUT",
        .path = "/v1/submissions/{booking_uid}/contradictions/{field}",
        .roles = ROLE_STAFF | ROLE_ADMIN,
        .runs = ROUTE_DATABASE,
        .takes_body = true,
        .body_types = {JSON_TYPE},
        .handle = handle_contradiction_put,
    },
    {
        .method = "POST",
        .path = "/v1/submissions/{booking_uid}/retry",
        .roles = ROLE_STAFF | ROLE_ADMIN,
        .runs = ROUTE_DATABASE,
        .handle = handle_submission_retry,
    },
    {
        .method = "POST",
        .path = "/v1/session",
        .runs = ROUTE_DATABASE,
        .takes_body = true,
        .body_types = {JSON_TYPE},
        .handle = handle_session_post,
    },
    {
        .method = "GET",
        .path = "/v1/session",
        .roles = ROLE_STAFF | ROLE_ADMIN,
        .runs = ROUTE_DATABASE,
        .passive = true,
        .handle = handle_session_get,
    },
    {
        .method = "DELETE",
        .path = "/v1/session",
        .roles = ROLE_STAFF | ROLE_ADMIN,
        .runs = ROUTE_DATABASE,
        .handle = handle_session_delete,
    },
    {
        .method = "GET",
        .path = "/v1/bookings/{booking_uid}",
        .linked = true,
        .runs = ROUTE_DATABASE,
        .handle = handle_booking_get,
    },
    {
        .method = "GET",
        .path = "/v1/export",
        .roles = ROLE_STAFF | ROLE_ADMIN,
        .runs = ROUTE_DATABASE,
        .query = export_query,
        .handle = handle_export,
    },
    {
        .method = "GET",
        .path = "/v1/events",
        .roles = ROLE_STAFF | ROLE_ADMIN,
        .runs = ROUTE_DATABASE,
        .passive = true,
        .handle = handle_events,
    },
    {
        .method = "GET",
        .path = "/v1/drafts/{booking_uid}",
        .linked = true,
        .runs = ROUTE_DATABASE,
        .handle = handle_draft_get,
    },
    {
        .method = "PUT",
        .path = "/v1/drafts/{booking_uid}",
        .linked = true,
        .runs = ROUTE_DATABASE,
        .takes_body = true,
        .body_types = {"application/json"},
        .handle = handle_draft_put,
    },
    {
        .method = "DELETE",
        .path = "/v1/drafts/{booking_uid}",
        .linked = true,
        .runs = ROUTE_DATABASE,
        .handle = handle_draft_delete,
    },
    {
        .method = "GET",
        .path = "/v1/questionnaires",
        .handle = handle_questionnaires_list,
    },
    {
        .method = "GET",
        .path = "/v1/questionnaires/{id}",
        .query = version_query,
        .handle = handle_questionnaire_get,
    },
    {
        .method = "GET",
        .path = "/fhir/metadata",
        .handle = handle_fhir_metadata,
    },
    {
        .method = "POST",
        .path = "/fhir/QuestionnaireResponse",
        .roles = ROLE_INTAKE | ROLE_ADMIN,
        .guarded_when = submissions_are_guarded,
        .takes_body = true,
        .body_types = {FHIR_TYPE, JSON_TYPE},
        .handle = handle_fhir_response_post,
    },
    {
        .method = "GET",
        .path = "/fhir/QuestionnaireResponse",
        .roles = ROLE_STAFF | ROLE_ADMIN,
        .runs = ROUTE_DATABASE,
        .query = identifier_query,
        .handle = handle_fhir_response_search,
    },
    {
        .method = "GET",
        .path = "/fhir/QuestionnaireResponse/{id}",
        .roles = ROLE_STAFF | ROLE_ADMIN,
        .runs = ROUTE_DATABASE,
        .handle = handle_fhir_response_get,
    },
    {
        .method = "GET",
        .path = "/fhir/AuditEvent",
        .roles = ROLE_ADMIN,
        .runs = ROUTE_DATABASE,
        .query = audit_query,
        .handle = handle_fhir_audit_search,
    },
    {
        .method = "POST",
        .path = "/fhir/Questionnaire/$validate-response",
        .takes_body = true,
        .body_types = {FHIR_TYPE, JSON_TYPE},
        .handle = handle_fhir_validate_response,
    },
    {
        .method = "GET",
        .path = "/fhir/Questionnaire",
        .query = url_query,
        .handle = handle_fhir_questionnaire_search,
    },
    {
        .method = "GET",
        .path = "/fhir/Questionnaire/{id}",
        .handle = handle_fhir_questionnaire_get,
    },
    {
        .method = "GET",
        .path = "/health",
        .unlimited = true,
        .quiet = true,
        .handle = handle_health,
    },
    {
        .method = "GET",
        .path = "/health/live",
        .unlimited = true,
        .quiet = true,
        .handle = handle_health_live,
    },
    {
        .method = "GET",
        .path = "/health/ready",
        .unlimited = true,
        .quiet = true,
        .handle = handle_health_ready,
    },
    {
        .method = "GET",
        .path = "/metrics",
        .roles = ROLE_METRICS | ROLE_ADMIN,
        .guarded_when = metrics_are_guarded,
        .unlimited = true,
        .quiet = true,
        .handle = handle_metrics,
    },
    {
        .method = "GET",
        .path = "/q/{booking_uid}",
        .handle = handle_page_patient,
    },
    {
        .method = "GET",
        .path = "/staff",
        .handle = handle_page_staff,
    },
    {
        .method = "GET",
        .path = "/docs",
        .handle = handle_page_docs,
    },
    {
        .method = "GET",
        .path = "/openapi.json",
        .handle = handle_openapi,
    },
    {
        .method = "GET",
        .path = "/assets/{digest}/{name}",
        .unlimited = true,
        .quiet = true,
        .handle = handle_asset,
    },
    {
        .method = "GET",
        .path = "/version",
        .handle = handle_version,
    },
};

const struct route_table routes = {rows, ARRAY_LENGTH(rows)};
