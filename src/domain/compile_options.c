/* answerOption, its extensions, and the ValueSets that the definition contains. */
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/domain/compile.h"

static const char ORDINAL[] = "http://hl7.org/fhir/StructureDefinition/ordinalValue";
static const char WEIGHT[] = "http://hl7.org/fhir/StructureDefinition/itemWeight";
static const char EXCLUSIVE[] =
    "http://hl7.org/fhir/StructureDefinition/questionnaire-optionExclusive";
static const char FLAG[] = "urn:intake:flag";
static const char DERIVED_AGE[] = "urn:intake:derived-age";

/* Whether an option of `type` can answer the item: R4 wants the item's own type. */
static bool fits(const struct item *item, enum value_type type)
{
    return type != VALUE_NONE && (type == item_value_type(item->type) ||
                                  (item->type == ITEM_OPEN_CHOICE && type == VALUE_STRING));
}

/* The score of an option: on the option, or on its coding. */
static bool read_ordinal(const struct questionnaire *questionnaire, const json_t *option,
                         const json_t *value, struct decimal *ret)
{
    const char *const urls[] = {ORDINAL, WEIGHT};
    const json_t *const holders[] = {option, value};
    for (size_t i = 0; i < ARRAY_LENGTH(urls); i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(holders); j++) {
            enum value_type type = VALUE_NONE;
            struct answer_value number;
            const json_t *found = extension_value(holders[j], urls[i], &type);
            if (found != NULL &&
                value_read(found, VALUE_DECIMAL, &questionnaire->lexemes, &number)) {
                *ret = number.decimal;
                return true;
            }
        }
    }
    return false;
}

static void read_extensions(struct compile *compile, uint32_t item, const json_t *definition,
                            const json_t *value, struct option *option)
{
    enum value_type type = VALUE_NONE;
    option->exclusive = json_is_true(extension_value(definition, EXCLUSIVE, &type));
    option->selected = json_is_true(json_object_get(definition, "initialSelected"));
    option->has_ordinal = read_ordinal(compile->questionnaire, definition, value, &option->ordinal);
    option->flag = json_string_value(extension_value(definition, FLAG, &type));
    const json_t *age = extension_value(definition, DERIVED_AGE, &type);
    option->derived_age = -1;
    if (json_is_integer(age) && json_integer_value(age) >= 0 && json_integer_value(age) < 150) {
        option->derived_age = (int32_t)json_integer_value(age);
    } else if (age != NULL) {
        compile_issue(compile, ISSUE_ERROR, item, "invalidDefinition",
                      "%s must be a whole number of years", DERIVED_AGE);
    }
}

static enum status compile_option(struct compile *compile, uint32_t index, const json_t *definition,
                                  struct err *err)
{
    struct questionnaire *questionnaire = compile->questionnaire;
    struct item *item = &questionnaire->items[index];
    enum value_type type = VALUE_NONE;
    const json_t *value =
        json_is_object(definition) ? value_member(definition, "value", &type, NULL) : NULL;
    struct option option = {0};
    if (value == NULL) {
        compile_issue(compile, ISSUE_ERROR, index, "invalidAnswerOption",
                      "an answerOption has no value");
        return STATUS_OK;
    }
    if (!fits(item, type)) {
        compile_issue(compile, ISSUE_ERROR, index, "invalidAnswerOption",
                      "an answerOption is not of the type that an item of type %s has",
                      item_type_name(item->type));
        return STATUS_OK;
    }
    if (!value_read(value, type, &questionnaire->lexemes, &option.value)) {
        compile_issue(compile, ISSUE_ERROR, index, "invalidAnswerOption",
                      "the value%s of an answerOption is not valid", value_type_name(type));
        return STATUS_OK;
    }
    read_extensions(compile, index, definition, value, &option);
    item->scored = item->scored || option.has_ordinal;
    if (!compile_reserve((void **)&questionnaire->options, questionnaire->options_count,
                         &questionnaire->options_capacity, sizeof option)) {
        return err_no_memory(err);
    }
    questionnaire->options[questionnaire->options_count++] = option;
    item->options_count++;
    return STATUS_OK;
}

