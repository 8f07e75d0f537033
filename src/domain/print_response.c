/* From the flat form to a QuestionnaireResponse. */
#include <string.h>

#include "intake/core/json.h"
#include "intake/domain/answer_tree.h"
#include "intake/domain/flat_fhir.h"

struct printer {
    const struct answer_tree *tree;
    struct strbuf *out;
};

static void print_items(const struct printer *printer, uint32_t parent);

static void print_member(struct strbuf *out, const char *name, const char *text)
{
    strbuf_printf(out, "\"%s\":", name);
    strbuf_json_string(out, text, strlen(text));
}

static void print_optional(struct strbuf *out, const char *name, const char *text, bool *first)
{
    if (text != NULL) {
        strbuf_puts(out, *first ? "" : ",");
        print_member(out, name, text);
        *first = false;
    }
}

static void print_coding(struct strbuf *out, const struct coding *coding)
{
    bool first = true;
    strbuf_putc(out, '{');
    print_optional(out, "system", coding->system, &first);
    print_optional(out, "code", coding->code, &first);
    print_optional(out, "display", coding->display, &first);
    strbuf_putc(out, '}');
}

/* A bare number, with the unit that the item names. */
static void print_number_quantity(const struct printer *printer, const struct answer_value *value)
{
    bool first = false;
    strbuf_puts(printer->out, "{\"value\":");
    json_print(value->json, printer->tree->lexemes, printer->out);
    print_optional(printer->out, "unit", value->quantity.unit, &first);
    print_optional(printer->out, "system", value->quantity.system, &first);
    print_optional(printer->out, "code", value->quantity.code, &first);
    strbuf_putc(printer->out, '}');
}

static void print_value(const struct printer *printer, const struct answer_value *value)
{
    struct strbuf *out = printer->out;
    strbuf_printf(out, "\"value%s\":", value_type_name(value->type));
    if (value->type == VALUE_CODING && json_is_string(value->json)) {
        print_coding(out, &value->coding);
    } else if (value->type == VALUE_QUANTITY && json_is_number(value->json)) {
        print_number_quantity(printer, value);
    } else if (value->type == VALUE_REFERENCE && json_is_string(value->json)) {
        strbuf_putc(out, '{');
        print_member(out, "reference", value->reference.reference);
        strbuf_putc(out, '}');
    } else {
        json_print(value->json, printer->tree->lexemes, out);
    }
}

static void print_answers(const struct printer *printer, uint32_t node)
{
    const struct node *nodes = printer->tree->nodes;
    bool first = true;
    strbuf_puts(printer->out, ",\"answer\":[");
    for (uint32_t n = nodes[node].first; n != NODE_NONE; n = nodes[n].next) {
        struct answer_value value;
        if (nodes[n].kind != NODE_ANSWER || !answer_tree_value(printer->tree, n, &value)) {
            continue;
        }
        strbuf_puts(printer->out, first ? "{" : ",{");
        print_value(printer, &value);
        print_items(printer, n);
        strbuf_putc(printer->out, '}');
        first = false;
    }
    strbuf_putc(printer->out, ']');
}

/* Whether there is an answer in it that has a place in the response. */
static bool has_answer(const struct answer_tree *tree, uint32_t node)
{
    const struct node *nodes = tree->nodes;
    struct answer_value value;
    if (nodes[node].kind == NODE_STRAY || !nodes[node].answered) {
        return false;
    }
    if (nodes[node].kind == NODE_ANSWER) {
        return answer_tree_value(tree, node, &value);
    }
    for (uint32_t n = nodes[node].first; n != NODE_NONE; n = nodes[n].next) {
        if (has_answer(tree, n)) {
            return true;
        }
    }
    return false;
}

static void print_item(const struct printer *printer, uint32_t node)
{
    const struct answer_tree *tree = printer->tree;
    const struct item *item = &tree->questionnaire->items[tree->nodes[node].item];
    strbuf_putc(printer->out, '{');
    print_member(printer->out, "linkId", item->link_id);
    if (item->text[0] != '\0') {
        strbuf_putc(printer->out, ',');
        print_member(printer->out, "text", item->text);
    }
    if (item_value_type(item->type) == VALUE_NONE) {
        print_items(printer, node);
    } else {
        print_answers(printer, node);
    }
    strbuf_putc(printer->out, '}');
}

/* `,"item":[…]`, or nothing when nothing below is answered. */
static void print_items(const struct printer *printer, uint32_t parent)
{
    const struct node *nodes = printer->tree->nodes;
    bool first = true;
    for (uint32_t n = nodes[parent].first; n != NODE_NONE; n = nodes[n].next) {
        if (has_answer(printer->tree, n)) {
            strbuf_puts(printer->out, first ? ",\"item\":[" : ",");
            print_item(printer, n);
            first = false;
        }
    }
    strbuf_puts(printer->out, first ? "" : "]");
}

