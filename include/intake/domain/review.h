/* What staff decide about a submission: the bodies that say so, and the history in JSON. */
#ifndef INTAKE_DOMAIN_REVIEW_H
#define INTAKE_DOMAIN_REVIEW_H

#include <jansson.h>
#include <stdint.h>

#include "intake/core/err.h"
#include "intake/core/text.h"
#include "intake/db/store_contradiction.h"
#include "intake/db/store_review.h"

struct audit_actor;
struct connection;
struct issues;

enum { REVIEW_COMMENT_MAX = 2000 }; /* characters */

/*
 * Read `{"state":…,"comment":…,"revision":…}` and `{"decision":…,"revision":…}` out of a parsed
 * body. The texts of what they fill live as long as the body. STATUS_INVALID: `issues` says what
 * is wrong, all of it; where it is empty, the body is not an object.
 */
enum status review_read(const json_t *body, const char *booking_uid, struct review_write *ret_write,
                        struct issues *issues, struct err *err);
enum status contradiction_read(const json_t *body, const char *booking_uid, const char *field,
                               struct contradiction_write *ret_write, struct issues *issues,
                               struct err *err);

/*
 * Do what was read (review_set, contradiction_decide), and append what came of it as JSON. Executor
 * thread.
 */
enum status review_put(struct connection *connection, const struct audit_actor *actor,
                       const struct review_write *write, struct strbuf *out, struct err *err);
enum status contradiction_put(struct connection *connection, const struct audit_actor *actor,
                              const struct contradiction_write *write, struct strbuf *out,
                              struct err *err);

/*
 * Appends the history: {"revisions":[…],"processing":[…],"reviews":[…],"other_bookings":[…]}, each
 * the newest first. Answers are the answered ones, with every digit that was posted.
 */
enum status history_print(const struct history_record *record, struct strbuf *out, struct err *err);

#endif
