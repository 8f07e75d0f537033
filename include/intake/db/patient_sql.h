/* What the statements about one person's data share. */
#ifndef INTAKE_DB_PATIENT_SQL_H
#define INTAKE_DB_PATIENT_SQL_H

/* The parameters of a person: user, profile, bookings. A CTE, so that each has a type everywhere.
 */
#define SCOPE                                                                                      \
    "scope AS (SELECT $1::uuid AS user_id, $2::uuid AS profile_id, $3::text[] AS bookings)"

/* The e-mails of a user, in lower case, that are nobody else's. */
#define OWN_EMAILS(user_id)                                                                        \
    "(SELECT e.email"                                                                              \
    " FROM (SELECT lower(u.email) AS email FROM users AS u WHERE u.id = " user_id "       UNION"   \
    "       SELECT lower(l.email) FROM patient_profiles AS l WHERE l.user_id = " user_id ") AS e"  \
    " WHERE e.email LIKE '%@%'"                                                                    \
    "   AND NOT EXISTS (SELECT FROM users AS u"                                                    \
    "                   WHERE lower(u.email) = e.email AND u.id <> " user_id ")"                   \
    "   AND NOT EXISTS (SELECT FROM patient_profiles AS l"                                         \
    "                   WHERE lower(l.email) = e.email AND l.user_id <> " user_id "))"

/* Whether a row of "Appoinment" is the person's: by profile, or where it has none by e-mail. */
#define APPOINTMENT_OF_SCOPE(a)                                                                    \
    "(" a ".patient_profile_id = $2::uuid OR (" a ".patient_profile_id IS NULL"                    \
    " AND lower(" a ".\"attendeeEmail\") IN " OWN_EMAILS("$1::uuid") "))"

#endif
