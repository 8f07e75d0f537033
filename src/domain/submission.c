/* A questionnaire that was posted: checked, and made ready for the lanes. */
#include "intake/domain/submission.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/json.h"
#include "intake/db/lane.h"
#include "intake/domain/issue.h"
#include "intake/domain/questionnaire.h"
#include "intake/domain/questionnaire_set.h"

/* Questionnaires that are offered, or were, and how many began to use what was offered then. */
struct questionnaire_use {
    struct questionnaire_set *set;
    size_t users;
    struct questionnaire_use *next; /* what was offered after it */
};

struct submission_service {
    struct lanes *lanes;
    _Atomic(const struct questionnaire_set *) offered; /* the last one's */
    pthread_mutex_t mutex;                             /* guards everything below */
    struct questionnaire_use *first;
    struct questionnaire_use *last;
};

struct submission_service *submission_service_create(struct questionnaire_set *questionnaires,
                                                     struct lanes *lanes)
{
    struct submission_service *service = calloc(1, sizeof *service);
    if (service == NULL) {
        return NULL;
    }
    service->lanes = lanes;
    pthread_mutex_init(&service->mutex, NULL);
    if (!submission_service_exchange(service, questionnaires)) {
        submission_service_destroy(service);
        return NULL;
    }
    return service;
}

static void destroy_uses(struct questionnaire_use *use)
{
    while (use != NULL) {
        struct questionnaire_use *next = use->next;
        questionnaire_set_destroy(use->set);
        free(use);
        use = next;
    }
}

void submission_service_destroy(struct submission_service *service)
{
    if (service == NULL) {
        return;
    }
    destroy_uses(service->first);
    pthread_mutex_destroy(&service->mutex);
    free(service);
}

/*
 * Takes out what nobody can have seen any more: whoever began at one set may have seen those after
 * it. Mutex held.
 */
static struct questionnaire_use *take_unused(struct submission_service *service)
{
    struct questionnaire_use *unused = NULL;
    struct questionnaire_use **end = &unused;
    while (service->first != service->last && service->first->users == 0) {
        *end = service->first;
        end = &service->first->next;
        service->first = service->first->next;
    }
    *end = NULL;
    return unused;
}

bool submission_service_exchange(struct submission_service *service,
                                 struct questionnaire_set *questionnaires)
{
    struct questionnaire_use *use = calloc(1, sizeof *use);
    if (use == NULL) {
        return false;
    }
    use->set = questionnaires;
    pthread_mutex_lock(&service->mutex);
    if (service->last != NULL) {
        service->last->next = use;
    } else {
        service->first = use;
    }
    service->last = use;
    atomic_store(&service->offered, questionnaires);
    struct questionnaire_use *unused = take_unused(service);
    pthread_mutex_unlock(&service->mutex);
    destroy_uses(unused);
    return true;
}

struct questionnaire_use *submission_service_enter(struct submission_service *service)
{
    pthread_mutex_lock(&service->mutex);
    struct questionnaire_use *use = service->last;
    use->users++;
    pthread_mutex_unlock(&service->mutex);
    return use;
}

void submission_service_leave(struct submission_service *service, struct questionnaire_use *use)
{
    pthread_mutex_lock(&service->mutex);
    use->users--;
    struct questionnaire_use *unused = take_unused(service);
    pthread_mutex_unlock(&service->mutex);
    destroy_uses(unused);
}

const struct questionnaire_set *
submission_service_questionnaires(const struct submission_service *service)
{
    return atomic_load(&service->offered);
}

const struct questionnaire *
submission_choose_questionnaire(const struct submission_service *service, const json_t *body,
                                struct issues *issues)
{
    const struct questionnaire_set *set = submission_service_questionnaires(service);
    const json_t *name = json_object_get(body, "questionnaire");
    if (name != NULL && !json_is_null(name) && !json_is_string(name)) {
        issues_add(issues, "invalidAnswerType", "questionnaire", NULL, "This must be text.");
        return NULL;
    }
    if (json_is_string(name) && json_has_nul(name)) {
        issues_add(issues, "invalidCharacter", "questionnaire", NULL,
                   "This holds a character that is not allowed.");
        return NULL;
    }
    return questionnaire_set_choose(set, json_string_value(name), "questionnaire", NULL, issues);
}

