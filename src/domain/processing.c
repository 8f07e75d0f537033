/* Processing a batch of claimed submissions. */
#include "intake/domain/processing.h"

#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/json.h"
#include "intake/core/text.h"
#include "intake/db/store_processing.h"
#include "intake/domain/background.h"
#include "processing_item.h"
#include "processing_mark.h"
#include "processing_memory.h"

/* How often the second transaction is tried again at once, when it met another writer. */
enum { CONFLICTS_MAX = 5 };

/* One patient of the batch. */
struct patient {
    const char *profile_id;
    struct background background;
    bool background_stored;
    bool background_deleted;
    bool touched;
    int age;
    char *texts[3]; /* of the background's changes, as JSON */
};

struct batch {
    const struct processing_options *options;
    PGresult *claim; /* owns the texts of the items */
    struct processing_item *items;
    size_t count;
    bool *ours;               /* still as they were claimed */
    struct patient *patients; /* sorted by profile_id */
    size_t patients_count;
    bool disk_full; /* what kept it from being written, last */
    bool row_held;
};

static int compare_items(const void *a, const void *b)
{
    const struct processing_item *left = a;
    const struct processing_item *right = b;
    return strcmp(left->claimed.id, right->claimed.id); /* UUIDv7: by time */
}

static int compare_patients(const void *a, const void *b)
{
    const struct patient *left = a;
    const struct patient *right = b;
    return strcmp(left->profile_id, right->profile_id);
}

long processing_backoff_ms(const struct processing_options *options, int attempts)
{
    long wait = options->backoff_ms;
    for (int i = 1; i < attempts && wait < options->backoff_max_ms; i++) {
        wait *= 2;
    }
    if (wait > options->backoff_max_ms) {
        wait = options->backoff_max_ms;
    }
    return wait / 2 + (long)randombytes_uniform((uint32_t)(wait / 2) + 1);
}

static void forget_patients(struct batch *batch)
{
    for (size_t i = 0; i < batch->patients_count; i++) {
        background_finish(&batch->patients[i].background);
        for (size_t k = 0; k < ARRAY_LENGTH(batch->patients[i].texts); k++) {
            free(batch->patients[i].texts[k]);
        }
    }
    batch->patients_count = 0;
}

static void finish_batch(struct batch *batch)
{
    forget_patients(batch);
    free(batch->patients);
    for (size_t i = 0; batch->items != NULL && i < batch->count; i++) {
        processing_item_finish(&batch->items[i]);
    }
    free(batch->items);
    free(batch->ours);
    PQclear(batch->claim);
}

static enum status read_claim(struct batch *batch, const struct questionnaire_set *questionnaires,
                              struct err *err)
{
    batch->items = calloc(batch->count, sizeof *batch->items);
    batch->ours = calloc(batch->count, sizeof *batch->ours);
    batch->patients = calloc(batch->count, sizeof *batch->patients);
    if (batch->items == NULL || batch->ours == NULL || batch->patients == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < batch->count; i++) {
        processing_claimed(batch->claim, (int)i, &batch->items[i].claimed);
    }
    qsort(batch->items, batch->count, sizeof *batch->items, compare_items);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < batch->count && status == STATUS_OK; i++) {
        status = processing_item_prepare(&batch->items[i], questionnaires, batch->options, err);
    }
    return status;
}

static enum status lock_items(struct connection *connection, struct batch *batch, struct err *err)
{
    AUTO_FREE const struct claimed_submission **claimed =
        calloc(batch->count, sizeof(struct claimed_submission *));
    if (claimed == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < batch->count; i++) {
        claimed[i] = &batch->items[i].claimed;
    }
    return processing_lock(connection, claimed, batch->count, batch->ours, err);
}

static bool is_merged(const struct batch *batch, size_t i)
{
    return batch->ours[i] && batch->items[i].verdict == VERDICT_PROCESSED;
}

/* Lists the patients whose backgrounds this batch touches, each once. */
static void list_patients(struct batch *batch)
{
    forget_patients(batch);
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (is_merged(batch, i)) {
            batch->patients[count++] =
                (struct patient){.profile_id = batch->items[i].claimed.profile_id, .age = -1};
        }
    }
    qsort(batch->patients, count, sizeof *batch->patients, compare_patients);
    size_t distinct = 0;
    for (size_t i = 0; i < count; i++) {
        if (distinct == 0 ||
            compare_patients(&batch->patients[distinct - 1], &batch->patients[i]) != 0) {
            batch->patients[distinct++] = batch->patients[i];
        }
    }
    batch->patients_count = distinct;
}

static struct patient *find_patient(struct batch *batch, const char *profile_id)
{
    const struct patient key = {.profile_id = profile_id};
    return bsearch(&key, batch->patients, batch->patients_count, sizeof key, compare_patients);
}

