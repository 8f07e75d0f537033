/*
 * The walk over the answers in the questionnaire's order: what is required and enabled, nothing
 * that is not enabled, how many, and where. The rules of a single value are in validate_value.c.
 */
#include "intake/domain/validate.h"

#include <stdarg.h>
#include <stdio.h>

static void check_children(struct check *check, uint32_t parent);

/* Whether a level of the flat form is written out, as an object or a list of its own. */
static bool is_flat_level(const struct node *node)
{
    return node->kind == NODE_ITEM && node->item != ITEM_ROOT && node->json != NULL;
}

static void print_flat_path(const struct answer_tree *tree, uint32_t index, struct strbuf *out)
{
    const struct node *node = &tree->nodes[index];
    if (node->parent != NODE_NONE) {
        print_flat_path(tree, node->parent, out);
    }
    const struct item *item =
        node->kind == NODE_STRAY ? NULL : &tree->questionnaire->items[node->item];
    const char *dot = out->len > 0 ? "." : "";
    if (node->kind == NODE_STRAY) {
        strbuf_printf(out, "%s%s", dot, node->link_id);
    } else if (node->kind == NODE_ANSWER && item->repeats) {
        strbuf_printf(out, "[%u]", node->index);
    } else if (is_flat_level(node)) {
        strbuf_printf(out, "%s%s", dot, item->link_id);
        if (item->repeats && item->type == ITEM_GROUP) {
            strbuf_printf(out, "[%u]", node->index);
        }
    }
}

static void print_response_path(const struct answer_tree *tree, uint32_t index, struct strbuf *out)
{
    const struct node *node = &tree->nodes[index];
    if (node->parent == NODE_NONE) {
        strbuf_puts(out, "QuestionnaireResponse");
        return;
    }
    print_response_path(tree, node->parent, out);
    if (node->json != NULL || node->kind == NODE_STRAY) {
        strbuf_printf(out, ".%s[%u]", node->kind == NODE_ANSWER ? "answer" : "item", node->index);
    }
}

void validate_print_path(const struct answer_tree *tree, uint32_t node, struct strbuf *out)
{
    if (tree->flat) {
        print_flat_path(tree, node, out);
    } else {
        print_response_path(tree, node, out);
    }
}

/* `is_absent`: the item is not there, and the node is what it would be below. */
static void add_issue(struct check *check, enum issue_severity severity, const char *code,
                      const char *link_id, uint32_t node, bool is_absent, const char *message)
{
    if (check->lenient && severity == ISSUE_ERROR) {
        severity = ISSUE_WARNING;
    }
    struct strbuf path = {0};
    validate_print_path(check->tree, node, &path);
    if (check->tree->flat && check->tree->nodes[node].kind != NODE_STRAY && is_absent) {
        strbuf_printf(&path, "%s%s", path.len > 0 ? "." : "", link_id);
    }
    issues_add_severity(check->issues, severity, code, link_id, path.data, "%s", message);
    check->issues->failed = check->issues->failed || path.failed;
    strbuf_finish(&path);
}

void validate_issue(struct check *check, enum issue_severity severity, const char *code,
                    uint32_t item, uint32_t node, const char *format, ...)
{
    char message[256];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    add_issue(check, severity, code, check->tree->questionnaire->items[item].link_id, node,
              check->tree->nodes[node].item != item || !check->tree->nodes[node].present, message);
}

static void report_stray(struct check *check, uint32_t node)
{
    const char *link_id = check->tree->nodes[node].link_id;
    add_issue(check, ISSUE_FATAL, "invalidLinkId", link_id == NULL ? "" : link_id, node, false,
              "This form has no such question here.");
}

/* Everything answered at or below the node, though it is not asked. */
static void report_not_enabled(struct check *check, uint32_t index)
{
    const struct node *node = &check->tree->nodes[index];
    if (node->kind == NODE_STRAY) {
        report_stray(check, index);
        return;
    }
    const struct item *item = &check->tree->questionnaire->items[node->item];
    if (node->kind == NODE_ITEM && node->answered &&
        (item->type != ITEM_GROUP || node->fault != FAULT_NONE)) {
        bool own = node->fault != FAULT_NONE;
        for (uint32_t n = node->first; n != NODE_NONE; n = check->tree->nodes[n].next) {
            own = own || check->tree->nodes[n].present;
        }
        if (own) {
            validate_issue(check, ISSUE_ERROR, "notEnabled", node->item, index,
                           "This question does not apply to the other answers, so it must be "
                           "left empty.");
        }
    }
    for (uint32_t n = node->first; n != NODE_NONE; n = check->tree->nodes[n].next) {
        report_not_enabled(check, n);
    }
}

