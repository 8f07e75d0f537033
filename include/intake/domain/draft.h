/*
 * Drafts: answers to a booking's questionnaire that were begun and not sent yet. Anything that is
 * a JSON object is kept as it was posted; what keeps it from being a submission is told, not
 * refused. Who may call is the business of the link (link.h).
 */
#ifndef INTAKE_DOMAIN_DRAFT_H
#define INTAKE_DOMAIN_DRAFT_H

#include <stdbool.h>
#include <stddef.h>

#include "intake/core/err.h"
#include "intake/core/text.h"
#include "intake/db/store_draft.h"

struct connection;
struct issues;
struct questionnaire_offer;

/*
 * Appends to `issues` what POST /v1/submissions would find wrong with this body for this booking,
 * what is required and not there included. The body need not repeat the booking; where it names
 * another one, that is an issue of code `mismatch`. STATUS_INVALID when it is not a JSON object.
 */
enum status draft_check(const struct questionnaire_offer *offer, const char *booking_uid,
                        struct view body, struct issues *issues, struct err *err);

/*
 * Checks a body and keeps it for `days`, where the condition holds (STATUS_CONFLICT otherwise).
 * `body` is NUL-terminated. `ret_created` tells that there was none before.
 */
enum status draft_put(struct connection *connection, const struct questionnaire_offer *offer,
                      const char *booking_uid, struct view body,
                      const struct draft_condition *condition, long days,
                      struct draft_record *ret_record, bool *ret_created, struct issues *issues,
                      struct err *err);

/*
 * Appends `{"booking_uid", "version", "created_at", "updated_at", "expires_at", "answers",
 * "errors"}`; "answers", the body as it was posted, only where the record has its data.
 */
void draft_print(const char *booking_uid, const struct draft_record *record,
                 const struct issues *issues, struct strbuf *out);

#endif