enum status compile_options(struct compile *compile, uint32_t index, struct err *err)
{
    struct item *item = &compile->questionnaire->items[index];
    const json_t *options = json_object_get(item->definition, "answerOption");
    const json_t *reference = json_object_get(item->definition, "answerValueSet");
    item->options_first = compile->questionnaire->options_count;
    for (size_t i = 0; i < json_array_size(options); i++) {
        const enum status status = compile_option(compile, index, json_array_get(options, i), err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (reference == NULL) {
        return STATUS_OK;
    }
    const char *name = json_string_value(reference);
    if (options != NULL) {
        compile_issue(compile, ISSUE_ERROR, index, "invalidDefinition",
                      "an item has either answerOption or answerValueSet");
    }
    item->value_set = compile_value_set(compile->questionnaire, name);
    if (name != NULL && name[0] == '#' && item->value_set == NULL) {
        compile_issue(compile, ISSUE_ERROR, index, "invalidDefinition",
                      "the ValueSet of answerValueSet is not contained");
    } else if (item->value_set == NULL || !item->value_set->checkable) {
        compile_issue(compile, ISSUE_WARNING, index, "notSupported",
                      "answerValueSet cannot be checked here: its codes are not in the definition");
        item->value_set = NULL;
        item->set_elsewhere = true;
    }
    return STATUS_OK;
}

static bool push_code(struct value_set *set, uint32_t *capacity, const char *system,
                      const json_t *concept)
{
    if (!compile_reserve((void **)&set->codes, (uint32_t)set->count, capacity,
                         sizeof *set->codes)) {
        return false;
    }
    set->codes[set->count++] = (struct coding){
        .system = system,
        .code = json_string_value(json_object_get(concept, "code")),
        .display = json_string_value(json_object_get(concept, "display")),
    };
    return true;
}

/* The codes of expansion.contains, which may nest. */
static bool read_expansion(const json_t *contains, struct value_set *set, uint32_t *capacity)
{
    for (size_t i = 0; i < json_array_size(contains); i++) {
        const json_t *entry = json_array_get(contains, i);
        const char *system = json_string_value(json_object_get(entry, "system"));
        const bool abstract = json_is_true(json_object_get(entry, "abstract"));
        if (!abstract && json_object_get(entry, "code") != NULL &&
            !push_code(set, capacity, system, entry)) {
            return false;
        }
        if (!read_expansion(json_object_get(entry, "contains"), set, capacity)) {
            return false;
        }
    }
    return true;
}

/* The codes of compose.include; `checkable` is false when some are not listed there. */
static bool read_compose(const json_t *compose, struct value_set *set, uint32_t *capacity)
{
    const json_t *includes = json_object_get(compose, "include");
    for (size_t i = 0; i < json_array_size(includes); i++) {
        const json_t *include = json_array_get(includes, i);
        const json_t *concepts = json_object_get(include, "concept");
        const char *system = json_string_value(json_object_get(include, "system"));
        if (json_object_get(include, "filter") != NULL ||
            json_object_get(include, "valueSet") != NULL || system == NULL) {
            set->checkable = false;
        } else if (concepts == NULL && !push_code(set, capacity, system, NULL)) {
            return false;
        }
        for (size_t j = 0; j < json_array_size(concepts); j++) {
            if (!push_code(set, capacity, system, json_array_get(concepts, j))) {
                return false;
            }
        }
    }
    return true;
}

/* Takes a code out; false when the set has all codes of its system. */
static bool remove_code(struct value_set *set, const char *system, const char *code)
{
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct coding *coding = &set->codes[i];
        const bool same_system = texts_equal(coding->system, system);
        if (same_system && coding->code == NULL) {
            return false;
        }
        if (!same_system || !texts_equal(coding->code, code)) {
            set->codes[kept++] = *coding;
        }
    }
    set->count = kept;
    return true;
}

/* compose.exclude, where it lists codes. */
static void read_exclude(const json_t *compose, struct value_set *set)
{
    const json_t *excludes = json_object_get(compose, "exclude");
    for (size_t i = 0; i < json_array_size(excludes); i++) {
        const json_t *exclude = json_array_get(excludes, i);
        const json_t *concepts = json_object_get(exclude, "concept");
        const char *system = json_string_value(json_object_get(exclude, "system"));
        set->checkable = set->checkable && json_array_size(concepts) > 0;
        for (size_t j = 0; j < json_array_size(concepts); j++) {
            const char *code =
                json_string_value(json_object_get(json_array_get(concepts, j), "code"));
            set->checkable = remove_code(set, system, code) && set->checkable;
        }
    }
}

static bool read_value_set(const json_t *resource, struct value_set *set)
{
    uint32_t capacity = 0;
    const json_t *contains = json_object_get(json_object_get(resource, "expansion"), "contains");
    set->checkable = true;
    if (contains != NULL) {
        return read_expansion(contains, set, &capacity);
    }
    const json_t *compose = json_object_get(resource, "compose");
    if (!read_compose(compose, set, &capacity)) {
        return false;
    }
    read_exclude(compose, set);
    return true;
}

enum status compile_value_sets(struct compile *compile, struct err *err)
{
    struct questionnaire *questionnaire = compile->questionnaire;
    const json_t *contained = json_object_get(questionnaire->root, "contained");
    const size_t count = json_array_size(contained);
    if (count == 0) {
        return STATUS_OK;
    }
    questionnaire->value_sets = calloc(count, sizeof(struct value_set *));
    if (questionnaire->value_sets == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *resource = json_array_get(contained, i);
        const char *type = json_string_value(json_object_get(resource, "resourceType"));
        const char *id = json_string_value(json_object_get(resource, "id"));
        if (id == NULL || type == NULL || strcmp(type, "ValueSet") != 0) {
            continue;
        }
        struct value_set *set = calloc(1, sizeof *set);
        if (set == NULL) {
            return err_no_memory(err);
        }
        set->id = id;
        set->url = json_string_value(json_object_get(resource, "url"));
        questionnaire->value_sets[questionnaire->value_sets_count++] = set;
        if (!read_value_set(resource, set)) {
            return err_no_memory(err);
        }
    }
    return STATUS_OK;
}

struct value_set *compile_value_set(const struct questionnaire *questionnaire,
                                    const char *reference)
{
    const size_t url_length = reference == NULL ? 0 : strcspn(reference, "|");
    for (size_t i = 0; i < questionnaire->value_sets_count && reference != NULL; i++) {
        struct value_set *set = questionnaire->value_sets[i];
        const bool by_url = set->url != NULL && strlen(set->url) == url_length &&
                            strncmp(set->url, reference, url_length) == 0;
        if (by_url || (reference[0] == '#' && strcmp(set->id, reference + 1) == 0)) {
            return set;
        }
    }
    return NULL;
}
