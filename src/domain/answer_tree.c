/* The tree of answers: its memory, and which parts of it are enabled. */
#include "intake/domain/answer_tree.h"

#include <stdlib.h>
#include <string.h>

enum status answer_tree_init(struct answer_tree *tree, const struct questionnaire *questionnaire,
                             const struct json_lexemes *lexemes, struct err *err)
{
    tree->questionnaire = questionnaire;
    tree->lexemes = lexemes;
    tree->flat = false;
    tree->failed = false;
    tree->nodes = tree->nodes_inline;
    tree->count = 0;
    tree->capacity = TREE_NODES_INLINE;
    tree->last_of_item = tree->items_inline;
    if (questionnaire->items_count > TREE_ITEMS_INLINE) {
        tree->last_of_item = malloc(questionnaire->items_count * sizeof *tree->last_of_item);
        if (tree->last_of_item == NULL) {
            return err_no_memory(err);
        }
    }
    memset(tree->last_of_item, 0xff, questionnaire->items_count * sizeof *tree->last_of_item);
    answer_tree_add(tree, NODE_NONE, NODE_ITEM, ITEM_ROOT, NULL);
    tree->nodes[0].present = true;
    return STATUS_OK;
}

void answer_tree_finish(struct answer_tree *tree)
{
    if (tree->nodes != tree->nodes_inline) {
        free(tree->nodes);
    }
    if (tree->last_of_item != tree->items_inline) {
        free(tree->last_of_item);
    }
}

static bool grow(struct answer_tree *tree)
{
    const uint32_t capacity = tree->capacity * 2;
    struct node *nodes = NULL;
    if (tree->nodes == tree->nodes_inline) {
        nodes = malloc(capacity * sizeof *nodes);
        if (nodes != NULL) {
            memcpy(nodes, tree->nodes, tree->count * sizeof *nodes);
        }
    } else {
        nodes = realloc(tree->nodes, capacity * sizeof *nodes);
    }
    if (nodes == NULL) {
        tree->failed = true;
        return false;
    }
    tree->nodes = nodes;
    tree->capacity = capacity;
    return true;
}

/*
 * Puts the node behind those of the same or an earlier item, and notes when it came too late. A
 * stray (ITEM_NONE) is last.
 */
static void link_below(struct answer_tree *tree, uint32_t parent, uint32_t added)
{
    struct node *nodes = tree->nodes;
    const uint32_t last = nodes[parent].last;
    if (last == NODE_NONE) {
        nodes[parent].first = added;
        nodes[parent].last = added;
        return;
    }
    if (nodes[last].item <= nodes[added].item) {
        nodes[last].next = added;
        nodes[parent].last = added;
        return;
    }
    if (nodes[last].item != ITEM_NONE && nodes[added].present) {
        nodes[added].fault = FAULT_ORDER;
    }
    uint32_t *link = &nodes[parent].first;
    while (nodes[*link].item <= nodes[added].item) {
        link = &nodes[*link].next;
    }
    nodes[added].next = *link;
    *link = added;
}

uint32_t answer_tree_add(struct answer_tree *tree, uint32_t parent, enum node_kind kind,
                         uint32_t item, const json_t *json)
{
    if (tree->failed || (tree->count == tree->capacity && !grow(tree))) {
        return NODE_NONE;
    }
    const uint32_t added = tree->count++;
    tree->nodes[added] = (struct node){
        .json = json,
        .item = item,
        .parent = parent,
        .first = NODE_NONE,
        .last = NODE_NONE,
        .next = NODE_NONE,
        .same = NODE_NONE,
        .kind = (uint8_t)kind,
        .present = json != NULL,
    };
    if (parent != NODE_NONE) {
        link_below(tree, parent, added);
    }
    if (kind == NODE_ITEM) {
        tree->nodes[added].same = tree->last_of_item[item];
        tree->last_of_item[item] = added;
    }
    return added;
}

void answer_tree_mark_answered(struct answer_tree *tree, uint32_t node)
{
    while (node != NODE_NONE && !tree->nodes[node].answered) {
        tree->nodes[node].answered = true;
        node = tree->nodes[node].parent;
    }
}

/* Walks down from `node` to the occurrences of `source`: the last of them, or the first. */
static void find_below(const struct answer_tree *tree, uint32_t node, uint32_t source, bool last,
                       uint32_t *found)
{
    const struct node *nodes = tree->nodes;
    for (uint32_t child = nodes[node].first; child != NODE_NONE; child = nodes[child].next) {
        const uint32_t item = nodes[child].item;
        if (nodes[child].kind == NODE_ITEM && item == source) {
            if (last || *found == NODE_NONE) {
                *found = child;
            }
        } else if (nodes[child].kind != NODE_STRAY && item <= source &&
                   source < tree->questionnaire->items[item].end) {
            find_below(tree, child, source, last, found);
        }
    }
}

/*
 * The occurrence of the condition's source that is nearest to the item below `context` (R4,
 * enableWhen.question): along the ancestors, then before it, then after it; all within the lowest
 * common item. When the context is below one answer of the source, that answer is it.
 */
