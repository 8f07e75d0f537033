/* From an answer as it was given, in either form, to the value that its question asks for. */
#include <string.h>

#include "intake/domain/answer_tree.h"

bool answer_find_code(const struct questionnaire *questionnaire, uint32_t index, const char *code,
                      struct coding *ret)
{
    const struct item *item = &questionnaire->items[index];
    const struct option *options = item_options(questionnaire, item);
    for (uint32_t i = 0; i < item->options_count; i++) {
        const struct answer_value *value = &options[i].value;
        if (value->type == VALUE_CODING && value->coding.code != NULL &&
            strcmp(value->coding.code, code) == 0) {
            *ret = value->coding;
            return true;
        }
    }
    for (size_t i = 0; item->value_set != NULL && i < item->value_set->count; i++) {
        const struct coding *coding = &item->value_set->codes[i];
        if (coding->code != NULL && strcmp(coding->code, code) == 0) {
            *ret = *coding;
            return true;
        }
    }
    return false;
}

/* A choice is its code, or FHIR's Coding; what is not a code of an open-choice is free text. */
static bool read_flat_choice(const struct answer_tree *tree, uint32_t item, const json_t *json,
                             struct answer_value *ret)
{
    const json_t *text = json_object_get(json, "text");
    if (tree->questionnaire->items[item].type == ITEM_OPEN_CHOICE && json_is_string(text) &&
        json_object_size(json) == 1) {
        return value_read(text, VALUE_STRING, NULL, ret);
    }
    if (!json_is_string(json)) {
        return value_read(json, VALUE_CODING, NULL, ret);
    }
    const char *code = json_string_value(json);
    ret->type = VALUE_CODING;
    ret->json = json;
    if (!json_has_nul(json) && answer_find_code(tree->questionnaire, item, code, &ret->coding)) {
        return true;
    }
    if (tree->questionnaire->items[item].type == ITEM_OPEN_CHOICE) {
        return value_read(json, VALUE_STRING, NULL, ret);
    }
    ret->coding = (struct coding){.code = code};
    return true;
}

static bool read_flat_quantity(const struct answer_tree *tree, uint32_t item, const json_t *json,
                               struct answer_value *ret)
{
    const struct constraints *constraints = tree->questionnaire->items[item].constraints;
    if (!json_is_number(json)) {
        return value_read(json, VALUE_QUANTITY, tree->lexemes, ret);
    }
    struct answer_value number;
    if (!value_read(json, VALUE_DECIMAL, tree->lexemes, &number)) {
        return false;
    }
    ret->type = VALUE_QUANTITY;
    ret->json = json;
    ret->quantity = (struct quantity){.value = number.decimal, .has_value = true};
    if (constraints != NULL && constraints->has_unit) {
        ret->quantity.system = constraints->unit.system;
        ret->quantity.code = constraints->unit.code;
        ret->quantity.unit = constraints->unit.display;
    }
    return true;
}

static bool read_flat_reference(const json_t *json, struct answer_value *ret)
{
    if (!json_is_string(json)) {
        return value_read(json, VALUE_REFERENCE, NULL, ret);
    }
    ret->type = VALUE_REFERENCE;
    ret->json = json;
    ret->reference.reference = json_string_value(json);
    ret->reference.display = NULL;
    return !json_has_nul(json);
}

static bool read_flat(const struct answer_tree *tree, uint32_t item, const json_t *json,
                      struct answer_value *ret)
{
    const enum value_type type = item_value_type(tree->questionnaire->items[item].type);
    switch (type) {
    case VALUE_CODING:
        return read_flat_choice(tree, item, json, ret);
    case VALUE_QUANTITY:
        return read_flat_quantity(tree, item, json, ret);
    case VALUE_REFERENCE:
        return read_flat_reference(json, ret);
    case VALUE_NONE:
    case VALUE_BOOLEAN:
    case VALUE_DECIMAL:
    case VALUE_INTEGER:
    case VALUE_DATE:
    case VALUE_DATE_TIME:
    case VALUE_TIME:
    case VALUE_STRING:
    case VALUE_URI:
    case VALUE_ATTACHMENT:
        break;
    }
    return value_read(json, type, tree->lexemes, ret);
}

bool answer_tree_value(const struct answer_tree *tree, uint32_t node, struct answer_value *ret)
{
    const struct node *answer = &tree->nodes[node];
    if (answer->json == NULL) {
        return false;
    }
    if (tree->flat) {
        return read_flat(tree, answer->item, answer->json, ret);
    }
    const enum item_type type = tree->questionnaire->items[answer->item].type;
    const enum value_type given = (enum value_type)answer->value_type;
    const bool fits =
        given == item_value_type(type) || (type == ITEM_OPEN_CHOICE && given == VALUE_STRING);
    return fits && value_read(answer->json, given, tree->lexemes, ret);
}
