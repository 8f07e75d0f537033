/*
 * Every allocation in turn fails, once and for good, while a batch is processed and while a person
 * asks for what is held: nothing is committed but what is committed otherwise, no transaction stays
 * open, and nothing leaks. The database is the test's.
 */
#include "cmocka_all.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <string.h>
#include <uuid/uuid.h>

#include "allocations.h"
#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/db/audit.h"
#include "intake/db/connection.h"
#include "intake/domain/patient_rights.h"
#include "intake/domain/processing.h"
#include "intake/domain/questionnaire_set.h"

static size_t wrong;

#define EXHAUST(subject, run) (wrong += allocations_exhaust((subject), #run, (run)))

/* --- the database ----------------------------------------------------------------------------- */

/* What a statement answers; each test has its own. Copied, since whoever asked frees it. */
struct answer {
    const char *statement;
    PGresult *rows;
};

enum { ANSWERS_MAX = 8 };
static struct answer answers[ANSWERS_MAX];
static size_t answers_count;

/* The first run of this statement fails so. */
static const char *refused_statement;
static enum status refused_status;
static const char *sqlstate = "";

static bool refused;
static bool in_transaction;
static bool committed;
static uint64_t written; /* a hash of all that was sent since database_begin() */

static void database_begin(void)
{
    refused = false;
    in_transaction = false;
    committed = false;
    written = 14695981039346656037U;
}

/* What was sent, and whether half of something stays. */
static enum status database_end(enum status status, struct strbuf *out)
{
    if (in_transaction || (status == STATUS_NO_MEMORY && committed)) {
        print_error("a transaction %s, and then: %s\n", committed ? "was committed" : "stays open",
                    status_name(status));
        wrong++;
    }
    strbuf_printf(out, " sent %zx", (size_t)written);
    return status;
}

static void note(const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        written = (written ^ ((const unsigned char *)bytes)[i]) * 1099511628211U;
    }
}

static const PGresult *answer_of(const char *statement)
{
    for (size_t i = 0; i < answers_count; i++) {
        if (strcmp(answers[i].statement, statement) == 0) {
            return answers[i].rows;
        }
    }
    return NULL;
}

// NOLINTBEGIN(bugprone-reserved-identifier)
enum status __wrap_connection_execute(struct connection *connection, const char *statement,
                                      const struct parameters *parameters, bool binary,
                                      int64_t deadline_us, PGresult **ret_result, struct err *err);
enum status __wrap_connection_run(struct connection *connection, const char *sql,
                                  int64_t deadline_us, PGresult **ret_result, struct err *err);
bool __wrap_connection_is_open(const struct connection *connection);
const char *__wrap_connection_sqlstate(const struct connection *connection);
char *__wrap_PQcmdTuples(PGresult *result);
int64_t __wrap_clock_wall_us(void);

enum status __wrap_connection_execute(struct connection *connection, const char *statement,
                                      const struct parameters *parameters, bool binary,
                                      int64_t deadline_us, PGresult **ret_result, struct err *err)
{
    (void)connection;
    (void)binary;
    (void)deadline_us;
    note(statement, strlen(statement));
    for (int i = 0; i < parameters->count; i++) {
        const char *value = parameters->values[i];
        const bool is_binary = parameters->formats != NULL && parameters->formats[i] == 1;
        if (value != NULL) {
            note(value, is_binary ? (size_t)parameters->lengths[i] : strlen(value));
        }
    }
    if (!refused && refused_statement != NULL && strcmp(statement, refused_statement) == 0) {
        refused = true;
        return err_set(err, refused_status, "refused");
    }
    const PGresult *rows = answer_of(statement);
    *ret_result = rows != NULL ? PQcopyResult(rows, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES)
                               : PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    assert_non_null(*ret_result);
    return STATUS_OK;
}

enum status __wrap_connection_run(struct connection *connection, const char *sql,
                                  int64_t deadline_us, PGresult **ret_result, struct err *err)
{
    (void)connection;
    (void)deadline_us;
    (void)err;
    note(sql, strlen(sql));
    in_transaction = strncmp(sql, "BEGIN", 5) == 0;
    committed |= strcmp(sql, "COMMIT") == 0;
    *ret_result = PQmakeEmptyPGresult(NULL, PGRES_COMMAND_OK);
    assert_non_null(*ret_result);
    return STATUS_OK;
}

bool __wrap_connection_is_open(const struct connection *connection)
{
    (void)connection;
    return true;
}

const char *__wrap_connection_sqlstate(const struct connection *connection)
{
    (void)connection;
    return sqlstate;
}

char *__wrap_PQcmdTuples(PGresult *result)
{
    (void)result;
    static char rows[] = "2";
    return rows;
}

int64_t __wrap_clock_wall_us(void)
{
    return 1000000;
}
// NOLINTEND(bugprone-reserved-identifier)

/* --- rows ------------------------------------------------------------------------------------- */

