/* What staff decide about a submission: the bodies that say so, and the history in JSON. */
#include "intake/domain/review.h"

#include <stdbool.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/json.h"
#include "intake/db/connection.h"
#include "intake/domain/envelope_fields.h"
#include "intake/domain/issue.h"
#include "intake/domain/submission_view.h"

/* A member that must be one of `options`, which end with NULL; NULL, and an issue, otherwise. */
static const char *read_option(const json_t *body, const char *name, const char *const *options,
                               const char *message, struct issues *issues)
{
    const json_t *value = json_object_get(body, name);
    const char *text = json_string_value(value);
    for (size_t i = 0; text != NULL && options[i] != NULL; i++) {
        if (text_equal(options[i], text) && !json_has_nul(value)) {
            return options[i];
        }
    }
    const char *code = text != NULL ? "invalidAnswerOption" : "invalidAnswerType";
    issues_add(issues, value == NULL ? "required" : code, name, NULL, "%s", message);
    return NULL;
}

static int32_t read_revision(const json_t *body, struct issues *issues)
{
    static const char name[] = "revision";
    const json_t *value = json_object_get(body, name);
    const json_int_t revision = json_integer_value(value);
    if (value == NULL) {
        issues_add(issues, "required", name, NULL, "This must be the revision that was read.");
    } else if (!json_is_integer(value)) {
        issues_add(issues, "invalidAnswerType", name, NULL, "This must be a whole number.");
    } else if (revision < 1) {
        issues_add(issues, "minValue", name, NULL, "The first revision is 1.");
    } else if (revision > INT32_MAX) {
        issues_add(issues, "maxValue", name, NULL, "There is no such revision.");
    } else {
        return (int32_t)revision;
    }
    return 0;
}

static const char *read_comment(const json_t *body, struct issues *issues)
{
    static const char name[] = "comment";
    const json_t *value = json_object_get(body, name);
    if (value == NULL || json_is_null(value)) {
        return NULL;
    }
    const char *text = json_string_value(value);
    if (text == NULL) {
        issues_add(issues, "invalidAnswerType", name, NULL, "This must be a text, or null.");
        return NULL;
    }
    const size_t len = json_string_length(value);
    if (json_has_nul(value)) {
        issues_add(issues, "invalidCharacter", name, NULL,
                   "This has a character that cannot be stored.");
    } else if (utf8_length(text, len) > REVIEW_COMMENT_MAX) {
        issues_add(issues, "maxLength", name, NULL, "This must have at most %d characters.",
                   REVIEW_COMMENT_MAX);
    }
    return text_is_blank(text, len) ? NULL : text;
}

/* What is not read is a mistake: a misspelt "comment" would be lost without a word. */
static void refuse_unknown(const json_t *body, const char *const *known, struct issues *issues)
{
    const char *name;
    json_t *value;
    json_object_foreach(json_readable(body), name, value)
    {
        size_t i = 0;
        while (known[i] != NULL && strcmp(known[i], name) != 0) {
            i++;
        }
        if (known[i] == NULL) {
            issues_add(issues, "invalidLinkId", name, NULL, "There is no such field.");
        }
    }
}

/* Refuses what is no object, or has something wrong with it. */
static enum status conclude(const json_t *body, const struct issues *issues, struct err *err)
{
    if (!json_is_object(body)) {
        return err_set(err, STATUS_INVALID, "the body must be a JSON object");
    }
    if (issues->failed) {
        return err_no_memory(err);
    }
    return issues_are_none(issues) ? STATUS_OK
                                   : err_set(err, STATUS_INVALID, "the body breaks rules");
}

enum status review_read(const json_t *body, const char *booking_uid, struct review_write *ret_write,
                        struct issues *issues, struct err *err)
{
    static const char *const known[] = {"state", "comment", "revision", NULL};
    static const char *const states[] = {"received", "has_issues", "approved", "rejected", NULL};
    if (json_is_object(body)) {
        refuse_unknown(body, known, issues);
        *ret_write = (struct review_write){
            .booking_uid = booking_uid,
            .state =
                read_option(body, "state", states,
                            "This must be received, has_issues, approved or rejected.", issues),
            .comment = read_comment(body, issues),
            .revision = read_revision(body, issues),
        };
    }
    return conclude(body, issues, err);
}

