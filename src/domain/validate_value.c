/* The rules of one value: its type, its limits, and the set that it is chosen from. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "intake/core/json.h"
#include "intake/core/text.h"
#include "intake/domain/unit.h"
#include "intake/domain/validate.h"

/* Whether a text anywhere in the value holds U+0000; parsing has limited the depth. */
static bool holds_nul(const json_t *json)
{
    if (json_is_string(json)) {
        return json_has_nul(json);
    }
    for (size_t i = 0; i < json_array_size(json); i++) {
        if (holds_nul(json_array_get(json, i))) {
            return true;
        }
    }
    json_t *object = json_readable(json);
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        if (holds_nul(json_object_iter_value(at))) {
            return true;
        }
    }
    return false;
}

/* What a patient should give instead, where the type is wrong. */
static const char *type_hint(enum item_type type)
{
    static const char *const hints[ITEM_TYPES] = {
        [ITEM_BOOLEAN] = "Please answer with yes or no.",
        [ITEM_DECIMAL] = "Please give a number.",
        [ITEM_INTEGER] = "Please give a whole number.",
        [ITEM_DATE] = "Please give a date: year, month and day.",
        [ITEM_DATE_TIME] = "Please give a date with its time.",
        [ITEM_TIME] = "Please give a time of day.",
        [ITEM_STRING] = "Please answer with a text.",
        [ITEM_TEXT] = "Please answer with a text.",
        [ITEM_URL] = "Please give the address of a page.",
        [ITEM_CHOICE] = "Please choose one of the answers.",
        [ITEM_OPEN_CHOICE] = "Please choose an answer or write your own.",
        [ITEM_ATTACHMENT] = "Please attach a file.",
        [ITEM_REFERENCE] = "Please give a reference.",
        [ITEM_QUANTITY] = "Please give a number with its unit.",
    };
    return hints[type] == NULL ? "This answer is of the wrong kind." : hints[type];
}

/* PCRE2's own defaults let one match run for seconds. Without memory the issues have failed. */
static bool matches(const struct check *check, const pcre2_code *regex, struct view text)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    int result = PCRE2_ERROR_NOMEMORY;
    if (data != NULL) {
        result = pcre2_match(regex, (PCRE2_SPTR)text.data, text.len, 0, 0, data,
                             check->tree->questionnaire->regex_limits);
    }
    pcre2_match_data_free(data);
    check->issues->failed = check->issues->failed || result == PCRE2_ERROR_NOMEMORY;
    return result >= 0;
}

static void check_text(const struct validate_subject *subject, struct view text)
{
    const struct item *item = subject->item;
    const struct constraints *constraints = item->constraints;
    const bool one_line = item->type == ITEM_STRING || item->type == ITEM_OPEN_CHOICE;
    if (one_line && (memchr(text.data, '\n', text.len) || memchr(text.data, '\r', text.len))) {
        VALIDATE_REPORT(subject, ISSUE_FATAL, "invalidNewLine", "Please write this in one line.");
    }
    if (item->length_max >= 0 && text.len > (size_t)item->length_max &&
        utf8_length(text.data, text.len) > (size_t)item->length_max) {
        VALIDATE_REPORT(subject, ISSUE_ERROR, "maxLength", "Please write at most %lld characters.",
                        (long long)item->length_max);
    }
    if (constraints == NULL) {
        return;
    }
    if (constraints->length_min >= 0 &&
        utf8_length(text.data, text.len) < (size_t)constraints->length_min) {
        VALIDATE_REPORT(subject, ISSUE_ERROR, "minLength", "Please write at least %lld characters.",
                        (long long)constraints->length_min);
    }
    if (constraints->regex != NULL && !matches(subject->check, constraints->regex, text)) {
        VALIDATE_REPORT(subject, ISSUE_ERROR, "regex", "This does not look as it should%s%.100s.",
                        constraints->entry_format == NULL ? "" : ": ",
                        constraints->entry_format == NULL ? "" : constraints->entry_format);
    }
}

static void check_places(const struct validate_subject *subject, const struct decimal *value)
{
    const struct constraints *constraints = subject->item->constraints;
    if (constraints != NULL && constraints->decimal_places_max >= 0 &&
        value->places > constraints->decimal_places_max) {
        VALIDATE_REPORT(subject, ISSUE_ERROR, "maxDecimalPlaces",
                        "Please give at most %d digits after the decimal point.",
                        (int)constraints->decimal_places_max);
    }
}

