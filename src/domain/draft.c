/* Drafts: answers that were begun and not sent yet. */
#include "intake/domain/draft.h"

#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "intake/core/clock.h"
#include "intake/core/json.h"
#include "intake/domain/answer_tree.h"
#include "intake/domain/contact.h"
#include "intake/domain/issue.h"
#include "intake/domain/submission.h"

/* The contact; the booking is the path's, which the body may repeat but not contradict. */
static enum status check_contact(const json_t *root, const char *booking_uid,
                                 struct submission_post *post, struct issues *issues,
                                 struct err *err)
{
    static const char field[] = "booking_uid";
    json_auto_t *envelope = json_object(); /* json_copy() would leave out what has no memory */
    int failed = json_object_update(envelope, json_readable(root));
    const json_t *posted = json_object_get(root, field);
    if (posted == NULL || json_is_unanswered(posted)) {
        failed |= json_object_set_new(envelope, field, json_string(booking_uid));
    }
    if (failed != 0 || !contact_read(envelope, &post->contact, issues)) {
        return err_no_memory(err);
    }
    if (*post->contact.booking_uid != '\0' && strcmp(post->contact.booking_uid, booking_uid) != 0) {
        issues_add(issues, "mismatch", field, NULL, "This is another booking than the link's.");
    }
    return STATUS_OK;
}

static enum status find_issues(const struct questionnaire_offer *offer, const char *booking_uid,
                               const json_t *root, struct view text, struct issues *issues,
                               struct err *err)
{
    struct submission_post post = {0};
    enum status status = check_contact(root, booking_uid, &post, issues, err);
    if (status == STATUS_OK) {
        const struct questionnaire *questionnaire =
            submission_choose_questionnaire(offer, root, issues);
        status = questionnaire == NULL ? STATUS_OK
                                       : submission_check_answers(questionnaire, root, text.data,
                                                                  text.len, &post, issues, err);
    }
    submission_post_finish(&post);
    return status == STATUS_OK && issues->failed ? err_no_memory(err) : status;
}

enum status draft_check(const struct questionnaire_offer *offer, const char *booking_uid,
                        struct view body, struct issues *issues, struct err *err)
{
    json_auto_t *root = NULL;
    const enum status status = json_parse(body.data, body.len, &root, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (!json_is_object(root)) {
        return err_set(err, STATUS_INVALID, "the body must be a JSON object");
    }
    return find_issues(offer, booking_uid, root, body, issues, err);
}

enum status draft_put(struct connection *connection, const struct questionnaire_offer *offer,
                      const char *booking_uid, struct view body,
                      const struct draft_condition *condition, long days,
                      struct draft_record *ret_record, bool *ret_created, struct issues *issues,
                      struct err *err)
{
    enum status status = draft_check(offer, booking_uid, body, issues, err);
    if (status != STATUS_OK) {
        return status;
    }
    char version[UUID_TEXT_SIZE];
    id_uuid7(version);
    const struct draft_write write = {
        .booking_uid = booking_uid,
        .version = version,
        .data = body.data,
        .days = days,
    };
    status = draft_store(connection, &write, condition, ret_record, err);
    if (status == STATUS_OK) {
        *ret_created = (condition->expectation == DRAFT_NOT_STATED ||
                        condition->expectation == DRAFT_ABSENT) &&
                       strcmp(ret_record->version, version) == 0;
    }
    return status;
}

static void put_time(struct strbuf *out, const char *name, int64_t time_us)
{
    char text[RFC3339_SIZE];
    clock_rfc3339(time_us, text);
    strbuf_printf(out, ",\"%s\":\"%s\"", name, text);
}

void draft_print(const char *booking_uid, const struct draft_record *record,
                 const struct issues *issues, struct strbuf *out)
{
    strbuf_puts(out, "{\"booking_uid\":");
    strbuf_json_string(out, booking_uid, strlen(booking_uid));
    strbuf_printf(out, ",\"version\":\"%s\"", record->version);
    put_time(out, "created_at", record->created_at_us);
    put_time(out, "updated_at", record->updated_at_us);
    put_time(out, "expires_at", record->expires_at_us);
    if (record->data.data != NULL) {
        strbuf_puts(out, ",\"answers\":");
        strbuf_append(out, record->data.data, record->data.len);
    }
    strbuf_puts(out, ",\"errors\":");
    issues_print_errors(issues, out);
    strbuf_putc(out, '}');
}
