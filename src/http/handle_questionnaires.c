/* The definitions, as they are in their files: /v1/questionnaires and /fhir/Questionnaire. */
#include <string.h>

#include "intake/core/clock.h"
#include "intake/domain/fhir_bundle.h"
#include "intake/domain/questionnaire.h"
#include "intake/domain/questionnaire_offer.h"
#include "intake/domain/questionnaire_set.h"
#include "intake/http/content.h"
#include "intake/http/handlers.h"
#include "intake/http/request.h"

static const struct questionnaire_set *offered(const struct request *request)
{
    return questionnaire_offer_now(request->services->offer);
}

/* The file's own bytes, or 304 for who has them. */
static void reply_definition(struct request *request, const struct questionnaire *questionnaire)
{
    const struct content content = {
        .type = "application/fhir+json",
        .digest = questionnaire_digest(questionnaire),
        .cache_control = "no-cache", /* to be kept, but asked for each time */
        .plain = questionnaire_text(questionnaire),
        .gzip = questionnaire_gzip(questionnaire),
    };
    reply_content(request, &content);
}

static void print_text(struct strbuf *out, const char *name, const char *text)
{
    strbuf_printf(out, "\"%s\":", name);
    if (*text == '\0') {
        strbuf_puts(out, "null,");
        return;
    }
    strbuf_json_string(out, text, strlen(text));
    strbuf_putc(out, ',');
}

static void print_entry(struct strbuf *out, const struct questionnaire *questionnaire,
                        bool is_default)
{
    strbuf_putc(out, '{');
    print_text(out, "id", questionnaire_id(questionnaire));
    print_text(out, "version", questionnaire_version(questionnaire));
    print_text(out, "url", questionnaire_url(questionnaire));
    print_text(out, "title", questionnaire_title(questionnaire));
    print_text(out, "status", questionnaire_status(questionnaire));
    strbuf_printf(out, "\"default\":%s}", is_default ? "true" : "false");
}

enum handled handle_questionnaires_list(struct request *request, struct connection *connection)
{
    (void)connection;
    const struct questionnaire_set *set = offered(request);
    const struct questionnaire *standard = questionnaire_set_default(set);
    const int64_t now_ms = clock_wall_us() / 1000;
    struct strbuf body = {0};
    bool first = true;
    strbuf_puts(&body, "{\"questionnaires\":[");
    for (size_t i = 0; i < questionnaire_set_count(set); i++) {
        const struct questionnaire *questionnaire = questionnaire_set_at(set, i);
        if (questionnaire_is_offered(questionnaire, now_ms)) {
            strbuf_puts(&body, first ? "" : ",");
            print_entry(&body, questionnaire, questionnaire == standard);
            first = false;
        }
    }
    strbuf_puts(&body, "]}");
    reply_json(request, 200, &body);
    return HANDLED_NOW;
}

enum handled handle_questionnaire_get(struct request *request, struct connection *connection)
{
    (void)connection;
    const char *version = request_query(request, "version");
    const struct questionnaire *found =
        questionnaire_set_find(offered(request), request->params[0], version);
    if (found == NULL) {
        reply_problem(request, 404,
                      version == NULL
                          ? "No version of such a questionnaire is offered at the moment."
                          : "There is no such version of such a questionnaire.");
        return HANDLED_NOW;
    }
    reply_definition(request, found);
    return HANDLED_NOW;
}

enum handled handle_fhir_questionnaire_get(struct request *request, struct connection *connection)
{
    (void)connection;
    const char *id = request->params[0];
    const struct questionnaire *found = questionnaire_set_answered(offered(request), id, NULL);
    if (found == NULL || strcmp(questionnaire_id(found), id) != 0) {
        reply_problem(request, 404, "There is no such questionnaire.");
        return HANDLED_NOW;
    }
    reply_definition(request, found);
    return HANDLED_NOW;
}

/* Every version that there is, whether it is offered or not; with `|version` the one. */
enum handled handle_fhir_questionnaire_search(struct request *request,
                                              struct connection *connection)
{
    (void)connection;
    const char *url = request_query(request, "url");
    if (url == NULL) {
        reply_problem(request, 400, "The parameter url says which questionnaire is looked for.");
        return HANDLED_NOW;
    }
    struct strbuf body = {0};
    fhir_print_questionnaires(offered(request), url, &body);
    reply_fhir(request, 200, &body);
    return HANDLED_NOW;
}
