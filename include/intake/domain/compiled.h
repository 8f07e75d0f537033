/*
 * The compiled form of a questionnaire: arrays in the order of the definition, made by
 * questionnaire_compile and only read after that. For the files of the engine; others use
 * questionnaire.h.
 */
#ifndef INTAKE_DOMAIN_COMPILED_H
#define INTAKE_DOMAIN_COMPILED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "intake/domain/answer_value.h"
#include "intake/domain/questionnaire.h"

struct pcre2_real_code_8;
struct pcre2_real_match_context_8;

enum item_type {
    ITEM_GROUP,
    ITEM_DISPLAY,
    ITEM_QUESTION, /* abstract: may be defined, never answered */
    ITEM_BOOLEAN,
    ITEM_DECIMAL,
    ITEM_INTEGER,
    ITEM_DATE,
    ITEM_DATE_TIME,
    ITEM_TIME,
    ITEM_STRING,
    ITEM_TEXT,
    ITEM_URL,
    ITEM_CHOICE,
    ITEM_OPEN_CHOICE,
    ITEM_ATTACHMENT,
    ITEM_REFERENCE,
    ITEM_QUANTITY,
};
#define ITEM_TYPES (ITEM_QUANTITY + 1)

/* FHIR R4 questionnaire-enable-operator. */
enum enable_operator {
    ENABLE_EXISTS,
    ENABLE_EQUAL,
    ENABLE_NOT_EQUAL,
    ENABLE_GREATER,
    ENABLE_LESS,
    ENABLE_GREATER_OR_EQUAL,
    ENABLE_LESS_OR_EQUAL,
};

struct condition {
    uint32_t source; /* the item whose answer is looked at */
    uint32_t common; /* the lowest item that holds both the source and the dependent item */
    enum enable_operator operator;
    struct answer_value value;
};

struct option {
    struct answer_value value;
    bool exclusive;
    bool selected;
    bool has_ordinal;
    int32_t derived_age; /* urn:intake:derived-age, or -1 */
    struct decimal ordinal;
    const char *flag; /* urn:intake:flag, or NULL */
};

/* The codes that a contained ValueSet lists; NULL code: every code of the system. */
struct value_set {
    const char *id;
    const char *url; /* may be NULL */
    struct coding *codes;
    size_t count;
    bool checkable; /* false: it has filters or parts that are not here */
};

/* Constraints that few items have, so that the item stays small. */
struct constraints {
    bool has_minimum;
    bool has_maximum;
    struct answer_value minimum;
    struct answer_value maximum;
    struct pcre2_real_code_8 *regex;
    const char *entry_format;
    int32_t decimal_places_max; /* or -1, as all below */
    int64_t length_min;
    int64_t size_max_bytes;
    const char **mime_types;
    size_t mime_types_count;
    const char **resources;
    size_t resources_count;
    struct coding *units; /* unitOption */
    size_t units_count;
    bool has_unit_set;          /* unitValueSet: a unit without a code is in none */
    struct value_set *unit_set; /* NULL: not contained, so that it cannot be checked */
    bool has_unit;
    struct coding unit; /* unit: what a bare number means */
};

struct item {
    const char *link_id;
    size_t link_id_length;
    const char *text; /* "" when the definition has none */
    const json_t *definition;
    enum item_type type;
    bool required : 1;
    bool repeats : 1;
    bool read_only : 1;
    bool hidden : 1; /* itself or an ancestor */
    bool enable_any : 1;
    bool repeated : 1;      /* an ancestor repeats, so that it can occur more than once */
    bool set_elsewhere : 1; /* its answerValueSet is not contained */
    bool scored : 1;        /* an option carries a score */
    uint32_t parent;
    uint32_t end; /* one past the last item below it: the next sibling, if there is one */
    uint32_t conditions_first;
    uint32_t conditions_count;
    uint32_t options_first;
    uint32_t options_count;
    int32_t occurs_min; /* or -1, as the next two */
    int32_t occurs_max;
    int64_t length_max;
    const struct value_set *value_set; /* NULL: none, or not contained */
    struct constraints *constraints;   /* NULL: none */
};

/* items[0] is the questionnaire itself: a group without a linkId that holds all others. */
#define ITEM_ROOT 0u
#define ITEM_NONE UINT32_MAX

struct questionnaire {
    char *data;
    size_t data_length;
    json_t *root;
    struct json_lexemes lexemes;
    char digest[65];
    char *gzip; /* of `data`; or NULL */
    size_t gzip_len;
    const char *id;
    const char *url;
    const char *version;
    const char *title;
    const char *status;
    bool has_start;
    bool has_end;
    struct date_time start;
    struct date_time end;

    struct item *items; /* in the definition's order, depth first */
    uint32_t items_count;
    uint32_t items_capacity;
    struct condition *conditions;
    uint32_t conditions_count;
    uint32_t conditions_capacity;
    struct option *options;
    uint32_t options_count;
    uint32_t options_capacity;
    struct value_set **value_sets; /* the contained ones */
    size_t value_sets_count;
    uint32_t *order;  /* every item after its parent and after what its enabling depends on */
    uint32_t *lookup; /* open addressing: linkId to item; ITEM_NONE is empty */
    uint32_t lookup_mask;
    bool has_decimals; /* a decimal or a quantity: the lexemes of numbers matter */
    bool has_conditions;
    struct pcre2_real_match_context_8 *regex_limits; /* NULL: no item has a regex */
};

/* The first of an item's options and conditions; NULL when the questionnaire has none at all. */
const struct option *item_options(const struct questionnaire *questionnaire,
                                  const struct item *item);
const struct condition *item_conditions(const struct questionnaire *questionnaire,
                                        const struct item *item);

/* The hash of a linkId in `lookup`. */
uint32_t questionnaire_hash(const char *text, size_t length);

/* The item with this linkId, or ITEM_NONE. */
uint32_t questionnaire_item(const struct questionnaire *questionnaire, const char *link_id,
                            size_t length);

/* FHIR's name of a type: "open-choice". Static storage. */
const char *item_type_name(enum item_type type);

/* The value type that answers a question of this type; VALUE_NONE for the others. */
enum value_type item_value_type(enum item_type type);

/* The extension with this URL among those of `element`, or NULL. */
const json_t *extension_find(const json_t *element, const char *url);
/* Its value[x] and the type of that; NULL when the extension or its value is missing. */
const json_t *extension_value(const json_t *element, const char *url, enum value_type *ret_type);

/* Whether the JSON is a FHIR resource of this type. */
bool json_is_resource(const json_t *json, const char *type);

#endif
