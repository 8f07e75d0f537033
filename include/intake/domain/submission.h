/* A questionnaire that was posted: checked, and made ready for the lanes. */
#ifndef INTAKE_DOMAIN_SUBMISSION_H
#define INTAKE_DOMAIN_SUBMISSION_H

#include <jansson.h>
#include <stddef.h>

#include "intake/core/err.h"
#include "intake/core/text.h"
#include "intake/db/store_submission.h"
#include "intake/domain/contact.h"

struct issues;
struct questionnaire_set;

/* One post on its way. Keep it, and the body, until `write.done` was called. */
struct submission_post {
    struct submission_write write;
    struct contact contact;
};

/*
 * Checks a flat form body (contact and answers, everything at once) and fills `ret_post`, whose
 * `write` can then be submitted. STATUS_INVALID: `issues` says what is wrong; where it is empty the
 * body is not a JSON object of the right shape. `body` is kept by reference: what is stored is what
 * was posted. Free with submission_post_finish, after a failure too. Any thread.
 */
enum status submission_prepare(const struct questionnaire_set *questionnaires, const char *body,
                               size_t body_len, struct submission_post *ret_post,
                               struct issues *issues, struct err *err);

void submission_post_finish(struct submission_post *post);

/* Appends `{"id":…,"booking_uid":…,"status":…,"revision":…,"created_at":…,"updated_at":…}`. */
void submission_print_receipt(const struct submission_post *post, struct strbuf *out);

#endif