/* A bound as a quantity: a bare number is in the unit that the item names. */
static struct answer_value as_quantity(const struct constraints *constraints,
                                       const struct answer_value *bound,
                                       const struct answer_value *value)
{
    if (value->type != VALUE_QUANTITY || bound->type == VALUE_QUANTITY) {
        return *bound;
    }
    struct answer_value quantity = {.type = VALUE_QUANTITY};
    quantity.quantity.has_value = true;
    if (bound->type == VALUE_DECIMAL) {
        quantity.quantity.value = bound->decimal;
    } else {
        (void)decimal_from_json(bound->json, &quantity.quantity.value);
    }
    const struct coding *unit = &constraints->unit;
    quantity.quantity.system = constraints->has_unit ? unit->system : value->quantity.system;
    quantity.quantity.code = constraints->has_unit ? unit->code : value->quantity.code;
    quantity.quantity.unit = constraints->has_unit ? unit->display : value->quantity.unit;
    return quantity;
}

/* The bound as a person reads it. */
static const char *print_bound(const struct answer_value *bound, struct strbuf *out)
{
    strbuf_clear(out);
    switch (bound->type) {
    case VALUE_DECIMAL:
        decimal_print(&bound->decimal, out);
        break;
    case VALUE_INTEGER:
        strbuf_printf(out, "%lld", (long long)bound->integer);
        break;
    case VALUE_QUANTITY:
        decimal_print(&bound->quantity.value, out);
        if (bound->quantity.unit != NULL || bound->quantity.code != NULL) {
            strbuf_printf(out, " %s",
                          bound->quantity.unit != NULL ? bound->quantity.unit
                                                       : bound->quantity.code);
        }
        break;
    case VALUE_DATE:
    case VALUE_DATE_TIME:
    case VALUE_TIME:
        strbuf_puts(out, json_string_value(bound->json));
        break;
    case VALUE_NONE:
    case VALUE_BOOLEAN:
    case VALUE_STRING:
    case VALUE_URI:
    case VALUE_CODING:
    case VALUE_ATTACHMENT:
    case VALUE_REFERENCE:
        break;
    }
    return out->data == NULL ? "" : out->data;
}

/* Exactly the minimum or the maximum is allowed. */
static void check_bounds(const struct validate_subject *subject, const struct answer_value *value)
{
    const struct constraints *constraints = subject->item->constraints;
    if (constraints == NULL || (!constraints->has_minimum && !constraints->has_maximum)) {
        return;
    }
    const struct {
        bool given;
        int sign;
        const struct answer_value *bound;
        const char *code;
        const char *units_code;
        const char *message;
    } bounds[] = {
        {constraints->has_minimum, -1, &constraints->minimum, "minValue", "minValueIncompatUnits",
         "This must not be less than %s."},
        {constraints->has_maximum, 1, &constraints->maximum, "maxValue", "maxValueIncompatUnits",
         "This must not be more than %s."},
    };
    struct strbuf text = {0};
    for (size_t i = 0; i < 2; i++) {
        if (!bounds[i].given) {
            continue;
        }
        const struct answer_value bound = as_quantity(constraints, bounds[i].bound, value);
        int order = 0;
        if (!value_compare(value, &bound, &order)) {
            VALIDATE_REPORT(subject, ISSUE_ERROR, bounds[i].units_code,
                            "Please use a unit that can be compared with %s.",
                            print_bound(&bound, &text));
        } else if (order * bounds[i].sign > 0) {
            const char *printed = print_bound(&bound, &text);
            VALIDATE_REPORT(subject, ISSUE_ERROR, bounds[i].code,
                            i == 0 ? "This must not be less than %s."
                                   : "This must not be more than %s.",
                            printed);
        }
        subject->check->issues->failed = subject->check->issues->failed || text.failed;
    }
    strbuf_finish(&text);
}

static bool unit_fits(const struct coding *unit, const struct quantity *quantity)
{
    return (unit->system == NULL || texts_equal(unit->system, quantity->system)) &&
           (unit->code == NULL || texts_equal(unit->code, quantity->code));
}

/* Whether the quantity can be told in the item's own unit; one without a unit is in it. */
static bool is_in_unit(const struct coding *unit, const struct quantity *quantity)
{
    const struct quantity own = {.system = unit->system, .code = unit->code, .unit = unit->display};
    return (quantity->code == NULL && quantity->unit == NULL) ||
           quantity_comparable(&own, quantity);
}

static bool set_holds(const struct value_set *set, const struct coding *coding)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct coding *member = &set->codes[i];
        if (member->code == NULL ? texts_equal(member->system, coding->system)
                                 : coding_matches(member, coding)) {
            return true;
        }
    }
    return false;
}

