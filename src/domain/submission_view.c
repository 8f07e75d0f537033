/* A stored submission as staff read it, in JSON. */
#include "intake/domain/submission_view.h"

#include <stdint.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/json.h"
#include "intake/db/store_lookup.h"
#include "intake/domain/answer_tree.h"
#include "intake/domain/envelope_fields.h"

/* Appends `,"name":` and the text, or null. */
static void put_text(struct strbuf *out, const char *name, struct view text)
{
    strbuf_printf(out, ",\"%s\":", name);
    if (text.data == NULL) {
        strbuf_puts(out, "null");
    } else {
        strbuf_json_string(out, text.data, text.len);
    }
}

/* Appends `,"name":` and the time, or null for 0. */
static void put_time(struct strbuf *out, const char *name, int64_t time_us)
{
    char text[RFC3339_SIZE];
    if (time_us == 0) {
        strbuf_printf(out, ",\"%s\":null", name);
        return;
    }
    clock_rfc3339(time_us, text);
    strbuf_printf(out, ",\"%s\":\"%s\"", name, text);
}

/* Appends `,"name":` and JSON as it came from the database, or `otherwise`. */
static void put_json(struct strbuf *out, const char *name, struct view json, const char *otherwise)
{
    strbuf_printf(out, ",\"%s\":", name);
    if (json.data == NULL) {
        strbuf_puts(out, otherwise);
    } else {
        strbuf_append(out, json.data, json.len);
    }
}

/* Appends `"id":…` to `"updated_at":…`, the members of a receipt. */
static void put_receipt(struct strbuf *out, const char *id, struct view booking_uid,
                        struct view status, int32_t revision, int64_t created_at_us,
                        int64_t updated_at_us)
{
    strbuf_printf(out, "\"id\":\"%s\"", id);
    put_text(out, "booking_uid", booking_uid);
    put_text(out, "status", status);
    strbuf_printf(out, ",\"revision\":%d", (int)revision);
    put_time(out, "created_at", created_at_us);
    put_time(out, "updated_at", updated_at_us);
}

static void put_record_receipt(const struct submission_record *record, struct strbuf *out)
{
    put_receipt(out, record->id, record->booking_uid, record->status, record->revision,
                record->created_at_us, record->updated_at_us);
}

static void put_member(struct strbuf *out, const char *name, const json_t *value,
                       const struct json_lexemes *lexemes, bool first)
{
    if (!first) {
        strbuf_putc(out, ',');
    }
    strbuf_json_string(out, name, strlen(name));
    strbuf_putc(out, ':');
    json_print(value, lexemes, out);
}

/* The contact as this booking posted it, which need not be what is stored of the person. */
static void put_contact(struct strbuf *out, const json_t *body)
{
    static const char *const fields[][2] = {
        {"name", "attendee_name"},
        {"email", "attendee_email"},
        {"phone", "attendee_phone"},
    };
    strbuf_puts(out, ",\"contact\":{");
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        const json_t *value = json_object_get(body, fields[i][1]);
        put_member(out, fields[i][0], value != NULL ? value : json_null(), NULL, i == 0);
    }
    strbuf_putc(out, '}');
}

/* Which text the patient consented to, or null. */
static void put_consent_version(struct strbuf *out, const json_t *body)
{
    const json_t *version = json_object_get(body, "consent_version");
    const bool is_given = version != NULL && !json_is_unanswered(version);
    put_member(out, "consent_version", is_given ? version : json_null(), NULL, false);
}

void submission_print_answers(const json_t *body, const struct json_lexemes *lexemes,
                              struct strbuf *out)
{
    strbuf_putc(out, '{');
    bool first = true;
    const char *name;
    json_t *value;
    json_object_foreach(json_readable(body), name, value)
    {
        if (!envelope_field_is(name) && !json_is_unanswered(value)) {
            put_member(out, name, value, lexemes, first);
            first = false;
        }
    }
    strbuf_putc(out, '}');
}

static void put_patient(const struct submission_record *record, struct strbuf *out)
{
    strbuf_printf(out, ",\"patient_deleted\":%s", record->patient_deleted ? "true" : "false");
    if (*record->patient_id == '\0') {
        strbuf_puts(out, ",\"patient\":null");
        return;
    }
    strbuf_printf(out, ",\"patient\":{\"id\":\"%s\"", record->patient_id);
    put_text(out, "name", record->patient_name);
    put_text(out, "email", record->patient_email);
    put_text(out, "phone", record->patient_phone);
    if (record->patient_age >= 0) {
        strbuf_printf(out, ",\"age\":%d", (int)record->patient_age);
    } else {
        strbuf_puts(out, ",\"age\":null");
    }
    put_text(out, "gender", record->patient_gender);
    put_text(out, "location", record->patient_location);
    put_text(out, "user_type", record->user_type);
    put_text(out, "source_channel", record->source_channel);
    strbuf_putc(out, '}');
}

static void put_questionnaire(struct strbuf *out, struct view id, struct view version)
{
    strbuf_puts(out, ",\"questionnaire\":{\"id\":");
    if (id.data == NULL) {
        strbuf_puts(out, "null");
    } else {
        strbuf_json_string(out, id.data, id.len);
    }
    put_text(out, "version", version);
    strbuf_putc(out, '}');
}

enum status submission_print_record(const struct submission_record *record, struct strbuf *out,
                                    struct err *err)
{
    json_auto_t *body = NULL;
    AUTO(json_lexemes_finish) struct json_lexemes lexemes = {0};
    enum status status = json_parse(record->data.data, record->data.len, &body, err);
    if (status == STATUS_OK) {
        status = json_lexemes_read(record->data.data, record->data.len, body, &lexemes, err);
    }
    if (status == STATUS_NO_MEMORY) {
        return status;
    }
    strbuf_putc(out, '{');
    put_record_receipt(record, out);
    put_time(out, "processed_at", record->processed_at_us);
    strbuf_printf(out, ",\"attempts\":%d", (int)record->attempts);
    put_text(out, "failure_reason", record->failure_reason);
    put_questionnaire(out, record->questionnaire_id, record->questionnaire_version);
    put_contact(out, body);
    put_consent_version(out, body);
    put_patient(record, out);
    strbuf_puts(out, ",\"answers\":");
    submission_print_answers(body, &lexemes, out);
    put_json(out, "evaluation", record->evaluation, "null");
    put_json(out, "review", record->review, "null");
    put_json(out, "contradictions", record->contradictions, "[]");
    put_json(out, "medical_background", record->medical_background, "null");
    strbuf_putc(out, '}');
    return out->failed ? err_no_memory(err) : STATUS_OK;
}

void submission_print_record_receipt(const struct submission_record *record, struct strbuf *out)
{
    strbuf_putc(out, '{');
    put_record_receipt(record, out);
    strbuf_putc(out, '}');
}

void submission_print_line(const struct submission_line *line, struct strbuf *out)
{
    strbuf_putc(out, '{');
    put_receipt(out, line->id, line->booking_uid, line->status, line->revision, line->created_at_us,
                line->updated_at_us);
    put_text(out, "patient_name", line->patient_name);
    put_text(out, "patient_email", line->patient_email);
    put_text(out, "review_state", line->review_state);
    put_questionnaire(out, line->questionnaire_id, line->questionnaire_version);
    put_json(out, "flags", line->flags, "[]");
    strbuf_printf(out, ",\"contradictions\":%d", (int)line->unresolved);
    strbuf_putc(out, '}');
}
