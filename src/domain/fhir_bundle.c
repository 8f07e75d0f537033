/* What a FHIR search finds. */
#include "intake/domain/fhir_bundle.h"

#include <string.h>

#include "intake/domain/questionnaire.h"
#include "intake/domain/questionnaire_set.h"

/* Escapes what would end the value of a query parameter (RFC 3986 section 3.4). */
static void print_query_value(const char *text, struct strbuf *out)
{
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c <= ' ' || c >= 0x7f || strchr("%&#+|\"<>\\^`{}", c) != NULL) {
            strbuf_printf(out, "%%%02X", c);
        } else {
            strbuf_putc(out, *text);
        }
    }
}

/* A link; relative to the service. */
static void print_link(const struct fhir_search *search, const char *relation, const char *cursor,
                       struct strbuf *out)
{
    strbuf_printf(out, "{\"relation\":\"%s\",\"url\":\"%s?%s=", relation, search->type,
                  search->parameter);
    print_query_value(search->value, out);
    if (search->count > 0) {
        strbuf_printf(out, "&_count=%d", (int)search->count);
    }
    if (cursor != NULL) {
        strbuf_printf(out, "&cursor=%s", cursor);
    }
    strbuf_puts(out, "\"}");
}

/* The link `self` says how the search was understood. */
void fhir_bundle_begin(const struct fhir_search *search, size_t total, bool has_some,
                       struct strbuf *out)
{
    strbuf_printf(out,
                  "{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"total\":%zu,"
                  "\"link\":[",
                  total);
    print_link(search, "self", NULL, out);
    if (search->next != NULL) {
        strbuf_putc(out, ',');
        print_link(search, "next", search->next, out);
    }
    strbuf_puts(out, has_some ? "],\"entry\":[" : "]");
}

void fhir_bundle_add(const char *uuid, struct view resource, bool first, struct strbuf *out)
{
    strbuf_printf(out, "%s{\"fullUrl\":\"urn:uuid:%s\",\"resource\":", first ? "" : ",", uuid);
    strbuf_append(out, resource.data, resource.len);
    strbuf_puts(out, ",\"search\":{\"mode\":\"match\"}}");
}

void fhir_bundle_end(bool has_some, struct strbuf *out)
{
    strbuf_puts(out, has_some ? "]}" : "}");
}

void fhir_print_searchset(const struct fhir_search *search, const char *uuid,
                          const struct strbuf *resource, struct strbuf *out)
{
    const bool has_some = resource != NULL;
    fhir_bundle_begin(search, has_some ? 1 : 0, has_some, out);
    if (has_some) {
        fhir_bundle_add(uuid, (struct view){resource->data, resource->len}, true, out);
    }
    fhir_bundle_end(has_some, out);
}

static bool is_canonical_of(const struct questionnaire *questionnaire, const char *canonical)
{
    const size_t len = strcspn(canonical, "|");
    const char *url = questionnaire_url(questionnaire);
    return len > 0 && strlen(url) == len && memcmp(url, canonical, len) == 0 &&
           (canonical[len] == '\0' ||
            strcmp(questionnaire_version(questionnaire), canonical + len + 1) == 0);
}

/* A UUID of the kind that is made from a hash (RFC 9562 section 5.8). */
static void print_uuid(const struct questionnaire *questionnaire, struct strbuf *out)
{
    const char *hex = questionnaire_digest(questionnaire);
    strbuf_printf(out, "%.8s-%.4s-8%.3s-8%.3s-%.12s", hex, hex + 8, hex + 12, hex + 15, hex + 18);
}

void fhir_print_questionnaires(const struct questionnaire_set *set, const char *canonical,
                               struct strbuf *out)
{
    const struct fhir_search search = {
        .type = "Questionnaire", .parameter = "url", .value = canonical};
    struct strbuf uuid = {0};
    size_t total = 0;
    for (size_t i = 0; i < questionnaire_set_count(set); i++) {
        total += is_canonical_of(questionnaire_set_at(set, i), canonical);
    }
    fhir_bundle_begin(&search, total, total > 0, out);
    bool first = true;
    for (size_t i = 0; i < questionnaire_set_count(set); i++) {
        const struct questionnaire *questionnaire = questionnaire_set_at(set, i);
        if (is_canonical_of(questionnaire, canonical)) {
            strbuf_clear(&uuid);
            print_uuid(questionnaire, &uuid);
            fhir_bundle_add(uuid.failed ? "" : uuid.data, questionnaire_text(questionnaire), first,
                            out);
            out->failed = out->failed || uuid.failed;
            first = false;
        }
    }
    fhir_bundle_end(total > 0, out);
    out->failed = out->failed || uuid.failed;
    strbuf_finish(&uuid);
}