enum status submission_check_answers(const struct questionnaire *questionnaire, const json_t *body,
                                     const char *text, size_t text_len,
                                     struct submission_post *post, struct issues *issues,
                                     struct err *err)
{
    int age = -1;
    enum status status =
        questionnaire_validate_flat_text(questionnaire, body, text, text_len, issues, err);
    if (status == STATUS_OK) {
        status = questionnaire_derived_age(questionnaire, body, &age, err);
    }
    if (status == STATUS_OK) {
        post->questionnaire = questionnaire;
        post->write.questionnaire_id = questionnaire_id(questionnaire);
        post->write.questionnaire_version = questionnaire_version(questionnaire);
        post->write.age = age;
    }
    return status;
}

enum status submission_make_ready(struct submission_post *post, const char *data, size_t len,
                                  const struct issues *issues, struct err *err)
{
    if (issues->failed) {
        return err_no_memory(err);
    }
    if (!issues_are_none(issues)) {
        return err_set(err, STATUS_INVALID, "the answers break a rule");
    }
    struct submission_write *write = &post->write;
    write->booking_uid = post->contact.booking_uid;
    write->name = post->contact.name;
    write->email = post->contact.email;
    write->phone = *post->contact.phone != '\0' ? post->contact.phone : NULL;
    write->data = data;
    write->data_len = len;
    id_uuid7(write->user_id);
    id_uuid7(write->profile_id);
    id_uuid7(write->submission_id);
    return STATUS_OK;
}

enum status submission_prepare(const struct submission_service *service, const char *body,
                               size_t body_len, struct submission_post *ret_post,
                               struct issues *issues, struct err *err)
{
    *ret_post = (struct submission_post){0};
    json_auto_t *root = NULL;
    enum status status = json_parse(body, body_len, &root, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (!json_is_object(root)) {
        return err_set(err, STATUS_INVALID, "the body must be a JSON object");
    }
    if (!contact_read(root, &ret_post->contact, issues)) {
        return err_no_memory(err);
    }
    const struct questionnaire *questionnaire =
        submission_choose_questionnaire(service, root, issues);
    if (questionnaire != NULL) {
        status =
            submission_check_answers(questionnaire, root, body, body_len, ret_post, issues, err);
    }
    return status == STATUS_OK ? submission_make_ready(ret_post, body, body_len, issues, err)
                               : status;
}

void submission_post_finish(struct submission_post *post)
{
    contact_finish(&post->contact);
    free(post->flat);
    post->flat = NULL;
}

enum status submission_commit(struct submission_service *service, struct submission_post *post,
                              const struct audit_actor *actor, int32_t expected_revision,
                              void (*done)(struct submission_write *write, enum status status,
                                           const struct err *err),
                              struct err *err)
{
    post->write.actor = *actor;
    post->write.expected_revision = expected_revision;
    post->write.done = done;
    return lanes_submit(service->lanes, &post->write, err);
}

void submission_print_receipt(const struct submission_post *post, struct strbuf *out)
{
    const struct submission_write *write = &post->write;
    char created_at[RFC3339_SIZE];
    char updated_at[RFC3339_SIZE];
    clock_rfc3339(write->created_at_us, created_at);
    clock_rfc3339(write->updated_at_us, updated_at);
    strbuf_printf(out,
                  "{\"id\":\"%s\",\"booking_uid\":\"%s\",\"status\":\"%s\",\"revision\":%d,"
                  "\"created_at\":\"%s\",\"updated_at\":\"%s\"}",
                  write->id, write->booking_uid, write->status, (int)write->revision, created_at,
                  updated_at);
}
