/* The handlers that the route table names; one file for each kind of thing. See struct route. */
#ifndef INTAKE_HTTP_HANDLERS_H
#define INTAKE_HTTP_HANDLERS_H

#include "intake/http/route.h"

/* handle_health.c: application/health+json */
enum handled handle_health(struct request *request, struct connection *connection);
enum handled handle_health_live(struct request *request, struct connection *connection);
enum handled handle_health_ready(struct request *request, struct connection *connection);

/* handle_metrics.c: Prometheus text */
enum handled handle_metrics(struct request *request, struct connection *connection);

/* handle_pages.c: the pages and their assets, from the binary */
enum handled handle_page_patient(struct request *request, struct connection *connection);
enum handled handle_page_staff(struct request *request, struct connection *connection);
enum handled handle_page_docs(struct request *request, struct connection *connection);
enum handled handle_openapi(struct request *request, struct connection *connection);
enum handled handle_asset(struct request *request, struct connection *connection);

/* handle_version.c */
enum handled handle_version(struct request *request, struct connection *connection);

/* handle_submissions.c: posts, in the flat form and as a QuestionnaireResponse */
enum handled handle_submissions_post(struct request *request, struct connection *connection);
enum handled handle_fhir_response_post(struct request *request, struct connection *connection);

/* handle_fhir.c: the rest of the FHIR interface */
enum handled handle_fhir_metadata(struct request *request, struct connection *connection);
enum handled handle_fhir_response_get(struct request *request, struct connection *connection);
enum handled handle_fhir_response_search(struct request *request, struct connection *connection);
enum handled handle_fhir_audit_search(struct request *request, struct connection *connection);
enum handled handle_fhir_validate_response(struct request *request, struct connection *connection);

/* handle_export.c: many submissions at once */
enum handled handle_export(struct request *request, struct connection *connection);

/* handle_events.c: what is submitted while a page is open */
enum handled handle_events(struct request *request, struct connection *connection);

/* handle_drafts.c: what patients have begun and not sent yet */
enum handled handle_draft_get(struct request *request, struct connection *connection);
enum handled handle_draft_put(struct request *request, struct connection *connection);
enum handled handle_draft_delete(struct request *request, struct connection *connection);

/* handle_bookings.c: what the holder of a booking's link may know of it */
enum handled handle_booking_get(struct request *request, struct connection *connection);

/* handle_review.c: what staff decide about a submission, and its history */
enum handled handle_history_get(struct request *request, struct connection *connection);
enum handled handle_review_put(struct request *request, struct connection *connection);
enum handled handle_contradiction_put(struct request *request, struct connection *connection);

/* handle_session.c: staff sign in and out */
enum handled handle_session_post(struct request *request, struct connection *connection);
enum handled handle_session_get(struct request *request, struct connection *connection);
enum handled handle_session_delete(struct request *request, struct connection *connection);

/* handle_questionnaires.c: the definitions, for whoever shows the form */
enum handled handle_questionnaires_list(struct request *request, struct connection *connection);
enum handled handle_questionnaire_get(struct request *request, struct connection *connection);
enum handled handle_fhir_questionnaire_get(struct request *request, struct connection *connection);
enum handled handle_fhir_questionnaire_search(struct request *request,
                                              struct connection *connection);

/* handle_lookup.c: what staff read, and their second try of what failed */
enum handled handle_submission_get(struct request *request, struct connection *connection);
enum handled handle_submissions_list(struct request *request, struct connection *connection);
enum handled handle_submission_retry(struct request *request, struct connection *connection);

#endif
