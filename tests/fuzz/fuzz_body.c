/* Any bytes as the body of each route that takes one: a post in both forms, a check without a post,
 * a draft, the decisions of staff, a session. What is taken can be read in the other form and
 * exported; what is said of the rest is JSON; and all that look at the same answers agree. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/json.h"
#include "intake/core/text.h"
#include "intake/db/store_lookup.h"
#include "intake/domain/csv_table.h"
#include "intake/domain/draft.h"
#include "intake/domain/fhir_response.h"
#include "intake/domain/issue.h"
#include "intake/domain/questionnaire.h"
#include "intake/domain/questionnaire_offer.h"
#include "intake/domain/questionnaire_set.h"
#include "intake/domain/review.h"
#include "intake/domain/session.h"
#include "intake/domain/submission.h"

static const char default_id[] = "hair-transplant";

enum { TABLES_MAX = 8 };

/* The export of one questionnaire. */
struct table {
    const char *id;
    struct csv_table *csv;
    size_t columns;
};

/* The questionnaires that we ship, once for all inputs. */
static struct {
    struct questionnaire_offer *offer;
    const struct questionnaire_set *set;
    struct table tables[TABLES_MAX];
    size_t tables_count;
} shipped;

/* The cells of one line, to its end; aborts on what is no line of RFC 4180. */
static size_t count_cells(const struct strbuf *line)
{
    size_t cells = 1;
    bool quoted = false;
    fuzz_assert(line->len >= 2 && strcmp(line->data + line->len - 2, "\r\n") == 0, "a line",
                line->data);
    for (size_t i = 0; i + 2 < line->len; i++) {
        const char c = line->data[i];
        const bool begins = i == 0 || line->data[i - 1] == ',';
        if (c == '"' && !quoted) {
            fuzz_assert(begins, "quotes begin a cell", line->data);
            quoted = true;
        } else if (c == '"' && line->data[i + 1] == '"') {
            i++;
        } else if (c == '"') {
            quoted = false;
            fuzz_assert(strchr(",\r", line->data[i + 1]) != NULL, "quotes end a cell", line->data);
        } else if (!quoted) {
            fuzz_assert(c != '\r' && c != '\n', "one line", line->data);
            fuzz_assert(!begins || strchr("=@", c) == NULL, "no formula", line->data);
            cells += c == ',';
        }
    }
    fuzz_assert(!quoted, "quotes end", line->data);
    return cells;
}

static void add_table(const char *id)
{
    struct strbuf head = {0};
    fuzz_assert(shipped.tables_count < TABLES_MAX, "a table", id);
    struct table *table = &shipped.tables[shipped.tables_count++];
    table->id = id;
    table->csv = csv_table_create(shipped.set, id);
    csv_table_print_head(table->csv, &head);
    table->columns = count_cells(&head);
    strbuf_finish(&head);
}

static const struct table *find_table(const char *id)
{
    const struct table *table = shipped.tables;
    while (table < shipped.tables + shipped.tables_count && strcmp(table->id, id) != 0) {
        table++;
    }
    fuzz_assert(table < shipped.tables + shipped.tables_count, "a questionnaire of ours", id);
    return table;
}

static void load(void)
{
    const char *root = getenv("INTAKE_SOURCE_ROOT");
    struct questionnaire_set *set = NULL;
    struct strbuf folder = {0};
    struct err err = {0};
    strbuf_printf(&folder, "%s/config/questionnaires", root != NULL ? root : ".");
    fuzz_assert(questionnaire_set_load(folder.data, default_id, &set, &err) == STATUS_OK,
                "questionnaires", err.message);
    strbuf_finish(&folder);
    shipped.offer = questionnaire_offer_create(set);
    shipped.set = set;
    for (size_t i = 0; i < questionnaire_set_count(set); i++) { /* by their ids */
        const char *id = questionnaire_id(questionnaire_set_at(set, i));
        if (i == 0 || strcmp(id, questionnaire_id(questionnaire_set_at(set, i - 1))) != 0) {
            add_table(id);
        }
    }
}