static void report_fault(struct check *check, uint32_t index)
{
    const struct node *node = &check->tree->nodes[index];
    const struct item *item = &check->tree->questionnaire->items[node->item];
    switch ((enum node_fault)node->fault) {
    case FAULT_NONE:
        break;
    case FAULT_SHAPE:
        validate_issue(check, ISSUE_FATAL, "invalidAnswerType", node->item, index, "%s",
                       item->repeats ? "The answers to this question must be a list."
                       : item->type == ITEM_GROUP
                           ? "This section must hold its questions."
                           : "This question takes one answer and not a list.");
        break;
    case FAULT_HAS_ANSWERS:
        validate_issue(check, ISSUE_FATAL, "groupShouldNotHaveAnswers", node->item, index,
                       "This is a section and takes no answer of its own.");
        break;
    case FAULT_HAS_ITEMS:
        validate_issue(check, ISSUE_FATAL, "invalidType", node->item, index,
                       "The questions below this one belong to its answer.");
        break;
    case FAULT_VALUES:
        validate_issue(check, ISSUE_FATAL, "invalidAnswerType", node->item, index,
                       "An answer has one value and not several.");
        break;
    case FAULT_ORDER:
        validate_issue(check, ISSUE_ERROR, "invalidOrder", node->item, index,
                       "The answers must be in the order of the questions.");
        break;
    }
}

/* How often an item occurs, against what its definition allows. */
static void check_count(struct check *check, uint32_t item, uint32_t node, size_t count)
{
    const struct item *asked = &check->tree->questionnaire->items[item];
    const bool group = asked->type == ITEM_GROUP;
    const bool askable = !asked->hidden && !asked->read_only;
    if (count == 0 && asked->required) {
        if (check->demand && askable) {
            validate_issue(check, ISSUE_ERROR, "required", item, node, "%s",
                           group ? "At least one question of this section needs an answer."
                                 : "This question needs an answer.");
        }
        return;
    }
    if (asked->occurs_min > 0 && count < (size_t)asked->occurs_min && check->demand && askable) {
        validate_issue(check, ISSUE_ERROR, "minCount", item, node,
                       "At least %d answers are needed here.", (int)asked->occurs_min);
    }
    if (!asked->repeats && count > 1) {
        validate_issue(check, ISSUE_ERROR, "repeats", item, node,
                       "Only one answer is possible here.");
    }
    if (asked->occurs_max >= 0 && count > (size_t)asked->occurs_max) {
        validate_issue(check, ISSUE_ERROR, "maxCount", item, node,
                       "At most %d answers are possible here.", (int)asked->occurs_max);
    }
}

/* The nodes of one item below one parent: `first` and those after it, while they are of `item`. */
static uint32_t next_of(const struct answer_tree *tree, uint32_t node)
{
    const uint32_t next = tree->nodes[node].next;
    return next != NODE_NONE && tree->nodes[next].item == tree->nodes[node].item ? next : NODE_NONE;
}

static void check_group(struct check *check, uint32_t parent, uint32_t item, uint32_t first)
{
    const struct answer_tree *tree = check->tree;
    const bool repeats = tree->questionnaire->items[item].repeats;
    size_t count = 0;
    bool misshapen = false;
    for (uint32_t n = first; n != NODE_NONE; n = next_of(tree, n)) {
        misshapen = misshapen || tree->nodes[n].fault == FAULT_SHAPE;
        count += tree->nodes[n].answered || (!repeats && n != first && tree->nodes[n].present);
    }
    if (!misshapen) {
        check_count(check, item, first == NODE_NONE ? parent : first, count);
    }
    for (uint32_t n = first; n != NODE_NONE; n = next_of(tree, n)) {
        const struct node *node = &tree->nodes[n];
        report_fault(check, n);
        const bool empty = repeats && !node->answered;
        if (node->fault != FAULT_SHAPE && (!empty || node->last != NODE_NONE)) {
            struct check below = *check;
            below.demand = check->demand && !empty;
            check_children(&below, n);
        }
    }
}

/* One that R4 lets repeat has all its answers in one item. */
static void check_duplicates(struct check *check, uint32_t item, uint32_t first)
{
    const uint32_t second = next_of(check->tree, first);
    if (second != NODE_NONE && check->tree->questionnaire->items[item].repeats) {
        validate_issue(check, ISSUE_ERROR, "invalidLinkId", item, second,
                       "All answers to this question belong together.");
    }
}

/* Whether a form that renders the definition fills the item in by an expression (SDC). */
static bool is_computed(const json_t *definition)
{
#define SDC "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
    return extension_find(definition, SDC "calculatedExpression") != NULL ||
           extension_find(definition, SDC "initialExpression") != NULL;
#undef SDC
}