static PGresult *make_rows(const char *statement, int columns_count)
{
    static char name[] = "column";
    PGresAttDesc columns[10] = {0};
    assert_true((size_t)columns_count <= ARRAY_LENGTH(columns) && answers_count < ANSWERS_MAX);
    for (int i = 0; i < columns_count; i++) {
        columns[i].name = name;
        columns[i].format = 1;
    }
    PGresult *rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    assert_non_null(rows);
    assert_int_equal(PQsetResultAttrs(rows, columns_count, columns), 1);
    answers[answers_count++] = (struct answer){statement, rows};
    return rows;
}

static void put(PGresult *rows, int row, int column, const void *value, size_t len)
{
    char bytes[1024];
    assert_true(len <= sizeof bytes);
    memcpy(bytes, value, len);
    assert_int_equal(PQsetvalue(rows, row, column, bytes, (int)len), 1);
}

static void put_text(PGresult *rows, int row, int column, const char *text)
{
    put(rows, row, column, text, strlen(text));
}

static void put_null(PGresult *rows, int row, int column)
{
    assert_int_equal(PQsetvalue(rows, row, column, NULL, -1), 1);
}

static void put_json(PGresult *rows, int row, int column, const char *text)
{
    char jsonb[512] = "\1";
    assert_true(strlen(text) + 2 <= sizeof jsonb);
    memcpy(jsonb + 1, text, strlen(text));
    put_text(rows, row, column, jsonb);
}

static void put_uuid(PGresult *rows, int row, int column, int number)
{
    uuid_t uuid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, (unsigned char)number};
    put(rows, row, column, uuid, sizeof uuid);
}

static void put_int4(PGresult *rows, int row, int column, int value)
{
    const uint32_t network = htonl((uint32_t)value);
    put(rows, row, column, &network, sizeof network);
}

static void put_int8(PGresult *rows, int row, int column, int value)
{
    const uint32_t network[2] = {0, htonl((uint32_t)value)};
    put(rows, row, column, network, sizeof network);
}

static void forget_rows(void)
{
    while (answers_count > 0) {
        PQclear(answers[--answers_count].rows);
    }
    refused_statement = NULL;
    sqlstate = "";
}

/* --- processing ------------------------------------------------------------------------------- */

enum { CLAIMED = 3 };

/* Two of one patient, whose background contradicts them, and one that breaks a rule. */
static void make_claim(void)
{
    static const char *const data[CLAIMED] = {
        "{\"booking_uid\":\"b0\",\"attendee_name\":\"Jo\",\"attendee_email\":\"a@b.co\","
        "\"allergies\":\"none\",\"age_range\":\"36-45\"}",
        "{\"booking_uid\":\"b1\",\"attendee_name\":\"Jo\",\"attendee_email\":\"a@b.co\","
        "\"allergies\":\"none\",\"hair_loss_pattern\":[\"crown\"]}",
        "{\"booking_uid\":\"b2\",\"attendee_name\":\"Jo\",\"attendee_email\":\"a@b.co\","
        "\"allergies\":1}",
    };
    static const char *const bookings[CLAIMED] = {"b0", "b1", "b2"};
    PGresult *claim = make_rows("processing_claim", 10);
    PGresult *lock = make_rows("processing_lock", 2);
    for (int row = 0; row < CLAIMED; row++) {
        put_uuid(claim, row, 0, row);
        put_text(claim, row, 1, bookings[row]);
        put_int4(claim, row, 2, 1);
        put_int4(claim, row, 3, 1);
        put_uuid(claim, row, 4, row == 2 ? 200 : 100);
        put_text(claim, row, 5, "hair-transplant");
        put_null(claim, row, 6);
        put_json(claim, row, 7, data[row]);
        put_json(claim, row, 8, "[]");
        put_int8(claim, row, 9, 1000000);
        put_int8(lock, row, 0, row);
        put(lock, row, 1, "\1", 1);
    }
    PGresult *backgrounds = make_rows("processing_backgrounds", 4);
    put_uuid(backgrounds, 0, 0, 100);
    put(backgrounds, 0, 1, "\0", 1);
    put_json(backgrounds, 0, 2, "{\"allergies\":\"yes\",\"family_history\":[\"father\"]}");
    put_json(backgrounds, 0, 3, "{\"b1\":{\"family_history\":[\"father\"]}}");
}

static const struct processing_options options = {.batch_max = 10, .attempts_max = 5};

static enum status process_batch(const struct subject *subject, struct strbuf *out)
{
    struct processing_memory memory = {0};
    struct processing_counts counts = {0};
    struct err err = {0};
    database_begin();
    const enum status status =
        processing_run(NULL, subject->set, &options, false, &memory, &counts, &err);
    if (status == STATUS_OK) {
        strbuf_printf(out, "%zu claimed, %zu processed, %zu failed, %zu again", counts.claimed,
                      counts.processed, counts.failed, counts.retried);
    }
    processing_memory_finish(&memory);
    return database_end(status, out);
}

