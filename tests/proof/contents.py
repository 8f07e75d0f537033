"""What millions of rows hold, as sums to compare; and rows as months of use leave them."""

# The columns of the other programs. Of users and profiles those rows that neither those programs
# (LegacyWriters: id f…) nor some_use() (id 0…) change.
UNTOUCHED = "BETWEEN '10000000-0000-0000-0000-000000000000' AND 'efffffff-ffff-ffff-ffff-ffffffffffff'"
LEGACY = {
    "users": ("id, phone_number, name, created_at", f"id {UNTOUCHED}"),
    "patient_profiles": (
        "id, created_at, updated_at, deleted, user_id, name, phone, email, location, age, gender", f"user_id {UNTOUCHED}"),
    "medical_backgrounds": ("id, created_at, updated_at, deleted, patient_profile_id, medical_data", "true"),
    "messages": ("id, user_id, direction, body, media_url, created_at", "true"),
    '"Appoinment"': ('id, "createdAt", topic, status, "attendeeName", "attendeeEmail", "rawPayload"', "true"),
}
# What the writers and the clients of the daemon change is compared with what they were told.
UNCHANGED = {
    "users": "id < 'f0000000-0000-0000-0000-000000000000'",
    "patient_profiles": "user_id < 'f0000000-0000-0000-0000-000000000000'",
    "medical_questionnaire_submissions": "booking_uid NOT LIKE 'legacy%%' AND booking_uid NOT LIKE 'pv%%'",
}
SINCE = {"Appoinment": '"createdAt"', "audit_log": "occurred_at", "audit_seals": "sealed_at",
         "submission_revisions": "replaced_at", "processing_failures": "failed_at"}


class Unchanged:
    """The sum of every table's rows, of those that are there now: later they are to be the same.

    `columns` are those to look at, {table: (columns, condition)}; without them, all of every table.
    What the `writers` have begun is ended before it is looked at.
    """

    def __init__(self, database, columns=None, writers=None):
        self._database, self._columns = database, columns
        self._until = database.value("SELECT now()")
        if writers is not None:
            writers.wait_for_writes(2)
        self._sums = self._look()

    def compare(self, table, what):
        """Adds to the table of figures what is another one by now."""
        now = self._look()
        differing = [f"{name} ({before} rows, then {now.get(name, (None,))[0]})"
                     for name, (before, digest) in self._sums.items() if now.get(name) != (before, digest)]
        rows = sum(count for count, _ in self._sums.values())
        table.add(f"{what}, of {rows:,} rows in {len(self._sums)} tables",
                  "some in " + ", ".join(differing) if differing else "0", "0", not differing)

    def _look(self):
        sums = {}
        for table, (names, condition) in (self._columns or self._all()).items():
            row = self._database.one(f"""
                SELECT count(*) AS rows, sum(hashtextextended(ROW({names})::text, 0)) AS sum FROM {table}
                 WHERE ({condition}) AND {SINCE.get(table.strip('"'), 'created_at')} < %s""", (self._until,))
            sums[table] = row["rows"], row["sum"]
        return sums

    def _all(self):
        return {f'"{row["relname"]}"': (row["names"], UNCHANGED.get(row["relname"], "true"))
                for row in self._database.query("""
                    SELECT c.relname, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname) AS names
                      FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> 'intake_migrations'
                     GROUP BY c.relname""")}


def some_use(database, count):
    """`count` submissions and what belongs to them, beside those of schema.use(), and nothing for the daemon to do."""
    database.query("UPDATE medical_questionnaire_submissions SET status = 'failed' WHERE status = 'submitted'")
    database.query("UPDATE submission_drafts SET expires_at = 'infinity'")
    database.query("UPDATE users SET user_type = 'chat', phone_number = NULL WHERE id < '08000000-0000-0000-0000-000000000000'"
                   " AND email IS NOT NULL AND name <> 'New'")
    database.query("UPDATE patient_profiles SET booking_uid = 'b' || id, phone = NULL, source_channel = 'medical_questionnaire'"
                   " WHERE user_id < '08000000-0000-0000-0000-000000000000'")
    database.query("""
        UPDATE medical_backgrounds AS b SET answer_sources = '{"some": {"allergies": "none"}}'
          FROM patient_profiles AS p
         WHERE p.id = b.patient_profile_id AND p.user_id < '08000000-0000-0000-0000-000000000000'""")
    database.query("""
        INSERT INTO medical_questionnaire_submissions
            (booking_uid, patient_profile_id, submission_data, status, revision, attempts, next_attempt_at, processed_at,
             questionnaire_id, questionnaire_version, evaluation, review_state)
        SELECT 'many' || row_number() OVER (), p.id, jsonb_build_object('attendee_name', p.name, 'n', 1.10), 'processed', 2, 1,
               now(), now(), 'hair', '1.0', '{"scores": [], "flags": [{"link_id": "a", "text": "b"}]}',
               CASE WHEN p.age %% 2 = 0 THEN 'approved' ELSE 'received' END
          FROM patient_profiles AS p LIMIT %s""", (count,))
    database.query("""
        INSERT INTO submission_revisions (submission_id, revision, submission_data, status, created_at)
        SELECT id, 1, '{"n": 1}', 'processed', now() FROM medical_questionnaire_submissions WHERE booking_uid LIKE 'many%%'""")
    database.query("""
        INSERT INTO submission_reviews (submission_id, revision, state, actor)
        SELECT id, 2, review_state, 'nurse' FROM medical_questionnaire_submissions WHERE review_state = 'approved'""")
    database.query("""
        INSERT INTO audit_log (actor, action, booking_uid, request_id, client_address, reason)
        SELECT 'nurse', 'read', booking_uid, 'r', '2001:db8::1', 'a call'
          FROM medical_questionnaire_submissions WHERE booking_uid LIKE 'many%%'""")


def lost(database, writes):
    """
    How many of LegacyWriters.acknowledged are not there as acknowledged, with all that belongs to them: their
    submission holds what was said, and none is there where none was written.
    """
    writes = dict(writes)  # which grow as long as they write
    return len(writes) - database.value("""
        SELECT count(*) FROM unnest(%s::bigint[], %s::jsonb[]) AS w (n, submission)
          JOIN users AS u ON u.phone_number = '+1555' || n
          JOIN patient_profiles AS p ON p.user_id = u.id AND p.email = 'new' || n || '@example.com'
          JOIN medical_backgrounds AS b ON b.patient_profile_id = p.id
          LEFT JOIN medical_questionnaire_submissions AS s ON s.booking_uid = 'legacy' || n
         WHERE CASE WHEN w.submission IS NULL THEN s.id IS NULL
                    ELSE (s.submission_data, s.patient_profile_id, s.status) = (w.submission, p.id, 'processed') END
        """, (list(writes), list(writes.values())))
