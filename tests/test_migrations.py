"""Migrations against a real database: forward, back and forward again, while others write to it."""

import hashlib
import os
import re
import signal
import subprocess
import threading

import psycopg
import pytest

from intake_harness.bodies import minimal
from intake_harness.daemon import ROOT, run_command, scrubbed_environment
from intake_harness.legacy import LegacyWriters, load
from intake_harness.waiting import eventually

ROWS = 20000
# Of the faults that a run can meet, each so many-th strikes; with INTAKE_TEST_LONG all of them do.
STRIDE = 1 if os.environ.get("INTAKE_TEST_LONG") else 3
LATEST = 7
SHARED_SCHEMA = os.path.join(os.path.dirname(ROOT), "shared", "legacy", "schema.sql")
PLACEHOLDER = "intake:no-phone:"


@pytest.fixture(scope="module")
def legacy_template(binary, postgres):
    """A database as it was before Intake, with rows."""
    database = postgres.create_database()
    with open(os.path.join(ROOT, "migrations", "000_baseline.up.sql"), encoding="utf-8") as file:
        with database.connect() as connection:
            connection.execute(file.read())
    load(database, ROWS)
    yield database.name
    database.drop()


@pytest.fixture
def legacy(postgres, legacy_template):
    copy = postgres.create_database(legacy_template)
    yield copy
    copy.drop()


@pytest.fixture
def migrate(binary):
    """migrate(database, "up", "--to", "3") runs it to its end."""
    def run(database, *arguments, code=0):
        done = run_command(binary, "migrate", *arguments, conninfo=database.conninfo, timeout=300)
        assert done.returncode == code, done.stdout + done.stderr
        return done
    return run