static struct view view_of(const char *text)
{
    return (struct view){text, strlen(text)};
}

/* What we print of a post is taken as one, by the same person for the same booking. */
static void check_again(const struct submission_post *post, const struct strbuf *fhir)
{
    struct submission_post again = {0};
    struct issues issues = {0};
    struct err err = {0};
    const enum status status =
        fhir_response_prepare(shipped.offer, fhir->data, fhir->len, &again, &issues, &err);
    fuzz_assert(status == STATUS_OK, issues.count > 0 ? issues.items[0].message : err.message,
                fhir->data);
    fuzz_assert(strcmp(again.write.booking_uid, post->write.booking_uid) == 0 &&
                    strcmp(again.write.name, post->write.name) == 0 &&
                    strcmp(again.write.email, post->write.email) == 0 &&
                    text_equal(again.write.phone, post->write.phone) &&
                    again.questionnaire == post->questionnaire,
                "the same post", fhir->data);
    submission_post_finish(&again);
    issues_finish(&issues);
}

/* What a post that was taken looks like to staff. */
static void read_again(const struct submission_post *post)
{
    struct strbuf fhir = {0};
    struct strbuf line = {0};
    struct err err = {0};
    const struct table *table = find_table(post->write.questionnaire_id);
    const struct submission_record record = {
        .id = "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee",
        .booking_uid = view_of(post->write.booking_uid),
        .status = view_of("submitted"),
        .revision = 1,
        .questionnaire_id = view_of(post->write.questionnaire_id),
        .questionnaire_version = view_of(post->write.questionnaire_version),
        .data = {post->write.data, post->write.data_len},
    };
    fuzz_assert(fhir_response_print_record(shipped.set, &record, &fhir, &err) == STATUS_OK,
                err.message, record.data.data);
    fuzz_assert(csv_table_print_row(table->csv, &record, &line, &err) == STATUS_OK, err.message,
                record.data.data);
    fuzz_assert(count_cells(&line) == table->columns, "a cell for each column", line.data);
    check_again(post, &fhir);
    strbuf_finish(&fhir);
    strbuf_finish(&line);
}

/* The text is JSON, which becomes the caller's. */
static json_t *parse(const char *text, size_t len)
{
    json_error_t error;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    fuzz_assert(root != NULL, error.text, text);
    return root;
}

/* Each issue is told once, in both forms. */
static void check_told(const struct issues *issues)
{
    struct strbuf text = {0};
    issues_print_errors(issues, &text);
    json_t *errors = parse(text.data, text.len);
    fuzz_assert(json_array_size(errors) == issues->count, "all errors", text.data);
    json_decref(errors);
    strbuf_clear(&text);
    issues_print_operation_outcome(issues, &text);
    json_t *outcome = parse(text.data, text.len);
    const size_t told = json_array_size(json_object_get(outcome, "issue"));
    fuzz_assert(told == (issues->count > 0 ? issues->count : 1), "all issues", text.data);
    json_decref(outcome);
    strbuf_finish(&text);
}

/* What an open form of the same answers would be told; the draft comes back as it was sent. */
static void check_draft(const char *body, size_t len, const char *booking_uid,
                        const struct issues *of_post)
{
    struct issues issues = {0};
    struct strbuf text = {0};
    const bool is_known = *booking_uid != '\0';
    const struct draft_record record = {.version = "x", .data = {body, len}};
    if (draft_check(shipped.offer, is_known ? booking_uid : "booking", record.data, &issues,
                    NULL) == STATUS_OK) {
        fuzz_assert(!is_known || issues.errors_count == of_post->errors_count,
                    "a draft is checked as a post", body);
        check_told(&issues);
        draft_print("booking", &record, &issues, &text);
        json_t *draft = parse(text.data, text.len);
        json_t *posted = parse(body, len);
        fuzz_assert(json_equal(json_object_get(draft, "answers"), posted), "as it was sent", body);
        json_decref(posted);
        json_decref(draft);
    }
    strbuf_finish(&text);
    issues_finish(&issues);
}