/* A field of the envelope that is answered, or NULL. */
static const json_t *envelope(const json_t *body, const char *name)
{
    const json_t *field = json_object_get(body, name);
    return json_is_string(field) && !json_is_unanswered(field) ? field : NULL;
}

static void print_json_member(struct strbuf *out, const char *before, const json_t *text,
                              const char *after)
{
    strbuf_puts(out, before);
    json_print(text, NULL, out);
    strbuf_puts(out, after);
}

static void print_patient(const json_t *body, struct strbuf *out)
{
    const json_t *name = envelope(body, "attendee_name");
    const json_t *email = envelope(body, "attendee_email");
    const json_t *phone = envelope(body, "attendee_phone");
    if (name == NULL && email == NULL && phone == NULL) {
        return;
    }
    strbuf_puts(out, ",\"contained\":[{\"resourceType\":\"Patient\",\"id\":\"patient\"");
    if (name != NULL) {
        print_json_member(out, ",\"name\":[{\"text\":", name, "}]");
    }
    if (email != NULL || phone != NULL) {
        strbuf_puts(out, ",\"telecom\":[");
        if (email != NULL) {
            print_json_member(out, "{\"system\":\"email\",\"value\":", email, "}");
        }
        strbuf_puts(out, email != NULL && phone != NULL ? "," : "");
        if (phone != NULL) {
            print_json_member(out, "{\"system\":\"phone\",\"value\":", phone, "}");
        }
        strbuf_putc(out, ']');
    }
    strbuf_puts(out, "}]");
}

static void print_head(const struct questionnaire *questionnaire, const json_t *body,
                       const struct response_head *head, struct strbuf *out)
{
    bool first = false;
    strbuf_puts(out, "{\"resourceType\":\"QuestionnaireResponse\"");
    print_optional(out, "id", head->id, &first);
    if (head->version_id != NULL || head->last_updated != NULL) {
        first = true;
        strbuf_puts(out, ",\"meta\":{");
        print_optional(out, "versionId", head->version_id, &first);
        print_optional(out, "lastUpdated", head->last_updated, &first);
        strbuf_putc(out, '}');
        first = false;
    }
    print_patient(body, out);
    const json_t *consent = envelope(body, "consent_version");
    if (consent != NULL) {
        print_json_member(
            out, ",\"extension\":[{\"url\":\"" CONSENT_EXTENSION "\",\"valueString\":", consent,
            "}]");
    }
    const json_t *booking = envelope(body, "booking_uid");
    if (booking != NULL) { /* the booking's UID, which the white space around it is no part of */
        const struct view uid = text_trim(json_string_value(booking), json_string_length(booking));
        strbuf_puts(out, ",\"identifier\":{\"system\":\"" BOOKING_SYSTEM "\",\"value\":");
        strbuf_json_string(out, uid.data, uid.len);
        strbuf_putc(out, '}');
    }
    if (questionnaire->url[0] != '\0' || questionnaire->id[0] != '\0') {
        struct strbuf canonical = {0};
        strbuf_puts(&canonical, questionnaire->url[0] != '\0' ? "" : "Questionnaire/");
        strbuf_puts(&canonical,
                    questionnaire->url[0] != '\0' ? questionnaire->url : questionnaire->id);
        if (questionnaire->version[0] != '\0') {
            strbuf_printf(&canonical, "|%s", questionnaire->version);
        }
        print_optional(out, "questionnaire", canonical.data, &first);
        out->failed = out->failed || canonical.failed;
        strbuf_finish(&canonical);
    }
    print_optional(out, "status", head->status == NULL ? "completed" : head->status, &first);
    if (envelope(body, "attendee_name") != NULL || envelope(body, "attendee_email") != NULL ||
        envelope(body, "attendee_phone") != NULL) {
        strbuf_puts(out, ",\"subject\":{\"reference\":\"#patient\"}");
    }
    print_optional(out, "authored", head->authored, &first);
}

enum status questionnaire_print_response(const struct questionnaire *questionnaire,
                                         const json_t *body, const struct json_lexemes *lexemes,
                                         const struct response_head *head, struct strbuf *out,
                                         struct err *err)
{
    if (!json_is_object(body)) {
        return err_set(err, STATUS_INVALID, "the answers are not a JSON object");
    }
    struct answer_tree tree;
    const enum status status = answer_tree_from_flat(&tree, questionnaire, body, lexemes, err);
    if (status != STATUS_OK) {
        return status;
    }
    const struct printer printer = {.tree = &tree, .out = out};
    print_head(questionnaire, body, head, out);
    print_items(&printer, 0);
    strbuf_putc(out, '}');
    answer_tree_finish(&tree);
    return out->failed ? err_no_memory(err) : STATUS_OK;
}
