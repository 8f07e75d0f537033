/*
 * The FHIR form of a submission: a QuestionnaireResponse (FHIR R4) that is posted becomes the flat
 * body that is stored, and what is stored becomes a QuestionnaireResponse again.
 *
 * The booking is the `identifier` (system urn:intake:booking-uid), the attendee the contained
 * Patient that `subject` or `source` refers to, `questionnaire` names what was answered. The
 * service says itself what it knows better: `id` (the submission's), meta, `authored` (when the
 * content last changed) and `status` (completed, and from the second revision on amended).
 */
#ifndef INTAKE_DOMAIN_FHIR_RESPONSE_H
#define INTAKE_DOMAIN_FHIR_RESPONSE_H

#include <stddef.h>

#include "intake/core/err.h"

struct issues;
struct questionnaire_set;
struct strbuf;
struct submission_post;
struct submission_record;
struct questionnaire_offer;

/*
 * submission_prepare() for a QuestionnaireResponse: checks it, booking and contact, and fills
 * `ret_post`. Errors and lifetimes as there. The paths of the issues are those of the response.
 */
enum status fhir_response_prepare(const struct questionnaire_offer *offer, const char *body,
                                  size_t body_len, struct submission_post *ret_post,
                                  struct issues *issues, struct err *err);

/* Appends the response that a prepared post was stored as; it was committed. Any thread. */
enum status fhir_response_print_post(const struct submission_post *post, struct strbuf *out,
                                     struct err *err);

/*
 * Appends the response that a stored submission stands for, whichever form it came in.
 * STATUS_CONFLICT when the questionnaire that it answers is not in the set any more.
 */
enum status fhir_response_print_record(const struct questionnaire_set *set,
                                       const struct submission_record *record, struct strbuf *out,
                                       struct err *err);

/*
 * $validate-response: checks the QuestionnaireResponse in `body`, which is one or a Parameters that
 * holds one, in whatever status it is; stores nothing. STATUS_INVALID when there is none.
 */
enum status fhir_response_validate(const struct questionnaire_set *set, const char *body,
                                   size_t body_len, struct issues *issues, struct err *err);

#endif