static void check_quantity(const struct validate_subject *subject, const struct answer_value *value)
{
    const struct constraints *constraints = subject->item->constraints;
    const struct quantity *quantity = &value->quantity;
    if (!quantity->has_value) {
        VALIDATE_REPORT(subject, ISSUE_FATAL, "invalidAnswerType", "%s", type_hint(ITEM_QUANTITY));
        return;
    }
    check_places(subject, &quantity->value);
    if (constraints == NULL) {
        return;
    }
    bool fits = constraints->units_count == 0;
    for (size_t i = 0; i < constraints->units_count && !fits; i++) {
        fits = unit_fits(&constraints->units[i], quantity);
    }
    if (fits && constraints->units_count == 0 && constraints->has_unit) {
        fits = is_in_unit(&constraints->unit, quantity);
    }
    if (!fits) {
        VALIDATE_REPORT(subject, ISSUE_ERROR, "invalidUnit", "Please use one of the units given.");
    }
    const struct coding unit = {.system = quantity->system, .code = quantity->code};
    const bool in_set = unit.code != NULL &&
                        (constraints->unit_set == NULL || set_holds(constraints->unit_set, &unit));
    if (constraints->has_unit_set && !in_set) {
        VALIDATE_REPORT(subject, ISSUE_ERROR, "invalidUnitValueSet",
                        "Please use one of the units given.");
    }
    check_bounds(subject, value);
}

/* answerOption and answerValueSet; the free text of an open-choice is in neither. */
static void check_options(const struct validate_subject *subject, const struct answer_value *value,
                          size_t answers)
{
    const struct item *item = subject->item;
    const bool free_text = item->type == ITEM_OPEN_CHOICE && value->type == VALUE_STRING;
    if (item->options_count > 0) {
        const struct option *option =
            answer_option(subject->check->tree->questionnaire, subject->index, value);
        if (option == NULL && !free_text) {
            VALIDATE_REPORT(subject, ISSUE_ERROR, "invalidAnswerOption",
                            "Please choose one of the answers given.");
        } else if (option != NULL && option->exclusive && answers > 1) {
            VALIDATE_REPORT(subject, ISSUE_ERROR, "exclusiveAnswerOption",
                            "This answer cannot be combined with others.");
        }
    }
    if (item->value_set == NULL || free_text) {
        const bool unchecked = item->set_elsewhere && !free_text;
        if (unchecked && !subject->check->tree->flat) {
            VALIDATE_REPORT(subject, ISSUE_WARNING, "notSupported",
                            "Whether this code is allowed could not be checked here.");
        }
        return;
    }
    struct coding coding = {.code = NULL};
    if (value->type == VALUE_CODING) {
        coding = value->coding;
    } else if (value->type == VALUE_STRING) {
        coding.code = value->text.data;
    }
    bool known = coding.code != NULL && set_holds(item->value_set, &coding);
    /* A bare code of a set whose codes all have a system. */
    for (size_t i = 0; i < item->value_set->count && !known && coding.system == NULL; i++) {
        known = texts_equal(item->value_set->codes[i].code, coding.code) && coding.code != NULL;
    }
    if (!known) {
        VALIDATE_REPORT(subject, ISSUE_ERROR, "invalidCoding",
                        "Please choose one of the answers given.");
    }
}

void validate_value(struct check *check, uint32_t answer, size_t answers)
{
    const struct answer_tree *tree = check->tree;
    const uint32_t index = tree->nodes[answer].item;
    const struct validate_subject subject = {
        .check = check,
        .item = &tree->questionnaire->items[index],
        .index = index,
        .node = answer,
    };
    struct answer_value value;
    if (holds_nul(tree->nodes[answer].json)) {
        VALIDATE_REPORT(&subject, ISSUE_ERROR, "invalidCharacter",
                        "This contains a character that cannot be stored.");
        return;
    }
    if (!answer_tree_value(tree, answer, &value)) {
        VALIDATE_REPORT(&subject, ISSUE_FATAL, "invalidAnswerType", "%s",
                        type_hint(subject.item->type));
        return;
    }
    switch (value.type) {
    case VALUE_STRING:
        check_text(&subject, value.text);
        break;
    case VALUE_URI:
        if (!uri_is_valid(value.text.data, value.text.len)) {
            VALIDATE_REPORT(&subject, ISSUE_ERROR, "invalidUrlValue", "%s", type_hint(ITEM_URL));
        }
        check_text(&subject, value.text);
        break;
    case VALUE_DECIMAL:
        check_places(&subject, &value.decimal);
        check_bounds(&subject, &value);
        break;
    case VALUE_INTEGER:
    case VALUE_DATE:
    case VALUE_DATE_TIME:
    case VALUE_TIME:
        check_bounds(&subject, &value);
        break;
    case VALUE_QUANTITY:
        check_quantity(&subject, &value);
        break;
    case VALUE_REFERENCE:
        validate_reference(&subject, value.reference.reference);
        break;
    case VALUE_ATTACHMENT:
        validate_attachment(&subject, &value.attachment);
        break;
    case VALUE_NONE:
    case VALUE_BOOLEAN:
    case VALUE_CODING:
        break;
    }
    check_options(&subject, &value, answers);
}