/* All attempts are owed, or, where there is no memory to note them, none. */
static enum status owe_batch(const struct subject *subject, struct strbuf *out)
{
    (void)out;
    struct processing_memory memory = {0};
    struct processing_counts counts = {0};
    struct err err = {0};
    database_begin();
    enum status status =
        processing_run(NULL, subject->set, &options, false, &memory, &counts, &err);
    const size_t owed = memory.owed_count;
    if ((owed != 0 && owed != CLAIMED) || (status == STATUS_OK)) {
        print_error("%zu are owed: %s\n", owed, status_name(status));
        wrong++;
    }
    if (owed == CLAIMED) { /* paid first; the disk is full again */
        refused = false;
        status = processing_run(NULL, subject->set, &options, false, &memory, &counts, &err);
    }
    processing_memory_finish(&memory);
    return status;
}

static void test_a_batch(void **state)
{
    (void)state;
    AUTO(strbuf_finish) struct strbuf path = {0};
    AUTO(strbuf_finish) struct strbuf done = {0};
    struct questionnaire_set *set = NULL;
    allocations_path(&path, "config/questionnaires");
    assert_int_equal(questionnaire_set_load(path.data, "hair-transplant", &set, NULL), STATUS_OK);
    struct subject subject = {.name = "a batch", .set = set};
    make_claim();
    assert_int_equal(process_batch(&subject, &done), STATUS_OK);
    assert_non_null(strstr(done.data, "3 claimed, 2 processed, 1 failed, 0 again"));
    EXHAUST(&subject, process_batch);

    subject.name = "a batch that is put off";
    refused_statement = "processing_write_backgrounds";
    refused_status = STATUS_INTERNAL;
    strbuf_clear(&done);
    assert_int_equal(process_batch(&subject, &done), STATUS_OK);
    assert_non_null(strstr(done.data, "3 claimed, 0 processed, 1 failed, 2 again"));
    EXHAUST(&subject, process_batch);

    subject.name = "a batch that meets a full disk";
    refused_status = STATUS_UNAVAILABLE;
    sqlstate = "53100";
    assert_int_equal(owe_batch(&subject, &done), STATUS_UNAVAILABLE);
    EXHAUST(&subject, owe_batch);
    forget_rows();
    questionnaire_set_destroy(set);
    assert_int_equal(wrong, 0);
}

/* --- a person's rights ------------------------------------------------------------------------ */

static const struct audit_actor actor = {.name = "A member of staff", .request_id = "r"};

static enum status conclude_rights(enum status status, const struct strbuf *several,
                                   struct strbuf *out)
{
    if (status == STATUS_CONFLICT) {
        strbuf_append(out, several->data, several->len);
    }
    return database_end(status, out);
}

/* As the command does it, which takes what it is given for whole. */
static enum status export_person(const struct subject *subject, struct strbuf *out)
{
    AUTO(strbuf_finish) struct strbuf archive = {0};
    AUTO(strbuf_finish) struct strbuf several = {0};
    struct err err = {0};
    database_begin();
    const enum status status =
        patient_rights_export(NULL, &actor, subject->name, &archive, &several, &err);
    if (status == STATUS_OK) {
        strbuf_append(out, archive.data, archive.len);
    }
    return conclude_rights(status, &several, out);
}

static enum status erase_person(const struct subject *subject, struct strbuf *out)
{
    AUTO(strbuf_finish) struct strbuf several = {0};
    struct erasure_report report = {0};
    struct err err = {0};
    database_begin();
    const enum status status =
        patient_rights_erase(NULL, &actor, subject->name, false, &report, &several, &err);
    strbuf_printf(out, "%zu %zu", report.erased_count, report.kept_count);
    return conclude_rights(status, &several, out);
}

static void make_persons(int count)
{
    static const char *const kept[] = {"kept_messages", "kept_conversations", "kept_audit_log"};
    PGresult *found = make_rows("patient_find", 3);
    for (int row = 0; row < count; row++) {
        put_text(found, row, 0, "01890a5d-ac96-774b-bcce-b302099a8057");
        put_text(found, row, 1, "01890a5d-ac96-774b-bcce-b302099a8058");
        put_text(found, row, 2, "{b1,b2,b3}");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(kept); i++) {
        put_text(make_rows(kept[i], 1), 0, 0, "3");
    }
    PGresult *revisions = make_rows("export_submission_revisions", 1);
    for (int row = 0; row < 20; row++) {
        put_text(revisions, row, 0, "{\"revision\":1,\"data\":{\"allergies\":\"none\"}}");
    }
}

static void test_rights(void **state)
{
    (void)state;
    static const enum status found[] = {STATUS_NOT_FOUND, STATUS_OK, STATUS_CONFLICT};
    static const int persons[] = {0, 1, 20};
    const struct subject subject = {.name = "somebody"};
    for (size_t i = 0; i < ARRAY_LENGTH(persons); i++) {
        AUTO(strbuf_finish) struct strbuf done = {0};
        make_persons(persons[i]);
        assert_int_equal(export_person(&subject, &done), found[i]);
        assert_int_equal(erase_person(&subject, &done), found[i]);
        EXHAUST(&subject, export_person);
        EXHAUST(&subject, erase_person);
        forget_rows();
    }
    assert_int_equal(wrong, 0);
}

/* Last: what comes before it says nothing when none was. */
static void test_memory_was_out(void **state)
{
    (void)state;
    allocations_assert_refused(1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_batch),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_memory_was_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
