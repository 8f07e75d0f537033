"""What a database holds, in forms to compare, and rows to fill a migrated one with."""

import glob
import hashlib
import os
import subprocess

from .daemon import ROOT

# The number of the last migration.
LATEST = max(int(os.path.basename(path)[:3]) for path in glob.glob(f"{ROOT}/migrations/*.up.sql"))


def dump(database):
    """The schema of the tables, as pg_dump prints it, without Intake's own table of records."""
    done = subprocess.run(
        ["pg_dump", "-s", "-n", "public", "-T", "intake_migrations", database.conninfo],
        text=True, capture_output=True, check=True)
    return [line for line in done.stdout.splitlines() if not line.startswith(("\\", "--"))]


def content(database):
    """Every row of every table with every value, in a form to compare."""
    tables = [row["relname"] for row in database.query(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        " AND relname <> 'intake_migrations'")]
    return {table: sorted(row["row"] for row in database.query(
        f'SELECT to_jsonb(t)::text AS row FROM "{table}" AS t')) for table in tables}


def digest(rows):
    """Short, so that a failed comparison can be read."""
    return {table: (len(values), hashlib.sha256("\n".join(values).encode()).hexdigest()[:12])
            for table, values in rows.items()}


def names_in(database, schema):
    return {row["relname"] for row in database.query(
        "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r'",
        (schema,))}


def use(database):
    """Rows as the running program leaves them, of every kind that a step back has to park."""
    database.query("""
        INSERT INTO users (id, phone_number, name, user_type, email) VALUES
            ('01900000-0000-7000-8000-000000000001', NULL, 'Ayşe', 'medical_questionnaire', 'Ayse@Example.com'),
            ('01900000-0000-7000-8000-000000000002', '+491701234567', 'Ben', 'chat', NULL),
            ('01900000-0000-7000-8000-000000000003', NULL, NULL, NULL, 'third@example.com');
        INSERT INTO patient_profiles (id, user_id, name, phone, email, booking_uid, source_channel) VALUES
            ('01900000-0000-7000-8000-000000000011', '01900000-0000-7000-8000-000000000001', 'Ayşe', NULL,
             'Ayse@Example.com', 'bookingOne', 'medical_questionnaire'),
            ('01900000-0000-7000-8000-000000000012', '01900000-0000-7000-8000-000000000002', 'Ben', '+491701234567',
             'ben@example.com', NULL, NULL),
            ('01900000-0000-7000-8000-000000000013', '01900000-0000-7000-8000-000000000003', 'Third', NULL,
             'third@example.com', 'bookingThree', 'whatsapp');
        INSERT INTO medical_backgrounds (patient_profile_id, medical_data, answer_sources) VALUES
            ('01900000-0000-7000-8000-000000000011', '{"allergies": "none"}',
             '{"allergies": {"booking_uid": "bookingOne", "value": "none"}}');
        INSERT INTO medical_questionnaire_submissions
            (id, booking_uid, patient_profile_id, submission_data, status, revision, attempts,
             next_attempt_at, processed_at, failure_reason, questionnaire_id, questionnaire_version,
             contradictions, deleted)
        VALUES
            ('01900000-0000-7000-8000-000000000021', 'bookingOne', '01900000-0000-7000-8000-000000000011',
             '{"n": 12345678901234567890.5}', 'processed', 2, 1, '2026-01-01', '2026-01-02', NULL, 'hair', '1.0',
             '[{"field": "name", "stored": "a", "posted": "b"}]', false),
            ('01900000-0000-7000-8000-000000000022', 'bookingTwo', '01900000-0000-7000-8000-000000000012',
             '{}', 'failed', 1, 5, 'infinity', NULL, 'too often', NULL, NULL, '[]', NULL),
            ('01900000-0000-7000-8000-000000000023', 'bookingThree', NULL,
             '{}', 'submitted', 1, 0, now(), NULL, NULL, 'hair', '1.0', '[]', true);
        INSERT INTO submission_revisions (submission_id, revision, submission_data, status) VALUES
            ('01900000-0000-7000-8000-000000000021', 1, '{"n": 1}', 'processed');
        INSERT INTO staff_tokens (id, name, role, token_hash, revoked_at) VALUES
            (gen_random_uuid(), 'nurse', 'staff', '\\x01', NULL), (gen_random_uuid(), 'old', 'admin', '\\x02', now());
        INSERT INTO staff_sessions (session_hash, token_id, expires_at)
        SELECT '\\x03', id, now() FROM staff_tokens WHERE name = 'nurse';
        UPDATE medical_questionnaire_submissions SET review_state = 'rejected' WHERE booking_uid = 'bookingTwo';
        INSERT INTO submission_reviews (submission_id, revision, state, comment, actor) VALUES
            ('01900000-0000-7000-8000-000000000022', 1, 'approved', NULL, 'nurse'),
            ('01900000-0000-7000-8000-000000000022', 1, 'rejected', 'No.', 'nurse');
        INSERT INTO processing_failures (submission_id, revision, attempt, reason, final) VALUES
            ('01900000-0000-7000-8000-000000000022', 1, 5, 'too often', true);
        INSERT INTO contradiction_resolutions (submission_id, revision, field, stored, posted, decision, actor) VALUES
            ('01900000-0000-7000-8000-000000000021', 2, 'name', '"a"', '"b"', 'keep', 'nurse');
        UPDATE medical_questionnaire_submissions
           SET evaluation = '{"scores": [], "flags": [{"link_id": "a", "text": "b"}]}'
         WHERE booking_uid = 'bookingOne';
        INSERT INTO submission_drafts (booking_uid, version, draft_data, expires_at) VALUES
            ('bookingTwo', gen_random_uuid(), '{"b": 1.10,  "a": 1}', 'infinity'),
            ('bookingFive', gen_random_uuid(), '{}', now());
        INSERT INTO audit_log (actor, action, booking_uid, request_id, client_address, reason) VALUES
            ('nurse', 'read', 'bookingOne', 'r1', '2001:db8::1', 'a call'),
            ('nurse', 'read', 'bookingTwo', 'r2', NULL, NULL)""")
