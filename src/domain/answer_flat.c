/* The reader of the flat form (questionnaire.h says what that is). */
#include <string.h>

#include "intake/core/json.h"
#include "intake/domain/answer_tree.h"
#include "intake/domain/envelope_fields.h"

/* An object of the flat form, and how many of its members were recognised. */
struct scope {
    const json_t *object;
    uint32_t owner; /* the item whose members stand in it */
    size_t known;
};

/* The member of a repeating question's element that holds the answer itself. */
static const char ANSWER[] = "answer";

static void read_children(struct answer_tree *tree, uint32_t node, struct scope *scope);

static const json_t *take_member(struct scope *scope, const struct item *item)
{
    const json_t *member = json_object_getn(scope->object, item->link_id, item->link_id_length);
    scope->known += member != NULL;
    return member;
}

static bool has_own_object(const struct scope *scope, const struct item *group)
{
    return !json_is_unanswered(
        json_object_getn(scope->object, group->link_id, group->link_id_length));
}

/* Whether the item was looked for in this scope: everything between is left out as a level. */
static bool is_member(const struct answer_tree *tree, const struct scope *scope, uint32_t item)
{
    const struct item *items = tree->questionnaire->items;
    if (item <= scope->owner || item >= items[scope->owner].end) {
        return false;
    }
    for (uint32_t above = items[item].parent; above != scope->owner; above = items[above].parent) {
        const bool question = item_value_type(items[above].type) != VALUE_NONE;
        if (items[above].repeats || (!question && has_own_object(scope, &items[above]))) {
            return false;
        }
    }
    return true;
}

/* The members that no item has. The walk is only made when the counts differ. */
static void read_strays(struct answer_tree *tree, uint32_t node, const struct scope *scope)
{
    if (scope->known == json_object_size(scope->object)) {
        return;
    }
    const bool wrapper = tree->nodes[node].kind == NODE_ANSWER;
    json_t *object = json_readable(scope->object);
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at);
        const uint32_t item = questionnaire_item(tree->questionnaire, key, strlen(key));
        if ((item != ITEM_NONE && is_member(tree, scope, item)) ||
            (scope->owner == ITEM_ROOT && envelope_field_is(key)) ||
            (wrapper && strcmp(key, ANSWER) == 0) ||
            json_is_unanswered(json_object_iter_value(at))) {
            continue;
        }
        const uint32_t stray =
            answer_tree_add(tree, node, NODE_STRAY, ITEM_NONE, json_object_iter_value(at));
        if (stray != NODE_NONE) {
            tree->nodes[stray].link_id = key;
        }
    }
}

/* Something is there, but not of the shape that the item has. */
static void add_misshapen(struct answer_tree *tree, uint32_t parent, uint32_t item,
                          const json_t *member)
{
    const uint32_t node = answer_tree_add(tree, parent, NODE_ITEM, item, member);
    if (node != NODE_NONE) {
        tree->nodes[node].fault = FAULT_SHAPE;
        answer_tree_mark_answered(tree, node);
    }
}

/* One occurrence of a group in an object of its own. */
static void read_object(struct answer_tree *tree, uint32_t parent, uint32_t item,
                        const json_t *object, uint32_t index)
{
    const uint32_t node = answer_tree_add(tree, parent, NODE_ITEM, item, object);
    if (node == NODE_NONE) {
        return;
    }
    tree->nodes[node].index = index;
    struct scope scope = {.object = object, .owner = item};
    read_children(tree, node, &scope);
    read_strays(tree, node, &scope);
}

static void read_group(struct answer_tree *tree, uint32_t parent, uint32_t item,
                       struct scope *scope)
{
    const struct item *group = &tree->questionnaire->items[item];
    const json_t *member = take_member(scope, group);
    const bool given = !json_is_unanswered(member);
    if (group->repeats) {
        if (given && !json_is_array(member)) {
            add_misshapen(tree, parent, item, member);
        }
        for (size_t i = 0; i < json_array_size(member); i++) {
            const json_t *element = json_array_get(member, i);
            if (json_is_object(element)) {
                read_object(tree, parent, item, element, (uint32_t)i);
            } else if (!json_is_unanswered(element)) {
                add_misshapen(tree, parent, item, element);
            }
        }
        return;
    }
    if (given && json_is_object(member)) {
        read_object(tree, parent, item, member, 0);
    } else if (given) {
        add_misshapen(tree, parent, item, member);
    } else {
        const uint32_t node = answer_tree_add(tree, parent, NODE_ITEM, item, NULL);
        if (node != NODE_NONE) {
            read_children(tree, node, scope);
        }
    }
}

