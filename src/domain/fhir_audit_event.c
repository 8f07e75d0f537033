/* The audit of a booking as FHIR R4 AuditEvent resources. */
#include "intake/domain/fhir_audit_event.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/json.h"
#include "intake/db/store_audit.h"
#include "intake/domain/fhir_bundle.h"
#include "intake/domain/flat_fhir.h"

#define AUDIT_TERMINOLOGY "http://terminology.hl7.org/CodeSystem/"

static void print_text(const char *text, struct strbuf *out)
{
    strbuf_json_string(out, text, strlen(text));
}

/* FHIR's audit-event-action of what is after the point: execute where it is none of the others. */
static const char *action_code(const char *action)
{
    static const struct {
        const char *verb;
        const char *code;
    } codes[] = {
        {"create", "C"}, {"read", "R"},   {"list", "R"},  {"export", "R"}, {"history", "R"},
        {"revise", "U"}, {"review", "U"}, {"retry", "U"}, {"keep", "U"},   {"take", "U"},
        {"write", "U"},  {"delete", "D"}, {"erase", "D"},
    };
    const char *point = strrchr(action, '.');
    for (size_t i = 0; point != NULL && i < ARRAY_LENGTH(codes); i++) {
        if (text_equal(point + 1, codes[i].verb)) {
            return codes[i].code;
        }
    }
    return "E";
}

static void print_what(const struct audit_line *line, struct strbuf *out)
{
    char at[RFC3339_SIZE];
    clock_rfc3339(line->occurred_at_us, at);
    strbuf_printf(out,
                  "{\"resourceType\":\"AuditEvent\",\"id\":\"%" PRId64 "\",\"type\":{"
                  "\"system\":\"" AUDIT_TERMINOLOGY
                  "audit-event-type\",\"code\":\"rest\",\"display\":\"RESTful Operation\"},"
                  "\"subtype\":[{\"system\":\"urn:intake:audit-action\",\"code\":",
                  line->id);
    print_text(line->action, out);
    /* What did not happen has no row: the outcome is always success. */
    strbuf_printf(out, "}],\"action\":\"%s\",\"recorded\":\"%s\",\"outcome\":\"0\",",
                  action_code(line->action), at);
    if (*line->reason != '\0') {
        strbuf_puts(out, "\"purposeOfEvent\":[{\"text\":");
        print_text(line->reason, out);
        strbuf_puts(out, "}],");
    }
}

static void print_who(const struct audit_line *line, struct strbuf *out)
{
    strbuf_puts(out, "\"agent\":[{\"who\":{");
    if (*line->token_id != '\0') {
        strbuf_printf(out,
                      "\"identifier\":{\"system\":\"urn:intake:staff-token\",\"value\":\"%s\"},",
                      line->token_id);
    }
    strbuf_puts(out, "\"display\":");
    print_text(line->actor, out);
    strbuf_puts(out, "},\"requestor\":true");
    if (*line->client != '\0') { /* network-type 2: an IP address */
        strbuf_printf(out, ",\"network\":{\"address\":\"%s\",\"type\":\"2\"}", line->client);
    }
    strbuf_puts(out, "}],\"source\":{\"observer\":{\"display\":\"intake\"},\"type\":[{\"system\":"
                     "\"" AUDIT_TERMINOLOGY
                     "security-source-type\",\"code\":\"4\",\"display\":\"Application Server\"}]}");
}

/* The members of the row's `detail`. */
static void print_detail(struct view detail, struct strbuf *out)
{
    json_auto_t *members = NULL;
    const enum status status =
        detail.data == NULL ? STATUS_OK : json_parse(detail.data, detail.len, &members, NULL);
    out->failed = out->failed || status == STATUS_NO_MEMORY;
    if (status != STATUS_OK || json_object_size(members) == 0) {
        return;
    }
    const char *separator = ",\"detail\":[{\"type\":";
    const char *name;
    json_t *value;
    json_object_foreach(members, name, value)
    {
        struct strbuf text = {0};
        if (json_is_string(value)) {
            strbuf_append(&text, json_string_value(value), json_string_length(value));
        } else {
            json_print(value, NULL, &text);
        }
        strbuf_puts(out, separator);
        print_text(name, out);
        strbuf_puts(out, ",\"valueString\":");
        strbuf_json_string(out, text.len > 0 ? text.data : "", text.len);
        strbuf_putc(out, '}');
        separator = ",{\"type\":";
        out->failed = out->failed || text.failed;
        strbuf_finish(&text);
    }
    strbuf_putc(out, ']');
}

/* The booking, and the request as IHE's Basic Audit Log Patterns name it. */
static void print_entities(const struct audit_line *line, const char *booking_uid,
                           struct strbuf *out)
{
    strbuf_puts(out, ",\"entity\":[{\"what\":{\"identifier\":{\"system\":\"" BOOKING_SYSTEM
                     "\",\"value\":");
    print_text(booking_uid, out);
    strbuf_puts(out, "}},\"type\":{\"system\":\"" AUDIT_TERMINOLOGY
                     "audit-entity-type\",\"code\":\"2\",\"display\":\"System Object\"}");
    print_detail(line->detail, out);
    strbuf_puts(out, "},{\"what\":{\"identifier\":{\"value\":");
    print_text(line->request_id, out);
    strbuf_puts(out, "}},\"type\":{\"system\":\"https://profiles.ihe.net/ITI/BALP/CodeSystem/"
                     "BasicAuditEntityType\",\"code\":\"XrequestId\"}}]}");
}

void fhir_print_audit_page(const struct audit_page *page, const struct audit_page_filter *filter,
                           const char *value, struct strbuf *out)
{
    char cursor[24];
    const bool has_some = page->count > 0;
    if (has_some) {
        const struct audit_line last = audit_page_line(page, page->count - 1);
        snprintf(cursor, sizeof cursor, "%" PRId64, last.id);
    }
    const struct fhir_search search = {.type = "AuditEvent",
                                       .parameter = "entity",
                                       .value = value,
                                       .count = filter->limit,
                                       .next = page->more ? cursor : NULL};
    fhir_bundle_begin(&search, (size_t)page->total, has_some, out);
    struct strbuf event = {0};
    for (int32_t i = 0; i < page->count; i++) {
        const struct audit_line line = audit_page_line(page, i);
        strbuf_clear(&event);
        print_what(&line, &event);
        print_who(&line, &event);
        print_entities(&line, filter->booking_uid, &event);
        /* The row's number as a UUID of version 8 (RFC 9562 section 5.8). */
        char uuid[UUID_TEXT_SIZE];
        snprintf(uuid, sizeof uuid, "00000000-0000-8000-8000-%012" PRIx64,
                 (uint64_t)line.id & UINT64_C(0xffffffffffff));
        fhir_bundle_add(uuid, (struct view){event.data, event.len}, i == 0, out);
        out->failed = out->failed || event.failed;
    }
    strbuf_finish(&event);
    fhir_bundle_end(has_some, out);
}
