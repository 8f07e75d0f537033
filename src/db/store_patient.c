/* What is held about one person, across all tables: finding the person, and reading everything. */
#include "intake/db/store_patient.h"

#include "intake/core/cleanup.h"
#include "intake/db/audit.h"
#include "intake/db/patient_sql.h"

/* json ->> fails for \u0000, which a draft may hold. */
#define DRAFT_EMAIL                                                                                \
    "CASE WHEN d.draft_data::text !~ '\\\\u0000'"                                                  \
    "     THEN lower(d.draft_data ->> 'attendee_email') END"

/* Whether the draft `d` is of a booking that nothing but the draft is known of. */
#define DRAFT_ALONE                                                                                \
    "NOT EXISTS (SELECT FROM medical_questionnaire_submissions AS o"                               \
    "            WHERE o.booking_uid = d.booking_uid)"                                             \
    " AND NOT EXISTS (SELECT FROM patient_profiles AS o WHERE o.booking_uid = d.booking_uid)"

/*
 * What is not an e-mail finds nobody by e-mail: not the placeholders of those who were erased
 * either. A draft that holds the e-mail of one person alone is that person's, as a post would be.
 */
static const char find_sql[] =
    "WITH booked AS ("
    "    SELECT p.user_id, s.booking_uid"
    "    FROM medical_questionnaire_submissions AS s"
    "    LEFT JOIN patient_profiles AS p ON p.id = s.patient_profile_id"
    "    WHERE s.booking_uid = $1"
    "    UNION"
    "    SELECT p.user_id, p.booking_uid"
    "    FROM patient_profiles AS p"
    "    WHERE p.booking_uid = $1"
    "      AND NOT EXISTS (SELECT FROM medical_questionnaire_submissions AS o"
    "                      WHERE o.booking_uid = $1)"
    "    UNION"
    "    SELECT NULL, d.booking_uid"
    "    FROM submission_drafts AS d"
    "    WHERE d.booking_uid = $1 AND d.expires_at > '-infinity' AND " DRAFT_ALONE "),\n"
    "known AS ("
    "    SELECT u.id AS user_id"
    "    FROM users AS u"
    "    WHERE u.id = CASE WHEN $1 ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'"
    "                      THEN $1::uuid END"
    "    UNION"
    "    SELECT u.id FROM users AS u WHERE lower(u.email) = lower($1) AND $1 LIKE '%@%'"
    "    UNION"
    "    SELECT p.user_id"
    "    FROM patient_profiles AS p"
    "    WHERE lower(p.email) = lower($1) AND $1 LIKE '%@%'"
    "),\n"
    "found AS ("
    "    SELECT user_id, booking_uid FROM booked"
    "    UNION ALL"
    "    SELECT user_id, NULL FROM known WHERE NOT EXISTS (SELECT FROM booked)"
    "    UNION ALL"
    "    SELECT NULL, d.booking_uid"
    "    FROM submission_drafts AS d"
    "    WHERE NOT EXISTS (SELECT FROM booked) AND NOT EXISTS (SELECT FROM known)"
    "      AND $1 LIKE '%@%' AND " DRAFT_EMAIL " = lower($1) AND " DRAFT_ALONE ")\n"
    "SELECT f.user_id, p.id,"
    "       ARRAY(SELECT f.booking_uid WHERE f.booking_uid IS NOT NULL"
    "             UNION"
    "             SELECT s.booking_uid"
    "             FROM medical_questionnaire_submissions AS s"
    "             WHERE s.patient_profile_id = p.id"
    "             UNION"
    "             SELECT p.booking_uid"
    "             WHERE p.booking_uid IS NOT NULL"
    "               AND NOT EXISTS (SELECT FROM medical_questionnaire_submissions AS o"
    "                               WHERE o.booking_uid = p.booking_uid)"
    "             UNION"
    "             SELECT d.booking_uid"
    "             FROM submission_drafts AS d"
    "             WHERE f.user_id IS NOT NULL AND " DRAFT_EMAIL
    " IN " OWN_EMAILS("f.user_id") " AND " DRAFT_ALONE "             ORDER BY 1) "
                                   "FROM found AS f "
                                   "LEFT JOIN patient_profiles AS p ON p.user_id = f.user_id "
                                   "ORDER BY f.user_id, f.booking_uid";

