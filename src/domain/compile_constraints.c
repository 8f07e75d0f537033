/* The extensions that limit what an item takes, read by one table. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/domain/compile.h"
#include "intake/domain/evaluate.h"

struct extension {
    struct compile *compile;
    uint32_t item;
    const json_t *extension;
    const json_t *value;
    enum value_type type;
};

/* The item's constraints, made when first needed; NULL when memory is out. */
static struct constraints *constraints_of(const struct extension *in)
{
    struct item *item = &in->compile->questionnaire->items[in->item];
    if (item->constraints == NULL) {
        item->constraints = malloc(sizeof *item->constraints);
        if (item->constraints != NULL) {
            memset(item->constraints, 0, sizeof *item->constraints);
            item->constraints->decimal_places_max = -1;
            item->constraints->length_min = -1;
            item->constraints->size_max_bytes = -1;
        }
    }
    return item->constraints;
}

static void invalid(const struct extension *in, const char *what)
{
    compile_issue(in->compile, ISSUE_ERROR, in->item, "invalidDefinition", "%s", what);
}

/* A whole number that is not negative; -1 and an issue otherwise. */
static int64_t read_count(const struct extension *in, const char *what)
{
    if (json_is_integer(in->value) && json_integer_value(in->value) >= 0 &&
        json_integer_value(in->value) <= INT32_MAX) {
        return json_integer_value(in->value);
    }
    invalid(in, what);
    return -1;
}

static bool read_min_occurs(const struct extension *in)
{
    in->compile->questionnaire->items[in->item].occurs_min =
        (int32_t)read_count(in, "minOccurs must be a whole number");
    return true;
}

static bool read_max_occurs(const struct extension *in)
{
    in->compile->questionnaire->items[in->item].occurs_max =
        (int32_t)read_count(in, "maxOccurs must be a whole number");
    return true;
}

static bool read_min_length(const struct extension *in)
{
    struct constraints *constraints = constraints_of(in);
    if (constraints != NULL) {
        constraints->length_min = read_count(in, "minLength must be a whole number");
    }
    return constraints != NULL;
}

static bool read_decimal_places(const struct extension *in)
{
    struct constraints *constraints = constraints_of(in);
    if (constraints != NULL) {
        constraints->decimal_places_max =
            (int32_t)read_count(in, "maxDecimalPlaces must be a whole number");
    }
    return constraints != NULL;
}

/* maxSize is a decimal in R4: bytes, with anything after the point dropped. */
static bool read_max_size(const struct extension *in)
{
    struct constraints *constraints = constraints_of(in);
    if (constraints == NULL) {
        return false;
    }
    const double size = json_number_value(in->value);
    if (!json_is_number(in->value) || size < 0 || size > 1e15) {
        invalid(in, "maxSize must be a number of bytes");
    } else {
        constraints->size_max_bytes = (int64_t)size;
    }
    return true;
}

/* Whether a bound of this type can be compared with the item's answers. */
static bool bound_fits(enum item_type item, enum value_type bound)
{
    const enum value_type type = item_value_type(item);
    const bool number = type == VALUE_INTEGER || type == VALUE_DECIMAL;
    const bool day = type == VALUE_DATE || type == VALUE_DATE_TIME;
    return bound == type || (number && (bound == VALUE_INTEGER || bound == VALUE_DECIMAL)) ||
           (day && (bound == VALUE_DATE || bound == VALUE_DATE_TIME)) ||
           (type == VALUE_QUANTITY && (bound == VALUE_INTEGER || bound == VALUE_DECIMAL));
}

/* A bare number as the bound of a quantity is in the unit that the item names. */
static bool read_bound(const struct extension *in, struct answer_value *ret)
{
    const struct questionnaire *questionnaire = in->compile->questionnaire;
    const enum item_type type = questionnaire->items[in->item].type;
    if (!bound_fits(type, in->type)) {
        invalid(in, "a minimum or maximum is not of the item's type");
        return false;
    }
    if (!value_read(in->value, in->type, &questionnaire->lexemes, ret)) {
        invalid(in, "a minimum or maximum is not valid");
        return false;
    }
    return true;
}

