"""What a database holds after a step forward, back, and forward again."""

import os

import pytest

from intake_harness.daemon import ROOT
from intake_harness.schema import LATEST, content, digest, dump, names_in, use

SHARED_SCHEMA = os.path.join(os.path.dirname(ROOT), "shared", "legacy", "schema.sql")
PLACEHOLDER = "intake:no-phone:"


def test_baseline_makes_the_tables_that_the_other_programs_have(migrate, postgres, empty_database):
    migrate(empty_database, "up", "--to", "0")
    assert {"users", "patient_profiles", "Appoinment"} <= names_in(empty_database, "public")
    if not os.path.exists(SHARED_SCHEMA):
        pytest.skip("the legacy schema is not at hand to compare with")
    live = postgres.create_database()
    with open(SHARED_SCHEMA, encoding="utf-8") as file:
        live.query(file.read())
    assert dump(empty_database) == dump(live)
    live.drop()


def test_baseline_leaves_the_tables_of_a_live_database_alone(migrate, legacy):
    before, schema = digest(content(legacy)), dump(legacy)
    migrate(legacy, "up", "--to", "0")
    assert (digest(content(legacy)), dump(legacy)) == (before, schema)


def test_up_down_up_keeps_every_row_and_value(migrate, legacy):
    schema = dump(legacy)
    migrate(legacy, "up")
    use(legacy)
    with legacy.connect("legacy") as other:
        for _ in range(50):
            other.execute("CALL other_program.write(false)")
    full_schema, before = dump(legacy), content(legacy)
    migrate(legacy, "down", "--to", "0")
    assert dump(legacy) == schema
    assert legacy.value("SELECT count(*) FROM users WHERE phone_number LIKE %s", (PLACEHOLDER + "%",)) == 2
    migrate(legacy, "up")
    after = content(legacy)
    assert digest(after) == digest(before)
    assert sorted(dump(legacy)) == sorted(full_schema)
    assert not names_in(legacy, "intake_archive"), "something stayed in the archive"
    assert legacy.value("INSERT INTO audit_log (actor, action, request_id) VALUES ('a', 'b', 'c')"
                        " RETURNING id") == 3, "the counter of the audit log went back"


@pytest.mark.parametrize("to", range(LATEST))
def test_each_step_back_and_forward_keeps_every_row_and_value(migrate, empty_database, to):
    migrate(empty_database, "up")
    use(empty_database)
    before = content(empty_database)
    migrate(empty_database, "down", "--to", str(to))
    assert f"{to:03}_" in migrate(empty_database, "status").stdout
    migrate(empty_database, "up")
    assert content(empty_database) == before


def test_what_others_do_between_down_and_up_stays_done(migrate, legacy):
    migrate(legacy, "up")
    use(legacy)
    legacy.query("""
        INSERT INTO users (id, phone_number, name, user_type, email) VALUES
            ('01900000-0000-7000-8000-000000000004', NULL, 'Erased', 'medical_questionnaire', 'erased@example.com');
        INSERT INTO patient_profiles (id, user_id, name, phone, email) VALUES
            ('01900000-0000-7000-8000-000000000014', '01900000-0000-7000-8000-000000000004', 'Erased', NULL,
             'erased@example.com');
        INSERT INTO medical_questionnaire_submissions (booking_uid, patient_profile_id, submission_data) VALUES
            ('bookingFour', '01900000-0000-7000-8000-000000000014', '{}')""")
    migrate(legacy, "down", "--to", "0")
    with legacy.connect("legacy") as other:
        other.execute("DELETE FROM patient_profiles WHERE name = 'Erased'")
        other.execute("DELETE FROM users WHERE name = 'Erased'")
        other.execute("UPDATE users SET phone_number = '+905550000001' WHERE name = 'Ayşe'")
        other.execute("INSERT INTO users (phone_number, name) VALUES ('+905550000002', 'Since')")
        other.execute("INSERT INTO patient_profiles (user_id, name, phone, email)"
                      " SELECT id, name, phone_number, 'since@example.com' FROM users WHERE name = 'Since'")
    migrate(legacy, "up")
    assert legacy.query("SELECT id FROM users WHERE name = 'Erased'") == []
    assert legacy.submission("bookingFour")["patient_profile_id"] is None
    assert legacy.value("SELECT phone_number FROM users WHERE name = 'Ayşe'") == "+905550000001"
    assert legacy.value("SELECT email FROM users WHERE name = 'Ayşe'") == "Ayse@Example.com"
    assert legacy.one("SELECT user_type, email FROM users WHERE name = 'Since'") == {
        "user_type": "whatsapp", "email": "since@example.com"}
    assert legacy.value("SELECT source_channel FROM patient_profiles WHERE name = 'Since'") == "whatsapp"


def test_older_profiles_are_of_whatsapp_and_new_ones_of_the_questionnaire(migrate, legacy):
    files = "SELECT pg_relation_filenode('users') AS u, pg_relation_filenode('patient_profiles') AS p"
    before = legacy.one(files)
    migrate(legacy, "up")
    assert legacy.one(files) == before, "a table was written anew"
    assert legacy.query("SELECT DISTINCT source_channel FROM patient_profiles") == [
        {"source_channel": "whatsapp"}]
    assert legacy.query("SELECT DISTINCT user_type FROM users") == [{"user_type": "whatsapp"}]
    with legacy.connect("legacy") as other:
        other.execute("CALL other_program.write(false)")
    assert legacy.value("SELECT source_channel FROM patient_profiles WHERE name = 'New'") == "medical_questionnaire"
    assert legacy.value("SELECT user_type FROM users WHERE name = 'New'") == "whatsapp"


def test_an_email_is_taken_over_only_where_it_is_nobody_elses(migrate, empty_database):
    migrate(empty_database, "up", "--to", "0")
    profiles = [("alone", "Alone@example.com", False), ("same1", "same@example.com", False),
                ("same2", "SAME@example.com", False), ("live", "half@example.com", False),
                ("gone", "Half@example.com", True), ("deleted", "deleted@example.com", True),
                ("none", "unknown", False), ("blank", "a b@example.com", False)]
    for name, email, deleted in profiles:
        empty_database.query("INSERT INTO users (phone_number, name) VALUES (%s, %s)", (name, name))
        empty_database.query("INSERT INTO patient_profiles (user_id, name, phone, email, deleted)"
                             " SELECT id, name, phone_number, %s, %s FROM users WHERE name = %s",
                             (email, deleted, name))
    migrate(empty_database, "up")
    found = {row["name"]: row["email"] for row in
             empty_database.query("SELECT name, email FROM users WHERE email IS NOT NULL")}
    assert found == {"alone": "Alone@example.com", "live": "half@example.com"}


def test_every_table_of_ours_and_every_column_in_it_that_is_not_plain_has_a_comment(database):
    tables = database.query("""
        SELECT c.relname FROM pg_class AS c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
           AND c.relname NOT IN ('users', 'patient_profiles', 'medical_backgrounds', 'conversations',
                                 'messages', 'Appoinment')
           AND obj_description(c.oid) IS NULL""")
    assert tables == []
    columns = database.query("""
        SELECT a.attrelid::regclass::text AS table, a.attname AS column
          FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
           AND (a.atttypid = 'jsonb'::regtype OR a.attname IN ('user_type', 'source_channel', 'status', 'deleted'))
           AND a.attrelid::regclass::text IN ('medical_questionnaire_submissions', 'submission_revisions', 'audit_log')
           AND col_description(a.attrelid, a.attnum) IS NULL""")
    assert columns == []