/* A read-only item may carry only what its definition puts there. */
static void check_read_only(struct check *check, uint32_t answer)
{
    const struct answer_tree *tree = check->tree;
    const uint32_t item = tree->nodes[answer].item;
    const json_t *initial = json_object_get(tree->questionnaire->items[item].definition, "initial");
    struct answer_value given;
    if (!answer_tree_value(tree, answer, &given) ||
        is_computed(tree->questionnaire->items[item].definition)) {
        return;
    }
    for (size_t i = 0; i < json_array_size(initial); i++) {
        enum value_type type = VALUE_NONE;
        struct answer_value value;
        const json_t *json = value_member(json_array_get(initial, i), "value", &type, NULL);
        if (json != NULL && value_read(json, type, &tree->questionnaire->lexemes, &value) &&
            value_equal(&value, &given)) {
            return;
        }
    }
    const struct option *option = answer_option(tree->questionnaire, item, &given);
    if (option == NULL || !option->selected) {
        validate_issue(check, ISSUE_ERROR, "readOnly", item, answer,
                       "This answer is filled in already and cannot be changed.");
    }
}

static void check_answers(struct check *check, uint32_t node, size_t count)
{
    const struct answer_tree *tree = check->tree;
    const struct item *item = &tree->questionnaire->items[tree->nodes[node].item];
    for (uint32_t n = tree->nodes[node].first; n != NODE_NONE; n = tree->nodes[n].next) {
        if (tree->nodes[n].kind == NODE_STRAY) {
            report_stray(check, n);
            continue;
        }
        if (tree->nodes[n].fault != FAULT_NONE) {
            report_fault(check, n);
        } else if (tree->nodes[n].present) {
            validate_value(check, n, count);
            if (item->read_only) {
                check_read_only(check, n);
            }
        }
        if (item->end > tree->nodes[node].item + 1 || tree->nodes[n].first != NODE_NONE) {
            check_children(check, n);
        }
    }
}

static void check_question(struct check *check, uint32_t parent, uint32_t item, uint32_t first)
{
    const struct answer_tree *tree = check->tree;
    size_t count = 0;
    bool misshapen = false;
    for (uint32_t n = first; n != NODE_NONE; n = next_of(tree, n)) {
        misshapen = misshapen || tree->nodes[n].fault == FAULT_SHAPE;
        for (uint32_t a = tree->nodes[n].first; a != NODE_NONE; a = tree->nodes[a].next) {
            count += tree->nodes[a].kind == NODE_ANSWER && tree->nodes[a].present;
        }
    }
    if (!misshapen) {
        check_count(check, item, first == NODE_NONE ? parent : first, count);
    }
    if (first != NODE_NONE) {
        check_duplicates(check, item, first);
    }
    for (uint32_t n = first; n != NODE_NONE; n = next_of(tree, n)) {
        report_fault(check, n);
        if (tree->nodes[n].fault != FAULT_SHAPE) {
            check_answers(check, n, count);
        }
    }
}

/* A display, or an abstract question: no answer in it or below it can be right. */
static void check_unanswerable(struct check *check, uint32_t item, uint32_t first)
{
    const struct answer_tree *tree = check->tree;
    const bool display = tree->questionnaire->items[item].type == ITEM_DISPLAY;
    for (uint32_t n = first; n != NODE_NONE; n = next_of(tree, n)) {
        if (!display && (tree->nodes[n].present || tree->nodes[n].answered)) {
            validate_issue(check, ISSUE_FATAL, "invalidType", item, n,
                           "This is not a question that can be answered.");
        } else if (tree->nodes[n].fault == FAULT_HAS_ANSWERS) {
            validate_issue(check, ISSUE_FATAL, "displayAnswer", item, n,
                           "This is a text to read and takes no answer.");
        } else {
            report_fault(check, n);
        }
    }
}

static void check_item(struct check *check, uint32_t parent, uint32_t item, uint32_t first)
{
    const struct answer_tree *tree = check->tree;
    const bool enabled = first == NODE_NONE ? answer_tree_item_enabled(tree, item, parent)
                                            : tree->nodes[first].enabled;
    if (!enabled) {
        for (uint32_t n = first; n != NODE_NONE; n = next_of(tree, n)) {
            report_not_enabled(check, n);
        }
        return;
    }
    const enum item_type type = tree->questionnaire->items[item].type;
    if (type == ITEM_GROUP) {
        check_group(check, parent, item, first);
    } else if (item_value_type(type) == VALUE_NONE) {
        check_unanswerable(check, item, first);
    } else {
        check_question(check, parent, item, first);
    }
}

static void check_children(struct check *check, uint32_t parent)
{
    const struct answer_tree *tree = check->tree;
    const struct item *items = tree->questionnaire->items;
    const uint32_t owner = tree->nodes[parent].item;
    uint32_t node = tree->nodes[parent].first;
    for (uint32_t item = owner + 1; item < items[owner].end; item = items[item].end) {
        const uint32_t first =
            node != NODE_NONE && tree->nodes[node].item == item ? node : NODE_NONE;
        while (node != NODE_NONE && tree->nodes[node].item == item) {
            node = tree->nodes[node].next;
        }
        check_item(check, parent, item, first);
    }
    for (; node != NODE_NONE; node = tree->nodes[node].next) {
        report_stray(check, node);
    }
}

void validate_tree(struct check *check)
{
    check_children(check, 0);
}
