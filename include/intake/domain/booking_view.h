/* A booking as its patient sees it: what is asked, and what was answered already. */
#ifndef INTAKE_DOMAIN_BOOKING_VIEW_H
#define INTAKE_DOMAIN_BOOKING_VIEW_H

#include <stdint.h>

struct questionnaire;
struct strbuf;
struct submission_record;

/*
 * Appends `{"booking_uid", "questionnaire": {"id", "version"}, "editable_until", "submission"}`.
 * `link_expires_s` is the end of the link by which it is seen, in seconds since 1970.
 * `record` is NULL where nothing was submitted; then the questionnaire is `standard`, which is
 * offered now and may be NULL. The answers are the body as it was posted, with its envelope.
 */
void booking_print(const char *booking_uid, const struct submission_record *record,
                   const struct questionnaire *standard, int64_t link_expires_s,
                   struct strbuf *out);

#endif
