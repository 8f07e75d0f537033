/*
 * Finding submissions by what staff ask for.
 *
 * Three ways, each with its bound, are tried from the cheapest on:
 * - a stretch: the newest submissions, looked through in the order of idx_submissions_created;
 * - candidates: all that an index knows for a name, e-mail, phone, booking or flag, where these
 *   are few enough to be sorted;
 * - groups: idx_submissions_list has the submissions of each questionnaire, review state and
 *   status in order; the heads of the groups that the filter leaves are merged.
 * The plans are the same for every parameter (connection_batch_setup), so that no statistics and
 * no odd value makes one of them slow.
 */
#include "intake/db/store_find.h"

#include <stdio.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/db/connection.h"
#include "intake/db/result.h"
#include "intake/db/store_lookup.h"

enum {
    PROBE_ROWS = 1000,     /* looked through at first */
    PROBE_HITS = 8,        /* so many of them are a sign that there are too many candidates */
    CANDIDATES_MAX = 2000, /* sorted */
    STRETCH_ROWS = 3000,   /* looked through where there are more candidates */
    GROUP_ROWS = 300,      /* the same, of each group */
};

/* As migration 014 has them in its indexes. */
#define NAME_SQL(name)   "(' ' || translate(lower(" name "), E'\\u0131\\u0307', 'i'))"
#define POSTED_NAME_SQL  NAME_SQL("s.submission_data ->> 'attendee_name'")
#define POSTED_EMAIL_SQL "lower(s.submission_data ->> 'attendee_email')"
#define POSTED_PHONE_SQL                                                                           \
    "ltrim(regexp_replace(s.submission_data ->> 'attendee_phone', '[^0-9]', '', 'g'), '0')"
#define POSTED_DIFFERS_SQL "(s.contradictions <> '[]' OR s.patient_profile_id IS NULL)"
#define QUESTIONNAIRE_SQL  "coalesce(s.questionnaire_id, '')"

#define HAS_FLAG_SQL                                                                               \
    "s.evaluation -> 'flags' @> jsonb_build_array(jsonb_build_object('text', $4::text))"

/*
 * The parameters: $1 status, $2 review state, $3 questionnaire, $4 flag, $5 since, $6 and $7 the
 * key to go on behind, $8 booking, $9 e-mail, $10 phone, $11 part of a name, $12 how many hits,
 * $13 the bound. All but times, keys and numbers are NULL where they are not asked for.
 *
 * A part of one or two letters is the beginning of a word: what it were in the middle of would be
 * half of all names. `usable` tells whether trigrams can be made of the pattern.
 */
#define ASKED_SQL                                                                                  \
    "asked AS MATERIALIZED ("                                                                      \
    "    SELECT '%' || regexp_replace(folded, '([\\\\%_])', '\\\\\\1', 'g') || '%' AS pattern,"    \
    "           short OR folded ~ '[[:alnum:]]{3}' AS usable"                                      \
    "    FROM (SELECT CASE WHEN length($11::text) < 3 THEN " NAME_SQL(                             \
        "$11::text") "                 ELSE substr(" NAME_SQL("$11::text") ", 2) END AS folded,"   \
                                                                           "            "          \
                                                                           "length($11::text) < "  \
                                                                           "3 AND $11 ~ "          \
                                                                           "'^[[:alnum:]]' AS "    \
                                                                           "short) AS f"           \
                                                                           "),\n"

#define PATTERN_SQL "(SELECT pattern FROM asked)"

#define IN_TIME_SQL                                                                                \
    "s.created_at >= $5::timestamptz AND (s.created_at, s.id) < ($6::timestamptz, $7::uuid)"

#define PASSES_SQL                                                                                 \
    "s.deleted IS NOT TRUE"                                                                        \
    "      AND ($1::text IS NULL OR s.status = $1)"                                                \
    "      AND ($2::text IS NULL OR s.review_state = $2)"                                          \
    "      AND ($3::text IS NULL OR s.questionnaire_id = $3)"                                      \
    "      AND ($4::text IS NULL OR " HAS_FLAG_SQL ")"                                             \
    "      AND " IN_TIME_SQL                                                                       \
    "      AND (($8::text IS NULL AND $9::text IS NULL AND $10::text IS NULL"                      \
    "            AND $11::text IS NULL)"                                                           \
    "           OR s.booking_uid = $8"                                                             \
    "           OR lower(p.email) = lower($9)"                                                     \
    "           OR p.phone = $10"                                                                  \
    "           OR " NAME_SQL("p.name") " LIKE " PATTERN_SQL "           OR ((" POSTED_DIFFERS_SQL \
                                        " OR p.id IS NULL)"                                        \
                                        "               AND (" POSTED_EMAIL_SQL " = lower($9)"     \
                                        "                    OR " POSTED_PHONE_SQL                 \
                                        " = substr($10, 2)"                                        \
                                        "                    OR " POSTED_NAME_SQL                  \
                                        " LIKE " PATTERN_SQL ")))"

