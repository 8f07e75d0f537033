/* enableWhen: what each condition looks at, and an order in which all can be evaluated. */
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/domain/compile.h"

static const char *const operators[] = {
    [ENABLE_EXISTS] = "exists",    [ENABLE_EQUAL] = "=", [ENABLE_NOT_EQUAL] = "!=",
    [ENABLE_GREATER] = ">",        [ENABLE_LESS] = "<",  [ENABLE_GREATER_OR_EQUAL] = ">=",
    [ENABLE_LESS_OR_EQUAL] = "<=",
};

/* The lowest item that is `b`, or holds `b`, and is `a` or holds it. */
static uint32_t common_item(const struct questionnaire *questionnaire, uint32_t a, uint32_t b)
{
    while (!(a <= b && b < questionnaire->items[a].end)) {
        a = questionnaire->items[a].parent;
    }
    return a;
}

static bool read_operator(const char *name, enum enable_operator *ret)
{
    for (size_t i = 0; name != NULL && i < ARRAY_LENGTH(operators); i++) {
        if (strcmp(operators[i], name) == 0) {
            *ret = (enum enable_operator)i;
            return true;
        }
    }
    return false;
}

/* Whether an answer of the source can ever be compared with `value`. */
static bool comparable(const struct item *source, const struct condition *condition)
{
    const enum value_type type = condition->value.type;
    const enum value_type own = item_value_type(source->type);
    if (condition->operator== ENABLE_EXISTS) {
        return type == VALUE_BOOLEAN;
    }
    const bool number = type == VALUE_INTEGER || type == VALUE_DECIMAL;
    const bool day = type == VALUE_DATE || type == VALUE_DATE_TIME;
    return type == own || (number && (own == VALUE_INTEGER || own == VALUE_DECIMAL)) ||
           (day && (own == VALUE_DATE || own == VALUE_DATE_TIME)) ||
           (type == VALUE_STRING && (own == VALUE_URI || source->type == ITEM_OPEN_CHOICE));
}

/* Reads one condition; false, and an issue, when it is broken. */
static bool read_condition(struct compile *compile, uint32_t index, const json_t *definition,
                           struct condition *ret)
{
    struct questionnaire *questionnaire = compile->questionnaire;
    const json_t *question = json_object_get(definition, "question");
    const char *link_id = json_string_value(question);
    ret->source = link_id == NULL
                      ? ITEM_NONE
                      : questionnaire_item(questionnaire, link_id, json_string_length(question));
    if (ret->source == ITEM_NONE) {
        compile_issue(compile, ISSUE_ERROR, index, "enableWhen",
                      "enableWhen names the item \"%.60s\", which does not exist",
                      link_id == NULL ? "" : link_id);
        return false;
    }
    const struct item *source = &questionnaire->items[ret->source];
    if (item_value_type(source->type) == VALUE_NONE) {
        compile_issue(compile, ISSUE_ERROR, index, "enableWhen",
                      "enableWhen names the item \"%.60s\", which has no answer", link_id);
        return false;
    }
    if (!read_operator(json_string_value(json_object_get(definition, "operator")),
                       &ret->operator)) {
        compile_issue(compile, ISSUE_ERROR, index, "enableWhen",
                      "enableWhen has no operator that FHIR knows");
        return false;
    }
    enum value_type type = VALUE_NONE;
    const json_t *answer = value_member(definition, "answer", &type, NULL);
    if (answer == NULL || !value_read(answer, type, &questionnaire->lexemes, &ret->value)) {
        compile_issue(compile, ISSUE_ERROR, index, "enableWhen",
                      "enableWhen has no valid answer to compare with");
        return false;
    }
    if (!comparable(source, ret)) {
        const bool exists = ret->operator== ENABLE_EXISTS;
        compile_issue(compile, exists ? ISSUE_ERROR : ISSUE_WARNING, index, "enableWhen",
                      exists ? "the operator exists needs answerBoolean"
                             : "enableWhen compares with a type that the question never has");
        return !exists;
    }
    ret->common = common_item(questionnaire, questionnaire->items[index].parent, ret->source);
    return true;
}

