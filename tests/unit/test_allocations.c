/*
 * Every allocation in turn fails, once and for good: what was done either says that memory is out
 * or comes to what it comes to otherwise; nothing leaks, and the next try succeeds. What a
 * post goes through, and what is read at the start.
 */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocations.h"
#include "intake/core/cleanup.h"
#include "intake/core/config.h"
#include "intake/db/array.h"
#include "intake/db/migration_files.h"
#include "intake/db/sql_units.h"
#include "intake/db/store_lookup.h"
#include "intake/db/store_review.h"
#include "intake/domain/background.h"
#include "intake/domain/booking_view.h"
#include "intake/domain/csv_table.h"
#include "intake/domain/draft.h"
#include "intake/domain/fhir_bundle.h"
#include "intake/domain/fhir_capability.h"
#include "intake/domain/fhir_response.h"
#include "intake/domain/flat_fhir.h"
#include "intake/domain/issue.h"
#include "intake/domain/link.h"
#include "intake/domain/questionnaire.h"
#include "intake/domain/questionnaire_offer.h"
#include "intake/domain/questionnaire_set.h"
#include "intake/domain/review.h"
#include "intake/domain/submission.h"
#include "intake/domain/submission_view.h"
#include "intake/http/settings.h"
#include "processing_item.h"

static size_t wrong;

#define EXHAUST(subject, run) (wrong += allocations_exhaust((subject), #run, (run)))

/* --- core and db ------------------------------------------------------------------------------ */

static enum status read_json_file(const struct subject *subject, struct strbuf *out)
{
    json_auto_t *root = NULL;
    struct err err;
    const enum status status = json_parse_file(subject->path, QUESTIONNAIRE_MAX_BYTES, &root, &err);
    if (status == STATUS_OK) {
        json_print(root, NULL, out);
    }
    return status;
}

static enum status read_config(const struct subject *subject, struct strbuf *out)
{
    struct config config = {0};
    struct err err;
    enum status status = config_load(subject->path, &config, &err);
    if (status == STATUS_OK) {
        strbuf_puts(out, config.link.base_url);
        struct http_settings settings;
        status = http_settings_parse(&config, &settings, &err);
        if (status == STATUS_OK) {
            strbuf_printf(out, "%zu %zu", settings.origins_count, settings.trusted_proxies.count);
            http_settings_finish(&settings);
        }
    }
    config_finish(&config);
    return status;
}

static enum status make_arrays(const struct subject *subject, struct strbuf *out)
{
    static const enum array_type types[] = {ARRAY_TEXT, ARRAY_JSONB, ARRAY_UUID, ARRAY_INT4,
                                            ARRAY_INT8};
    enum status status = STATUS_OK;
    for (size_t t = 0; t < ARRAY_LENGTH(types) && status == STATUS_OK; t++) {
        struct array array = {0};
        array_start(&array, types[t]);
        for (int i = 0; i < 40; i++) {
            switch (types[t]) {
            case ARRAY_TEXT:
                array_add_string(&array, i % 3 == 0 ? NULL : subject->name);
                break;
            case ARRAY_JSONB:
                array_add_json(&array, subject->text.data, subject->text.len);
                break;
            case ARRAY_UUID:
                array_add_uuid(&array, "01890a5d-ac96-774b-bcce-b302099a8057");
                break;
            case ARRAY_INT4:
                array_add_int4(&array, i);
                break;
            case ARRAY_INT8:
                array_add_int8(&array, i);
                break;
            }
        }
        array_end(&array);
        status = array.bytes.failed ? STATUS_NO_MEMORY : STATUS_OK;
        if (status == STATUS_OK) {
            strbuf_append(out, array.bytes.data, array.bytes.len);
        }
        array_finish(&array);
    }
    return status;
}

static enum status read_migrations(const struct subject *subject, struct strbuf *out)
{
    (void)subject;
    AUTO_FREE struct migration *migrations = NULL;
    size_t count = 0;
    struct err err;
    enum status status = migration_files_load(&migrations, &count, &err);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        AUTO_FREE struct sql_unit *units = NULL;
        size_t units_count = 0;
        status = sql_units_split((const char *)migrations[i].up->data, migrations[i].up->size,
                                 &units, &units_count, &err);
        strbuf_printf(out, "%zu ", units_count);
    }
    return status;
}

