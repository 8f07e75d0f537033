/* The header X-Intake-Link. */
#include "intake/http/booking_link.h"

#include "intake/core/clock.h"
#include "intake/core/config.h"
#include "intake/core/text.h"
#include "intake/domain/link.h"
#include "intake/http/request.h"

/* The token, or NULL, and the reply set. */
static const char *token_of(struct request *request)
{
    const char *token = request_header(request, "X-Intake-Link");
    if (token == NULL) {
        reply_header(request, "WWW-Authenticate", "Intake-Link realm=\"intake\"");
        reply_problem(request, 401, "This needs the booking's link: X-Intake-Link: TOKEN.");
    }
    return token;
}

/* Whether the token is the booking's; until when is noted, for the audit too. */
static enum status check_token(struct request *request, const char *booking_uid, const char *token,
                               struct err *err)
{
    const char *secret = request->services->config->link.secret;
    return link_check_token(secret, booking_uid, token, clock_wall_us() / 1000000,
                            &request->link_expires_s, err);
}

bool booking_link_admits(struct request *request, const char *booking_uid)
{
    if (*request->services->config->link.secret == '\0') {
        reply_problem(request, 404,
                      "There are no links to bookings here: no [link] secret is configured.");
        return false;
    }
    const char *token = token_of(request);
    if (token == NULL) {
        return false;
    }
    struct err err = {0};
    if (check_token(request, booking_uid, token, &err) != STATUS_OK) {
        reply_problem(request, 403, err.message);
        return false;
    }
    return true;
}

bool booking_link_admits_submission(struct request *request, const char *booking_uid)
{
    const bool is_known = booking_uid != NULL && *booking_uid != '\0';
    if (!text_equal(request->services->config->link.submissions, "required")) {
        const char *token = request_header(request, "X-Intake-Link");
        if (is_known && token != NULL && *request->services->config->link.secret != '\0') {
            (void)check_token(request, booking_uid, token, NULL); /* not needed, but noted */
        }
        return true;
    }
    return is_known ? booking_link_admits(request, booking_uid) : token_of(request) != NULL;
}