static enum status compile_item(struct compile *compile, uint32_t index, struct err *err)
{
    struct questionnaire *questionnaire = compile->questionnaire;
    struct item *item = &questionnaire->items[index];
    const json_t *conditions = json_object_get(item->definition, "enableWhen");
    const char *behavior = json_string_value(json_object_get(item->definition, "enableBehavior"));
    item->conditions_first = questionnaire->conditions_count;
    item->enable_any = behavior != NULL && strcmp(behavior, "any") == 0;
    if (behavior != NULL && !item->enable_any && strcmp(behavior, "all") != 0) {
        compile_issue(compile, ISSUE_ERROR, index, "enableWhen",
                      "enableBehavior must be all or any");
    } else if (behavior == NULL && json_array_size(conditions) > 1) {
        compile_issue(compile, ISSUE_WARNING, index, "enableWhen",
                      "several enableWhen without enableBehavior: all of them must hold");
    }
    for (size_t i = 0; i < json_array_size(conditions); i++) {
        struct condition condition = {.source = ITEM_NONE};
        if (!read_condition(compile, index, json_array_get(conditions, i), &condition)) {
            continue;
        }
        if (!compile_reserve((void **)&questionnaire->conditions, questionnaire->conditions_count,
                             &questionnaire->conditions_capacity, sizeof condition)) {
            return err_no_memory(err);
        }
        questionnaire->conditions[questionnaire->conditions_count++] = condition;
        item->conditions_count++;
        questionnaire->has_conditions = true;
    }
    return STATUS_OK;
}

enum status compile_conditions(struct compile *compile, struct err *err)
{
    for (uint32_t i = 1; i < compile->questionnaire->items_count; i++) {
        const enum status status = compile_item(compile, i, err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

/* The graph of what must be known before what: the parent, and the sources of the conditions. */
struct graph {
    uint32_t *waiting; /* per item: how many of its predecessors are not yet placed */
    uint32_t *first;   /* per item: its edges in `targets`, from first[i] to first[i + 1] */
    uint32_t *targets;
};

static void count_edges(const struct questionnaire *questionnaire, struct graph *graph)
{
    for (uint32_t i = 1; i < questionnaire->items_count; i++) {
        const struct item *item = &questionnaire->items[i];
        graph->first[item->parent + 1]++;
        graph->waiting[i] = 1 + item->conditions_count;
        for (uint32_t c = 0; c < item->conditions_count; c++) {
            graph->first[questionnaire->conditions[item->conditions_first + c].source + 1]++;
        }
    }
    for (uint32_t i = 0; i < questionnaire->items_count; i++) {
        graph->first[i + 1] += graph->first[i];
    }
}

static void fill_edges(const struct questionnaire *questionnaire, struct graph *graph,
                       uint32_t *fill)
{
    memcpy(fill, graph->first, questionnaire->items_count * sizeof *fill);
    for (uint32_t i = 1; i < questionnaire->items_count; i++) {
        const struct item *item = &questionnaire->items[i];
        graph->targets[fill[item->parent]++] = i;
        for (uint32_t c = 0; c < item->conditions_count; c++) {
            const uint32_t source = questionnaire->conditions[item->conditions_first + c].source;
            graph->targets[fill[source]++] = i;
        }
    }
}

/* Kahn's algorithm; returns how many items could be placed. */
static uint32_t place(struct questionnaire *questionnaire, struct graph *graph)
{
    uint32_t placed = 1;
    questionnaire->order[0] = ITEM_ROOT;
    for (uint32_t next = 0; next < placed; next++) {
        const uint32_t item = questionnaire->order[next];
        for (uint32_t e = graph->first[item]; e < graph->first[item + 1]; e++) {
            if (--graph->waiting[graph->targets[e]] == 0) {
                questionnaire->order[placed++] = graph->targets[e];
            }
        }
    }
    return placed;
}

/* Names the items that wait for each other: those with a condition that were not placed. */
static void report_cycle(struct compile *compile, const struct graph *graph)
{
    for (uint32_t i = 1; i < compile->questionnaire->items_count; i++) {
        if (graph->waiting[i] > 0 && compile->questionnaire->items[i].conditions_count > 0) {
            compile_issue(compile, ISSUE_ERROR, i, "enableWhen",
                          "whether it is enabled depends on itself, through its enableWhen");
        }
    }
}

enum status compile_order(struct compile *compile, struct err *err)
{
    struct questionnaire *questionnaire = compile->questionnaire;
    const size_t items = questionnaire->items_count;
    AUTO_FREE uint32_t *waiting = calloc(items, sizeof *waiting);
    AUTO_FREE uint32_t *first = calloc(items + 1, sizeof *first);
    AUTO_FREE uint32_t *targets = calloc(items + questionnaire->conditions_count, sizeof *targets);
    AUTO_FREE uint32_t *fill = calloc(items, sizeof *fill);
    questionnaire->order = calloc(items, sizeof *questionnaire->order);
    if (waiting == NULL || first == NULL || targets == NULL || fill == NULL ||
        questionnaire->order == NULL) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): AUTO_FREE frees it */
        return err_no_memory(err);
    }
    struct graph graph = {.waiting = waiting, .first = first, .targets = targets};
    count_edges(questionnaire, &graph);
    fill_edges(questionnaire, &graph, fill);
    if (place(questionnaire, &graph) < items) {
        report_cycle(compile, &graph);
    }
    return STATUS_OK;
}