static enum status load_set(const struct subject *subject, struct strbuf *out)
{
    struct questionnaire_set *set = NULL;
    struct err err;
    const enum status status = questionnaire_set_load(subject->path, "q", &set, &err);
    if (status == STATUS_OK) {
        fhir_print_questionnaires(set, "urn:q", out);
        strbuf_printf(out, "%zu", questionnaire_set_count(set));
    }
    questionnaire_set_destroy(set);
    return status;
}

/* --- submissions ------------------------------------------------------------------------------ */

/* What would be stored, without the ids. */
static enum status conclude_post(enum status status, struct submission_post *post,
                                 struct issues *issues, struct strbuf *out)
{
    if (status == STATUS_OK) {
        strbuf_printf(out, "%s %s %s %d ", post->write.booking_uid, post->write.name,
                      post->write.email, (int)post->write.age);
        strbuf_append(out, post->write.data, post->write.data_len);
    }
    submission_post_finish(post);
    return allocations_conclude(status, issues, out);
}

static enum status prepare_flat(const struct subject *subject, struct strbuf *out)
{
    struct submission_post post;
    struct issues issues = {0};
    struct err err;
    const enum status status = submission_prepare(subject->offer, subject->text.data,
                                                  subject->text.len, &post, &issues, &err);
    return conclude_post(status, &post, &issues, out);
}

static enum status prepare_response(const struct subject *subject, struct strbuf *out)
{
    struct submission_post post;
    struct issues issues = {0};
    struct err err;
    enum status status = fhir_response_prepare(subject->offer, subject->text.data,
                                               subject->text.len, &post, &issues, &err);
    if (status == STATUS_OK) {
        status = fhir_response_print_post(&post, out, &err);
    }
    return conclude_post(status, &post, &issues, out);
}

static enum status validate_posted_response(const struct subject *subject, struct strbuf *out)
{
    struct issues issues = {0};
    struct err err;
    const enum status status =
        fhir_response_validate(subject->set, subject->text.data, subject->text.len, &issues, &err);
    return allocations_conclude(status, &issues, out);
}

static enum status check_draft(const struct subject *subject, struct strbuf *out)
{
    struct issues issues = {0};
    struct err err;
    const struct draft_record record = {.version = "v", .data = subject->text};
    const enum status status = draft_check(subject->offer, "b1", subject->text, &issues, &err);
    if (status == STATUS_OK && !issues.failed) {
        draft_print("b1", &record, &issues, out);
    }
    return allocations_conclude(status, &issues, out);
}

static enum status read_decisions(const struct subject *subject, struct strbuf *out)
{
    json_auto_t *root = NULL;
    struct issues issues = {0};
    struct err err;
    struct review_write review;
    struct contradiction_write contradiction;
    enum status status = json_parse(subject->text.data, subject->text.len, &root, &err);
    if (status == STATUS_OK) {
        status = review_read(root, "b1", &review, &issues, &err);
    }
    if (status == STATUS_OK || status == STATUS_INVALID) {
        status = contradiction_read(root, "b1", "allergies", &contradiction, &issues, &err);
    }
    return allocations_conclude(status, &issues, out);
}

#define VIEW(text) ((struct view){(text), sizeof(text) - 1})

static struct submission_record record_of(const struct subject *subject)
{
    return (struct submission_record){
        .id = "01890a5d-ac96-774b-bcce-b302099a8057",
        .booking_uid = VIEW("b1"),
        .status = VIEW("processed"),
        .revision = 2,
        .created_at_us = 1,
        .updated_at_us = 2,
        .processed_at_us = 3,
        .questionnaire_id = VIEW("hair-transplant"),
        .data = subject->text,
        .contradictions = VIEW("[{\"field\":\"allergies\",\"stored\":\"a\",\"posted\":\"b\"}]"),
        .review = VIEW("{\"state\":\"received\"}"),
        .evaluation = VIEW("{\"scores\":[],\"flags\":[{\"link_id\":\"a\",\"text\":\"A flag\"}]}"),
        .patient_id = "01890a5d-ac96-774b-bcce-b302099a8058",
        .patient_name = VIEW("Jo"),
        .patient_age = 30,
        .medical_background = VIEW("{\"allergies\":\"a\"}"),
    };
}

