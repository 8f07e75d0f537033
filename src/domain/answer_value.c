/* Values of answers: reading them from FHIR's JSON, and comparing them. */
#include "intake/domain/answer_value.h"

#include <stdio.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/json.h"
#include "intake/domain/unit.h"

static const char *const type_names[] = {
    [VALUE_NONE] = "",
    [VALUE_BOOLEAN] = "Boolean",
    [VALUE_DECIMAL] = "Decimal",
    [VALUE_INTEGER] = "Integer",
    [VALUE_DATE] = "Date",
    [VALUE_DATE_TIME] = "DateTime",
    [VALUE_TIME] = "Time",
    [VALUE_STRING] = "String",
    [VALUE_URI] = "Uri",
    [VALUE_CODING] = "Coding",
    [VALUE_ATTACHMENT] = "Attachment",
    [VALUE_REFERENCE] = "Reference",
    [VALUE_QUANTITY] = "Quantity",
};

const char *value_type_name(enum value_type type)
{
    return type_names[type];
}

static enum value_type type_from_name(const char *name)
{
    for (size_t i = VALUE_BOOLEAN; i < ARRAY_LENGTH(type_names); i++) {
        if (strcmp(type_names[i], name) == 0) {
            return (enum value_type)i;
        }
    }
    return VALUE_NONE;
}

const json_t *value_member(const json_t *object, const char *prefix, enum value_type *ret_type,
                           size_t *ret_count)
{
    const size_t length = strlen(prefix);
    const json_t *found = NULL;
    size_t count = 0;
    json_t *members = json_readable(object);
    for (void *at = json_object_iter(members); at != NULL;
         at = json_object_iter_next(members, at)) {
        const char *key = json_object_iter_key(at);
        if (strncmp(key, prefix, length) != 0 || key[length] < 'A' || key[length] > 'Z') {
            continue;
        }
        count++;
        if (found == NULL) {
            found = json_object_iter_value(at);
            *ret_type = type_from_name(key + length);
        }
    }
    if (ret_count != NULL) {
        *ret_count = count;
    }
    return found;
}

/* A text member: NULL when missing; false when it is there and is not a text without NUL. */
static bool text_member(const json_t *object, const char *name, const char **ret)
{
    const json_t *member = json_object_get(object, name);
    *ret = NULL;
    if (member == NULL || json_is_null(member)) {
        return true;
    }
    if (!json_is_string(member) || json_has_nul(member)) {
        return false;
    }
    *ret = json_string_value(member);
    return true;
}

static bool read_decimal(const json_t *json, const struct json_lexemes *lexemes,
                         struct decimal *ret)
{
    if (!json_is_number(json)) {
        return false;
    }
    const struct view lexeme = json_lexemes_find(lexemes, json);
    if (lexeme.data != NULL) {
        return decimal_read(lexeme.data, lexeme.len, ret);
    }
    return decimal_from_json(json, ret);
}

static bool read_quantity(const json_t *json, const struct json_lexemes *lexemes,
                          struct quantity *ret)
{
    if (!json_is_object(json)) {
        return false;
    }
    const json_t *number = json_object_get(json, "value");
    *ret = (struct quantity){.has_value = number != NULL && !json_is_null(number)};
    if (ret->has_value && !read_decimal(number, lexemes, &ret->value)) {
        return false;
    }
    return text_member(json, "comparator", &ret->comparator) &&
           text_member(json, "system", &ret->system) && text_member(json, "code", &ret->code) &&
           text_member(json, "unit", &ret->unit);
}

static bool read_coding(const json_t *json, struct coding *ret)
{
    return json_is_object(json) && text_member(json, "system", &ret->system) &&
           text_member(json, "code", &ret->code) && text_member(json, "display", &ret->display);
}

static bool read_attachment(const json_t *json, struct attachment *ret)
{
    if (!json_is_object(json)) {
        return false;
    }
    const json_t *size = json_object_get(json, "size");
    const json_t *data = json_object_get(json, "data");
    const char *title = NULL;
    *ret = (struct attachment){.size = -1, .data_length = json_string_length(data)};
    if (size != NULL && !json_is_null(size)) {
        if (!json_is_integer(size) || json_integer_value(size) < 0) {
            return false;
        }
        ret->size = json_integer_value(size);
    }
    return text_member(json, "contentType", &ret->content_type) &&
           text_member(json, "data", &ret->data) && text_member(json, "url", &ret->url) &&
           text_member(json, "title", &title);
}

static bool read_moment(const json_t *json, enum value_type type, struct date_time *ret)
{
    if (!json_is_string(json)) {
        return false;
    }
    const char *text = json_string_value(json);
    const size_t len = json_string_length(json);
    if (type == VALUE_DATE) {
        return date_read(text, len, ret);
    }
    return type == VALUE_TIME ? time_read(text, len, ret) : date_time_read(text, len, ret);
}

