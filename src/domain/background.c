/* Merging answers into a patient's medical background. */
#include "intake/domain/background.h"

#include <stdbool.h>
#include <stdint.h>

#include "intake/core/text.h"
#include "intake/domain/answer_tree.h"

static json_t *object_or_new(json_t *object)
{
    return object != NULL ? object : json_object();
}

enum status background_init(struct background *background, json_t *data, json_t *sources,
                            struct err *err)
{
    *background = (struct background){
        .data = object_or_new(data),
        .sources = object_or_new(sources),
        .set = json_object(),
        .set_sources = json_object(),
        .removed = json_object(),
    };
    if (background->data == NULL || background->sources == NULL || background->set == NULL ||
        background->set_sources == NULL || background->removed == NULL) {
        background_finish(background);
        return err_no_memory(err);
    }
    return STATUS_OK;
}

void background_finish(struct background *background)
{
    json_decref(background->data);
    json_decref(background->sources);
    json_decref(background->set);
    json_decref(background->set_sources);
    json_decref(background->removed);
    *background = (struct background){0};
}

/* Whether what stands under `link_id` is what this booking wrote, untouched since. */
static bool is_own(const struct background *background, const char *link_id,
                   const char *booking_uid)
{
    const json_t *source = json_object_get(background->sources, link_id);
    const char *writer = json_string_value(json_object_get(source, "booking_uid"));
    return writer != NULL && text_equal(writer, booking_uid) &&
           json_equal(json_object_get(source, "value"), json_object_get(background->data, link_id));
}

/* The functions of jansson used here return 0, or -1 when memory is out. */
static int set_answer(struct background *background, const char *link_id, const char *booking_uid,
                      json_t *value)
{
    json_t *source = json_pack("{s:s, s:O}", "booking_uid", booking_uid, "value", value);
    if (source == NULL) {
        return -1;
    }
    int failed = json_object_set(background->data, link_id, value);
    failed |= json_object_set(background->set, link_id, value);
    failed |= json_object_set(background->set_sources, link_id, source);
    failed |= json_object_set_new(background->sources, link_id, source);
    (void)json_object_del(background->removed, link_id);
    return failed;
}

static int remove_answer(struct background *background, const char *link_id)
{
    const int failed = json_object_set_new(background->removed, link_id, json_true());
    (void)json_object_del(background->set, link_id);
    (void)json_object_del(background->set_sources, link_id);
    (void)json_object_del(background->data, link_id);
    return failed;
}

/* What this booking wrote before and does not answer any more goes. */
static int remove_withdrawn(struct background *background, const char *booking_uid,
                            const json_t *answers)
{
    int failed = 0;
    const char *link_id;
    json_t *source;
    void *next;
    json_object_foreach_safe(background->sources, next, link_id, source)
    {
        if (json_object_get(answers, link_id) == NULL && is_own(background, link_id, booking_uid)) {
            failed |= remove_answer(background, link_id);
            failed |= json_object_del(background->sources, link_id);
        }
    }
    return failed;
}

enum status background_merge(struct background *background, const char *booking_uid,
                             const json_t *answers, json_t *contradictions, struct err *err)
{
    int failed = remove_withdrawn(background, booking_uid, answers);
    const char *link_id;
    json_t *posted;
    json_object_foreach((json_t *)(uintptr_t)answers, link_id, posted)
    {
        json_t *stored = json_object_get(background->data, link_id);
        if (json_is_unanswered(stored) || is_own(background, link_id, booking_uid)) {
            failed |= set_answer(background, link_id, booking_uid, posted);
        } else if (!json_equal(stored, posted)) {
            failed |= json_array_append_new(
                contradictions,
                json_pack("{s:s, s:O, s:O}", "field", link_id, "stored", stored, "posted", posted));
        }
    }
    return failed == 0 ? STATUS_OK : err_no_memory(err);
}
