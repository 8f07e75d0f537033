/*
 * The statements that find submissions; find_submissions() says when each of them is run.
 *
 * Their plans are the same for every parameter (connection_batch_setup), so that no statistics
 * and no odd value makes one of them slow.
 */
#include "intake/core/cleanup.h"
#include "intake/db/connection.h"
#include "intake/db/store_find.h"

/* As the migrations 014 and 015 have them in their indexes. */
#define P_NAME_SQL "(' ' || translate(lower(p.name), E'\\u0131\\u0307', 'i'))"
#define POSTED_NAME_SQL                                                                            \
    "(' ' || translate(lower(s.submission_data ->> 'attendee_name'), E'\\u0131\\u0307', 'i'))"
#define POSTED_EMAIL_SQL "lower(s.submission_data ->> 'attendee_email')"
#define POSTED_PHONE_SQL                                                                           \
    "ltrim(regexp_replace(s.submission_data ->> 'attendee_phone', '[^0-9]', '', 'g'), '0')"
#define POSTED_DIFFERS_SQL "(s.contradictions <> '[]' OR s.patient_profile_id IS NULL)"
#define QUESTIONNAIRE_SQL  "coalesce(s.questionnaire_id, '')"
#define S_WEEKS_SQL        "ARRAY[date_trunc('week', s.created_at AT TIME ZONE 'UTC')::date]"
#define P_WEEKS_SQL                                                                                \
    "(ARRAY[date_trunc('week', p.created_at AT TIME ZONE 'UTC')::date] || p.submission_weeks)"
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
    "    FROM (SELECT CASE WHEN length($11::text) < 3 THEN whole ELSE substr(whole, 2) END"        \
    "                     AS folded,"                                                              \
    "                 length($11::text) < 3 AND $11 ~ '^[[:alnum:]]' AS short"                     \
    "          FROM (SELECT ' ' || translate(lower($11::text), E'\\u0131\\u0307', 'i') AS whole)"  \
    "               AS w) AS f"                                                                    \
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
    "           OR " P_NAME_SQL " LIKE " PATTERN_SQL "           OR ((" POSTED_DIFFERS_SQL         \
    " OR p.id IS NULL)"                                                                            \
    "               AND (" POSTED_EMAIL_SQL " = lower($9)"                                         \
    "                    OR " POSTED_PHONE_SQL " = substr($10, 2)"                                 \
    "                    OR " POSTED_NAME_SQL " LIKE " PATTERN_SQL ")))"

#define PATIENT_SQL                                                                                \
    "    LEFT JOIN patient_profiles AS p ON p.id = s.patient_profile_id AND NOT p.deleted"

/*
 * One row after the other of those that were found, by `key`. OFFSET 0 keeps the conditions on the
 * row out of the search for it: where the planner thinks that they leave few rows, it would look
 * for these instead, through the whole table.
 */
#define EACH_SUBMISSION_SQL(key)                                                                   \
    "    CROSS JOIN LATERAL ("                                                                     \
    "        SELECT * FROM medical_questionnaire_submissions AS s WHERE " key " OFFSET 0) AS s"

/*
 * Every one of the ways returns its hits, newest first; behind them, as a row that is no hit, how
 * far it has looked, unless that is to the end. The key of that row is NULL when it could not look
 * at all. `seen` is how many rows of the index it has looked at, where that is not known before.
 */
#define UNION_EDGE_SQL                                                                             \
    "SELECT id, created_at, true AS is_hit, NULL::bigint AS seen FROM hit "                        \
    "UNION ALL "                                                                                   \
    "SELECT id, created_at, false, seen FROM edge "                                                \
    "WHERE id IS NULL OR (SELECT count(*) FROM hit) < $12::int "                                   \
    "ORDER BY is_hit DESC, created_at DESC, id DESC"

/* The newest $13, one after the other. */
static const char stretch_sql[] =
    "WITH " ASKED_SQL "edge AS MATERIALIZED ("
    "    SELECT s.id, s.created_at, NULL::bigint AS seen"
    "    FROM medical_questionnaire_submissions AS s"
    "    WHERE " IN_TIME_SQL "    ORDER BY s.created_at DESC, s.id DESC"
    "    OFFSET $13::int - 1 LIMIT 1"
    "),\n"
    "hit AS MATERIALIZED ("
    "    SELECT s.id, s.created_at"
    "    FROM medical_questionnaire_submissions AS s" PATIENT_SQL "    WHERE " PASSES_SQL
    "      AND (s.created_at, s.id) >="
    "          (coalesce((SELECT created_at FROM edge), '-infinity'),"
    "           coalesce((SELECT id FROM edge), '00000000-0000-0000-0000-000000000000'))"
    "    ORDER BY s.created_at DESC, s.id DESC LIMIT $12::int"
    ")\n" UNION_EDGE_SQL;

