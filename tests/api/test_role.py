"""The daemon's role in the database: what it may do is what it needs. Every other test runs under it."""

import psycopg
import psycopg.sql
import pytest

from intake_harness.bodies import full, minimal
from intake_harness.daemon import run_command

OURS = ("medical_questionnaire_submissions", "submission_revisions", "submission_drafts", "submission_reviews",
        "processing_failures", "contradiction_resolutions", "staff_tokens", "staff_sessions", "audit_log",
        "audit_seals", "intake_migrations")


@pytest.fixture
def grant(binary, postgres):
    def run(database, role="intake_daemon", code=0):
        done = run_command(binary, "migrate", "grant", "--role", role, conninfo=database.conninfo)
        assert done.returncode == code, done.stdout + done.stderr
        return done
    return run


def use(intake, staff_token):
    """Rows in every table, by a daemon's work; the database."""
    body = full()
    intake.client().submit(body)
    intake.wait_processed(body["booking_uid"])
    intake.client().submit({**body, "allergies": "none"})
    assert intake.client(staff_token).look_up(body["booking_uid"]).status_code == 200
    return intake.database


@pytest.fixture(scope="module")
def used(shared_intake, staff_token):
    """For tests that look, or are refused."""
    return use(shared_intake, staff_token)


def refused(database, statement):
    with database.connect("intake_daemon") as daemon, pytest.raises(psycopg.errors.InsufficientPrivilege):
        daemon.execute(statement)


def test_the_tests_run_under_that_role(used):
    with used.connect("postgres") as admin:
        names = admin.execute("SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = current_database()"
                              "   AND application_name LIKE 'intake %'").fetchall()
    assert names == [{"usename": "intake_daemon"}]


@pytest.mark.parametrize("table", ["audit_log", "audit_seals"])
@pytest.mark.parametrize("statement", [
    "UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}", "DROP TABLE {}", "ALTER TABLE {} DISABLE TRIGGER ALL",
    "ALTER TABLE {} ADD COLUMN x int", "ALTER TABLE {} OWNER TO intake_daemon",
    "CREATE TRIGGER x BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION audit_refuse_change()",
    "SELECT FROM {} FOR UPDATE"])
def test_it_cannot_change_the_audit(used, table, statement):
    column = {"audit_log": "actor", "audit_seals": "hash"}[table]
    before = used.value(f"SELECT count(*) FROM {table}")
    refused(used, statement.format(table, column, column))
    assert used.value(f"SELECT count(*) FROM {table}") >= before


@pytest.mark.parametrize("statement", [
    "CREATE TABLE x ()", "CREATE SCHEMA x", "CREATE FUNCTION public.x() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "DROP TABLE submission_drafts", "ALTER TABLE users ADD COLUMN x int", "CREATE INDEX ON users (name)",
    "ALTER TABLE users DISABLE TRIGGER ALL", "DROP FUNCTION audit_refuse_change()",
    "CREATE OR REPLACE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "SELECT FROM intake_archive.granted_roles", "SET ROLE intake",
    "SET session_replication_role = replica", "CREATE ROLE x", "COPY users TO '/tmp/x'",
    "INSERT INTO staff_tokens SELECT * FROM staff_tokens", "UPDATE staff_tokens SET revoked_at = NULL",
    "DELETE FROM medical_questionnaire_submissions", "DELETE FROM submission_revisions",
    "UPDATE submission_revisions SET revision = revision", "DELETE FROM users", "UPDATE intake_migrations SET name = name"])
def test_it_cannot_change_the_schema_or_what_it_need_not(used, statement):
    refused(used, statement)


def test_it_may_do_something_with_every_table_of_ours(used):
    tables = {row["relname"] for row in used.query(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        "   AND has_table_privilege('intake_daemon', oid, 'SELECT')")}
    assert set(OURS) <= tables
    unknown = used.query("""
        SELECT relname FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
           AND obj_description(oid) IS NOT NULL AND NOT has_table_privilege('intake_daemon', oid, 'SELECT')""")
    assert unknown == [], "a table of ours that migrations/grants.sql does not name"