#define PATIENT_SQL                                                                                \
    "    LEFT JOIN patient_profiles AS p ON p.id = s.patient_profile_id AND NOT p.deleted"

/*
 * What is found in `stretch (place, id, created_at, n)`, of which the n-th row of each of its parts
 * is the last that was looked at when n = $13. The row that is no hit is where the search ended.
 */
#define HITS_IN_STRETCH_SQL                                                                        \
    "edge AS MATERIALIZED ("                                                                       \
    "    SELECT id, created_at FROM stretch WHERE n = $13::int"                                    \
    "    ORDER BY created_at DESC, id DESC LIMIT 1"                                                \
    "),\n"                                                                                         \
    "hit AS MATERIALIZED ("                                                                        \
    "    SELECT r.id, r.created_at"                                                                \
    "    FROM (SELECT * FROM stretch ORDER BY created_at DESC, id DESC) AS r"                      \
    "    JOIN medical_questionnaire_submissions AS s ON s.ctid = r.place" PATIENT_SQL              \
    "    WHERE " PASSES_SQL "      AND ((SELECT id FROM edge) IS NULL"                             \
    "           OR (r.created_at, r.id) >= (SELECT created_at, id FROM edge))"                     \
    "    ORDER BY r.created_at DESC, r.id DESC LIMIT $12::int"                                     \
    ")\n"                                                                                          \
    "SELECT id, created_at, true AS is_hit FROM hit "                                              \
    "UNION ALL "                                                                                   \
    "SELECT id, created_at, false FROM edge WHERE (SELECT count(*) FROM hit) < $12::int "          \
    "ORDER BY is_hit DESC, created_at DESC, id DESC"

static const char stretch_sql[] =
    "WITH " ASKED_SQL "stretch AS MATERIALIZED ("
    "    SELECT ordered.*, row_number() OVER () AS n"
    "    FROM (SELECT s.ctid AS place, s.id, s.created_at"
    "          FROM medical_questionnaire_submissions AS s"
    "          WHERE " IN_TIME_SQL
    "          ORDER BY s.created_at DESC, s.id DESC LIMIT $13::int) AS ordered"
    "),\n" HITS_IN_STRETCH_SQL;

static const char groups_sql[] =
    "WITH RECURSIVE " ASKED_SQL
    /* Each questionnaire that there is, one step of the index apart. */
    "known (questionnaire) AS ("
    "    (SELECT coalesce($3::text, (SELECT " QUESTIONNAIRE_SQL
    "                                FROM medical_questionnaire_submissions AS s"
    "                                ORDER BY " QUESTIONNAIRE_SQL " LIMIT 1)))"
    "    UNION ALL"
    "    SELECT (SELECT " QUESTIONNAIRE_SQL
    "            FROM medical_questionnaire_submissions AS s"
    "            WHERE " QUESTIONNAIRE_SQL " > k.questionnaire"
    "            ORDER BY " QUESTIONNAIRE_SQL " LIMIT 1)"
    "    FROM known AS k"
    "    WHERE k.questionnaire IS NOT NULL AND $3 IS NULL"
    "),\n"
    "stretch AS MATERIALIZED ("
    "    SELECT head.*"
    "    FROM known"
    "    CROSS JOIN unnest(ARRAY['received', 'has_issues', 'approved', 'rejected']) AS review"
    "    CROSS JOIN unnest(ARRAY['submitted', 'processed', 'failed']) AS status"
    "    CROSS JOIN LATERAL ("
    "        SELECT ordered.*, row_number() OVER () AS n"
    "        FROM (SELECT s.ctid AS place, s.id, s.created_at"
    "              FROM medical_questionnaire_submissions AS s"
    "              WHERE " QUESTIONNAIRE_SQL " = known.questionnaire"
    "                AND s.review_state = review AND s.status = status.status"
    "                AND " IN_TIME_SQL
    "              ORDER BY s.created_at DESC, s.id DESC LIMIT $13::int) AS ordered"
    "    ) AS head"
    "    WHERE (status.status = $1 OR $1 IS NULL) AND (review = $2 OR $2 IS NULL)"
    "),\n" HITS_IN_STRETCH_SQL;

