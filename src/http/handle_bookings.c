/* /v1/bookings/{booking_uid}: what the holder of a booking's link may know of it. */
#include "intake/core/cleanup.h"
#include "intake/db/audit.h"
#include "intake/db/store_lookup.h"
#include "intake/domain/booking_view.h"
#include "intake/domain/questionnaire_offer.h"
#include "intake/domain/questionnaire_set.h"
#include "intake/http/handlers.h"
#include "intake/http/request.h"

enum handled handle_booking_get(struct request *request, struct connection *connection)
{
    const char *booking_uid = request->params[0];
    struct err err = {0};
    struct submission_record record = {0};
    const struct audit_actor actor = request_actor(request);
    const enum status status = lookup_submission(connection, &actor, booking_uid, &record, &err);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        reply_failure(request, &err);
        return HANDLED_NOW;
    }
    const struct questionnaire_set *set = questionnaire_offer_now(request->services->offer);
    struct strbuf body = {0};
    booking_print(booking_uid, status == STATUS_OK ? &record : NULL, questionnaire_set_default(set),
                  request->link_expires_s, &body);
    reply_json(request, 200, &body);
    if (status == STATUS_OK) {
        submission_record_finish(&record);
    }
    return HANDLED_NOW;
}