/*
 * An object from the database; NULL where it is not one (another program's doing). Without memory
 * it is not known what is stored, and taking it for nothing would hide contradictions.
 */
static enum status read_object(struct view text, json_t **ret_object, struct err *err)
{
    json_auto_t *value = NULL;
    if (text.data != NULL && json_parse(text.data, text.len, &value, NULL) == STATUS_NO_MEMORY) {
        return err_no_memory(err);
    }
    *ret_object = json_is_object(value) ? TAKE(value) : NULL;
    return STATUS_OK;
}

static enum status read_background(const struct background_row *stored,
                                   struct background *ret_background, struct err *err)
{
    json_auto_t *data = NULL;
    json_auto_t *sources = NULL;
    enum status status = read_object(stored->medical_data, &data, err);
    if (status == STATUS_OK) {
        status = read_object(stored->answer_sources, &sources, err);
    }
    return status == STATUS_OK ? background_init(ret_background, TAKE(data), TAKE(sources), err)
                               : status;
}

static enum status read_backgrounds(struct connection *connection, struct batch *batch,
                                    struct err *err)
{
    AUTO_FREE const char **ids = calloc(batch->patients_count, sizeof(char *));
    if (ids == NULL) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < batch->patients_count; i++) {
        ids[i] = batch->patients[i].profile_id;
    }
    AUTO_RESULT PGresult *result = NULL;
    enum status status =
        processing_backgrounds(connection, ids, batch->patients_count, &result, err);
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        struct background_row stored;
        processing_background(result, row, &stored);
        struct patient *patient = find_patient(batch, stored.profile_id);
        patient->background_stored = true;
        patient->background_deleted = stored.deleted;
        if (stored.deleted) { /* nothing of it is shown, not even where it contradicts */
            continue;
        }
        status = read_background(&stored, &patient->background, err);
    }
    for (size_t i = 0; status == STATUS_OK && i < batch->patients_count; i++) {
        if (batch->patients[i].background.data == NULL) {
            status = background_init(&batch->patients[i].background, NULL, NULL, err);
        }
    }
    return status;
}

static int append(const char *piece, size_t len, void *text)
{
    strbuf_append(text, piece, len);
    return 0;
}

/*
 * NULL when memory is out; json_dumps() leaves out what of a key found none. Fifteen digits are
 * what a double keeps of any decimal; the submission itself keeps them all.
 */
static char *print_json(const json_t *value)
{
    struct strbuf text = {0};
    if (json_dump_callback(value, append, &text, JSON_COMPACT | JSON_REAL_PRECISION(15)) != 0) {
        text.failed = true;
    }
    return strbuf_take(&text);
}

static enum status merge_items(struct batch *batch, struct err *err)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct processing_item *item = &batch->items[i];
        enum status status = processing_item_reset(item, err);
        if (status == STATUS_OK && is_merged(batch, i)) {
            struct patient *patient = find_patient(batch, item->claimed.profile_id);
            patient->touched = true;
            if (patient->age < 0) {
                patient->age = item->age;
            }
            status = background_merge(&patient->background, item->claimed.booking_uid.data,
                                      item->answers, item->contradictions, err);
        }
        if (status != STATUS_OK) {
            return status;
        }
        free(item->contradictions_text);
        item->contradictions_text = print_json(item->contradictions);
        if (item->contradictions_text == NULL) {
            return err_no_memory(err);
        }
    }
    return STATUS_OK;
}

/* The keys of an object as a JSON array. */
static char *print_keys(const json_t *object)
{
    json_auto_t *keys = json_array();
    const char *key;
    json_t *value;
    json_object_foreach(json_readable(object), key, value)
    {
        if (json_array_append_new(keys, json_string(key)) != 0) {
            return NULL;
        }
    }
    return print_json(keys);
}

/*
 * The booking that wrote all that is set, and alone; NULL otherwise. It is nearly always so, and
 * spares printing and parsing the same answers twice.
 */
static const char *only_source(const struct background *background)
{
    void *source = json_object_iter(background->set_sources);
    const bool only = json_object_size(background->set_sources) == 1 &&
                      json_equal(json_object_iter_value(source), background->set);
    return only ? json_object_iter_key(source) : NULL;
}

static enum status write_backgrounds(struct connection *connection, struct batch *batch,
                                     struct err *err)
{
    AUTO_FREE struct background_write *writes = calloc(batch->patients_count + 1, sizeof *writes);
    if (writes == NULL) {
        return err_no_memory(err);
    }
    size_t count = 0;
    for (size_t i = 0; i < batch->patients_count; i++) {
        struct patient *patient = &batch->patients[i];
        if (!patient->touched || patient->background_deleted) {
            continue;
        }
        patient->texts[0] = print_json(patient->background.set);
        const char *source = only_source(&patient->background);
        patient->texts[1] = source == NULL ? print_json(patient->background.set_sources) : NULL;
        patient->texts[2] = print_keys(patient->background.removed);
        if (patient->texts[0] == NULL || (source == NULL && patient->texts[1] == NULL) ||
            patient->texts[2] == NULL) {
            return err_no_memory(err);
        }
        writes[count++] = (struct background_write){
            .profile_id = patient->profile_id,
            .answers = patient->texts[0],
            .sources = patient->texts[1],
            .booking_uid = source,
            .removed = patient->texts[2],
            .age = patient->age,
            .stored = patient->background_stored,
        };
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): AUTO_FREE frees it */
    return count > 0 ? processing_write_backgrounds(connection, writes, count, err) : STATUS_OK;
}

