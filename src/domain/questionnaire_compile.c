/*
 * From a definition to its compiled form: the items in order, and the checks of each. What is
 * refused is what no answer could satisfy or what has no meaning; what we do not check is a
 * warning.
 */
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/text.h"
#include "intake/domain/compile.h"
#include "intake/domain/envelope_fields.h"

enum { ITEMS_MAX = 100000 };

static enum status compile_children(struct compile *compile, const json_t *element, uint32_t parent,
                                    struct err *err);

bool compile_reserve(void **array, uint32_t count, uint32_t *capacity, size_t element_size)
{
    if (count < *capacity) {
        return true;
    }
    const uint32_t larger = *capacity == 0 ? 16 : *capacity * 2;
    void *grown = realloc(*array, larger * element_size);
    if (grown == NULL) {
        return false;
    }
    *array = grown;
    *capacity = larger;
    return true;
}

/* "Questionnaire.item[1].item[0]" */
static void print_path(const struct questionnaire *questionnaire, uint32_t item, struct strbuf *out)
{
    if (item == ITEM_ROOT) {
        strbuf_puts(out, "Questionnaire");
        return;
    }
    const uint32_t parent = questionnaire->items[item].parent;
    const json_t *siblings = json_object_get(questionnaire->items[parent].definition, "item");
    size_t index = 0;
    while (index < json_array_size(siblings) &&
           json_array_get(siblings, index) != questionnaire->items[item].definition) {
        index++;
    }
    print_path(questionnaire, parent, out);
    strbuf_printf(out, ".item[%zu]", index);
}

void compile_issue(struct compile *compile, enum issue_severity severity, uint32_t item,
                   const char *code, const char *format, ...)
{
    char message[256];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    struct strbuf path = {0};
    print_path(compile->questionnaire, item, &path);
    issues_add_severity(compile->issues, severity, code,
                        compile->questionnaire->items[item].link_id, path.data, "%s", message);
    compile->issues->failed = compile->issues->failed || path.failed;
    strbuf_finish(&path);
}

/* A text member of the definition, or "". */
static const char *text_of(const json_t *element, const char *name)
{
    const char *text = json_string_value(json_object_get(element, name));
    return text == NULL ? "" : text;
}

static void read_flag(struct compile *compile, uint32_t item, const char *name, bool *ret)
{
    const json_t *flag = json_object_get(compile->questionnaire->items[item].definition, name);
    *ret = json_is_true(flag);
    if (flag != NULL && !json_is_boolean(flag)) {
        compile_issue(compile, ISSUE_ERROR, item, "invalidDefinition", "%s must be true or false",
                      name);
    }
}

static void read_type(struct compile *compile, uint32_t item, struct item *ret)
{
    const char *name = text_of(ret->definition, "type");
    for (int type = 0; type < ITEM_TYPES; type++) {
        if (strcmp(item_type_name((enum item_type)type), name) == 0) {
            ret->type = (enum item_type)type;
            return;
        }
    }
    ret->type = ITEM_DISPLAY;
    if (name[0] == '\0') {
        compile_issue(compile, ISSUE_ERROR, item, "invalidType", "the item has no type");
    } else {
        compile_issue(compile, ISSUE_ERROR, item, "invalidType", "\"%.40s\" is not an item type",
                      name);
    }
}

