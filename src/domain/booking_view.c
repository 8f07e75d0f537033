/* A booking as its patient sees it. */
#include "intake/domain/booking_view.h"

#include <string.h>

#include "intake/core/clock.h"
#include "intake/db/store_lookup.h"
#include "intake/domain/questionnaire.h"

/* The text, or null. */
static void put_text(struct strbuf *out, struct view text)
{
    if (text.data == NULL) {
        strbuf_puts(out, "null");
    } else {
        strbuf_json_string(out, text.data, text.len);
    }
}

static struct view view_of(const char *text)
{
    const size_t len = strlen(text);
    return (struct view){len > 0 ? text : NULL, len};
}

static void put_questionnaire(struct strbuf *out, struct view id, struct view version)
{
    strbuf_puts(out, ",\"questionnaire\":{\"id\":");
    put_text(out, id);
    strbuf_puts(out, ",\"version\":");
    put_text(out, version);
    strbuf_putc(out, '}');
}

static void put_submission(struct strbuf *out, const struct submission_record *record)
{
    char created_at[RFC3339_SIZE];
    char updated_at[RFC3339_SIZE];
    clock_rfc3339(record->created_at_us, created_at);
    clock_rfc3339(record->updated_at_us, updated_at);
    strbuf_printf(out, "{\"revision\":%d,\"status\":", (int)record->revision);
    put_text(out, record->status);
    strbuf_printf(out, ",\"created_at\":\"%s\",\"updated_at\":\"%s\",\"answers\":", created_at,
                  updated_at);
    strbuf_append(out, record->data.data, record->data.len);
    strbuf_putc(out, '}');
}

void booking_print(const char *booking_uid, const struct submission_record *record,
                   const struct questionnaire *standard, int64_t link_expires_s, struct strbuf *out)
{
    char editable_until[RFC3339_SIZE];
    clock_rfc3339(link_expires_s * 1000000, editable_until);
    strbuf_puts(out, "{\"booking_uid\":");
    strbuf_json_string(out, booking_uid, strlen(booking_uid));
    if (record != NULL) {
        put_questionnaire(out, record->questionnaire_id, record->questionnaire_version);
    } else {
        put_questionnaire(out, view_of(standard != NULL ? questionnaire_id(standard) : ""),
                          view_of(standard != NULL ? questionnaire_version(standard) : ""));
    }
    strbuf_printf(out, ",\"editable_until\":\"%s\",\"submission\":", editable_until);
    if (record != NULL) {
        put_submission(out, record);
    } else {
        strbuf_puts(out, "null");
    }
    strbuf_putc(out, '}');
}