/* Those that are still as they were claimed. */
static enum status mark_items(struct connection *connection, struct batch *batch,
                              struct processing_counts *counts, struct err *err)
{
    AUTO_FREE const struct processing_item **items =
        calloc(batch->count, sizeof(struct processing_item *));
    if (items == NULL) {
        return err_no_memory(err);
    }
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->ours[i]) {
            items[count++] = &batch->items[i];
        }
    }
    *counts = (struct processing_counts){.claimed = batch->count};
    return processing_mark_items(connection, items, count, counts, err);
}

static enum status write_locked(struct connection *connection, struct batch *batch,
                                struct processing_counts *counts, struct err *err)
{
    enum status status = lock_items(connection, batch, err);
    if (status == STATUS_OK) {
        list_patients(batch);
        status = batch->patients_count > 0 ? read_backgrounds(connection, batch, err) : STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = merge_items(batch, err);
    }
    if (status == STATUS_OK) {
        status = write_backgrounds(connection, batch, err);
    }
    return status == STATUS_OK ? mark_items(connection, batch, counts, err) : status;
}

/* The second transaction; tried again when it met another writer. */
static enum status write_batch(struct connection *connection, struct batch *batch,
                               struct processing_counts *counts, struct err *err)
{
    enum status status = STATUS_RETRY;
    for (int i = 0; i < CONFLICTS_MAX && status == STATUS_RETRY; i++) {
        status = processing_begin(connection, err);
        if (status == STATUS_OK) {
            status = write_locked(connection, batch, counts, err);
        }
        if (status == STATUS_OK) {
            status = processing_commit(connection, err);
        }
        if (status != STATUS_OK) {
            batch->disk_full = processing_disk_is_full(connection);
            batch->row_held = processing_row_is_held(connection);
            processing_rollback(connection);
        }
    }
    return status;
}

/*
 * The database refused to write the batch. Several are put off and come back a few at a time,
 * then one by one; one alone is at fault itself, and is tried again later until its attempts are
 * used up. But where another program holds the patient's row, it may take as long as that does.
 */
static void put_off(struct batch *batch, const struct err *err)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct processing_item *item = &batch->items[i];
        const int attempts = item->claimed.attempts;
        const bool last =
            batch->count == 1 && !batch->row_held && attempts >= batch->options->attempts_max;
        if (item->verdict == VERDICT_FAILED) {
            continue;
        }
        item->verdict = last ? VERDICT_FAILED : VERDICT_RETRY;
        item->retry_after_ms = batch->count > 1  ? 0
                               : batch->row_held ? batch->options->lease_ms
                                                 : processing_backoff_ms(batch->options, attempts);
        snprintf(item->reason, sizeof item->reason, "the result could not be written: %.400s",
                 err->message);
    }
}

enum status processing_run(struct connection *connection,
                           const struct questionnaire_set *questionnaires,
                           const struct processing_options *options, bool again,
                           struct processing_memory *memory, struct processing_counts *ret_counts,
                           struct err *err)
{
    AUTO(finish_batch) struct batch batch = {.options = options};
    enum status status = processing_pay(connection, memory, err);
    if (status == STATUS_OK) {
        status = processing_look(connection, options, again, memory, &batch.claim, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    batch.count = batch.claim != NULL ? (size_t)PQntuples(batch.claim) : 0;
    *ret_counts = (struct processing_counts){0};
    if (batch.count == 0) {
        return STATUS_OK;
    }
    status = read_claim(&batch, questionnaires, err);
    if (status != STATUS_OK) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): finish_batch() frees it */
        return status;
    }
    processing_remember_due(memory, again, batch.items, batch.count);
    status = write_batch(connection, &batch, ret_counts, err);
    /* Its first attempts are not taken back: it would come again among neighbours. */
    const bool was_held = status != STATUS_OK && batch.row_held && batch.count == 1 &&
                          batch.items[0].claimed.attempts > processing_alone_from(options);
    if (status == STATUS_INVALID || status == STATUS_INTERNAL || status == STATUS_RETRY) {
        put_off(&batch, err);
        status = write_batch(connection, &batch, ret_counts, err);
    }
    if (was_held || (status != STATUS_OK && batch.disk_full)) {
        processing_owe(memory, batch.items, batch.count);
    }
    return status;
}