enum status contradiction_read(const json_t *body, const char *booking_uid, const char *field,
                               struct contradiction_write *ret_write, struct issues *issues,
                               struct err *err)
{
    static const char *const known[] = {"decision", "revision", NULL};
    static const char *const decisions[] = {"keep", "take", NULL};
    if (json_is_object(body)) {
        refuse_unknown(body, known, issues);
        const char *decision =
            read_option(body, "decision", decisions, "This must be keep or take.", issues);
        const enum contradiction_decision take =
            envelope_field_is(field) ? CONTRADICTION_TAKE_CONTACT : CONTRADICTION_TAKE_ANSWER;
        *ret_write = (struct contradiction_write){
            .booking_uid = booking_uid,
            .field = field,
            .decision = text_equal(decision, "take") ? take : CONTRADICTION_KEEP,
            .revision = read_revision(body, issues),
        };
    }
    return conclude(body, issues, err);
}

enum status review_put(struct connection *connection, const struct audit_actor *actor,
                       const struct review_write *write, struct strbuf *out, struct err *err)
{
    AUTO_RESULT PGresult *result = NULL;
    struct view review;
    const enum status status = review_set(connection, actor, write, &review, &result, err);
    if (status == STATUS_OK) {
        strbuf_append(out, review.data, review.len);
    }
    return status;
}

enum status contradiction_put(struct connection *connection, const struct audit_actor *actor,
                              const struct contradiction_write *write, struct strbuf *out,
                              struct err *err)
{
    AUTO_RESULT PGresult *result = NULL;
    struct view decided;
    const enum status status =
        contradiction_decide(connection, actor, write, &decided, &result, err);
    if (status == STATUS_OK) {
        strbuf_append(out, decided.data, decided.len);
    }
    return status;
}

/* One revision: all its members, but the answers instead of the body. */
static void put_revision(const json_t *revision, const struct json_lexemes *lexemes,
                         struct strbuf *out)
{
    const char *name;
    json_t *value;
    strbuf_puts(out, "{\"answers\":");
    submission_print_answers(json_object_get(revision, "data"), lexemes, out);
    json_object_foreach(json_readable(revision), name, value)
    {
        if (strcmp(name, "data") != 0) {
            strbuf_printf(out, ",\"%s\":", name);
            json_print(value, NULL, out);
        }
    }
    strbuf_putc(out, '}');
}

enum status history_print(const struct history_record *record, struct strbuf *out, struct err *err)
{
    json_auto_t *revisions = NULL;
    AUTO(json_lexemes_finish) struct json_lexemes lexemes = {0};
    const struct view text = record->revisions;
    enum status status = json_parse(text.data, text.len, &revisions, err);
    if (status == STATUS_OK) {
        status = json_lexemes_read(text.data, text.len, revisions, &lexemes, err);
    }
    if (status != STATUS_OK) {
        return status == STATUS_NO_MEMORY
                   ? status
                   : err_set(err, STATUS_INTERNAL, "the revisions cannot be read");
    }
    strbuf_puts(out, "{\"revisions\":[");
    size_t index;
    json_t *revision;
    json_array_foreach(revisions, index, revision)
    {
        strbuf_puts(out, index > 0 ? "," : "");
        put_revision(revision, &lexemes, out);
    }
    strbuf_puts(out, "],\"processing\":");
    strbuf_append(out, record->processing.data, record->processing.len);
    strbuf_puts(out, ",\"reviews\":");
    strbuf_append(out, record->reviews.data, record->reviews.len);
    strbuf_puts(out, ",\"other_bookings\":");
    strbuf_append(out, record->other_bookings.data, record->other_bookings.len);
    strbuf_putc(out, '}');
    return out->failed ? err_no_memory(err) : STATUS_OK;
}
