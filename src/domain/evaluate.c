/* What answers come to: scores with their bands, flags, and the age that a range stands for. */
#include "intake/domain/evaluate.h"

#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/text.h"
#include "intake/domain/answer_tree.h"

static const char BAND[] = "urn:intake:score-band";
static const char FLAG[] = "urn:intake:flag";

struct tally {
    struct decimal sum;
    size_t questions;
    size_t answered;
};

struct evaluator {
    const struct answer_tree *tree;
    struct tally *tallies; /* per item: what it and the items below it come to */
    struct evaluation *evaluation;
    size_t flags_capacity;
    bool failed;
};

static void visit_children(struct evaluator *state, uint32_t parent);

bool score_band_read(const json_t *extension, struct score_band *ret)
{
    enum value_type type = VALUE_NONE;
    struct answer_value low;
    struct answer_value high;
    const json_t *low_json = extension_value(extension, "low", &type);
    const json_t *high_json = extension_value(extension, "high", &type);
    *ret = (struct score_band){
        .code = json_string_value(extension_value(extension, "code", &type)),
        .label = json_string_value(extension_value(extension, "label", &type)),
    };
    if (low_json == NULL || high_json == NULL || ret->label == NULL ||
        !value_read(low_json, VALUE_DECIMAL, NULL, &low) ||
        !value_read(high_json, VALUE_DECIMAL, NULL, &high)) {
        return false;
    }
    ret->low = low.decimal;
    ret->high = high.decimal;
    return decimal_compare(&ret->low, &ret->high) <= 0;
}

bool item_flag_read(const json_t *extension, const char **ret_text, const json_t **ret_when)
{
    enum value_type type = VALUE_NONE;
    *ret_when = extension_find(extension, "when");
    *ret_text = json_string_value(extension_value(extension, "text", &type));
    return *ret_text != NULL &&
           (*ret_when == NULL || value_member(*ret_when, "value", &type, NULL) != NULL);
}

static void add_flag(struct evaluator *state, uint32_t item, const char *text)
{
    struct evaluation *evaluation = state->evaluation;
    const char *link_id = state->tree->questionnaire->items[item].link_id;
    for (size_t i = 0; i < evaluation->flags_count; i++) {
        if (evaluation->flags[i].link_id == link_id &&
            strcmp(evaluation->flags[i].text, text) == 0) {
            return;
        }
    }
    if (evaluation->flags_count == state->flags_capacity) {
        const size_t capacity = state->flags_capacity == 0 ? 8 : state->flags_capacity * 2;
        struct flag *flags = realloc(evaluation->flags, capacity * sizeof *flags);
        if (flags == NULL) {
            state->failed = true;
            return;
        }
        evaluation->flags = flags;
        state->flags_capacity = capacity;
    }
    evaluation->flags[evaluation->flags_count++] = (struct flag){link_id, text};
}

/* The flags that the item itself carries, for an answer of it. */
static void visit_item_flags(struct evaluator *state, uint32_t item,
                             const struct answer_value *value)
{
    const struct questionnaire *questionnaire = state->tree->questionnaire;
    const json_t *extensions = json_object_get(questionnaire->items[item].definition, "extension");
    for (size_t i = 0; i < json_array_size(extensions); i++) {
        const json_t *extension = json_array_get(extensions, i);
        const char *url = json_string_value(json_object_get(extension, "url"));
        const char *text = NULL;
        const json_t *when = NULL;
        if (url == NULL || strcmp(url, FLAG) != 0 || !item_flag_read(extension, &text, &when)) {
            continue;
        }
        enum value_type type = VALUE_NONE;
        struct answer_value wanted;
        const json_t *json = when == NULL ? NULL : value_member(when, "value", &type, NULL);
        if (when == NULL || (value_read(json, type, &questionnaire->lexemes, &wanted) &&
                             value_equal(&wanted, value))) {
            add_flag(state, item, text);
        }
    }
}