/*
 * Sorts the rows of `candidate (place, id, created_at)`, if these are not more than $13; the row
 * that is no hit tells that they are.
 */
#define HITS_AMONG_CANDIDATES_SQL(complete)                                                        \
    "hit AS ("                                                                                     \
    "    SELECT c.id, c.created_at"                                                                \
    "    FROM (SELECT DISTINCT * FROM candidate"                                                   \
    "          WHERE (SELECT count(*) FROM candidate) <= $13::int AND " complete                   \
    "          ORDER BY created_at DESC, id DESC) AS c"                                            \
    "    JOIN medical_questionnaire_submissions AS s ON s.ctid = c.place" PATIENT_SQL              \
    "    WHERE " PASSES_SQL "    ORDER BY c.created_at DESC, c.id DESC LIMIT $12::int"             \
    ")\n"                                                                                          \
    "SELECT id, created_at, true AS is_hit FROM hit "                                              \
    "UNION ALL "                                                                                   \
    "SELECT NULL, NULL, false"                                                                     \
    " WHERE (SELECT count(*) FROM candidate) > $13::int OR NOT " complete " "                      \
    "ORDER BY is_hit DESC, created_at DESC, id DESC"

/* The limit stands outside, for that the planner thinks of all rows, and of the index. */
static const char flagged_sql[] =
    "WITH " ASKED_SQL "flagged AS MATERIALIZED ("
    "    SELECT s.ctid AS place, s.id, s.created_at"
    "    FROM medical_questionnaire_submissions AS s"
    "    WHERE s.evaluation -> 'flags' <> '[]' AND " HAS_FLAG_SQL "),\n"
    "candidate AS MATERIALIZED (SELECT * FROM flagged LIMIT $13::int + "
    "1),\n" HITS_AMONG_CANDIDATES_SQL("true");

#define OF_PATIENTS_SQL(condition)                                                                 \
    "    SELECT s.ctid AS place, s.id, s.created_at FROM patient_profiles AS p"                    \
    "    JOIN medical_questionnaire_submissions AS s ON s.patient_profile_id = p.id"               \
    "    WHERE " condition
#define AS_POSTED_SQL(condition)                                                                   \
    "    SELECT s.ctid, s.id, s.created_at FROM medical_questionnaire_submissions AS s"            \
    "    WHERE " POSTED_DIFFERS_SQL " AND " condition

#define USABLE_SQL "($11::text IS NULL OR (SELECT usable FROM asked))"

static const char searched_sql[] =
    "WITH " ASKED_SQL "named AS MATERIALIZED ("
    "    SELECT p.id FROM patient_profiles AS p"
    "    WHERE " NAME_SQL(
        "p.name") " LIKE " PATTERN_SQL " AND (SELECT usable FROM asked)"
                  "),\n"
                  "posted_name AS MATERIALIZED (" AS_POSTED_SQL(
                      POSTED_NAME_SQL
                      " LIKE " PATTERN_SQL) " AND (SELECT usable FROM asked)"
                                            "),\n"
                                            "candidate AS MATERIALIZED ("
                                            "    SELECT * FROM (" OF_PATIENTS_SQL(
                                                "lower(p."
                                                "email) "
                                                "= "
                                                "lower($"
                                                "9::"
                                                "text)") "    UNION ALL " OF_PATIENTS_SQL("p.phone "
                                                                                          "= "
                                                                                          "$10::"
                                                                                          "text") "    UNION ALL " AS_POSTED_SQL("" POSTED_EMAIL_SQL
                                                                                                                                 " = lower($9::text)") "    UNION "
                                                                                                                                                       "ALL " AS_POSTED_SQL(
                                                                                                                                                           POSTED_PHONE_SQL
                                                                                                                                                           " = "
                                                                                                                                                           "sub"
                                                                                                                                                           "str"
                                                                                                                                                           "($"
                                                                                                                                                           "10:"
                                                                                                                                                           ":te"
                                                                                                                                                           "xt,"
                                                                                                                                                           " 2"
                                                                                                                                                           ")") "    UNION ALL "
                                                                                                                                                                "    SELECT s.ctid, s.id, s.created_at FROM medical_questionnaire_submissions AS s WHERE s.booking_uid = $8::text"
                                                                                                                                                                "    UNION ALL "
                                                                                                                                                                "    SELECT s.ctid, s.id, s.created_at FROM (SELECT id FROM named LIMIT $13::int + 1) AS n"
                                                                                                                                                                "    JOIN medical_questionnaire_submissions AS s ON s.patient_profile_id = n.id"
                                                                                                                                                                "    UNION ALL "
                                                                                                                                                                "    SELECT * FROM posted_name"
                                                                                                                                                                "    ) AS c LIMIT $13::int + 1"
                                                                                                                                                                "),\n" HITS_AMONG_CANDIDATES_SQL(
                                                                                                                                                                    USABLE_SQL);

