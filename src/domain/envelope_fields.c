/* The names of the envelope. */
#include "intake/domain/envelope_fields.h"

#include <string.h>

#include "intake/core/cleanup.h"

const char *const envelope_fields[] = {
    "booking_uid",    "attendee_name", "attendee_email",
    "attendee_phone", "questionnaire", "consent_version",
};
const size_t envelope_fields_count = ARRAY_LENGTH(envelope_fields);

bool envelope_field_is(const char *name)
{
    for (size_t i = 0; i < envelope_fields_count; i++) {
        if (strcmp(envelope_fields[i], name) == 0) {
            return true;
        }
    }
    return false;
}