/* One answer; true when it has a score, which is added to the item's tally. */
static bool visit_answer(struct evaluator *state, uint32_t node)
{
    const struct questionnaire *questionnaire = state->tree->questionnaire;
    const uint32_t item = state->tree->nodes[node].item;
    struct answer_value value;
    if (!answer_tree_value(state->tree, node, &value)) {
        return false;
    }
    visit_item_flags(state, item, &value);
    const struct option *option = answer_option(questionnaire, item, &value);
    if (option == NULL) {
        return false;
    }
    if (option->flag != NULL) {
        add_flag(state, item, option->flag);
    }
    if (state->evaluation->derived_age < 0) {
        state->evaluation->derived_age = (int)option->derived_age;
    }
    struct tally *tally = &state->tallies[item];
    return option->has_ordinal && decimal_add(&tally->sum, &option->ordinal, &tally->sum);
}

static void visit_question(struct evaluator *state, uint32_t item, uint32_t node)
{
    const struct answer_tree *tree = state->tree;
    bool scored = false;
    for (uint32_t n = tree->nodes[node].first; n != NODE_NONE; n = tree->nodes[n].next) {
        if (tree->nodes[n].kind == NODE_ANSWER && tree->nodes[n].present) {
            scored = visit_answer(state, n) || scored;
            visit_children(state, n);
        }
    }
    state->tallies[item].answered += scored;
}

/* Visits the enabled items below a node; also those that are not there, since they were asked. */
static void visit_children(struct evaluator *state, uint32_t parent)
{
    const struct answer_tree *tree = state->tree;
    const struct item *items = tree->questionnaire->items;
    const uint32_t owner = tree->nodes[parent].item;
    uint32_t node = tree->nodes[parent].first;
    for (uint32_t item = owner + 1; item < items[owner].end; item = items[item].end) {
        while (node != NODE_NONE && tree->nodes[node].item < item) {
            node = tree->nodes[node].next;
        }
        if (!answer_tree_item_enabled(tree, item, parent)) {
            continue;
        }
        state->tallies[item].questions += items[item].scored;
        for (; node != NODE_NONE && tree->nodes[node].item == item; node = tree->nodes[node].next) {
            if (item_value_type(items[item].type) == VALUE_NONE) {
                visit_children(state, node);
            } else {
                visit_question(state, item, node);
            }
        }
    }
}

/* Adds every item's tally to the one that holds it; children come after their parents. */
static void sum_up(struct evaluator *state)
{
    const struct questionnaire *questionnaire = state->tree->questionnaire;
    for (uint32_t item = questionnaire->items_count - 1; item > ITEM_ROOT; item--) {
        const struct tally *tally = &state->tallies[item];
        struct tally *above = &state->tallies[questionnaire->items[item].parent];
        above->questions += tally->questions;
        above->answered += tally->answered;
        if (!decimal_add(&above->sum, &tally->sum, &above->sum)) {
            state->failed = true;
        }
    }
}

static void find_band(const json_t *definition, struct score *score)
{
    const json_t *extensions = json_object_get(definition, "extension");
    for (size_t i = 0; i < json_array_size(extensions); i++) {
        const json_t *extension = json_array_get(extensions, i);
        const char *url = json_string_value(json_object_get(extension, "url"));
        struct score_band band;
        if (url != NULL && strcmp(url, BAND) == 0 && score_band_read(extension, &band) &&
            decimal_compare(&band.low, &score->value) <= 0 &&
            decimal_compare(&score->value, &band.high) <= 0) {
            score->band_code = band.code;
            score->band_label = band.label;
            return;
        }
    }
}

static bool is_scope(const struct evaluator *state, uint32_t item)
{
    return state->tree->questionnaire->items[item].type == ITEM_GROUP &&
           state->tallies[item].questions > 0;
}

static enum status list_scores(struct evaluator *state, struct err *err)
{
    const struct questionnaire *questionnaire = state->tree->questionnaire;
    struct evaluation *evaluation = state->evaluation;
    size_t count = 0;
    for (uint32_t i = 0; i < questionnaire->items_count; i++) {
        count += is_scope(state, i);
    }
    if (count == 0) {
        return STATUS_OK;
    }
    evaluation->scores = calloc(count, sizeof *evaluation->scores);
    if (evaluation->scores == NULL) {
        return err_no_memory(err);
    }
    for (uint32_t i = 0; i < questionnaire->items_count; i++) {
        const struct item *item = &questionnaire->items[i];
        if (!is_scope(state, i)) {
            continue;
        }
        struct score *score = &evaluation->scores[evaluation->scores_count++];
        *score = (struct score){
            .link_id = item->link_id,
            .text = i == ITEM_ROOT ? questionnaire->title : item->text,
            .value = state->tallies[i].sum,
            .questions = state->tallies[i].questions,
            .answered = state->tallies[i].answered,
        };
        if (score->answered == score->questions) {
            find_band(item->definition, score);
        }
    }
    return STATUS_OK;
}