static bool read_minimum(const struct extension *in)
{
    struct constraints *constraints = constraints_of(in);
    if (constraints != NULL) {
        constraints->has_minimum = read_bound(in, &constraints->minimum);
    }
    return constraints != NULL;
}

static bool read_maximum(const struct extension *in)
{
    struct constraints *constraints = constraints_of(in);
    if (constraints != NULL) {
        constraints->has_maximum = read_bound(in, &constraints->maximum);
    }
    return constraints != NULL;
}

/* PCRE2's own limits let one match run for seconds; a thread's stack is not ours to fill. */
static bool limit_regexes(struct questionnaire *questionnaire)
{
    if (questionnaire->regex_limits == NULL) {
        questionnaire->regex_limits = pcre2_match_context_create(NULL);
    }
    if (questionnaire->regex_limits == NULL) {
        return false;
    }
    pcre2_set_match_limit(questionnaire->regex_limits, 100000);
    pcre2_set_depth_limit(questionnaire->regex_limits, 1000);
    pcre2_set_heap_limit(questionnaire->regex_limits, 1024);
    return true;
}

static bool read_regex(const struct extension *in)
{
    struct constraints *constraints = constraints_of(in);
    if (constraints == NULL || !limit_regexes(in->compile->questionnaire)) {
        return false;
    }
    if (!json_is_string(in->value)) {
        invalid(in, "regex must be a text");
        return true;
    }
    int code = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code_free(constraints->regex);
    constraints->regex =
        pcre2_compile((PCRE2_SPTR)json_string_value(in->value), json_string_length(in->value),
                      PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_BACKSLASH_C,
                      &code, &offset, NULL);
    if (constraints->regex == NULL && code == PCRE2_ERROR_HEAP_FAILED) {
        return false;
    }
    if (constraints->regex == NULL) {
        PCRE2_UCHAR message[120];
        pcre2_get_error_message(code, message, sizeof message);
        compile_issue(in->compile, ISSUE_ERROR, in->item, "regex",
                      "the regex does not compile: %s at character %zu", (const char *)message,
                      offset);
    }
    return true;
}

static bool read_entry_format(const struct extension *in)
{
    struct constraints *constraints = constraints_of(in);
    if (constraints != NULL) {
        constraints->entry_format = json_string_value(in->value);
    }
    return constraints != NULL;
}

static bool push_text(const char ***texts, size_t *count, const json_t *value)
{
    if (!json_is_string(value)) {
        return true;
    }
    const char **grown = realloc(*texts, (*count + 1) * sizeof **texts);
    if (grown == NULL) {
        return false;
    }
    *texts = grown;
    grown[(*count)++] = json_string_value(value);
    return true;
}

static bool read_mime_type(const struct extension *in)
{
    struct constraints *constraints = constraints_of(in);
    return constraints != NULL &&
           push_text(&constraints->mime_types, &constraints->mime_types_count, in->value);
}

static bool read_resource(const struct extension *in)
{
    struct constraints *constraints = constraints_of(in);
    return constraints != NULL &&
           push_text(&constraints->resources, &constraints->resources_count, in->value);
}

static bool read_unit(const struct extension *in)
{
    struct constraints *constraints = constraints_of(in);
    struct answer_value value;
    if (constraints == NULL) {
        return false;
    }
    constraints->has_unit = value_read(in->value, VALUE_CODING, NULL, &value);
    if (constraints->has_unit) {
        constraints->unit = value.coding;
    } else {
        invalid(in, "unit must be a Coding");
    }
    return true;
}

