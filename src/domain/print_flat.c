/* From a QuestionnaireResponse to the flat form. */
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/json.h"
#include "intake/domain/answer_tree.h"
#include "intake/domain/flat_fhir.h"

struct printer {
    const struct answer_tree *tree;
    struct strbuf *out;
    bool first; /* whether the object that is being written is still empty */
};

static void print_children(struct printer *printer, uint32_t parent);

static void print_key(struct printer *printer, const char *key, size_t length)
{
    strbuf_puts(printer->out, printer->first ? "" : ",");
    strbuf_json_string(printer->out, key, length);
    strbuf_putc(printer->out, ':');
    printer->first = false;
}

/* Whether the coding is what its bare code would be read as. */
static bool is_plain_code(const struct answer_tree *tree, uint32_t item,
                          const struct answer_value *value)
{
    const struct coding *coding = &value->coding;
    struct coding meant;
    if (coding->code == NULL || text_is_blank(coding->code, strlen(coding->code)) ||
        json_object_size(value->json) > 3) {
        return false;
    }
    if (!answer_find_code(tree->questionnaire, item, coding->code, &meant)) {
        return tree->questionnaire->items[item].type == ITEM_CHOICE && coding->system == NULL &&
               coding->display == NULL;
    }
    return texts_equal(meant.system, coding->system) &&
           (coding->display == NULL || texts_equal(meant.display, coding->display));
}

/* Whether the quantity is what its bare number would be read as. */
static bool is_plain_number(const struct answer_tree *tree, uint32_t item,
                            const struct quantity *quantity, const json_t *json)
{
    const struct constraints *constraints = tree->questionnaire->items[item].constraints;
    if (constraints == NULL || !constraints->has_unit) {
        return json_object_size(json) == 1;
    }
    const struct coding *unit = &constraints->unit;
    const size_t members =
        1u + (unit->system != NULL) + (unit->code != NULL) + (unit->display != NULL);
    return json_object_size(json) == members && texts_equal(quantity->system, unit->system) &&
           texts_equal(quantity->code, unit->code) && texts_equal(quantity->unit, unit->display);
}

static void print_value(const struct printer *printer, uint32_t node,
                        const struct answer_value *value)
{
    const struct answer_tree *tree = printer->tree;
    const uint32_t item = tree->nodes[node].item;
    struct strbuf *out = printer->out;
    struct coding meant;
    if (value->type == VALUE_CODING && is_plain_code(tree, item, value)) {
        strbuf_json_string(out, value->coding.code, strlen(value->coding.code));
    } else if (value->type == VALUE_QUANTITY && value->quantity.has_value &&
               is_plain_number(tree, item, &value->quantity, value->json)) {
        json_print(json_object_get(value->json, "value"), tree->lexemes, out);
    } else if (value->type == VALUE_REFERENCE && value->reference.reference != NULL &&
               json_object_size(value->json) == 1) {
        strbuf_json_string(out, value->reference.reference, strlen(value->reference.reference));
    } else if (value->type == VALUE_STRING &&
               tree->questionnaire->items[item].type == ITEM_OPEN_CHOICE &&
               answer_find_code(tree->questionnaire, item, value->text.data, &meant)) {
        strbuf_puts(out, "{\"text\":"); /* free text that happens to be a code */
        json_print(value->json, NULL, out);
        strbuf_putc(out, '}');
    } else {
        json_print(value->json, tree->lexemes, out);
    }
}

/* One element of a repeating question's list. */
static void print_element(struct printer *printer, uint32_t node, const struct answer_value *value)
{
    bool below = false;
    for (uint32_t n = printer->tree->nodes[node].first; n != NODE_NONE;
         n = printer->tree->nodes[n].next) {
        below = below || printer->tree->nodes[n].answered;
    }
    if (!below) {
        print_value(printer, node, value);
        return;
    }
    strbuf_puts(printer->out, "{\"answer\":");
    print_value(printer, node, value);
    printer->first = false;
    print_children(printer, node);
    strbuf_putc(printer->out, '}');
    printer->first = false;
}

static void print_question(struct printer *printer, uint32_t node)
{
    const struct answer_tree *tree = printer->tree;
    const struct item *item = &tree->questionnaire->items[tree->nodes[node].item];
    bool first = true;
    print_key(printer, item->link_id, item->link_id_length);
    strbuf_puts(printer->out, item->repeats ? "[" : "");
    for (uint32_t n = tree->nodes[node].first; n != NODE_NONE; n = tree->nodes[n].next) {
        struct answer_value value;
        if (tree->nodes[n].kind != NODE_ANSWER || !answer_tree_value(tree, n, &value)) {
            continue;
        }
        if (item->repeats) {
            strbuf_puts(printer->out, first ? "" : ",");
            print_element(printer, n, &value);
            first = false;
            continue;
        }
        print_value(printer, n, &value);
        print_children(printer, n);
        return;
    }
    strbuf_puts(printer->out, item->repeats ? "]" : "null");
}

static void print_object(struct printer *printer, uint32_t node)
{
    strbuf_putc(printer->out, '{');
    printer->first = true;
    print_children(printer, node);
    strbuf_putc(printer->out, '}');
    printer->first = false;
}

