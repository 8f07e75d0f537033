/* Submissions to one questionnaire as CSV. */
#include "intake/domain/csv_table.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/json.h"
#include "intake/db/store_lookup.h"
#include "intake/domain/answer_tree.h"
#include "intake/domain/questionnaire.h"
#include "intake/domain/questionnaire_set.h"

static const char byte_order_mark[] = "\xEF\xBB\xBF";

static const char *const fixed_names[] = {
    "booking_uid",   "submission_id",  "status",         "review_state",    "revision",
    "created_at",    "updated_at",     "processed_at",   "questionnaire",   "questionnaire_version",
    "attendee_name", "attendee_email", "attendee_phone", "consent_version",
};

struct csv_table {
    json_t *columns; /* linkId: its number */
    const char **names;
    struct strbuf *cells; /* of the row that is being made */
    size_t count;
};

/* Whether a definition's item is answered. */
static bool is_question(const json_t *item)
{
    const char *type = json_string_value(json_object_get(item, "type"));
    return !text_equal(type, "group") && !text_equal(type, "display");
}

static bool add_columns(json_t *columns, const json_t *items)
{
    size_t index;
    json_t *item;
    json_array_foreach(items, index, item)
    {
        const char *link_id = json_string_value(json_object_get(item, "linkId"));
        const json_int_t number = (json_int_t)json_object_size(columns);
        if (link_id != NULL && is_question(item) && json_object_get(columns, link_id) == NULL &&
            json_object_set_new(columns, link_id, json_integer(number)) != 0) {
            return false;
        }
        if (!add_columns(columns, json_object_get(item, "item"))) {
            return false;
        }
    }
    return true;
}

static bool fill(struct csv_table *table, const struct questionnaire_set *set, const char *id)
{
    table->columns = json_object();
    for (size_t i = 0; i < questionnaire_set_count(set); i++) {
        const struct questionnaire *questionnaire = questionnaire_set_at(set, i);
        if (text_equal(questionnaire_id(questionnaire), id) &&
            !add_columns(table->columns,
                         json_object_get(questionnaire_definition(questionnaire), "item"))) {
            return false;
        }
    }
    table->count = json_object_size(table->columns);
    table->names = calloc(table->count + 1, sizeof *table->names);
    table->cells = calloc(table->count + 1, sizeof *table->cells);
    if (table->columns == NULL || table->names == NULL || table->cells == NULL) {
        return false;
    }
    const char *link_id;
    json_t *number;
    json_object_foreach(table->columns, link_id, number)
    {
        table->names[json_integer_value(number)] = link_id;
    }
    return true;
}

struct csv_table *csv_table_create(const struct questionnaire_set *set, const char *id)
{
    struct csv_table *table = calloc(1, sizeof *table);
    if (table != NULL && !fill(table, set, id)) {
        csv_table_destroy(table);
        return NULL;
    }
    return table;
}

void csv_table_destroy(struct csv_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; table->cells != NULL && i < table->count; i++) {
        strbuf_finish(&table->cells[i]);
    }
    free(table->cells);
    free(table->names);
    json_decref(table->columns);
    free(table);
}

/* The full-width forms of = + - @ and their kin, which some spreadsheets take for the same. */
static bool begins_like_formula(struct view text)
{
    static const char *const starts[] = {
        "=",
        "+",
        "-",
        "@",
        "\t",
        "\r",
        "\xEF\xBC\x9D",
        "\xEF\xBC\x8B",
        "\xEF\xBC\x8D",
        "\xEF\xBC\xA0",
        "\xE2\x88\x92", /* MINUS SIGN */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(starts); i++) {
        const size_t len = strlen(starts[i]);
        if (text.len >= len && memcmp(text.data, starts[i], len) == 0) {
            return true;
        }
    }
    return false;
}

/* Digits with a sign and points, so a phone in E.164 too: nothing that a spreadsheet could run. */
static bool is_number(const char *text, size_t len)
{
    const size_t sign = len > 0 && (*text == '-' || *text == '+');
    return len > sign && len - sign <= 40 && text[sign] >= '0' && text[sign] <= '9' &&
           strspn(text + sign, "0123456789.") >= len - sign;
}

/* Apostrophes in front do not count: where one more is put before them, none is ambiguous. */
static bool is_formula(const char *text, size_t len)
{
    while (len > 0 && *text == '\'') {
        text++;
        len--;
    }
    const bool blank_first = len > 0 && (*text == '\t' || *text == '\r' || *text == '\n');
    return !is_number(text, len) && (blank_first || begins_like_formula(text_trim(text, len)));
}

void csv_print_cell(const char *text, size_t len, struct strbuf *out)
{
    const bool formula = is_formula(text, len);
    bool quoted = formula;
    for (size_t i = 0; i < len && !quoted; i++) {
        quoted = strchr(",;\"\r\n\t", text[i]) != NULL;
    }
    if (!quoted) {
        strbuf_append(out, text, len);
        return;
    }
    strbuf_puts(out, formula ? "\"'" : "\"");
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"') {
            strbuf_putc(out, '"');
        }
        strbuf_putc(out, text[i]);
    }
    strbuf_putc(out, '"');
}

void csv_table_print_head(const struct csv_table *table, struct strbuf *out)
{
    strbuf_puts(out, byte_order_mark);
    for (size_t i = 0; i < ARRAY_LENGTH(fixed_names); i++) {
        strbuf_puts(out, i > 0 ? "," : "");
        strbuf_puts(out, fixed_names[i]);
    }
    for (size_t i = 0; i < table->count; i++) {
        strbuf_putc(out, ',');
        csv_print_cell(table->names[i], strlen(table->names[i]), out);
    }
    strbuf_puts(out, "\r\n");
}