@pytest.fixture
def start_migrate(binary):
    """The same as a process to watch and to kill."""
    started = []

    def start(database, *arguments):
        process = subprocess.Popen(
            [binary, "migrate", *arguments], cwd=ROOT, text=True, stdin=subprocess.DEVNULL,
            env=scrubbed_environment({"INTAKE_DATABASE_CONNINFO": database.conninfo}),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started.append(process)
        return process
    yield start
    for process in started:
        process.kill()
        process.communicate()


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
        INSERT INTO audit_log (actor, action, booking_uid, request_id) VALUES
            ('nurse', 'read', 'bookingOne', 'r1'), ('nurse', 'read', 'bookingTwo', 'r2')""")


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
        other.execute("SELECT other_program.write() FROM generate_series(1, 50)")
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
        other.execute("SELECT other_program.write()")
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


def measure_writers(migrate, database, *arguments):
    with LegacyWriters(database) as writers:
        migrate(database, *arguments)
        writers.wait_for_writes(20)
    return writers.longest_ms, writers.noise_ms


def test_other_writers_never_wait_and_never_fail(migrate, postgres, legacy_template):
    """50 ms is the promise. The noise is what the same machine took, then, for a table of their own."""
    for last_chance in (False, True):
        database = postgres.create_database(legacy_template)
        waits = {" ".join(arguments): measure_writers(migrate, database, *arguments)
                 for arguments in (("up",), ("down", "--to", "0"), ("up",))}
        database.drop()
        if all(longest < 50 + noise for longest, noise in waits.values()):
            return
    assert not last_chance, f"longest wait and noise in ms: {waits}"


HOLD_TABLE = "SELECT FROM patient_profiles LIMIT 1"
HOLD_ROW = "UPDATE users SET name = name WHERE phone_number = '+905320000002'"


@pytest.mark.parametrize("hold", [HOLD_TABLE, HOLD_ROW])
@pytest.mark.parametrize("arguments, back", [
    (["up"], ["down", "--to", "0"]), (["down", "--to", "0"], ["up"])])
def test_a_step_gives_way_to_an_idle_transaction(migrate, legacy, arguments, back, hold):
    """It fails, nobody waited, nothing is lost; it can be finished and it can be taken back."""
    if arguments != ["up"]:
        migrate(legacy, "up")
        use(legacy)
    before, schema = content(legacy), sorted(dump(legacy))
    with legacy.connect("legacy") as idle:
        with idle.transaction():
            assert idle.execute(hold).rowcount == 1
            done = migrate(legacy, *arguments, "--wait", "2", code=2)
    assert "gave way" in done.stderr and "run the same command again" in done.stderr
    assert "`intake migrate up`" in migrate(legacy, "check", code=1).stderr
    migrate(legacy, *back)
    assert (digest(content(legacy)), sorted(dump(legacy))) == (digest(before), schema)
    migrate(legacy, *arguments)


def test_a_page_gives_way_to_a_locked_row(migrate, legacy):
    with legacy.connect() as connection:
        with open(os.path.join(ROOT, "migrations", "support.sql"), encoding="utf-8") as file:
            connection.execute(file.read())
        connection.execute("SET intake.wait_limit_ms = 300; SET statement_timeout = '20s'")
        call = ("CALL intake_archive.for_each_page('users', 200,"
                " 'UPDATE users SET name = ''x'' WHERE id >= $1 AND ($2 IS NULL OR id < $2)')")
        with legacy.connect("legacy") as idle, idle.transaction():
            idle.execute(HOLD_ROW)
            with LegacyWriters(legacy) as writers:
                with pytest.raises(psycopg.Error) as raised:
                    connection.execute(call)
            assert raised.value.sqlstate == "ITK01"
            assert writers.longest_ms < 50 + writers.noise_ms
        done = legacy.value("SELECT count(*) FROM users WHERE name = 'x'")
        assert 0 <= done < ROWS, "what was committed stays, the rest was not touched"
        connection.execute(call)
    assert legacy.query("SELECT id FROM users WHERE name IS DISTINCT FROM 'x'") == []


def test_writers_do_not_wait_behind_a_step_that_waits(migrate, legacy):
    for arguments in (["up"], ["down", "--to", "0"]):
        with legacy.connect("legacy") as idle, idle.transaction(), LegacyWriters(legacy) as writers:
            idle.execute(HOLD_TABLE)
            migrate(legacy, *arguments, "--wait", "2", code=2)
            writers.wait_for_writes(5)
        assert writers.longest_ms < 50 + writers.noise_ms
        migrate(legacy, *arguments)


def test_what_is_written_while_a_step_back_is_at_work_is_kept(migrate, start_migrate, legacy):
    """It stands still between the copy and the end: what changes then belongs to both."""
    migrate(legacy, "up")
    use(legacy)
    with legacy.connect("legacy") as idle:
        with idle.transaction():
            idle.execute(HOLD_TABLE)
            process = start_migrate(legacy, "down", "--to", "1")
            eventually(lambda: legacy.query(
                "SELECT pid FROM pg_stat_activity WHERE starts_with(query, 'DROP INDEX CONCURRENTLY')"
                " AND wait_event_type = 'Lock' AND datname = current_database()"), 30, "the step to stand still")
            legacy.query("""
                UPDATE users SET email = 'new@example.com' WHERE name = 'Ayşe';
                UPDATE users SET email = NULL, name = 'Nobody' WHERE name IS NULL AND user_type IS NULL;
                UPDATE users SET phone_number = NULL, email = 'ben@example.org' WHERE name = 'Ben';
                INSERT INTO users (phone_number, name, email) VALUES (NULL, 'Late', 'late@example.com')""")
            with legacy.connect("legacy") as other:
                other.execute("SELECT other_program.write()")
    assert process.wait(60) == 0
    assert legacy.query("SELECT id FROM users WHERE phone_number IS NULL") == []
    migrate(legacy, "up")
    found = legacy.query("SELECT name, email, phone_number FROM users"
                         " WHERE name IN ('Ayşe', 'Nobody', 'Ben', 'Late', 'New') ORDER BY name")
    assert [tuple(row.values()) for row in found] == [
        ("Ayşe", "new@example.com", None), ("Ben", "ben@example.org", None), ("Late", "late@example.com", None),
        ("New", None, "+15551000001"), ("Nobody", None, None)]


def waiting_index_build(database, start_migrate, *arguments):
    """A migration that waits in the middle of CREATE INDEX CONCURRENTLY; its process and backend."""
    process = start_migrate(database, *arguments)
    backend = eventually(lambda: database.query(
        "SELECT pid FROM pg_stat_activity WHERE starts_with(query, 'CREATE INDEX CONCURRENTLY')"
        " AND state = 'active' AND wait_event = 'virtualxid' AND datname = current_database()"),
        30, "an index build that waits")[0]["pid"]
    return process, backend


@pytest.mark.parametrize("victim", ["program", "backend"])
def test_an_index_build_that_was_killed_is_finished_by_the_next_run(
        migrate, start_migrate, legacy, victim):
    invalid = ("SELECT indexrelid::regclass::text AS name FROM pg_index WHERE NOT indisvalid"
               " AND indrelid = 'patient_profiles'::regclass")
    migrate(legacy, "up", "--to", "0")
    with legacy.connect("legacy") as idle:
        with idle.transaction():
            idle.execute("INSERT INTO conversations DEFAULT VALUES")
            idle.execute("DECLARE c CURSOR FOR SELECT FROM messages")  # an old snapshot
            idle.execute("FETCH 1 FROM c")
            process, backend = waiting_index_build(legacy, start_migrate, "up")
            if victim == "program":
                process.send_signal(signal.SIGKILL)
            else:
                legacy.query("SELECT pg_terminate_backend(%s)", (backend,))
            assert process.wait(30) != 0
            eventually(lambda: not legacy.query("SELECT pid FROM pg_stat_activity WHERE pid = %s", (backend,)),
                       30, "the end of the backend")
    assert legacy.query(invalid) == [{"name": "idx_patient_profiles_booking_uid"}]
    assert "001_medical_questionnaire was begun" in migrate(legacy, "check", code=1).stderr
    migrate(legacy, "up")
    migrate(legacy, "check")
    assert legacy.query("SELECT indexrelid FROM pg_index WHERE NOT indisvalid") == []


def fail_at(database, number):
    """Makes the number-th change of the schema from now fail (0: none); a counter survives that."""
    with database.connect("postgres") as connection:
        connection.execute("DROP EVENT TRIGGER IF EXISTS fault")
        connection.execute("""
            CREATE SCHEMA IF NOT EXISTS fault;
            GRANT ALL ON SCHEMA fault TO PUBLIC;
            DROP SEQUENCE IF EXISTS fault.counter;
            CREATE SEQUENCE fault.counter;
            GRANT ALL ON SEQUENCE fault.counter TO PUBLIC""")
        if number > 0:
            connection.execute(f"""
                CREATE OR REPLACE FUNCTION fault.strike() RETURNS event_trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF nextval('fault.counter') = {number} THEN
                        RAISE EXCEPTION 'fault';
                    END IF;
                END $$;
                CREATE EVENT TRIGGER fault ON ddl_command_end
                    WHEN TAG IN ('ALTER TABLE', 'CREATE TABLE', 'DROP TABLE', 'CREATE INDEX', 'DROP INDEX',
                                 'CREATE TRIGGER', 'DROP TRIGGER', 'CREATE TABLE AS')
                    EXECUTE FUNCTION fault.strike()""")


@pytest.mark.parametrize("then", ["up", "down"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_run_that_breaks_off_anywhere_can_go_on_or_back(
        binary, migrate, empty_database, direction, then):
    database = empty_database
    back = ["down", "--to", "0"]
    migrate(database, "up")
    use(database)
    before = content(database)
    strike = len(direction + then) % STRIDE + 1  # not the same ones in all four tests
    while True:
        migrate(database, *(back if direction == "up" else ["up"]))
        fail_at(database, strike)
        done = run_command(binary, "migrate", *(["up"] if direction == "up" else back),
                           conninfo=database.conninfo)
        fail_at(database, 0)
        if done.returncode == 0:
            break
        assert "fault" in done.stderr, done.stderr
        migrate(database, *(["up"] if then == "up" else back))
        migrate(database, "up")
        assert content(database) == before, f"after a fault at change {strike}"
        strike += STRIDE
    assert strike > 30, "the fault never struck"


def test_two_runs_at_once_do_it_once(migrate, start_migrate, legacy):
    both = [start_migrate(legacy, "up") for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    applied = [len(re.findall("applied in", out)) for out, _ in outputs]
    assert sorted(applied) == [0, LATEST + 1]
    migrate(legacy, "check")


def test_a_changed_migration_is_an_error_that_says_so(migrate, database):
    database.query("UPDATE intake_migrations SET checksum = repeat('0', 64) WHERE number = 3")
    for arguments, code in ((["check"], 1), (["up"], 2), (["down", "--to", "0"], 2)):
        done = migrate(database, *arguments, code=code)
        assert "003_processing was changed" in done.stderr and "checksum" in done.stderr
    assert "changed since" in migrate(database, "status").stdout
    assert "staff_tokens" in names_in(database, "public")


def test_a_database_newer_than_the_program_is_left_alone(migrate, database):
    database.query("INSERT INTO intake_migrations (number, name, checksum, applied_at)"
                   " VALUES (999, '999_later', 'x', now())")
    for arguments, code in ((["check"], 1), (["up"], 2), (["down", "--to", "0"], 2)):
        done = migrate(database, *arguments, code=code)
        assert "newer than this program" in done.stderr and "999_later" in done.stderr
    assert "999_later" in migrate(database, "status").stdout
    assert "staff_tokens" in names_in(database, "public")


def test_check_names_the_command_that_mends_it(migrate, empty_database):
    for arguments in (["status"], ["up", "--to", "0"], ["up", "--to", "4"]):
        assert "`intake migrate up`" in migrate(empty_database, "check", code=1).stderr
        migrate(empty_database, *arguments)
    assert "005_answer_sources is missing" in migrate(empty_database, "check", code=1).stderr
    migrate(empty_database, "up")
    assert migrate(empty_database, "check").stderr == ""
    assert migrate(empty_database, "up").stdout == ""


@pytest.mark.parametrize("arguments", [
    [], ["sideways"], ["down"], ["up", "--to", "x"], ["up", "--to", "-1"], ["up", "down"],
    ["up", "--to", "8"], ["down", "--to", "8"]])
def test_what_makes_no_sense_is_refused(migrate, database, arguments):
    done = migrate(database, *arguments, code=2)
    assert "usage:" in done.stderr or "there is no migration 8" in done.stderr


def test_without_a_database_the_key_is_named(binary):
    done = run_command(binary, "migrate", "up")
    assert done.returncode == 2 and "conninfo" in done.stderr


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


def test_the_daemon_at_work_loses_nothing_to_a_step_back_and_forward(
        migrate, database, start_intake):
    """What needs a table that is parked is refused for now, and what was acknowledged is there."""
    daemon = start_intake({"worker.poll_ms": 100, "worker.lease_ms": 1000, "lane.deadline_ms": 1000})
    stop, acknowledged, refused, other = threading.Event(), [], [], []

    def post():
        client = daemon.client()
        while not stop.is_set():
            body = minimal()
            status = client.submit(body).status_code
            {201: acknowledged, 503: refused}.get(status, other).append((body["booking_uid"], status))

    thread = threading.Thread(target=post)
    thread.start()
    try:
        for to in (6, 4, 2, 0):
            eventually(lambda seen=len(acknowledged): len(acknowledged) > seen + 5 or other, 30, "submissions")
            migrate(database, "down", "--to", str(to))
            migrate(database, "up")
        eventually(lambda seen=len(acknowledged): len(acknowledged) > seen + 5 or other, 30, "submissions")
    finally:
        stop.set()
        thread.join()
    assert not other, other
    stored = {row["booking_uid"]: row for row in database.query("""
        SELECT s.booking_uid, u.email FROM medical_questionnaire_submissions AS s
          JOIN patient_profiles AS p ON p.id = s.patient_profile_id JOIN users AS u ON u.id = p.user_id""")}
    assert [uid for uid, _ in acknowledged if uid not in stored] == []
    daemon.wait_processed(*[uid for uid, _ in acknowledged])