static uint32_t find_source(const struct answer_tree *tree, const struct condition *condition,
                            uint32_t item, uint32_t context)
{
    const struct item *source = &tree->questionnaire->items[condition->source];
    if (!source->repeated && condition->common != condition->source) {
        return tree->last_of_item[condition->source];
    }
    uint32_t scope = context;
    while (tree->nodes[scope].item != condition->common) {
        scope = tree->nodes[scope].parent;
    }
    if (condition->common == condition->source) {
        return scope;
    }
    uint32_t nearest = NODE_NONE;
    find_below(tree, scope, condition->source, condition->source < item, &nearest);
    return nearest;
}

static bool compare(enum enable_operator operator, const struct answer_value * answer,
                    const struct answer_value *wanted)
{
    int order = 0;
    if (operator== ENABLE_EQUAL || operator== ENABLE_NOT_EQUAL) {
        return value_equal(wanted, answer);
    }
    if (!value_compare(answer, wanted, &order)) {
        return false;
    }
    switch (operator) {
    case ENABLE_GREATER:
        return order > 0;
    case ENABLE_LESS:
        return order < 0;
    case ENABLE_GREATER_OR_EQUAL:
        return order >= 0;
    case ENABLE_LESS_OR_EQUAL:
        return order <= 0;
    case ENABLE_EXISTS:
    case ENABLE_EQUAL:
    case ENABLE_NOT_EQUAL:
        break;
    }
    return false;
}

/*
 * R4 questionnaire-enable-operator: one answer that matches is enough, and for != none may be
 * equal. A source without an answer, or not enabled, satisfies nothing but `exists = false`.
 */
static bool condition_holds(const struct answer_tree *tree, const struct condition *condition,
                            uint32_t item, uint32_t context)
{
    const struct node *nodes = tree->nodes;
    const uint32_t found = find_source(tree, condition, item, context);
    const bool single = found != NODE_NONE && nodes[found].kind == NODE_ANSWER;
    const bool exists = found != NODE_NONE && nodes[found].enabled && nodes[found].answered;
    if (condition->operator== ENABLE_EXISTS) {
        return exists == condition->value.boolean;
    }
    if (!exists) {
        return false;
    }
    bool any = false;
    bool matched = false;
    for (uint32_t node = single ? found : nodes[found].first; node != NODE_NONE && !matched;
         node = single ? NODE_NONE : nodes[node].next) {
        struct answer_value value;
        if (nodes[node].kind == NODE_ANSWER && answer_tree_value(tree, node, &value)) {
            any = true;
            matched = compare(condition->operator, & value, &condition->value);
        }
    }
    return condition->operator== ENABLE_NOT_EQUAL ? any && !matched : matched;
}

bool answer_tree_item_enabled(const struct answer_tree *tree, uint32_t item, uint32_t parent)
{
    const struct item *wanted = &tree->questionnaire->items[item];
    if (!tree->nodes[parent].enabled) {
        return false;
    }
    const struct condition *conditions = item_conditions(tree->questionnaire, wanted);
    for (uint32_t i = 0; i < wanted->conditions_count; i++) {
        if (condition_holds(tree, &conditions[i], item, parent) == wanted->enable_any) {
            return wanted->enable_any;
        }
    }
    return wanted->conditions_count == 0 || !wanted->enable_any;
}

/* An answer is enabled with its question, unless it was made up to hold what is below it. */
static void enable_answers(struct answer_tree *tree, uint32_t item)
{
    for (uint32_t node = tree->nodes[item].first; node != NODE_NONE;
         node = tree->nodes[node].next) {
        if (tree->nodes[node].kind == NODE_ANSWER) {
            tree->nodes[node].enabled = tree->nodes[item].enabled && tree->nodes[node].present;
        }
    }
}

void answer_tree_enable(struct answer_tree *tree)
{
    const struct questionnaire *questionnaire = tree->questionnaire;
    for (uint32_t i = 0; i < questionnaire->items_count; i++) {
        const uint32_t item = questionnaire->order[i];
        for (uint32_t node = tree->last_of_item[item]; node != NODE_NONE;
             node = tree->nodes[node].same) {
            const uint32_t parent = tree->nodes[node].parent;
            tree->nodes[node].enabled =
                parent == NODE_NONE || answer_tree_item_enabled(tree, item, parent);
            enable_answers(tree, node);
        }
    }
}

const struct option *answer_option(const struct questionnaire *questionnaire, uint32_t item,
                                   const struct answer_value *value)
{
    const struct item *asked = &questionnaire->items[item];
    const struct option *options = item_options(questionnaire, asked);
    for (uint32_t i = 0; i < asked->options_count; i++) {
        if (value_equal(&options[i].value, value)) {
            return &options[i];
        }
    }
    return NULL;
}

bool json_is_unanswered(const json_t *json)
{
    if (json == NULL || json_is_null(json)) {
        return true;
    }
    if (json_is_string(json)) {
        return text_is_blank(json_string_value(json), json_string_length(json));
    }
    if (json_is_array(json)) {
        for (size_t i = 0; i < json_array_size(json); i++) {
            if (!json_is_unanswered(json_array_get(json, i))) {
                return false;
            }
        }
        return true;
    }
    return json_is_object(json) && json_object_size(json) == 0;
}