/* What the walk through a body carries along. */
struct walk {
    struct csv_table *table;
    const struct json_lexemes *lexemes;
};

static void take_member(const struct walk *walk, const char *name, const json_t *value);

static void take_members(const struct walk *walk, const json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach(json_readable(object), name, value)
    {
        take_member(walk, name, value);
    }
}

/* An answer as people read it: of objects, what says most. */
static void put_value(const struct walk *walk, const json_t *value, struct strbuf *cell)
{
    static const char *const telling[] = {"text", "display", "code", "title", "url", "reference"};
    const json_t *number = json_object_get(value, "value");
    if (cell->len > 0) {
        strbuf_puts(cell, "; ");
    }
    if (json_is_string(value)) {
        strbuf_append(cell, json_string_value(value), json_string_length(value));
        return;
    }
    if (json_is_number(number)) { /* a quantity */
        const char *unit = json_string_value(json_object_get(value, "unit"));
        const char *code = json_string_value(json_object_get(value, "code"));
        json_print(number, walk->lexemes, cell);
        strbuf_puts(cell, unit != NULL || code != NULL ? " " : "");
        strbuf_puts(cell, unit != NULL ? unit : code != NULL ? code : "");
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(telling); i++) {
        const json_t *member = json_object_get(value, telling[i]);
        if (json_is_string(member)) {
            strbuf_append(cell, json_string_value(member), json_string_length(member));
            return;
        }
    }
    json_print(value, walk->lexemes, cell);
}

/* One element of an answer, which may be an object with the answer and what stands below it. */
static void take_answer(const struct walk *walk, const json_t *value, struct strbuf *cell)
{
    const json_t *answer = json_object_get(value, "answer");
    if (answer == NULL) {
        put_value(walk, value, cell);
        return;
    }
    put_value(walk, answer, cell);
    take_members(walk, value);
}

static void take_member(const struct walk *walk, const char *name, const json_t *value)
{
    const json_t *number = json_object_get(walk->table->columns, name);
    struct strbuf *cell = number != NULL ? &walk->table->cells[json_integer_value(number)] : NULL;
    size_t index;
    json_t *element;
    if (json_is_unanswered(value)) {
        return;
    }
    if (!json_is_array(value)) {
        if (cell != NULL) {
            take_answer(walk, value, cell);
        } else if (json_is_object(value)) {
            take_members(walk, value); /* a group */
        }
        return;
    }
    json_array_foreach(value, index, element)
    {
        if (cell != NULL) {
            take_answer(walk, element, cell);
        } else {
            take_members(walk, element);
        }
    }
}

static void put_view(struct view text, struct strbuf *out)
{
    csv_print_cell(text.data != NULL ? text.data : "", text.len, out);
    strbuf_putc(out, ',');
}

static void put_time(int64_t time_us, struct strbuf *out)
{
    char text[RFC3339_SIZE] = "";
    if (time_us != 0) {
        clock_rfc3339(time_us, text);
    }
    strbuf_printf(out, "%s,", text);
}

static void put_review_state(struct view review, struct strbuf *out)
{
    json_auto_t *parsed = NULL;
    const char *state = NULL;
    const enum status status = json_parse(review.data, review.len, &parsed, NULL);
    if (status == STATUS_OK) {
        state = json_string_value(json_object_get(parsed, "state"));
    }
    out->failed = out->failed || status == STATUS_NO_MEMORY;
    strbuf_printf(out, "%s,", state != NULL ? state : "");
}

/* The columns of fixed_names, each with its comma but the last. */
static void put_fixed(const struct submission_record *record, const json_t *body,
                      struct strbuf *out)
{
    static const char *const posted[] = {"attendee_name", "attendee_email", "attendee_phone",
                                         "consent_version"};
    put_view(record->booking_uid, out);
    strbuf_printf(out, "%s,", record->id);
    put_view(record->status, out);
    put_review_state(record->review, out);
    strbuf_printf(out, "%d,", (int)record->revision);
    put_time(record->created_at_us, out);
    put_time(record->updated_at_us, out);
    put_time(record->processed_at_us, out);
    put_view(record->questionnaire_id, out);
    put_view(record->questionnaire_version, out);
    for (size_t i = 0; i < ARRAY_LENGTH(posted); i++) {
        const json_t *value = json_object_get(body, posted[i]);
        const char *text = json_is_string(value) ? json_string_value(value) : "";
        strbuf_puts(out, i > 0 ? "," : "");
        csv_print_cell(text, strlen(text), out);
    }
}

enum status csv_table_print_row(struct csv_table *table, const struct submission_record *record,
                                struct strbuf *out, struct err *err)
{
    json_auto_t *body = NULL;
    AUTO(json_lexemes_finish) struct json_lexemes lexemes = {0};
    enum status status = json_parse(record->data.data, record->data.len, &body, err);
    if (status == STATUS_OK) {
        status = json_lexemes_read(record->data.data, record->data.len, body, &lexemes, err);
    }
    if (status == STATUS_NO_MEMORY) {
        return status;
    }
    const struct walk walk = {table, &lexemes};
    for (size_t i = 0; i < table->count; i++) {
        strbuf_clear(&table->cells[i]);
    }
    take_members(&walk, body);
    put_fixed(record, body, out);
    for (size_t i = 0; i < table->count; i++) {
        const struct strbuf *cell = &table->cells[i];
        strbuf_putc(out, ',');
        csv_print_cell(cell->len > 0 ? cell->data : "", cell->len, out);
        out->failed = out->failed || cell->failed;
    }
    strbuf_puts(out, "\r\n");
    return out->failed ? err_no_memory(err) : STATUS_OK;
}
