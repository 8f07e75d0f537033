/* Whether a request is let in, decided from its headers alone. */
#ifndef INTAKE_HTTP_ADMIT_H
#define INTAKE_HTTP_ADMIT_H

#include "intake/http/request.h"

/*
 * Makes the checks that need no body and no database, in the order that dispatch.h names, and
 * finds the route. Sets the reply where one fails (and where nothing is left to do: OPTIONS), and
 * reply.close where the connection is not to be believed any further.
 */
void admit(struct request *request, const char *method, const char *version,
           const struct client_address *peer);

/* Bytes of body that the request may have; 0 for a route that takes none. */
size_t admit_body_limit(const struct request *request);

/*
 * Finds the caller of a guarded route by its token or session and checks its role. False: the
 * reply is set. Executor thread.
 */
bool admit_caller(struct request *request, struct connection *connection);

/*
 * The same in a transaction in which `earlier` (or NULL) was let in or not a moment ago: whose
 * token is the same needs no second look.
 */
bool admit_caller_after(struct request *request, const struct request *earlier,
                        struct connection *connection);

/*
 * The same for a token out of the body, of somebody who wants a session: wrong ones count as
 * everywhere, and only persons are let in. Executor thread.
 */
bool admit_sign_in(struct request *request, struct connection *connection, const char *token);

/* A new session is let in from there although others guess wrong, like a token that was right. */
void admit_remember(struct request *request, const char *guess);

#endif