static enum status evaluate(struct evaluator *state, struct err *err)
{
    visit_children(state, 0);
    sum_up(state);
    return state->failed ? err_no_memory(err) : list_scores(state, err);
}

enum status questionnaire_evaluate(const struct questionnaire *questionnaire, const json_t *body,
                                   struct evaluation *ret, struct err *err)
{
    if (!json_is_object(body)) {
        return err_set(err, STATUS_INVALID, "the answers are not a JSON object");
    }
    struct answer_tree tree;
    enum status status = answer_tree_from_flat(&tree, questionnaire, body, NULL, err);
    if (status != STATUS_OK) {
        return status;
    }
    answer_tree_enable(&tree);
    struct evaluation evaluation = {.derived_age = -1};
    AUTO_FREE struct tally *tallies = calloc(questionnaire->items_count, sizeof *tallies);
    struct evaluator state = {.tree = &tree, .tallies = tallies, .evaluation = &evaluation};
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): AUTO_FREE frees it */
    status = tallies == NULL ? err_no_memory(err) : evaluate(&state, err);
    answer_tree_finish(&tree);
    if (status != STATUS_OK) {
        evaluation_finish(&evaluation);
        return status;
    }
    *ret = evaluation;
    return STATUS_OK;
}

void evaluation_finish(struct evaluation *evaluation)
{
    free(evaluation->scores);
    free(evaluation->flags);
    *evaluation = (struct evaluation){.derived_age = -1};
}

static void print_text(struct strbuf *out, const char *name, const char *text)
{
    strbuf_printf(out, "\"%s\":", name);
    strbuf_json_string(out, text, strlen(text));
}

static void print_score(const struct score *score, struct strbuf *out)
{
    strbuf_putc(out, '{');
    print_text(out, "link_id", score->link_id);
    strbuf_putc(out, ',');
    print_text(out, "text", score->text);
    strbuf_puts(out, ",\"value\":");
    decimal_print(&score->value, out);
    strbuf_printf(out, ",\"questions\":%zu,\"answered\":%zu", score->questions, score->answered);
    if (score->band_label != NULL) {
        strbuf_puts(out, ",\"band\":{");
        if (score->band_code != NULL) {
            print_text(out, "code", score->band_code);
            strbuf_putc(out, ',');
        }
        print_text(out, "label", score->band_label);
        strbuf_putc(out, '}');
    }
    strbuf_putc(out, '}');
}

void evaluation_print(const struct evaluation *evaluation, struct strbuf *out)
{
    strbuf_puts(out, "{\"scores\":[");
    for (size_t i = 0; i < evaluation->scores_count; i++) {
        strbuf_puts(out, i == 0 ? "" : ",");
        print_score(&evaluation->scores[i], out);
    }
    strbuf_puts(out, "],\"flags\":[");
    for (size_t i = 0; i < evaluation->flags_count; i++) {
        strbuf_puts(out, i == 0 ? "{" : ",{");
        print_text(out, "link_id", evaluation->flags[i].link_id);
        strbuf_putc(out, ',');
        print_text(out, "text", evaluation->flags[i].text);
        strbuf_putc(out, '}');
    }
    strbuf_putc(out, ']');
    if (evaluation->derived_age >= 0) {
        strbuf_printf(out, ",\"derived_age\":%d", evaluation->derived_age);
    }
    strbuf_putc(out, '}');
}

enum status questionnaire_derived_age(const struct questionnaire *questionnaire, const json_t *body,
                                      int *ret_age, struct err *err)
{
    struct evaluation evaluation = {.derived_age = -1};
    const enum status status = questionnaire_evaluate(questionnaire, body, &evaluation, err);
    if (status == STATUS_OK) {
        *ret_age = evaluation.derived_age;
        evaluation_finish(&evaluation);
    }
    return status;
}