static enum status print_record(const struct subject *subject, struct strbuf *out)
{
    const struct submission_record record = record_of(subject);
    struct err err;
    enum status status = submission_print_record(&record, out, &err);
    if (status == STATUS_OK) {
        status = fhir_response_print_record(subject->set, &record, out, &err);
    }
    if (status == STATUS_OK) {
        submission_print_record_receipt(&record, out);
        booking_print("b1", &record, NULL, 0, out);
        fhir_print_capability("1", out);
        link_print("https://x", "b1", "token", out);
    }
    return status;
}

static enum status print_table(const struct subject *subject, struct strbuf *out)
{
    const struct submission_record record = record_of(subject);
    struct err err;
    struct csv_table *table = csv_table_create(subject->set, "hair-transplant");
    if (table == NULL) {
        return STATUS_NO_MEMORY;
    }
    csv_table_print_head(table, out);
    const enum status status = csv_table_print_row(table, &record, out, &err);
    csv_table_destroy(table);
    return status;
}

static enum status print_history(const struct subject *subject, struct strbuf *out)
{
    AUTO(strbuf_finish) struct strbuf revisions = {0};
    strbuf_puts(&revisions, "[{\"revision\":1,\"data\":");
    strbuf_append(&revisions, subject->text.data, subject->text.len);
    strbuf_puts(&revisions, "}]");
    struct err err;
    const struct history_record record = {
        .revisions = {revisions.data, revisions.len},
        .processing = VIEW("[{\"attempt\":1,\"reason\":\"x\"}]"),
        .reviews = VIEW("[]"),
        .other_bookings = VIEW("[]"),
    };
    return revisions.failed ? STATUS_NO_MEMORY : history_print(&record, out, &err);
}

/* --- processing ------------------------------------------------------------------------------- */

static enum status process(const struct subject *subject, struct strbuf *out)
{
    const struct processing_options options = {.attempts_max = 5};
    struct processing_item item = {
        .claimed = {.booking_uid = VIEW("b1"),
                    .profile_id = "01890a5d-ac96-774b-bcce-b302099a8058",
                    .questionnaire_id = VIEW("hair-transplant"),
                    .attempts = 1,
                    .data = subject->text,
                    .contradictions = VIEW("[{\"field\":\"attendee_email\",\"posted\":\"x\"}]")},
    };
    struct err err;
    enum status status = processing_item_prepare(&item, subject->set, &options, &err);
    if (status == STATUS_OK) {
        status = processing_item_reset(&item, &err);
    }
    if (status == STATUS_OK) {
        strbuf_printf(out, "%d %s %d ", (int)item.verdict, item.reason, item.age);
        strbuf_puts(out, item.evaluation_text != NULL ? item.evaluation_text : "");
        json_print(item.contradictions, NULL, out);
        if (item.answers != NULL) {
            json_print(item.answers, NULL, out);
        }
    }
    processing_item_finish(&item);
    return status;
}

