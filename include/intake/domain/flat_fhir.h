/*
 * Between the two forms of answers: the flat body and the FHIR R4 QuestionnaireResponse, without
 * loss. Both are printed as text, so that decimals keep every digit.
 *
 * The envelope's fields become: booking_uid the `identifier` (system urn:intake:booking-uid), the
 * attendee a contained Patient with name and telecom, which is the `subject` (or, read, the
 * `source`), consent_version an extension of the response (urn:intake:consent-version).
 */
#ifndef INTAKE_DOMAIN_FLAT_FHIR_H
#define INTAKE_DOMAIN_FLAT_FHIR_H

#include <jansson.h>

#include "intake/core/err.h"

struct json_lexemes;
struct questionnaire;
struct strbuf;

#define BOOKING_SYSTEM    "urn:intake:booking-uid"
#define CONSENT_EXTENSION "urn:intake:consent-version"

/* What a response says about itself; NULL members are left out. */
struct response_head {
    const char *id;
    const char *version_id;   /* meta.versionId: the revision */
    const char *last_updated; /* meta.lastUpdated: an instant */
    const char *status;       /* NULL: completed */
    const char *authored;     /* a dateTime */
};

/*
 * Appends the QuestionnaireResponse that the flat `body` stands for: sections and questions with
 * their texts, codes with system and display. What the rules refuse outright (an unknown linkId,
 * a value of the wrong type) has no place in it and is left out. `lexemes` may be NULL.
 */
enum status questionnaire_print_response(const struct questionnaire *questionnaire,
                                         const json_t *body, const struct json_lexemes *lexemes,
                                         const struct response_head *head, struct strbuf *out,
                                         struct err *err);

/*
 * Appends the flat body that a QuestionnaireResponse stands for, with the envelope's fields and
 * `questionnaire`. Sections (groups at the top that do not repeat) are left out as a level; groups
 * below them are objects under their linkId. STATUS_INVALID when it is no QuestionnaireResponse.
 */
enum status questionnaire_print_flat(const struct questionnaire *questionnaire,
                                     const json_t *response, const struct json_lexemes *lexemes,
                                     struct strbuf *out, struct err *err);

#endif
