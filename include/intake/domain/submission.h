/* A questionnaire that was posted: checked, and made ready for the lanes. */
#ifndef INTAKE_DOMAIN_SUBMISSION_H
#define INTAKE_DOMAIN_SUBMISSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake/core/err.h"
#include "intake/core/text.h"
#include "intake/db/store_submission.h"
#include "intake/domain/contact.h"

struct audit_actor;
struct issues;
struct lanes;
struct questionnaire;
struct questionnaire_offer;

/* One post on its way. Keep it, and the body, until `write.done` was called. */
struct submission_post {
    struct submission_write write;
    struct contact contact;
    const struct questionnaire *questionnaire; /* what it answers */
    char *flat; /* what is stored, where that was made from another form; else NULL */
};

/*
 * Checks a flat form body (contact and answers, everything at once) and fills `ret_post`, which can
 * then be committed. STATUS_INVALID: `issues` says what is wrong; where it is empty the
 * body is not a JSON object of the right shape. `body` is kept by reference: what is stored is what
 * was posted. Free with submission_post_finish, after a failure too. Any thread.
 */
enum status submission_prepare(const struct questionnaire_offer *offer, const char *body,
                               size_t body_len, struct submission_post *ret_post,
                               struct issues *issues, struct err *err);

void submission_post_finish(struct submission_post *post);

/* The questionnaire that a flat body names, or the default one; NULL with an issue. */
const struct questionnaire *submission_choose_questionnaire(const struct questionnaire_offer *offer,
                                                            const json_t *body,
                                                            struct issues *issues);

/*
 * The halves of submission_prepare(), for other forms of a post. The first checks the answers in
 * `body`, parsed from `text`, and notes what they answer; the second takes the verdict of all
 * issues (STATUS_INVALID where there are errors), and keeps `data` by reference: what is stored.
 */
enum status submission_check_answers(const struct questionnaire *questionnaire, const json_t *body,
                                     const char *text, size_t text_len,
                                     struct submission_post *post, struct issues *issues,
                                     struct err *err);
enum status submission_make_ready(struct submission_post *post, const char *data, size_t len,
                                  const struct issues *issues, struct err *err);

/*
 * Hands a prepared post to the lanes, for `actor`, whose texts live until `done` is called.
 * `expected_revision` as in struct submission_write. `done` is called once, on a lane's thread, and
 * may be before this returns. STATUS_UNAVAILABLE, and no call, when the lanes take no more.
 */
enum status submission_commit(struct lanes *lanes, struct submission_post *post,
                              const struct audit_actor *actor, int32_t expected_revision,
                              void (*done)(struct submission_write *write, enum status status,
                                           const struct err *err),
                              struct err *err);

/* Appends `{"id":…,"booking_uid":…,"status":…,"revision":…,"created_at":…,"updated_at":…}`. */
void submission_print_receipt(const struct submission_post *post, struct strbuf *out);

#endif
