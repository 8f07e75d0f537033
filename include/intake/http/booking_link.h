/*
 * The header `X-Intake-Link`: the token of a booking's link (domain/link.h). A header, because
 * what stands in an address ends in the logs of proxies and in histories.
 */
#ifndef INTAKE_HTTP_BOOKING_LINK_H
#define INTAKE_HTTP_BOOKING_LINK_H

#include <stdbool.h>

struct request;

/*
 * Whether the request carries the link of this booking; otherwise the reply is set: 404 where no
 * secret is configured, 401 without a token, 403 with one that is not good. Looks at no database:
 * neither the answer nor its time tells whether the booking exists.
 */
bool booking_link_admits(struct request *request, const char *booking_uid);

/*
 * For a post whose body names its booking: whether the configuration lets it in. `booking_uid` is
 * "" or NULL while it is not known yet: then a token must be there, whosever it is.
 */
bool booking_link_admits_submission(struct request *request, const char *booking_uid);

#endif