bool value_read(const json_t *json, enum value_type type, const struct json_lexemes *lexemes,
                struct answer_value *ret)
{
    ret->type = type;
    ret->json = json;
    switch (type) {
    case VALUE_NONE:
        return false;
    case VALUE_BOOLEAN:
        ret->boolean = json_is_true(json);
        return json_is_boolean(json);
    case VALUE_DECIMAL:
        return read_decimal(json, lexemes, &ret->decimal);
    case VALUE_INTEGER:
        ret->integer = json_integer_value(json);
        return json_is_integer(json) && ret->integer >= INT32_MIN && ret->integer <= INT32_MAX;
    case VALUE_DATE:
    case VALUE_DATE_TIME:
    case VALUE_TIME:
        return read_moment(json, type, &ret->moment);
    case VALUE_STRING:
    case VALUE_URI:
        ret->text = (struct view){json_string_value(json), json_string_length(json)};
        return json_is_string(json);
    case VALUE_CODING:
        return read_coding(json, &ret->coding);
    case VALUE_ATTACHMENT:
        return read_attachment(json, &ret->attachment);
    case VALUE_REFERENCE:
        return json_is_object(json) && text_member(json, "reference", &ret->reference.reference) &&
               text_member(json, "display", &ret->reference.display);
    case VALUE_QUANTITY:
        return read_quantity(json, lexemes, &ret->quantity);
    }
    return false;
}

bool texts_equal(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool coding_matches(const struct coding *wanted, const struct coding *given)
{
    if (wanted->code == NULL || given->code == NULL) {
        /* Codings without a code are told apart by what they show. */
        return wanted->code == given->code && texts_equal(wanted->display, given->display) &&
               (wanted->system == NULL || texts_equal(wanted->system, given->system));
    }
    return strcmp(wanted->code, given->code) == 0 &&
           (wanted->system == NULL || texts_equal(wanted->system, given->system));
}

static struct decimal integer_to_decimal(int64_t integer)
{
    struct decimal value = {.count = 0};
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)integer);
    decimal_read(text, strlen(text), &value);
    return value;
}

/* A number as a decimal; false when the value is none. */
static bool as_decimal(const struct answer_value *value, struct decimal *ret)
{
    if (value->type == VALUE_INTEGER) {
        *ret = integer_to_decimal(value->integer);
        return true;
    }
    if (value->type == VALUE_DECIMAL) {
        *ret = value->decimal;
        return true;
    }
    return false;
}

static bool is_moment(enum value_type type)
{
    return type == VALUE_DATE || type == VALUE_DATE_TIME || type == VALUE_TIME;
}

static bool is_text(enum value_type type)
{
    return type == VALUE_STRING || type == VALUE_URI;
}

static bool views_equal(struct view a, struct view b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

bool value_equal(const struct answer_value *a, const struct answer_value *b)
{
    struct decimal x;
    struct decimal y;
    if (a->type == VALUE_INTEGER && b->type == VALUE_INTEGER) {
        return a->integer == b->integer;
    }
    if (as_decimal(a, &x) && as_decimal(b, &y)) {
        return decimal_compare(&x, &y) == 0;
    }
    if (is_moment(a->type) && is_moment(b->type)) {
        return (a->type == VALUE_TIME) == (b->type == VALUE_TIME) &&
               date_time_equal(&a->moment, &b->moment);
    }
    if (is_text(a->type) && is_text(b->type)) {
        return views_equal(a->text, b->text);
    }
    if (a->type != b->type) {
        return false;
    }
    int order = 0;
    switch (a->type) {
    case VALUE_BOOLEAN:
        return a->boolean == b->boolean;
    case VALUE_CODING:
        return coding_matches(&a->coding, &b->coding);
    case VALUE_REFERENCE:
        return a->reference.reference != NULL &&
               texts_equal(a->reference.reference, b->reference.reference);
    case VALUE_QUANTITY:
        return quantity_compare(&a->quantity, &b->quantity, &order) && order == 0;
    case VALUE_ATTACHMENT:
        return json_equal(json_readable(a->json), json_readable(b->json)) == 1;
    case VALUE_NONE:
    case VALUE_DECIMAL:
    case VALUE_INTEGER:
    case VALUE_DATE:
    case VALUE_DATE_TIME:
    case VALUE_TIME:
    case VALUE_STRING:
    case VALUE_URI:
        break;
    }
    return false;
}

/* By code points, which is the order of the bytes in UTF-8. */
static int compare_views(struct view a, struct view b)
{
    const int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

bool value_compare(const struct answer_value *a, const struct answer_value *b, int *ret_order)
{
    struct decimal x;
    struct decimal y;
    if (a->type == VALUE_INTEGER && b->type == VALUE_INTEGER) {
        *ret_order = (a->integer > b->integer) - (a->integer < b->integer);
        return true;
    }
    if (as_decimal(a, &x) && as_decimal(b, &y)) {
        *ret_order = decimal_compare(&x, &y);
        return true;
    }
    if (is_moment(a->type) && is_moment(b->type)) {
        *ret_order = date_time_compare(&a->moment, &b->moment);
        return (a->type == VALUE_TIME) == (b->type == VALUE_TIME);
    }
    if (is_text(a->type) && is_text(b->type)) {
        *ret_order = compare_views(a->text, b->text);
        return true;
    }
    if (a->type == VALUE_QUANTITY && b->type == VALUE_QUANTITY) {
        return quantity_compare(&a->quantity, &b->quantity, ret_order);
    }
    return false;
}