static uint32_t add_answer(struct answer_tree *tree, uint32_t node, const json_t *value,
                           uint32_t index)
{
    const uint32_t answer = answer_tree_add(tree, node, NODE_ANSWER, tree->nodes[node].item, value);
    if (answer != NODE_NONE) {
        tree->nodes[answer].index = index;
        if (value != NULL) {
            answer_tree_mark_answered(tree, answer);
        }
    }
    return answer;
}

/* The elements of a repeating question's list; one may hold the items below the question. */
static void read_list(struct answer_tree *tree, uint32_t node, const json_t *list)
{
    const uint32_t item = tree->nodes[node].item;
    const bool has_children = tree->questionnaire->items[item].end > item + 1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *element = json_array_get(list, i);
        const json_t *wrapped = has_children ? json_object_get(element, ANSWER) : NULL;
        if (wrapped == NULL) {
            if (!json_is_unanswered(element)) {
                add_answer(tree, node, element, (uint32_t)i);
            }
            continue;
        }
        const uint32_t answer =
            add_answer(tree, node, json_is_unanswered(wrapped) ? NULL : wrapped, (uint32_t)i);
        if (answer != NODE_NONE) {
            struct scope scope = {.object = element, .owner = item, .known = 1};
            read_children(tree, answer, &scope);
            read_strays(tree, answer, &scope);
        }
    }
}

static void read_question(struct answer_tree *tree, uint32_t parent, uint32_t item,
                          struct scope *scope)
{
    const struct item *question = &tree->questionnaire->items[item];
    const bool has_children = question->end > item + 1;
    const json_t *member = take_member(scope, question);
    const bool given = !json_is_unanswered(member);
    if (!given && (!has_children || question->repeats)) {
        return;
    }
    if (given && json_is_array(member) != question->repeats) {
        add_misshapen(tree, parent, item, member);
        return;
    }
    const uint32_t node = answer_tree_add(tree, parent, NODE_ITEM, item, given ? member : NULL);
    if (node == NODE_NONE) {
        return;
    }
    if (question->repeats) {
        read_list(tree, node, member);
        return;
    }
    const uint32_t answer = add_answer(tree, node, given ? member : NULL, 0);
    if (answer != NODE_NONE && has_children) {
        read_children(tree, answer, scope);
    }
}

/* A display or an abstract question: nothing may be there. */
static void read_unanswerable(struct answer_tree *tree, uint32_t parent, uint32_t item,
                              struct scope *scope)
{
    const json_t *member = take_member(scope, &tree->questionnaire->items[item]);
    const bool given = !json_is_unanswered(member);
    const uint32_t node = answer_tree_add(tree, parent, NODE_ITEM, item, given ? member : NULL);
    if (node != NODE_NONE) {
        if (given) {
            tree->nodes[node].fault = FAULT_HAS_ANSWERS;
            answer_tree_mark_answered(tree, node);
        }
        read_children(tree, node, scope);
    }
}

static void read_children(struct answer_tree *tree, uint32_t node, struct scope *scope)
{
    const struct item *items = tree->questionnaire->items;
    const uint32_t owner = tree->nodes[node].item;
    for (uint32_t item = owner + 1; item < items[owner].end; item = items[item].end) {
        switch (items[item].type) {
        case ITEM_GROUP:
            read_group(tree, node, item, scope);
            break;
        case ITEM_DISPLAY:
        case ITEM_QUESTION:
            read_unanswerable(tree, node, item, scope);
            break;
        case ITEM_BOOLEAN:
        case ITEM_DECIMAL:
        case ITEM_INTEGER:
        case ITEM_DATE:
        case ITEM_DATE_TIME:
        case ITEM_TIME:
        case ITEM_STRING:
        case ITEM_TEXT:
        case ITEM_URL:
        case ITEM_CHOICE:
        case ITEM_OPEN_CHOICE:
        case ITEM_ATTACHMENT:
        case ITEM_REFERENCE:
        case ITEM_QUANTITY:
            read_question(tree, node, item, scope);
            break;
        }
    }
}

enum status answer_tree_from_flat(struct answer_tree *tree,
                                  const struct questionnaire *questionnaire, const json_t *body,
                                  const struct json_lexemes *lexemes, struct err *err)
{
    const enum status status = answer_tree_init(tree, questionnaire, lexemes, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct scope scope = {.object = body, .owner = ITEM_ROOT};
    for (size_t i = 0; i < envelope_fields_count; i++) {
        scope.known += json_object_get(body, envelope_fields[i]) != NULL;
    }
    tree->flat = true;
    read_children(tree, 0, &scope);
    read_strays(tree, 0, &scope);
    if (tree->failed) {
        answer_tree_finish(tree);
        return err_no_memory(err);
    }
    return STATUS_OK;
}