/* The occurrences of one item below a parent, from `first` on. */
static void print_item(struct printer *printer, uint32_t first)
{
    const struct answer_tree *tree = printer->tree;
    const uint32_t index = tree->nodes[first].item;
    const struct item *item = &tree->questionnaire->items[index];
    if (item_value_type(item->type) != VALUE_NONE) {
        print_question(printer, first);
    } else if (!item->repeats && item->parent == ITEM_ROOT) {
        print_children(printer, first);
    } else {
        print_key(printer, item->link_id, item->link_id_length);
        strbuf_puts(printer->out, item->repeats ? "[" : "");
        bool comma = false;
        for (uint32_t n = first; n != NODE_NONE && tree->nodes[n].item == index;
             n = tree->nodes[n].next) {
            if (tree->nodes[n].answered && (item->repeats || !comma)) {
                strbuf_puts(printer->out, comma ? "," : "");
                print_object(printer, n);
                comma = true;
            }
        }
        strbuf_puts(printer->out, item->repeats ? "]" : "");
    }
}

static void print_children(struct printer *printer, uint32_t parent)
{
    const struct node *nodes = printer->tree->nodes;
    uint32_t printed = ITEM_NONE;
    for (uint32_t n = nodes[parent].first; n != NODE_NONE; n = nodes[n].next) {
        if (nodes[n].kind == NODE_ITEM && nodes[n].answered && nodes[n].item != printed) {
            printed = nodes[n].item;
            print_item(printer, n);
        }
    }
}

/* The contained Patient with this id; for NULL, the first. */
static const json_t *find_contained(const json_t *response, const char *wanted)
{
    const json_t *contained = json_object_get(response, "contained");
    for (size_t i = 0; i < json_array_size(contained); i++) {
        const json_t *resource = json_array_get(contained, i);
        const char *id = json_string_value(json_object_get(resource, "id"));
        if (json_is_resource(resource, "Patient") &&
            (wanted == NULL || (id != NULL && strcmp(id, wanted) == 0))) {
            return resource;
        }
    }
    return NULL;
}

/* Who answered: the contained Patient that is the subject, or the source; else the only one. */
static const json_t *find_patient(const json_t *response)
{
    static const char *const roles[] = {"subject", "source"};
    const json_t *patient = NULL;
    bool named = false;
    for (size_t i = 0; i < ARRAY_LENGTH(roles) && patient == NULL; i++) {
        const json_t *role = json_object_get(response, roles[i]);
        const char *reference = json_string_value(json_object_get(role, "reference"));
        if (reference != NULL && reference[0] == '#') {
            named = true;
            patient = find_contained(response, reference + 1);
        }
    }
    return named ? patient : find_contained(response, NULL);
}

static void print_text_field(struct printer *printer, const char *name, const json_t *text)
{
    if (json_is_string(text)) {
        print_key(printer, name, strlen(name));
        json_print(text, NULL, printer->out);
    }
}

/* HumanName: its text, or given names and family name. */
static void print_name(struct printer *printer, const json_t *patient)
{
    const json_t *name = json_array_get(json_object_get(patient, "name"), 0);
    const json_t *text = json_object_get(name, "text");
    const json_t *given = json_object_get(name, "given");
    const char *family = json_string_value(json_object_get(name, "family"));
    if (json_is_string(text)) {
        print_text_field(printer, "attendee_name", text);
        return;
    }
    struct strbuf joined = {0};
    for (size_t i = 0; i < json_array_size(given); i++) {
        const char *part = json_string_value(json_array_get(given, i));
        strbuf_printf(&joined, "%s%s", joined.len > 0 ? " " : "", part == NULL ? "" : part);
    }
    if (family != NULL) {
        strbuf_printf(&joined, "%s%s", joined.len > 0 ? " " : "", family);
    }
    if (joined.len > 0) {
        print_key(printer, "attendee_name", strlen("attendee_name"));
        strbuf_json_string(printer->out, joined.data, joined.len);
    }
    printer->out->failed = printer->out->failed || joined.failed;
    strbuf_finish(&joined);
}

static void print_telecom(struct printer *printer, const json_t *patient, const char *system,
                          const char *field)
{
    const json_t *telecom = json_object_get(patient, "telecom");
    for (size_t i = 0; i < json_array_size(telecom); i++) {
        const json_t *point = json_array_get(telecom, i);
        const char *found = json_string_value(json_object_get(point, "system"));
        if (found != NULL && strcmp(found, system) == 0) {
            print_text_field(printer, field, json_object_get(point, "value"));
            return;
        }
    }
}

static void print_envelope(struct printer *printer, const json_t *response)
{
    const json_t *identifier = json_object_get(response, "identifier");
    const json_t *patient = find_patient(response);
    print_text_field(printer, "booking_uid", json_object_get(identifier, "value"));
    print_name(printer, patient);
    print_telecom(printer, patient, "email", "attendee_email");
    print_telecom(printer, patient, "phone", "attendee_phone");
    enum value_type type = VALUE_NONE;
    print_text_field(printer, "consent_version",
                     extension_value(response, CONSENT_EXTENSION, &type));
    if (printer->tree->questionnaire->id[0] != '\0') {
        print_key(printer, "questionnaire", strlen("questionnaire"));
        strbuf_json_string(printer->out, printer->tree->questionnaire->id,
                           strlen(printer->tree->questionnaire->id));
    }
}

enum status questionnaire_print_flat(const struct questionnaire *questionnaire,
                                     const json_t *response, const struct json_lexemes *lexemes,
                                     struct strbuf *out, struct err *err)
{
    if (!json_is_resource(response, "QuestionnaireResponse")) {
        return err_set(err, STATUS_INVALID, "not a FHIR QuestionnaireResponse");
    }
    struct answer_tree tree;
    const enum status status =
        answer_tree_from_response(&tree, questionnaire, response, lexemes, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct printer printer = {.tree = &tree, .out = out, .first = true};
    strbuf_putc(out, '{');
    print_envelope(&printer, response);
    print_children(&printer, 0);
    strbuf_putc(out, '}');
    answer_tree_finish(&tree);
    return out->failed ? err_no_memory(err) : STATUS_OK;
}
