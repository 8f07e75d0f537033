/* Any bytes as the body of each route that takes one: a post in both forms, a draft, the decisions
 * of staff. What is taken can be read in the other form and exported. */
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
#include "intake/domain/questionnaire_set.h"
#include "intake/domain/review.h"
#include "intake/domain/submission.h"

static const char questionnaire_id[] = "hair-transplant";

/* The questionnaires that we ship, once for all inputs. */
static struct {
    struct submission_service *service;
    const struct questionnaire_set *set;
    struct csv_table *table;
    size_t columns;
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

static void load(void)
{
    const char *root = getenv("INTAKE_SOURCE_ROOT");
    struct questionnaire_set *set = NULL;
    struct strbuf folder = {0};
    struct strbuf head = {0};
    struct err err = {0};
    strbuf_printf(&folder, "%s/config/questionnaires", root != NULL ? root : ".");
    fuzz_assert(questionnaire_set_load(folder.data, questionnaire_id, &set, &err) == STATUS_OK,
                "questionnaires", err.message);
    strbuf_finish(&folder);
    shipped.service = submission_service_create(set, NULL);
    shipped.set = set;
    shipped.table = csv_table_create(set, questionnaire_id);
    csv_table_print_head(shipped.table, &head);
    shipped.columns = count_cells(&head);
    strbuf_finish(&head);
}

static struct view view_of(const char *text)
{
    return (struct view){text, strlen(text)};
}

/* What a post that was taken looks like to staff. */
static void read_again(const struct submission_post *post)
{
    struct strbuf fhir = {0};
    struct strbuf line = {0};
    struct err err = {0};
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
    fuzz_assert(csv_table_print_row(shipped.table, &record, &line, &err) == STATUS_OK, err.message,
                record.data.data);
    fuzz_assert(count_cells(&line) == shipped.columns, "a cell for each column", line.data);
    strbuf_finish(&fhir);
    strbuf_finish(&line);
}

static void check_post(const char *body, size_t len)
{
    enum status (*const prepares[])(const struct submission_service *, const char *, size_t,
                                    struct submission_post *, struct issues *,
                                    struct err *) = {submission_prepare, fhir_response_prepare};
    for (size_t i = 0; i < 2; i++) {
        struct submission_post post = {0};
        struct issues issues = {0};
        struct err err = {0};
        if (prepares[i](shipped.service, body, len, &post, &issues, &err) == STATUS_OK) {
            fuzz_assert(issues.errors_count == 0, "taken with errors", body);
            read_again(&post);
        } else {
            fuzz_assert(issues.errors_count > 0 || *err.message != '\0', "refused silently", body);
        }
        submission_post_finish(&post);
        issues_finish(&issues);
    }
}

static void check_draft(const char *body, size_t len)
{
    struct issues issues = {0};
    const struct view text = {body, len};
    (void)draft_check(shipped.service, "booking", text, &issues, NULL);
    issues_finish(&issues);
    (void)fhir_response_validate(shipped.set, body, len, &issues, NULL);
    issues_finish(&issues);
}

static void check_decisions(const char *body, size_t len)
{
    json_t *root = NULL;
    struct review_write review;
    struct contradiction_write contradiction;
    struct issues issues = {0};
    if (json_parse(body, len, &root, NULL) != STATUS_OK) {
        return;
    }
    if (review_read(root, "booking", &review, &issues, NULL) == STATUS_OK) {
        fuzz_assert(review.state != NULL && review.revision > 0, "a review", body);
    }
    issues_finish(&issues);
    if (contradiction_read(root, "booking", "allergies", &contradiction, &issues, NULL) ==
        STATUS_OK) {
        fuzz_assert(contradiction.revision > 0, "a decision", body);
    }
    issues_finish(&issues);
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (shipped.service == NULL) {
        load();
    }
    char *body = text_copy((const char *)data, size);
    check_post(body, size);
    check_draft(body, size);
    check_decisions(body, size);
    free(body);
    return 0;
}