static void check_flat(const char *body, size_t len)
{
    struct submission_post post = {0};
    struct issues issues = {0};
    struct err err = {0};
    if (submission_prepare(shipped.offer, body, len, &post, &issues, &err) == STATUS_OK) {
        fuzz_assert(issues.errors_count == 0, "taken with errors", body);
        read_again(&post);
    } else {
        fuzz_assert(issues.errors_count > 0 || *err.message != '\0', "refused silently", body);
    }
    check_draft(body, len, post.contact.booking_uid, &issues);
    submission_post_finish(&post);
    issues_finish(&issues);
}

static void check_response(const char *body, size_t len)
{
    struct submission_post post = {0};
    struct issues issues = {0};
    struct issues checked = {0};
    struct err err = {0};
    const enum status status = fhir_response_validate(shipped.set, body, len, &checked, NULL);
    if (fhir_response_prepare(shipped.offer, body, len, &post, &issues, &err) == STATUS_OK) {
        fuzz_assert(issues.errors_count == 0, "taken with errors", body);
        fuzz_assert(status == STATUS_OK && checked.errors_count == 0, "taken, but not valid", body);
        read_again(&post);
    } else {
        fuzz_assert(issues.errors_count > 0 || *err.message != '\0', "refused silently", body);
    }
    if (status == STATUS_OK) {
        check_told(&checked);
    }
    submission_post_finish(&post);
    issues_finish(&checked);
    issues_finish(&issues);
}

/* Whether the member is that text to its end. */
static bool member_is(const json_t *body, const char *name, const char *text)
{
    const json_t *member = json_object_get(body, name);
    return json_is_string(member) && json_string_length(member) == strlen(text) &&
           strcmp(json_string_value(member), text) == 0;
}

static void check_session(const json_t *root, const char *body)
{
    struct issues issues = {0};
    struct err err = {0};
    const char *token = NULL;
    if (session_read(root, &token, &issues, &err) == STATUS_OK) {
        fuzz_assert(issues.count == 0 && member_is(root, "token", token), "the token", body);
    } else {
        fuzz_assert(token == NULL && *err.message != '\0', "no token", body);
        fuzz_assert(issues_are_none(&issues) != json_is_object(root), "an issue", body);
    }
    issues_finish(&issues);
}

static void check_decisions(const json_t *root, const char *body)
{
    struct review_write review;
    struct contradiction_write contradiction;
    struct issues issues = {0};
    if (review_read(root, "booking", &review, &issues, NULL) == STATUS_OK) {
        fuzz_assert(review.revision > 0 && member_is(root, "state", review.state), "a review",
                    body);
        fuzz_assert(review.comment == NULL || member_is(root, "comment", review.comment),
                    "a comment", body);
    }
    check_told(&issues);
    issues_finish(&issues);
    if (contradiction_read(root, "booking", "allergies", &contradiction, &issues, NULL) ==
        STATUS_OK) {
        const bool keeps = contradiction.decision == CONTRADICTION_KEEP;
        fuzz_assert(contradiction.revision > 0 &&
                        member_is(root, "decision", keeps ? "keep" : "take"),
                    "a decision", body);
    }
    issues_finish(&issues);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (shipped.offer == NULL) {
        load();
    }
    json_t *root = NULL;
    char *body = text_copy((const char *)data, size);
    check_flat(body, size);
    check_response(body, size);
    if (json_parse(body, size, &root, NULL) == STATUS_OK) {
        check_session(root, body);
        check_decisions(root, body);
        json_decref(root);
    }
    free(body);
    return 0;
}