def test_a_step_back_and_forward_keeps_the_grants(binary, start_intake, staff_token):
    used = use(start_intake(), staff_token)
    for arguments in (("down", "--to", "0"), ("up",)):
        done = run_command(binary, "migrate", *arguments, conninfo=used.conninfo)
        assert done.returncode == 0, done.stderr
    intake = start_intake()
    body = minimal()
    assert intake.client().submit(body).status_code == 201
    assert intake.client(staff_token).look_up(body["booking_uid"]).status_code == 200


def test_what_a_step_up_makes_anew_is_granted(binary, postgres, grant):
    database = postgres.create_database()
    try:
        for arguments in (("up",), ("grant", "--role", "intake_daemon"), ("down", "--to", "10")):
            assert run_command(binary, "migrate", *arguments, conninfo=database.conninfo).returncode == 0
        database.query("DROP TABLE intake_archive.audit_seals")
        assert run_command(binary, "migrate", "up", conninfo=database.conninfo).returncode == 0
        assert database.value("SELECT has_table_privilege('intake_daemon', 'audit_seals', 'INSERT')")
        assert not database.value("SELECT has_table_privilege('intake_daemon', 'audit_seals', 'UPDATE, DELETE')")
    finally:
        database.drop()


def test_more_than_it_needs_is_taken_away(database, grant):
    database.query("GRANT ALL ON audit_log, staff_tokens TO intake_daemon")
    grant(database)
    assert not database.value("SELECT has_table_privilege('intake_daemon', 'audit_log', 'DELETE, UPDATE, TRUNCATE')")
    assert not database.value("SELECT has_table_privilege('intake_daemon', 'staff_tokens', 'INSERT')")


@pytest.mark.parametrize("role, given, said", [
    ("nobody_there", None, "there is no role"),
    ("postgres", None, "could change"),
    ("intake", None, "could change"),
    ("intake_daemon", "GRANT CREATE ON SCHEMA public TO PUBLIC", "could change the schema"),
    ("intake_daemon", "GRANT DELETE ON audit_log TO PUBLIC", "could change the audit")])
def test_a_role_that_could_do_more_is_refused(database, grant, role, given, said):
    if given:
        with database.connect("postgres") as admin:
            admin.execute(given)
    assert said in grant(database, role, code=2).stderr


def test_without_a_schema_it_says_what_to_do(empty_database, grant):
    assert "intake migrate up" in grant(empty_database, code=2).stderr


def test_a_role_s_name_may_be_any(database, grant, postgres):
    name = "o'brien \"x\" üñ"
    with postgres.connect("postgres") as admin:
        admin.execute(psycopg.sql.SQL("CREATE ROLE {}").format(psycopg.sql.Identifier(name)))
    grant(database, name)
    assert database.value("SELECT has_table_privilege(%s, 'audit_log', 'INSERT')", (name,))


def test_another_program_that_may_only_add_submissions_still_may(used):
    """What it adds is noted in the patient's profile, which it need not be allowed to write."""
    with used.connect("postgres") as admin:
        admin.execute("DROP ROLE IF EXISTS other_program")
        admin.execute("CREATE ROLE other_program LOGIN")
        admin.execute("GRANT USAGE ON SCHEMA public TO other_program")
        admin.execute("GRANT INSERT ON medical_questionnaire_submissions TO other_program")
    try:
        profile_id = used.value("SELECT id FROM patient_profiles LIMIT 1")
        with used.connect("other_program") as other:
            other.execute("INSERT INTO medical_questionnaire_submissions (booking_uid, patient_profile_id, submission_data,"
                          " created_at) VALUES ('other-1', %s, '{}', '2001-01-01')", (profile_id,))
        assert used.value("SELECT submission_weeks::text FROM patient_profiles WHERE id = %s", (profile_id,)) == "{2001-01-01}"
    finally:
        with used.connect("postgres") as admin:
            admin.execute("DROP OWNED BY other_program")
            admin.execute("DROP ROLE other_program")
