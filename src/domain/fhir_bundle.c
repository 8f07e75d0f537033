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

/* The link `self` says how the search was understood; relative to the service. */
static void begin(const struct fhir_search *search, size_t total, struct strbuf *out)
{
    strbuf_printf(out,
                  "{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"total\":%zu,"
                  "\"link\":[{\"relation\":\"self\",\"url\":\"%s?%s=",
                  total, search->type, search->parameter);
    print_query_value(search->value, out);
    strbuf_puts(out, total > 0 ? "\"}],\"entry\":[" : "\"}]");
}

static void add_entry(const char *uuid, struct view resource, bool first, struct strbuf *out)
{
    strbuf_printf(out, "%s{\"fullUrl\":\"urn:uuid:%s\",\"resource\":", first ? "" : ",", uuid);
    strbuf_append(out, resource.data, resource.len);
    strbuf_puts(out, ",\"search\":{\"mode\":\"match\"}}");
}

void fhir_print_searchset(const struct fhir_search *search, const char *uuid,
                          const struct strbuf *resource, struct strbuf *out)
{
    begin(search, resource == NULL ? 0 : 1, out);
    if (resource != NULL) {
        add_entry(uuid, (struct view){resource->data, resource->len}, true, out);
        strbuf_putc(out, ']');
    }
    strbuf_putc(out, '}');
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
    const struct fhir_search search = {"Questionnaire", "url", canonical};
    struct strbuf uuid = {0};
    size_t total = 0;
    for (size_t i = 0; i < questionnaire_set_count(set); i++) {
        total += is_canonical_of(questionnaire_set_at(set, i), canonical);
    }
    begin(&search, total, out);
    bool first = true;
    for (size_t i = 0; i < questionnaire_set_count(set); i++) {
        const struct questionnaire *questionnaire = questionnaire_set_at(set, i);
        if (is_canonical_of(questionnaire, canonical)) {
            strbuf_clear(&uuid);
            print_uuid(questionnaire, &uuid);
            add_entry(uuid.failed ? "" : uuid.data, questionnaire_text(questionnaire), first, out);
            first = false;
        }
    }
    strbuf_puts(out, total > 0 ? "]}" : "}");
    out->failed = out->failed || uuid.failed;
    strbuf_finish(&uuid);
}