static bool read_unit_option(const struct extension *in)
{
    struct constraints *constraints = constraints_of(in);
    struct answer_value value;
    if (constraints == NULL) {
        return false;
    }
    if (!value_read(in->value, VALUE_CODING, NULL, &value)) {
        invalid(in, "unitOption must be a Coding");
        return true;
    }
    struct coding *grown =
        realloc(constraints->units, (constraints->units_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    constraints->units = grown;
    grown[constraints->units_count++] = value.coding;
    return true;
}

static bool read_unit_set(const struct extension *in)
{
    struct constraints *constraints = constraints_of(in);
    if (constraints == NULL) {
        return false;
    }
    constraints->has_unit_set = true;
    constraints->unit_set =
        compile_value_set(in->compile->questionnaire, json_string_value(in->value));
    if (constraints->unit_set == NULL || !constraints->unit_set->checkable) {
        constraints->unit_set = NULL;
        compile_issue(in->compile, ISSUE_WARNING, in->item, "notSupported",
                      "unitValueSet cannot be checked here: its codes are not in the definition");
    }
    return true;
}

/* FHIRPath constraints are not evaluated; the author should know. */
static bool read_invariant(const struct extension *in)
{
    compile_issue(in->compile, ISSUE_WARNING, in->item, "notSupported",
                  "questionnaire-constraint is not checked here");
    return true;
}

static bool read_band(const struct extension *in)
{
    struct score_band band;
    if (!score_band_read(in->extension, &band)) {
        invalid(in, "urn:intake:score-band needs low, high (not below low) and label");
    }
    return true;
}

static bool read_flag(const struct extension *in)
{
    const char *text = NULL;
    const json_t *when = NULL;
    if (!item_flag_read(in->extension, &text, &when)) {
        invalid(in, "urn:intake:flag on an item needs text, and a value in when");
    }
    return true;
}

#define FHIR "http://hl7.org/fhir/StructureDefinition/"
#define SDC  "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"

static const struct {
    const char *url;
    bool (*read)(const struct extension *in); /* false: out of memory */
} readers[] = {
    {FHIR "questionnaire-minOccurs", read_min_occurs},
    {FHIR "questionnaire-maxOccurs", read_max_occurs},
    {FHIR "minLength", read_min_length},
    {FHIR "maxDecimalPlaces", read_decimal_places},
    {FHIR "maxSize", read_max_size},
    {FHIR "minValue", read_minimum},
    {FHIR "maxValue", read_maximum},
    {SDC "minQuantity", read_minimum},
    {SDC "maxQuantity", read_maximum},
    {FHIR "regex", read_regex},
    {FHIR "entryFormat", read_entry_format},
    {FHIR "mimeType", read_mime_type},
    {FHIR "questionnaire-referenceResource", read_resource},
    {FHIR "questionnaire-unit", read_unit},
    {FHIR "questionnaire-unitOption", read_unit_option},
    {FHIR "questionnaire-unitValueSet", read_unit_set},
    {FHIR "questionnaire-constraint", read_invariant},
    {"urn:intake:score-band", read_band},
    {"urn:intake:flag", read_flag},
};

static bool read_extension(struct compile *compile, uint32_t item, const json_t *extension)
{
    const char *url = json_string_value(json_object_get(extension, "url"));
    if (url == NULL) {
        compile_issue(compile, ISSUE_ERROR, item, "invalidDefinition", "an extension has no url");
        return true;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(readers); i++) {
        if (strcmp(readers[i].url, url) == 0) {
            struct extension in = {.compile = compile, .item = item, .extension = extension};
            in.value = value_member(extension, "value", &in.type, NULL);
            return readers[i].read(&in);
        }
    }
    return true;
}

enum status compile_constraints(struct compile *compile, uint32_t index, struct err *err)
{
    const json_t *extensions =
        json_object_get(compile->questionnaire->items[index].definition, "extension");
    for (size_t i = 0; i < json_array_size(extensions); i++) {
        if (!read_extension(compile, index, json_array_get(extensions, i))) {
            return err_no_memory(err);
        }
    }
    return STATUS_OK;
}