/* As far as $12. */
static const char count_sql[] = "WITH " ASKED_SQL "counted AS MATERIALIZED ("
                                "    SELECT FROM medical_questionnaire_submissions AS s" PATIENT_SQL
                                "    WHERE " PASSES_SQL " LIMIT $12::bigint"
                                ")\n"
                                "SELECT count(*) FROM counted";

static const struct statement statements[] = {
    {"find_in_stretch", stretch_sql}, {"find_in_groups", groups_sql}, {"find_flagged", flagged_sql},
    {"find_searched", searched_sql},  {"find_count", count_sql},
};

const struct statement_list find_statements = {statements, ARRAY_LENGTH(statements)};

enum { FILTER_VALUES = 12, BOUND_VALUE = FILTER_VALUES };

/* A filter as the values of its parameters; it points into itself and into the filter. */
struct find {
    struct connection *connection;
    const char *values[FILTER_VALUES + 1];
    int32_t wanted; /* one more than are shown: it tells that there is a next page */
    char since[RFC3339_SIZE];
    char before[RFC3339_SIZE];
    char count[16];
    char bound[16];
};

static void find_init(struct find *find, struct connection *connection,
                      const struct submission_filter *filter, int32_t wanted)
{
    const struct submission_search *search = &filter->search;
    *find = (struct find){.connection = connection, .wanted = wanted};
    snprintf(find->count, sizeof find->count, "%d", (int)wanted);
    const char *before = "infinity";
    const char *before_id = "ffffffff-ffff-ffff-ffff-ffffffffffff";
    if (filter->before_us != 0) {
        clock_rfc3339(filter->before_us, find->before);
        before = find->before;
        before_id = filter->before_id;
    }
    if (filter->until_us != 0 &&
        (filter->before_us == 0 || filter->until_us <= filter->before_us)) {
        clock_rfc3339(filter->until_us, find->before);
        before = find->before;
        before_id = "00000000-0000-0000-0000-000000000000";
    }
    const char *since = "-infinity";
    if (filter->since_us != 0) {
        clock_rfc3339(filter->since_us, find->since);
        since = find->since;
    }
    const char *const values[FILTER_VALUES] = {
        filter->status,
        filter->review_state,
        filter->questionnaire_id,
        filter->flag,
        since,
        before,
        before_id,
        search->booking_uid,
        search->email,
        search->phone,
        search->name,
        find->count,
    };
    memcpy(find->values, values, sizeof values);
}

static enum status run(struct find *find, const char *statement, int count, PGresult **ret_result,
                       struct err *err)
{
    const struct parameters parameters = {.values = find->values, .count = count};
    return connection_execute_checked(find->connection, statement, &parameters, ret_result, err);
}

/*
 * Runs one of the ways with its bound. `ret_done` tells whether the keys are all that were wanted,
 * or all that there are.
 */