/* What an item inherits, and what it says with plain members. */
static void read_basics(struct compile *compile, uint32_t index)
{
    struct item *item = &compile->questionnaire->items[index];
    const struct item *parent = &compile->questionnaire->items[item->parent];
    enum value_type type = VALUE_NONE;
    bool flag = false;

    read_type(compile, index, item);
    read_flag(compile, index, "required", &flag);
    item->required = flag;
    read_flag(compile, index, "repeats", &flag);
    item->repeats = flag;
    read_flag(compile, index, "readOnly", &flag);
    item->read_only = flag;
    item->hidden = parent->hidden ||
                   json_is_true(extension_value(
                       item->definition,
                       "http://hl7.org/fhir/StructureDefinition/questionnaire-hidden", &type));
    item->repeated = parent->repeated || parent->repeats;
    item->text = text_of(item->definition, "text");
    item->length_max = -1;
    const json_t *length = json_object_get(item->definition, "maxLength");
    if (json_is_integer(length) && json_integer_value(length) > 0) {
        item->length_max = json_integer_value(length);
    } else if (length != NULL) {
        compile_issue(compile, ISSUE_ERROR, index, "invalidDefinition",
                      "maxLength must be a positive whole number");
    }
    compile->questionnaire->has_decimals = compile->questionnaire->has_decimals ||
                                           item->type == ITEM_DECIMAL ||
                                           item->type == ITEM_QUANTITY;
    if ((item->type == ITEM_DISPLAY) &&
        json_array_size(json_object_get(item->definition, "item"))) {
        compile_issue(compile, ISSUE_ERROR, index, "invalidDefinition",
                      "an item of type display cannot hold other items");
    }
}

static bool insert_lookup(struct questionnaire *questionnaire, uint32_t item);

/* Whether the item is below a question that repeats. */
static bool is_below_list(const struct questionnaire *questionnaire, uint32_t index)
{
    const struct item *items = questionnaire->items;
    while (index != ITEM_ROOT) {
        index = items[index].parent;
        if (items[index].repeats && items[index].type != ITEM_GROUP) {
            return true;
        }
    }
    return false;
}

static void check_link_id(struct compile *compile, uint32_t index)
{
    struct questionnaire *questionnaire = compile->questionnaire;
    const struct item *item = &questionnaire->items[index];
    if (text_is_blank(item->link_id, item->link_id_length)) {
        compile_issue(compile, ISSUE_ERROR, index, "invalidLinkId", "the item has no linkId");
    } else if (!insert_lookup(questionnaire, index)) {
        compile_issue(compile, ISSUE_ERROR, index, "invalidLinkId",
                      "the linkId is used by another item");
    } else if (strcmp(item->link_id, "answer") == 0 && is_below_list(questionnaire, index)) {
        compile_issue(compile, ISSUE_ERROR, index, "invalidLinkId",
                      "below a question that repeats, the linkId \"answer\" is the answer itself");
    } else if (!item->repeated && envelope_field_is(item->link_id)) {
        compile_issue(compile, ISSUE_ERROR, index, "invalidLinkId",
                      "the linkId is the name of a field of every submission");
    }
}

static enum status compile_item(struct compile *compile, const json_t *definition, uint32_t parent,
                                struct err *err)
{
    struct questionnaire *questionnaire = compile->questionnaire;
    const uint32_t index = questionnaire->items_count;
    if (!compile_reserve((void **)&questionnaire->items, index, &questionnaire->items_capacity,
                         sizeof *questionnaire->items)) {
        return err_no_memory(err);
    }
    const char *link_id = text_of(definition, "linkId");
    questionnaire->items[index] = (struct item){
        .link_id = link_id,
        .link_id_length = strlen(link_id),
        .definition = definition,
        .parent = parent,
        .occurs_min = -1,
        .occurs_max = -1,
    };
    questionnaire->items_count++;
    read_basics(compile, index);
    check_link_id(compile, index);
    enum status status = compile_options(compile, index, err);
    if (status == STATUS_OK) {
        status = compile_constraints(compile, index, err);
    }
    if (status == STATUS_OK) {
        status = compile_children(compile, definition, index, err);
    }
    questionnaire->items[index].end = questionnaire->items_count;
    return status;
}