#define SECTION(name, rows)                                                                        \
    {                                                                                              \
        "export_" name, "WITH " SCOPE " SELECT row_to_json(t)::text FROM " rows                    \
    }
#define OF_SUBMISSION(table, order)                                                                \
    SECTION(table, table " AS t JOIN medical_questionnaire_submissions AS s"                       \
                         " ON s.id = t.submission_id "                                             \
                         "WHERE s.booking_uid = ANY ($3) ORDER BY t.submission_id, t." order)

enum { SECTIONS_BEGIN = 2, SECTION_PREFIX = sizeof "export_" - 1 };

static const struct statement statements[] = {
    {"patient_find", find_sql},
    {"patient_audit", AUDIT_INTO
     " SELECT " AUDIT_PARAMETERS(1, 2, 3, 4, 5) ", $6, booking_uid,"
                                                "        CASE WHEN booking_uid IS NULL THEN "
                                                "jsonb_build_object('user_id', $8::uuid) END "
                                                "FROM (SELECT unnest($7::text[]) AS booking_uid"
                                                "      UNION ALL"
                                                "      SELECT NULL WHERE $7::text[] = '{}') AS b"},
    SECTION("users", "users AS t WHERE t.id = $1"),
    SECTION("patient_profiles", "patient_profiles AS t WHERE t.user_id = $1"),
    SECTION("medical_backgrounds", "medical_backgrounds AS t WHERE t.patient_profile_id = $2"),
    SECTION("medical_questionnaire_submissions",
            "medical_questionnaire_submissions AS t WHERE t.booking_uid = ANY ($3) "
            "ORDER BY t.created_at, t.id"),
    OF_SUBMISSION("submission_revisions", "revision"),
    SECTION("submission_drafts", "submission_drafts AS t WHERE t.booking_uid = ANY ($3) "
                                 "ORDER BY t.booking_uid"),
    OF_SUBMISSION("submission_reviews", "id"),
    OF_SUBMISSION("contradiction_resolutions", "id"),
    OF_SUBMISSION("processing_failures", "id"),
    SECTION("Appoinment", "\"Appoinment\" AS t WHERE " APPOINTMENT_OF_SCOPE("t") " ORDER BY t.id"),
    SECTION("conversations", "conversations AS t WHERE t.user_id = $1 ORDER BY t.created_at, t.id"),
    SECTION("messages", "messages AS t WHERE t.user_id = $1 ORDER BY t.created_at, t.id"),
    SECTION("audit_log", "audit_log AS t WHERE t.booking_uid = ANY ($3) ORDER BY t.id"),
};

const struct statement_list patient_statements = {statements, ARRAY_LENGTH(statements)};

enum status patient_find(struct connection *connection, const char *who, PGresult **ret_result,
                         struct err *err)
{
    const char *const values[] = {who};
    const struct parameters parameters = {.values = values, .count = 1};
    return connection_execute(connection, "patient_find", &parameters, false, 0, ret_result, err);
}

static const char *text_or_null(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

void patient_scope_read(const PGresult *result, int row, struct patient_scope *ret_scope)
{
    *ret_scope = (struct patient_scope){
        .user_id = text_or_null(result, row, 0),
        .profile_id = text_or_null(result, row, 1),
        .bookings = PQgetvalue(result, row, 2),
    };
}

enum status patient_audit(struct connection *connection, const struct audit_actor *actor,
                          const char *action, const struct patient_scope *scope, struct err *err)
{
    const char *const values[] = {AUDIT_VALUES(actor), action, scope->bookings, scope->user_id};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    AUTO_RESULT PGresult *result = NULL;
    return connection_execute(connection, "patient_audit", &parameters, false, 0, &result, err);
}

const char *patient_section_name(size_t index)
{
    return index < ARRAY_LENGTH(statements) - SECTIONS_BEGIN
               ? statements[SECTIONS_BEGIN + index].name + SECTION_PREFIX
               : NULL;
}

enum status patient_section_read(struct connection *connection, size_t index,
                                 const struct patient_scope *scope, PGresult **ret_result,
                                 struct err *err)
{
    const char *const values[] = {scope->user_id, scope->profile_id, scope->bookings};
    const struct parameters parameters = {.values = values, .count = ARRAY_LENGTH(values)};
    return connection_execute(connection, statements[SECTIONS_BEGIN + index].name, &parameters,
                              false, 0, ret_result, err);
}