/*
 * idx_submissions_list has the submissions of each questionnaire, review state and status in
 * order: the heads, of $13 each, of those groups that there are and that the filter leaves are
 * merged. A head is what stands in the index below the group's end, sorted by the index's whole
 * key, for that no other index will do: of the one by time, all would be read for a group that has
 * few. What is of the next group falls out afterwards.
 */
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
    "head AS MATERIALIZED ("
    "    SELECT first.*"
    "    FROM known"
    "    CROSS JOIN unnest(ARRAY['received', 'has_issues', 'approved', 'rejected']) AS review"
    "    CROSS JOIN unnest(ARRAY['submitted', 'processed', 'failed']) AS status"
    "    CROSS JOIN LATERAL ("
    "        SELECT below.id, below.created_at, row_number() OVER () AS n"
    "        FROM (SELECT s.id, s.created_at, s.status, s.review_state,"
    "                     " QUESTIONNAIRE_SQL " AS questionnaire"
    "              FROM medical_questionnaire_submissions AS s"
    "              WHERE (" QUESTIONNAIRE_SQL ", s.review_state, s.status, s.created_at, s.id)"
    "                    < (known.questionnaire, review, status.status, $6::timestamptz, $7::uuid)"
    "              ORDER BY " QUESTIONNAIRE_SQL " DESC, s.review_state DESC, s.status DESC,"
    "                       s.created_at DESC, s.id DESC LIMIT $13::int) AS below"
    "        WHERE below.questionnaire = known.questionnaire AND below.review_state = review"
    "          AND below.status = status.status AND below.created_at >= $5::timestamptz"
    "    ) AS first"
    "    WHERE (status.status = $1 OR $1 IS NULL) AND (review = $2 OR $2 IS NULL)"
    "      AND (SELECT true FROM medical_questionnaire_submissions AS s"
    "           WHERE " QUESTIONNAIRE_SQL " = known.questionnaire"
    "             AND s.review_state = review AND s.status = status.status LIMIT 1)"
    "),\n"
    "edge AS MATERIALIZED ("
    "    SELECT id, created_at, NULL::bigint AS seen FROM head WHERE n = $13::int"
    "    ORDER BY created_at DESC, id DESC LIMIT 1"
    "),\n"
    "hit AS MATERIALIZED ("
    "    SELECT h.id, h.created_at"
    "    FROM (SELECT * FROM head ORDER BY created_at DESC, id DESC) AS h" EACH_SUBMISSION_SQL(
        "s.id = h.id") PATIENT_SQL
    "    WHERE " PASSES_SQL "      AND ((SELECT id FROM edge) IS NULL"
    "           OR (h.created_at, h.id) >= (SELECT created_at, id FROM edge))"
    "    ORDER BY h.created_at DESC, h.id DESC LIMIT $12::int"
    ")\n" UNION_EDGE_SQL;

/*
 * The week of the key, which is a time here, as far as the key, and whole weeks before it: $13
 * together. `floor` is where they begin. The key's own week is one of `weeks` even where only what
 * is older than its Monday is wanted.
 */
#define SPAN_SQL                                                                                   \
    "span AS MATERIALIZED ("                                                                       \
    "    SELECT ARRAY(SELECT week::date"                                                           \
    "                 FROM generate_series(first, last, '7 days') AS week) AS weeks,"              \
    "           greatest(first AT TIME ZONE 'UTC', $5::timestamptz) AS floor"                      \
    "    FROM (SELECT date_trunc('week', ($6::timestamptz - interval '1 microsecond')"             \
    "                                   AT TIME ZONE 'UTC')"                                       \
    "                     - ($13::int - 1) * interval '7 days' AS first,"                          \
    "                 date_trunc('week', $6::timestamptz AT TIME ZONE 'UTC') AS last) AS s"        \
    "    WHERE isfinite($6::timestamptz)"

/* So many rows can be sorted in good time; where there are more, it is done some other way. */
#define CANDIDATES_SQL "1000"

/*
 * Sorts the rows of `candidate (place, id, created_at)`, which are all of the span, or of all time
 * where there is none: a booking, an e-mail or a phone is of few.
 */
