"""Migrations while other programs, and the daemon, write to the same tables."""

import os
import threading

import psycopg
import pytest

from intake_harness.bodies import minimal
from intake_harness.daemon import ROOT
from intake_harness.legacy import ROWS, LegacyWriters
from intake_harness.schema import content, digest, dump, use
from intake_harness.waiting import eventually
from proof.contents import lost
from proof.migrations import worst_step

# What an idle transaction holds.
HOLD_TABLE = "SELECT FROM patient_profiles LIMIT 1"
# A row that the writers leave alone, for theirs begin with f: they would wait for it, and we for them.
HOLD_ROW = ("UPDATE users SET name = name WHERE id = (SELECT id FROM users"
            " WHERE id >= '80000000-0000-0000-0000-000000000000' AND phone_number LIKE '+90532%' ORDER BY id LIMIT 1)")


def nobody_waited(measure):
    """Whether no writer waited for 50 ms, the promise; `measure` gives one or more LegacyWriters.

    The noise is what the machine took then for a table that nobody else touches. A second chance,
    because it can be busy with one and not the other.
    """
    return any(all(writers.longest_ms < 50 + writers.noise_ms for writers in measure()) for _ in range(2))


@pytest.mark.alone
def test_other_writers_never_wait_and_never_fail(migrate, postgres, legacy_template):
    def measure():
        database = postgres.create_database(legacy_template)
        for arguments in (["up"], ["down", "--to", "0"], ["up"]):
            with LegacyWriters(database) as writers:
                migrate(database, *arguments)
                writers.wait_for_writes(10)
            yield writers
        database.drop()
    assert nobody_waited(measure)


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


@pytest.mark.alone
def test_a_page_gives_way_to_a_locked_row(migrate, legacy):
    with legacy.connect() as connection:
        with open(os.path.join(ROOT, "migrations", "support.sql"), encoding="utf-8") as file:
            connection.execute(file.read())
        connection.execute("SET intake.wait_limit_ms = 300; SET statement_timeout = '20s'")
        call = ("CALL intake_archive.for_each_page('users', 200,"
                " 'UPDATE users SET name = ''x'' WHERE id >= $1 AND ($2 IS NULL OR id < $2)')")
        with legacy.connect("legacy") as idle, idle.transaction():
            idle.execute(HOLD_ROW)

            def measure():
                with LegacyWriters(legacy) as writers, pytest.raises(psycopg.Error) as raised:
                    connection.execute(call)
                assert raised.value.sqlstate == "ITK01"
                yield writers
            assert nobody_waited(measure)
        done = legacy.value("SELECT count(*) FROM users WHERE name = 'x'")
        assert 0 <= done < ROWS, "what was committed stays, the rest was not touched"
        connection.execute(call)
    assert legacy.query("SELECT id FROM users WHERE name IS DISTINCT FROM 'x'") == []


@pytest.mark.alone
@pytest.mark.parametrize("arguments", [["up"], ["down", "--to", "0"]])
def test_writers_do_not_wait_behind_a_step_that_waits(migrate, legacy, arguments):
    if arguments != ["up"]:
        migrate(legacy, "up")

    def measure():
        with legacy.connect("legacy") as idle, idle.transaction(), LegacyWriters(legacy) as writers:
            idle.execute(HOLD_TABLE)
            migrate(legacy, *arguments, "--wait", "2", code=2)
            writers.wait_for_writes(3)
        yield writers
    assert nobody_waited(measure)


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
                other.execute("CALL other_program.write(false)")
    assert process.wait(60) == 0
    assert legacy.query("SELECT id FROM users WHERE phone_number IS NULL") == []
    migrate(legacy, "up")
    found = legacy.query("SELECT name, email, phone_number FROM users"
                         " WHERE name IN ('Ayşe', 'Nobody', 'Ben', 'Late', 'New') ORDER BY name")
    assert [tuple(row.values()) for row in found] == [
        ("Ayşe", "new@example.com", None), ("Ben", "ben@example.org", None), ("Late", "late@example.com", None),
        ("New", None, "+15551000001"), ("Nobody", None, None)]


def test_what_is_audited_while_a_step_back_is_at_work_keeps_its_origin(migrate, database):
    add = ("INSERT INTO audit_log (actor, action, request_id, client_address, reason)"
           " SELECT 'a', 'b', 'c', '2001:db8::1', 'a call' FROM generate_series(1, %s)")
    database.query(add, (20000,))
    others = []

    def audit():
        with database.connect() as connection:
            while True:
                try:
                    connection.execute(add, (1,))
                except psycopg.errors.UndefinedColumn as end:
                    others.append(end)
                    return

    threads = [threading.Thread(target=audit) for _ in range(2)]
    for thread in threads:
        thread.start()
    migrate(database, "down", "--to", "9")
    for thread in threads:
        thread.join()
    migrate(database, "up")
    assert len(others) == 2
    assert database.value("SELECT count(*) FROM audit_log WHERE action = 'b'"
                          " AND (reason IS NULL OR client_address IS NULL)") == 0


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


def test_the_proof_notices_what_another_program_wrote_and_lost(migrate, legacy):
    with LegacyWriters(legacy) as writers:
        migrate(legacy, "up")
        writers.wait_for_writes(1)
        legacy.query("GRANT SELECT, INSERT, UPDATE ON medical_questionnaire_submissions TO legacy")
        writers.wait_for_writes(10)
    bare, *written = [next(iter(writers.acknowledged)), *list(writers.acknowledged)[-5:]]
    assert writers.acknowledged[bare] is None
    assert {writers.acknowledged[number] for number in written} == {'{"changed": true}'}
    assert lost(legacy, writers.acknowledged) == 0
    row = " medical_questionnaire_submissions {} WHERE booking_uid = 'legacy{}'"
    harm = ("DELETE FROM" + row.format("", written[0]),
            "UPDATE" + row.format("SET submission_data = '{}'", written[1]),
            "UPDATE" + row.format("SET status = 'failed'", written[2]),
            "UPDATE" + row.format("SET patient_profile_id = NULL", written[3]),
            f"DELETE FROM medical_backgrounds USING patient_profiles AS p WHERE p.id = patient_profile_id"
            f" AND p.email = 'new{written[4]}@example.com'",
            f"INSERT INTO medical_questionnaire_submissions (booking_uid, submission_data) VALUES ('legacy{bare}', '{{}}')")
    for count, statement in enumerate(harm, 1):
        legacy.query(statement)
        assert lost(legacy, writers.acknowledged) == count, statement


def test_the_proof_judges_each_step_by_its_own_noise():
    assert worst_step({"loud": (500, 520), "slow": (90, 20), "quick": (5, 4)}) == ("slow", (90, 20))
