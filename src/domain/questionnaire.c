/* A questionnaire's life and what it says about itself. */
#include "intake/domain/questionnaire.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/gzip.h"
#include "intake/domain/compiled.h"

enum status questionnaire_load(const char *path, struct issues *issues, struct questionnaire **ret,
                               struct err *err)
{
    AUTO_FREE char *data = NULL;
    size_t len = 0;
    enum status status = json_read_file(path, QUESTIONNAIRE_MAX_BYTES, &data, &len, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = questionnaire_compile(data, len, issues, ret, err);
    return status == STATUS_OK ? status : err_prefix(err, "%s", path);
}

static void value_set_destroy(struct value_set *set)
{
    if (set != NULL) {
        free(set->codes);
        free(set);
    }
}

static void constraints_destroy(struct constraints *constraints)
{
    if (constraints == NULL) {
        return;
    }
    pcre2_code_free(constraints->regex);
    free(constraints->mime_types);
    free(constraints->resources);
    free(constraints->units);
    free(constraints);
}

void questionnaire_destroy(struct questionnaire *questionnaire)
{
    if (questionnaire == NULL) {
        return;
    }
    for (uint32_t i = 0; i < questionnaire->items_count; i++) {
        constraints_destroy(questionnaire->items[i].constraints);
    }
    for (size_t i = 0; i < questionnaire->value_sets_count; i++) {
        value_set_destroy(questionnaire->value_sets[i]);
    }
    pcre2_match_context_free(questionnaire->regex_limits);
    free(questionnaire->value_sets);
    free(questionnaire->items);
    free(questionnaire->conditions);
    free(questionnaire->options);
    free(questionnaire->order);
    free(questionnaire->lookup);
    json_lexemes_finish(&questionnaire->lexemes);
    json_decref(questionnaire->root);
    free(questionnaire->data);
    free(questionnaire->gzip);
    free(questionnaire);
}

const char *questionnaire_id(const struct questionnaire *questionnaire)
{
    return questionnaire->id;
}

const char *questionnaire_version(const struct questionnaire *questionnaire)
{
    return questionnaire->version;
}

const char *questionnaire_url(const struct questionnaire *questionnaire)
{
    return questionnaire->url;
}

const char *questionnaire_title(const struct questionnaire *questionnaire)
{
    return questionnaire->title;
}

const char *questionnaire_status(const struct questionnaire *questionnaire)
{
    return questionnaire->status;
}

struct view questionnaire_text(const struct questionnaire *questionnaire)
{
    return (struct view){questionnaire->data, questionnaire->data_length};
}

const json_t *questionnaire_definition(const struct questionnaire *questionnaire)
{
    return questionnaire->root;
}

struct view questionnaire_gzip(const struct questionnaire *questionnaire)
{
    return (struct view){questionnaire->gzip, questionnaire->gzip_len};
}

bool questionnaire_pack(struct questionnaire *questionnaire)
{
    free(questionnaire->gzip);
    questionnaire->gzip = NULL;
    return gzip_compress(questionnaire->data, questionnaire->data_length, &questionnaire->gzip,
                         &questionnaire->gzip_len);
}

const char *questionnaire_digest(const struct questionnaire *questionnaire)
{
    return questionnaire->digest;
}

bool questionnaire_is_offered(const struct questionnaire *questionnaire, int64_t wall_ms)
{
    return strcmp(questionnaire->status, "active") == 0 &&
           (!questionnaire->has_start || date_time_first_ms(&questionnaire->start) <= wall_ms) &&
           (!questionnaire->has_end || date_time_last_ms(&questionnaire->end) >= wall_ms);
}

const char *questionnaire_item_text(const struct questionnaire *questionnaire, const char *link_id)
{
    const uint32_t item = questionnaire_item(questionnaire, link_id, strlen(link_id));
    return item == ITEM_NONE ? NULL : questionnaire->items[item].text;
}

/* FNV-1a. The definition's author is trusted, so that a seed is not needed. */
uint32_t questionnaire_hash(const char *text, size_t length)
{
    uint32_t value = 2166136261u;
    for (size_t i = 0; i < length; i++) {
        value = (value ^ (unsigned char)text[i]) * 16777619u;
    }
    return value;
}

uint32_t questionnaire_item(const struct questionnaire *questionnaire, const char *link_id,
                            size_t length)
{
    if (questionnaire->lookup == NULL) {
        return ITEM_NONE;
    }
    for (uint32_t slot = questionnaire_hash(link_id, length);; slot++) {
        const uint32_t item = questionnaire->lookup[slot & questionnaire->lookup_mask];
        if (item == ITEM_NONE) {
            return ITEM_NONE;
        }
        const struct item *found = &questionnaire->items[item];
        if (found->link_id_length == length && memcmp(found->link_id, link_id, length) == 0) {
            return item;
        }
    }
}

static const struct {
    const char *name;
    enum value_type value_type;
} types[ITEM_TYPES] = {
    [ITEM_GROUP] = {"group", VALUE_NONE},
    [ITEM_DISPLAY] = {"display", VALUE_NONE},
    [ITEM_QUESTION] = {"question", VALUE_NONE},
    [ITEM_BOOLEAN] = {"boolean", VALUE_BOOLEAN},
    [ITEM_DECIMAL] = {"decimal", VALUE_DECIMAL},
    [ITEM_INTEGER] = {"integer", VALUE_INTEGER},
    [ITEM_DATE] = {"date", VALUE_DATE},
    [ITEM_DATE_TIME] = {"dateTime", VALUE_DATE_TIME},
    [ITEM_TIME] = {"time", VALUE_TIME},
    [ITEM_STRING] = {"string", VALUE_STRING},
    [ITEM_TEXT] = {"text", VALUE_STRING},
    [ITEM_URL] = {"url", VALUE_URI},
    [ITEM_CHOICE] = {"choice", VALUE_CODING},
    [ITEM_OPEN_CHOICE] = {"open-choice", VALUE_CODING},
    [ITEM_ATTACHMENT] = {"attachment", VALUE_ATTACHMENT},
    [ITEM_REFERENCE] = {"reference", VALUE_REFERENCE},
    [ITEM_QUANTITY] = {"quantity", VALUE_QUANTITY},
};

const char *item_type_name(enum item_type type)
{
    return types[type].name;
}

enum value_type item_value_type(enum item_type type)
{
    return types[type].value_type;
}

const struct option *item_options(const struct questionnaire *questionnaire,
                                  const struct item *item)
{
    return questionnaire->options == NULL ? NULL : questionnaire->options + item->options_first;
}

const struct condition *item_conditions(const struct questionnaire *questionnaire,
                                        const struct item *item)
{
    return questionnaire->conditions == NULL ? NULL
                                             : questionnaire->conditions + item->conditions_first;
}

const json_t *extension_find(const json_t *element, const char *url)
{
    const json_t *extensions = json_object_get(element, "extension");
    for (size_t i = 0; i < json_array_size(extensions); i++) {
        const json_t *extension = json_array_get(extensions, i);
        const char *found = json_string_value(json_object_get(extension, "url"));
        if (found != NULL && strcmp(found, url) == 0) {
            return extension;
        }
    }
    return NULL;
}

const json_t *extension_value(const json_t *element, const char *url, enum value_type *ret_type)
{
    const json_t *extension = extension_find(element, url);
    return extension == NULL ? NULL : value_member(extension, "value", ret_type, NULL);
}