#define HITS_AMONG_CANDIDATES_SQL                                                                  \
    "complete AS MATERIALIZED ("                                                                   \
    "    SELECT count(*) <= " CANDIDATES_SQL                                                       \
    "           AND ($11::text IS NULL OR (SELECT usable FROM asked)) AS is_so,"                   \
    "           count(*) AS seen FROM candidate"                                                   \
    "),\n"                                                                                         \
    "hit AS MATERIALIZED ("                                                                        \
    "    SELECT c.id, c.created_at"                                                                \
    "    FROM (SELECT DISTINCT * FROM candidate WHERE (SELECT is_so FROM complete)"                \
    "          ORDER BY created_at DESC, id DESC) AS c" EACH_SUBMISSION_SQL("s.ctid = c.place")    \
        PATIENT_SQL                                                                                \
        "    WHERE " PASSES_SQL "    ORDER BY c.created_at DESC, c.id DESC LIMIT $12::int"         \
        "),\n"                                                                                     \
        "edge (id, created_at, seen) AS MATERIALIZED ("                                            \
        "    SELECT NULL::uuid, NULL::timestamptz, seen FROM complete WHERE NOT is_so"             \
        "    UNION ALL"                                                                            \
        "    SELECT '00000000-0000-0000-0000-000000000000', floor, seen FROM complete, span"       \
        "    WHERE is_so"                                                                          \
        "      AND EXISTS (SELECT FROM medical_questionnaire_submissions AS s"                     \
        "                  WHERE s.created_at >= $5::timestamptz AND s.created_at < floor)"        \
        ")\n" UNION_EDGE_SQL

/* The limit stands outside, for that the planner thinks of all rows, and of the index. */
static const char flagged_sql[] =
    "WITH " ASKED_SQL SPAN_SQL "),\n"
    "flagged AS MATERIALIZED ("
    "    SELECT s.ctid AS place, s.id, s.created_at"
    "    FROM medical_questionnaire_submissions AS s"
    "    WHERE s.evaluation -> 'flags' <> '[]'"
    "      AND " S_WEEKS_SQL " && (SELECT weeks FROM span) AND " HAS_FLAG_SQL "),\n"
    "candidate AS MATERIALIZED ("
    "    SELECT * FROM flagged"
    "    WHERE created_at >= (SELECT floor FROM span) AND created_at <= $6::timestamptz"
    "    LIMIT " CANDIDATES_SQL " + 1"
    "),\n" HITS_AMONG_CANDIDATES_SQL;

#define OF_PATIENTS_SQL                                                                            \
    "    SELECT s.ctid AS place, s.id, s.created_at FROM patient_profiles AS p"                    \
    "    JOIN medical_questionnaire_submissions AS s ON s.patient_profile_id = p.id"               \
    "    WHERE "
#define AS_POSTED_SQL                                                                              \
    "    SELECT s.ctid, s.id, s.created_at FROM medical_questionnaire_submissions AS s"            \
    "    WHERE " POSTED_DIFFERS_SQL " AND "

static const char searched_sql[] =
    "WITH " ASKED_SQL SPAN_SQL " AND $11::text IS NOT NULL),\n"
    "named AS MATERIALIZED ("
    "    SELECT p.id FROM patient_profiles AS p"
    "    WHERE " P_WEEKS_SQL " && (SELECT weeks FROM span)"
    "      AND " P_NAME_SQL " LIKE " PATTERN_SQL " AND (SELECT usable FROM asked)"
    "),\n"
    "posted_name AS MATERIALIZED (" AS_POSTED_SQL S_WEEKS_SQL " && (SELECT weeks FROM span)"
    "      AND " POSTED_NAME_SQL " LIKE " PATTERN_SQL " AND (SELECT usable FROM asked)"
    "),\n"
    "candidate AS MATERIALIZED ("
    "    SELECT * FROM (" OF_PATIENTS_SQL "lower(p.email) = lower($9::text)"
    "    UNION ALL " OF_PATIENTS_SQL "p.phone = $10::text"
    "    UNION ALL " AS_POSTED_SQL POSTED_EMAIL_SQL " = lower($9::text)"
    "    UNION ALL " AS_POSTED_SQL POSTED_PHONE_SQL " = substr($10::text, 2)"
    "    UNION ALL"
    "    SELECT s.ctid, s.id, s.created_at"
    "    FROM medical_questionnaire_submissions AS s WHERE s.booking_uid = $8::text"
    "    UNION ALL"
    "    SELECT s.ctid, s.id, s.created_at FROM named AS n"
    "    JOIN medical_questionnaire_submissions AS s ON s.patient_profile_id = n.id"
    "    UNION ALL"
    "    SELECT * FROM posted_name"
    "    ) AS c"
    "    WHERE ($11::text IS NULL OR created_at >= (SELECT floor FROM span))"
    "      AND created_at <= $6::timestamptz"
    "    LIMIT " CANDIDATES_SQL " + 1"
    "),\n" HITS_AMONG_CANDIDATES_SQL;

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
