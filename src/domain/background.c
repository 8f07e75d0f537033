/* Merging answers into a patient's medical background. */
#include "intake/domain/background.h"

#include <stdbool.h>

#include "intake/core/json.h"
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
static bool is_own(const struct background *background, const char *link_id, const json_t *wrote)
{
    const json_t *before = json_object_get(wrote, link_id);
    return before != NULL && json_equal(before, json_object_get(background->data, link_id));
}

/* The functions of jansson used here return 0, or -1 when memory is out. */
static int set_answer(struct background *background, const char *link_id, json_t *value)
{
    (void)json_object_del(background->removed, link_id);
    return json_object_set(background->data, link_id, value) |
           json_object_set(background->set, link_id, value);
}

static int remove_answer(struct background *background, const char *link_id)
{
    (void)json_object_del(background->set, link_id);
    (void)json_object_del(background->data, link_id);
    return json_object_set_new(background->removed, link_id, json_true());
}

/* What this booking wrote before and does not answer any more goes. */
static int remove_withdrawn(struct background *background, const json_t *wrote,
                            const json_t *answers)
{
    int failed = 0;
    const char *link_id;
    json_t *value;
    json_object_foreach(json_readable(wrote), link_id, value)
    {
        if (json_object_get(answers, link_id) == NULL && is_own(background, link_id, wrote)) {
            failed |= remove_answer(background, link_id);
        }
    }
    return failed;
}

enum status background_merge(struct background *background, const char *booking_uid,
                             const json_t *answers, json_t *contradictions, struct err *err)
{
    const json_t *wrote = json_object_get(background->sources, booking_uid);
    json_auto_t *writes = json_object();
    int failed = remove_withdrawn(background, wrote, answers);
    const char *link_id;
    json_t *posted;
    json_object_foreach(json_readable(answers), link_id, posted)
    {
        json_t *stored = json_object_get(background->data, link_id);
        const bool own = is_own(background, link_id, wrote);
        if (!own && !json_is_unanswered(stored)) {
            if (!json_equal(stored, posted)) {
                failed |= json_array_append_new(contradictions,
                                                json_pack("{s:s, s:O, s:O}", "field", link_id,
                                                          "stored", stored, "posted", posted));
            }
            continue;
        }
        failed |= json_object_set(writes, link_id, posted);
        if (!own || !json_equal(stored, posted)) {
            failed |= set_answer(background, link_id, posted);
        }
    }
    failed |= json_object_set(background->set_sources, booking_uid, writes);
    failed |= json_object_set(background->sources, booking_uid, writes);
    return failed == 0 ? STATUS_OK : err_no_memory(err);
}
