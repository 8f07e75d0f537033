/*
 * SQL that several statements need to show what staff decided. `s` is the alias of a row of
 * medical_questionnaire_submissions.
 */
#ifndef INTAKE_DB_REVIEW_SQL_H
#define INTAKE_DB_REVIEW_SQL_H

/* A timestamptz as it stands in every reply, for jsonb, which would print it otherwise. */
#define TIME_JSON_SQL(time)                                                                        \
    "to_char(" time " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

/*
 * Whether `r`, a row of contradiction_resolutions, decides the contradiction `c` of submission
 * `s`. What was kept stays kept when a later revision says the same against the same stored value.
 * What was taken is what is stored since then: should it contradict again, then because somebody
 * else changed it, which is to be decided anew.
 */
#define RESOLVES_SQL(r, s, c)                                                                      \
    r ".submission_id = " s ".id AND " r ".field = " c " ->> 'field'"                              \
      " AND " r ".stored = coalesce(" c " -> 'stored', 'null')"                                    \
      " AND " r ".posted = coalesce(" c " -> 'posted', 'null')"                                    \
      " AND (" r ".decision = 'keep' OR " r ".revision = " s ".revision)"

#define RESOLUTION_JSON_SQL(r)                                                                     \
    "jsonb_build_object('decision', " r ".decision, 'actor', " r                                   \
    ".actor, 'at', " TIME_JSON_SQL(r ".created_at") ")"

/* The contradictions of a submission, each with its "resolution", as jsonb. */
#define CONTRADICTIONS_SQL(s)                                                                      \
    "(SELECT coalesce(jsonb_agg(c.value || jsonb_build_object('resolution',"                       \
    "     (SELECT " RESOLUTION_JSON_SQL(                                                           \
        "r") " FROM contradiction_resolutions AS r"                                                \
             "  WHERE " RESOLVES_SQL(                                                              \
                 "r", s, "c.value") "  ORDER BY r.id DESC LIMIT 1)) ORDER BY c.n),"                \
                                    "     '[]')"                                                   \
                                    " FROM jsonb_array_elements(" s                                \
                                    ".contradictions) WITH ORDINALITY AS c (value, n))"

/* How many of them nobody has decided, as int. */
#define UNRESOLVED_SQL(s)                                                                          \
    "(SELECT count(*)::int FROM jsonb_array_elements(" s ".contradictions) AS c (value)"           \
    " WHERE NOT EXISTS (SELECT FROM contradiction_resolutions AS r"                                \
    "                   WHERE " RESOLVES_SQL("r", s, "c.value") "))"

/* A row of submission_reviews. */
#define REVIEW_JSON_SQL(r)                                                                         \
    "jsonb_build_object('state', " r ".state, 'comment', " r ".comment, 'actor', " r ".actor,"     \
    " 'at', " TIME_JSON_SQL(r ".created_at") ", 'revision', " r ".revision)"

/* The review of the current revision, as jsonb: it is received until somebody says otherwise. */
#define REVIEW_SQL(s)                                                                              \
    "coalesce("                                                                                    \
    "    (SELECT " REVIEW_JSON_SQL("r") " FROM submission_reviews AS r"                            \
                                        "     WHERE r.submission_id = " s ".id"                    \
                                        "       AND r.revision = " s ".revision"                   \
                                        "     ORDER BY r.id DESC LIMIT 1),"                        \
                                        "    jsonb_build_object('state', " s                       \
                                        ".review_state, 'comment', NULL, 'actor', NULL,"           \
                                        "        'at', NULL, 'revision', " s ".revision))"

#endif