static enum status compile_children(struct compile *compile, const json_t *element, uint32_t parent,
                                    struct err *err)
{
    const json_t *children = json_object_get(element, "item");
    if (children != NULL && !json_is_array(children)) {
        compile_issue(compile, ISSUE_ERROR, parent, "invalidDefinition", "item must be a list");
    }
    for (size_t i = 0; i < json_array_size(children); i++) {
        const json_t *child = json_array_get(children, i);
        if (!json_is_object(child)) {
            compile_issue(compile, ISSUE_ERROR, parent, "invalidDefinition",
                          "item[%zu] is not an object", i);
            continue;
        }
        const enum status status = compile_item(compile, child, parent, err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

/* How many items the definition has, so that the table of linkIds is made once. */
static size_t count_items(const json_t *element)
{
    const json_t *children = json_object_get(element, "item");
    size_t count = json_array_size(children);
    for (size_t i = 0; i < json_array_size(children); i++) {
        count += count_items(json_array_get(children, i));
    }
    return count;
}

static enum status create_lookup(struct questionnaire *questionnaire, struct err *err)
{
    const size_t count = count_items(questionnaire->root);
    if (count > ITEMS_MAX) {
        return err_set(err, STATUS_INVALID, "more than %d items", ITEMS_MAX);
    }
    uint32_t size = 8;
    while (size < count * 2) {
        size *= 2;
    }
    questionnaire->lookup = malloc(size * sizeof *questionnaire->lookup);
    if (questionnaire->lookup == NULL) {
        return err_no_memory(err);
    }
    memset(questionnaire->lookup, 0xff, size * sizeof *questionnaire->lookup);
    questionnaire->lookup_mask = size - 1;
    return STATUS_OK;
}

/* False when the linkId is there already. */
static bool insert_lookup(struct questionnaire *questionnaire, uint32_t item)
{
    const struct item *added = &questionnaire->items[item];
    if (questionnaire_item(questionnaire, added->link_id, added->link_id_length) != ITEM_NONE) {
        return false;
    }
    uint32_t slot = questionnaire_hash(added->link_id, added->link_id_length);
    while (questionnaire->lookup[slot & questionnaire->lookup_mask] != ITEM_NONE) {
        slot++;
    }
    questionnaire->lookup[slot & questionnaire->lookup_mask] = item;
    return true;
}

/* One end of effectivePeriod. */
static bool read_period(struct compile *compile, const char *name, struct date_time *ret)
{
    const json_t *period = json_object_get(compile->questionnaire->root, "effectivePeriod");
    const json_t *end = json_object_get(period, name);
    if (end == NULL) {
        return false;
    }
    if (!json_is_string(end) ||
        !date_time_read(json_string_value(end), json_string_length(end), ret)) {
        compile_issue(compile, ISSUE_ERROR, ITEM_ROOT, "invalidDefinition",
                      "effectivePeriod.%s is not a date", name);
        return false;
    }
    return true;
}

/*
 * What refers to it, its canonical, ends before a | or a # (R5 invariant cnl-1), and is a place by
 * id when it is relative.
 */
static void check_url(struct compile *compile)
{
    const char *url = compile->questionnaire->url;
    if (url[strcspn(url, "|#")] != '\0' || text_starts_with(url, "Questionnaire/")) {
        compile_issue(compile, ISSUE_ERROR, ITEM_ROOT, "invalidDefinition",
                      "its url has a | or a #, or is relative, so that nothing can refer to it");
    }
}

static void read_head(struct compile *compile)
{
    struct questionnaire *questionnaire = compile->questionnaire;
    const json_t *root = questionnaire->root;
    questionnaire->id = text_of(root, "id");
    questionnaire->url = text_of(root, "url");
    questionnaire->version = text_of(root, "version");
    questionnaire->title = text_of(root, "title");
    questionnaire->status = text_of(root, "status");
    check_url(compile);
    questionnaire->has_start = read_period(compile, "start", &questionnaire->start);
    questionnaire->has_end = read_period(compile, "end", &questionnaire->end);

    static const char *const statuses[] = {"draft", "active", "retired", "unknown"};
    bool known = false;
    for (size_t i = 0; i < ARRAY_LENGTH(statuses); i++) {
        known = known || strcmp(statuses[i], questionnaire->status) == 0;
    }
    if (questionnaire->status[0] == '\0') {
        compile_issue(compile, ISSUE_WARNING, ITEM_ROOT, "invalidDefinition",
                      "there is no status, so the questionnaire is not offered");
    } else if (!known) {
        compile_issue(compile, ISSUE_ERROR, ITEM_ROOT, "invalidDefinition",
                      "\"%.40s\" is not a publication status", questionnaire->status);
    }
}

static void read_digest(struct questionnaire *questionnaire)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, (const unsigned char *)questionnaire->data,
                       questionnaire->data_length);
    sodium_bin2hex(questionnaire->digest, sizeof questionnaire->digest, digest, sizeof digest);
}

static enum status compile(struct compile *compile, struct err *err)
{
    struct questionnaire *questionnaire = compile->questionnaire;
    if (!compile_reserve((void **)&questionnaire->items, 0, &questionnaire->items_capacity,
                         sizeof *questionnaire->items)) {
        return err_no_memory(err);
    }
    questionnaire->items[ITEM_ROOT] = (struct item){.link_id = "",
                                                    .text = "",
                                                    .type = ITEM_GROUP,
                                                    .definition = questionnaire->root,
                                                    .occurs_min = -1,
                                                    .occurs_max = -1};
    questionnaire->items_count = 1;
    read_digest(questionnaire);
    read_head(compile);
    enum status status = create_lookup(questionnaire, err);
    if (status == STATUS_OK) {
        status = compile_value_sets(compile, err);
    }
    if (status == STATUS_OK) {
        status = compile_constraints(compile, ITEM_ROOT, err);
    }
    if (status == STATUS_OK) {
        status = compile_children(compile, questionnaire->root, ITEM_ROOT, err);
        questionnaire->items[ITEM_ROOT].end = questionnaire->items_count;
    }
    if (status == STATUS_OK) {
        status = compile_conditions(compile, err);
    }
    return status == STATUS_OK ? compile_order(compile, err) : status;
}

static enum status parse(struct questionnaire *questionnaire, struct err *err)
{
    enum status status =
        json_parse(questionnaire->data, questionnaire->data_length, &questionnaire->root, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (strcmp(text_of(questionnaire->root, "resourceType"), "Questionnaire") != 0) {
        return err_set(err, STATUS_INVALID, "not a FHIR Questionnaire");
    }
    return json_lexemes_read(questionnaire->data, questionnaire->data_length, questionnaire->root,
                             &questionnaire->lexemes, err);
}

/* The first error as the message of `err`. */
static enum status refuse(const struct issues *issues, size_t first, struct err *err)
{
    for (size_t i = first; i < issues->count; i++) {
        const struct issue *issue = &issues->items[i];
        if (issue->severity == ISSUE_ERROR || issue->severity == ISSUE_FATAL) {
            return err_set(err, STATUS_INVALID, "%s%s%s%s", issue->field[0] ? "linkId " : "",
                           issue->field, issue->field[0] ? ": " : "", issue->message);
        }
    }
    return err_set(err, STATUS_INVALID, "the definition is broken");
}

enum status questionnaire_compile(const char *data, size_t len, struct issues *issues,
                                  struct questionnaire **ret, struct err *err)
{
    struct questionnaire *questionnaire = calloc(1, sizeof *questionnaire);
    if (questionnaire == NULL) {
        return err_no_memory(err);
    }
    struct compile state = {.questionnaire = questionnaire, .issues = issues};
    const size_t issues_before = issues->count;
    const size_t errors_before = issues->errors_count;
    questionnaire->data = text_copy(data, len);
    questionnaire->data_length = len;
    enum status status = questionnaire->data == NULL ? err_no_memory(err) : STATUS_OK;
    if (status == STATUS_OK) {
        status = parse(questionnaire, err);
    }
    if (status == STATUS_OK) {
        status = compile(&state, err);
    }
    if (status == STATUS_OK && issues->failed) {
        status = err_no_memory(err);
    }
    if (status == STATUS_OK && issues->errors_count > errors_before) {
        status = refuse(issues, issues_before, err);
    }
    if (status != STATUS_OK) {
        questionnaire_destroy(questionnaire);
        return status;
    }
    *ret = questionnaire;
    return STATUS_OK;
}