static enum status merge_background(const struct subject *subject, struct strbuf *out)
{
    json_auto_t *data = NULL;
    json_auto_t *sources = NULL;
    json_auto_t *contradictions = json_array();
    struct background background;
    struct err err;
    static const char stored[] = "{\"allergies\":\"other\",\"old\":\"x\",\"blank\":\" \"}";
    static const char written[] = "{\"b1\":{\"old\":\"x\"},\"b2\":{}}";
    enum status status = json_parse(stored, strlen(stored), &data, &err);
    if (status == STATUS_OK) {
        status = json_parse(written, strlen(written), &sources, &err);
    }
    if (status == STATUS_OK) {
        status = background_init(&background, TAKE(data), TAKE(sources), &err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = contradictions == NULL
                 ? STATUS_NO_MEMORY
                 : background_merge(&background, "b1", subject->root, contradictions, &err);
    if (status == STATUS_OK) {
        json_print(background.set, NULL, out);
        json_print(background.set_sources, NULL, out);
        json_print(background.removed, NULL, out);
        json_print(contradictions, NULL, out);
    }
    background_finish(&background);
    return status;
}

static const char *const bodies[] = {
    "{\"booking_uid\":\"b1\",\"attendee_name\":\"A person with a name of some length\","
    "\"attendee_email\":\"somebody.with.a.long.address@example.com\","
    "\"attendee_phone\":\"+90 532 123 45 67\",\"age_range\":\"36-45\",\"allergies\":\"yes\","
    "\"allergies_details\":\"Penicillin, since childhood, and nuts\",\"hair_loss_pattern\":"
    "[\"crown\",\"hairline\"],\"state\":\"approved\",\"decision\":\"keep\",\"revision\":1}",
    "{\"booking_uid\":\"{bookingUid}\",\"attendee_name\":\" \",\"attendee_email\":\"x\",\"unknown "
    "question\":1.50,\"age_range\":\"none of these\",\"hair_loss_pattern\":\"crown\"}",
    "{\"booking_uid\":\"b2\",\"attendee_name\":\"Jo\",\"attendee_email\":\"a@b.co\","
    "\"allergies\":\"none\",\"questionnaire\":\"no-such-questionnaire\"}",
};

static void exhaust_body(struct subject *subject)
{
    EXHAUST(subject, prepare_flat);
    EXHAUST(subject, check_draft);
    EXHAUST(subject, read_decisions);
    EXHAUST(subject, print_record);
    EXHAUST(subject, print_table);
    EXHAUST(subject, print_history);
    EXHAUST(subject, process);
    EXHAUST(subject, merge_background);
    EXHAUST(subject, make_arrays);

    AUTO(document_finish) struct document response = {0};
    struct subject as_response = *subject;
    subject->questionnaire = questionnaire_set_default(subject->set);
    assert_int_equal(subject_print_response(subject, &response.text), STATUS_OK);
    as_response.text = (struct view){response.text.data, response.text.len};
    EXHAUST(&as_response, prepare_response);
    EXHAUST(&as_response, validate_posted_response);
}

static void test_what_a_post_goes_through(void **state)
{
    (void)state;
    AUTO(strbuf_finish) struct strbuf path = {0};
    struct questionnaire_set *set = NULL;
    allocations_path(&path, "config/questionnaires");
    assert_int_equal(questionnaire_set_load(path.data, "hair-transplant", &set, NULL), STATUS_OK);
    struct questionnaire_offer *offer = questionnaire_offer_create(set);
    assert_non_null(offer);
    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        AUTO(document_finish) struct document body = {0};
        strbuf_puts(&body.text, bodies[i]);
        document_read(&body);
        struct subject subject = document_subject(bodies[i], &body);
        subject.set = set;
        subject.offer = offer;
        exhaust_body(&subject);
    }
    questionnaire_offer_destroy(offer);
    assert_int_equal(wrong, 0);
}

static void test_what_is_read_at_the_start(void **state)
{
    (void)state;
    AUTO(strbuf_finish) struct strbuf config = {0};
    char folder[] = "/tmp/intake-allocations-XXXXXX";
    char file[sizeof folder + sizeof "/q.json"];
    static const char definition[] =
        "{\"resourceType\":\"Questionnaire\",\"id\":\"q\",\"url\":\"urn:q\",\"version\":\"1\","
        "\"status\":\"active\",\"item\":[{\"linkId\":\"a\",\"type\":\"string\"}]}";
    assert_non_null(mkdtemp(folder));
    (void)snprintf(file, sizeof file, "%s/q.json", folder);
    FILE *stream = fopen(file, "w");
    assert_true(stream != NULL && fputs(definition, stream) >= 0 && fclose(stream) == 0);
    allocations_path(&config, "config/intake.conf");
    setenv("INTAKE_HTTP_CORS_ORIGINS", "https://a.example,https://b.example", 1);
    setenv("INTAKE_HTTP_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8", 1);
    struct subject subject = {.name = "start", .path = config.data};
    EXHAUST(&subject, read_config);
    subject.path = file;
    EXHAUST(&subject, read_json_file);
    subject.path = folder;
    EXHAUST(&subject, load_set);
    EXHAUST(&subject, read_migrations);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(wrong, 0);
}

/* Last: what comes before it says nothing when none was. */
static void test_memory_was_out(void **state)
{
    (void)state;
    allocations_assert_refused(5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read_at_the_start),
        cmocka_unit_test(test_what_a_post_goes_through),
        cmocka_unit_test(test_memory_was_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