static enum status look(struct find *find, const char *way, int32_t bound,
                        struct found_keys *ret_keys, bool *ret_done, struct err *err)
{
    AUTO_RESULT PGresult *result = NULL;
    snprintf(find->bound, sizeof find->bound, "%d", (int)bound);
    find->values[BOUND_VALUE] = find->bound;
    const enum status status = run(find, way, FILTER_VALUES + 1, &result, err);
    if (status != STATUS_OK) {
        return status;
    }
    const int rows = PQntuples(result);
    const bool ended = rows > 0 && !result_bool(result, rows - 1, 2); /* at its bound */
    const int hits = rows - ended;
    const int shown = hits < find->wanted ? hits : find->wanted - 1;
    *ret_keys = (struct found_keys){.count = shown, .more = ended || hits > shown};
    for (int row = 0; row < shown; row++) {
        result_uuid(result, row, 0, ret_keys->ids[row]);
    }
    if (ret_keys->more) {
        const int last = hits > shown ? shown - 1 : rows - 1;
        ret_keys->next_us = result_timestamp(result, last, 1);
        result_uuid(result, last, 0, ret_keys->next_id);
    }
    *ret_done = !ended;
    return STATUS_OK;
}

static bool search_is_empty(const struct submission_search *search)
{
    return search->booking_uid == NULL && search->email == NULL && search->phone == NULL &&
           search->name == NULL;
}

/* What indexes alone put in order. */
static enum status find_plain(struct find *find, bool grouped, struct found_keys *ret_keys,
                              struct err *err)
{
    bool done = false;
    return look(find, grouped ? "find_in_groups" : "find_in_stretch", find->wanted, ret_keys, &done,
                err);
}

/*
 * Looks through the newest for the text alone, whatever else is asked for: whether `many` have it.
 * Where nothing else is asked for, these keys may be all that were wanted.
 */
static enum status sound(struct find *find, const struct submission_filter *filter, bool grouped,
                         struct found_keys *ret_keys, bool *ret_done, bool *ret_many,
                         struct err *err)
{
    struct find text = *find; /* its texts are those of `find`, which outlives it */
    const bool both = filter->search.name != NULL && filter->flag != NULL;
    text.values[0] = NULL; /* status, review state, questionnaire */
    text.values[1] = NULL;
    text.values[2] = NULL;
    text.values[3] = both ? NULL : filter->flag;
    bool done = false;
    const enum status status = look(&text, "find_in_stretch", PROBE_ROWS, ret_keys, &done, err);
    if (status == STATUS_OK) {
        *ret_many = ret_keys->count >= PROBE_HITS;
        *ret_done = done && !grouped && !both;
    }
    return status;
}

/* What is looked for by a text: the newest are looked through, or the few that an index knows. */
static enum status find_by_text(struct find *find, const struct submission_filter *filter,
                                bool grouped, struct found_keys *ret_keys, struct err *err)
{
    const bool searches = !search_is_empty(&filter->search);
    bool done = false;
    bool many = false;
    enum status status = STATUS_OK;
    /* A booking, an e-mail or a phone is of few: nobody need look through the newest. */
    if (!searches || filter->search.name != NULL) {
        status = sound(find, filter, grouped, ret_keys, &done, &many, err);
    }
    if (status == STATUS_OK && !done && searches && !many) {
        status = look(find, "find_searched", CANDIDATES_MAX, ret_keys, &done, err);
    }
    if (status == STATUS_OK && !done && filter->flag != NULL && !many) {
        status = look(find, "find_flagged", CANDIDATES_MAX, ret_keys, &done, err);
    }
    if (status == STATUS_OK && !done) {
        status = look(find, grouped ? "find_in_groups" : "find_in_stretch",
                      grouped ? GROUP_ROWS : STRETCH_ROWS, ret_keys, &done, err);
    }
    return status;
}

enum status find_submissions(struct connection *connection, const struct submission_filter *filter,
                             struct found_keys *ret_keys, struct err *err)
{
    struct find find;
    find_init(&find, connection, filter, filter->limit + 1);
    const bool grouped =
        filter->status != NULL || filter->review_state != NULL || filter->questionnaire_id != NULL;
    if (search_is_empty(&filter->search) && filter->flag == NULL) {
        return find_plain(&find, grouped, ret_keys, err);
    }
    return find_by_text(&find, filter, grouped, ret_keys, err);
}

enum status find_count(struct connection *connection, const struct submission_filter *filter,
                       int64_t *ret_count, struct err *err)
{
    struct find find;
    find_init(&find, connection, filter, filter->limit);
    AUTO_RESULT PGresult *result = NULL;
    const enum status status = run(&find, "find_count", FILTER_VALUES, &result, err);
    if (status == STATUS_OK) {
        *ret_count = result_int8(result, 0, 0);
    }
    return status;
}
