/* A questionnaire that was posted: checked, and made ready for the lanes. */
#include "intake/domain/submission.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/json.h"
#include "intake/db/lane.h"
#include "intake/domain/issue.h"
#include "intake/domain/questionnaire.h"
#include "intake/domain/questionnaire_offer.h"
#include "intake/domain/questionnaire_set.h"

const struct questionnaire *submission_choose_questionnaire(const struct questionnaire_offer *offer,
                                                            const json_t *body,
                                                            struct issues *issues)
{
    const struct questionnaire_set *set = questionnaire_offer_now(offer);
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

enum status submission_prepare(const struct questionnaire_offer *offer, const char *body,
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
        submission_choose_questionnaire(offer, root, issues);
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

enum status submission_commit(struct lanes *lanes, struct submission_post *post,
                              const struct audit_actor *actor, int32_t expected_revision,
                              void (*done)(struct submission_write *write, enum status status,
                                           const struct err *err),
                              struct err *err)
{
    post->write.actor = *actor;
    post->write.expected_revision = expected_revision;
    post->write.done = done;
    return lanes_submit(lanes, &post->write, err);
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
