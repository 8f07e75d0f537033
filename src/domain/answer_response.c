/* The reader of a FHIR R4 QuestionnaireResponse. */
#include <string.h>

#include "intake/domain/answer_tree.h"

static void read_items(struct answer_tree *tree, uint32_t parent, const json_t *holder);

static void add_stray(struct answer_tree *tree, uint32_t parent, const json_t *json, size_t index)
{
    const uint32_t node = answer_tree_add(tree, parent, NODE_STRAY, ITEM_NONE, json);
    if (node != NODE_NONE) {
        tree->nodes[node].link_id = json_string_value(json_object_get(json, "linkId"));
        tree->nodes[node].index = (uint32_t)index;
    }
}

/* One element of `answer`: its value, and the items below it. */
static void read_answer(struct answer_tree *tree, uint32_t node, const json_t *json, size_t index)
{
    enum value_type type = VALUE_NONE;
    size_t values = 0;
    const json_t *value = value_member(json, "value", &type, &values);
    const bool given = !json_is_unanswered(value);
    const json_t *items = json_object_get(json, "item");
    if (!given && json_array_size(items) == 0) {
        return;
    }
    const uint32_t answer =
        answer_tree_add(tree, node, NODE_ANSWER, tree->nodes[node].item, given ? value : NULL);
    if (answer == NODE_NONE) {
        return;
    }
    tree->nodes[answer].index = (uint32_t)index;
    tree->nodes[answer].value_type = (uint8_t)type;
    if (given) {
        tree->nodes[answer].fault = values > 1 ? FAULT_VALUES : FAULT_NONE;
        answer_tree_mark_answered(tree, answer);
    }
    read_items(tree, answer, json);
}

static void read_question(struct answer_tree *tree, uint32_t node, const json_t *json)
{
    const json_t *answers = json_object_get(json, "answer");
    if (answers != NULL && !json_is_array(answers)) {
        tree->nodes[node].fault = FAULT_SHAPE;
        answer_tree_mark_answered(tree, node);
        return;
    }
    if (json_array_size(json_object_get(json, "item")) > 0) {
        tree->nodes[node].fault = FAULT_HAS_ITEMS;
    }
    for (size_t i = 0; i < json_array_size(answers); i++) {
        read_answer(tree, node, json_array_get(answers, i), i);
    }
}

static void read_item(struct answer_tree *tree, uint32_t parent, uint32_t item, const json_t *json,
                      size_t index)
{
    const uint32_t node = answer_tree_add(tree, parent, NODE_ITEM, item, json);
    if (node == NODE_NONE) {
        return;
    }
    tree->nodes[node].index = (uint32_t)index;
    const enum item_type type = tree->questionnaire->items[item].type;
    if (item_value_type(type) != VALUE_NONE) {
        read_question(tree, node, json);
        return;
    }
    const json_t *answers = json_object_get(json, "answer");
    if (answers != NULL && !json_is_unanswered(answers)) {
        tree->nodes[node].fault = FAULT_HAS_ANSWERS;
        if (type != ITEM_GROUP) {
            answer_tree_mark_answered(tree, node);
        }
    }
    read_items(tree, node, json);
}

/*
 * A group that does not repeat is there even where the response does not mention it, so that the
 * questions in it are asked.
 */
static void add_missing_groups(struct answer_tree *tree, uint32_t parent)
{
    const struct item *items = tree->questionnaire->items;
    const uint32_t owner = tree->nodes[parent].item;
    uint32_t node = tree->nodes[parent].first;
    for (uint32_t item = owner + 1; item < items[owner].end; item = items[item].end) {
        while (node != NODE_NONE && tree->nodes[node].item < item) {
            node = tree->nodes[node].next;
        }
        const bool there = node != NODE_NONE && tree->nodes[node].item == item;
        const bool level = items[item].type == ITEM_GROUP && !items[item].repeats;
        if (level && !there) {
            const uint32_t added = answer_tree_add(tree, parent, NODE_ITEM, item, NULL);
            if (added == NODE_NONE) {
                return;
            }
            add_missing_groups(tree, added);
        }
    }
}

/* The items of a response, an item or an answer; `parent` is the node that they belong to. */
static void read_items(struct answer_tree *tree, uint32_t parent, const json_t *holder)
{
    const struct item *items = tree->questionnaire->items;
    const uint32_t owner = tree->nodes[parent].item;
    const json_t *list = json_object_get(holder, "item");
    if (list != NULL && !json_is_array(list)) {
        add_stray(tree, parent, list, 0);
    }
    uint32_t expected = owner + 1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *json = json_array_get(list, i);
        const json_t *link_id = json_object_get(json, "linkId");
        const char *text = json_string_value(link_id);
        const size_t length = json_string_length(link_id);
        uint32_t item = ITEM_NONE;
        if (text != NULL && expected < items[owner].end &&
            items[expected].link_id_length == length &&
            memcmp(items[expected].link_id, text, length) == 0) {
            item = expected;
        } else if (text != NULL) {
            item = questionnaire_item(tree->questionnaire, text, length);
        }
        if (item == ITEM_NONE || items[item].parent != owner) {
            add_stray(tree, parent, json, i);
            continue;
        }
        read_item(tree, parent, item, json, i);
        expected = items[item].end;
    }
    if (!tree->failed) {
        add_missing_groups(tree, parent);
    }
}

enum status answer_tree_from_response(struct answer_tree *tree,
                                      const struct questionnaire *questionnaire,
                                      const json_t *response, const struct json_lexemes *lexemes,
                                      struct err *err)
{
    const enum status status = answer_tree_init(tree, questionnaire, lexemes, err);
    if (status != STATUS_OK) {
        return status;
    }
    read_items(tree, 0, response);
    if (tree->failed) {
        answer_tree_finish(tree);
        return err_no_memory(err);
    }
    return STATUS_OK;
}
