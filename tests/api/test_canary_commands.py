"""What patients wrote is in what `intake patient export` prints, and in nothing else that commands and streams say."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from intake_harness.bodies import fresh_booking
from intake_harness.canary import Refusal
from intake_harness.daemon import run_command
from intake_harness.links import OPTIONS, Drafts
from intake_harness.waiting import eventually

QUIET = {**OPTIONS, "log.level": "debug", "worker.poll_ms": 50}
EXPORT, ERASE = ("patient", "export", "WHO"), ("patient", "erase", "WHO", "--yes")
LIST, RETENTION = ("audit", "list", "--booking", "WHO"), ("retention", "run")
# With a table that holds the command up in its middle while it is locked; those that erase are the last.
COMMANDS = ((EXPORT, "audit_log"), (("patient", "erase", "WHO", "--dry-run"), "medical_backgrounds"), (LIST, "audit_log"),
            (("audit", "verify"), "audit_log"), (("audit", "seal"), "audit_seals"), (RETENTION, "medical_backgrounds"),
            (ERASE, "medical_backgrounds"))
LIMITS = {"INTAKE_RETENTION_SUBMISSION_DAYS": "1", "INTAKE_RETENTION_REVISION_DAYS": "1"}


@pytest.fixture
def intake(start_intake):
    return start_intake(QUIET)


@pytest.fixture
def person(canary, intake, client, staff, database):
    """Somebody whose texts are in every table, and whose bookings are nobody's words; the booking."""
    booking, begun = fresh_booking(), fresh_booking()
    body = canary.body(booking)
    assert client.submit(body).status_code == 201
    intake.wait_processed(booking)
    assert client.submit({**body, "allergies_details": f"later {canary.word}"}).status_code == 200
    intake.wait_processed(booking)
    assert client.submit({**body, "attendee_name": f"Fatma {canary.word}"}).status_code == 200
    intake.wait_processed(booking)
    assert staff.request("PUT", f"/v1/submissions/{booking}/review", json={
        "state": "has_issues", "comment": f"ask {canary.word}", "revision": 3}).status_code == 200
    assert Drafts(client, begun).put(canary.body(begun)).status_code == 201
    database.query("UPDATE medical_questionnaire_submissions SET created_at = now() - interval '9 days'")
    return booking


@pytest.fixture
def run(binary, database, canary, intake, client, postgres):
    """run(("patient", "export", "WHO"), booking): what it says but for the archive has no canary."""
    def command(arguments, who, **how):
        how = {"conninfo": database.conninfo, **how}
        done = run_command(binary, *(who if word == "WHO" else word for word in arguments), environment=LIMITS, **how)
        assert not canary.found_in(done.stderr), done.stderr
        assert arguments[:2] == EXPORT[:2] or not canary.found_in(done.stdout or ""), done.stdout
        return done

    yield command
    assert not canary.found_in(client.get("/metrics").text)
    assert not canary.found_in(intake.log())


def server_log(postgres):
    with open(postgres.log, encoding="utf-8", errors="replace") as file:
        return file.read()


def test_no_command_tells_any_of_it(run, person, canary, postgres):
    for arguments, _ in COMMANDS:
        done = run(arguments, person)
        assert done.returncode == 0, done.stderr
        assert canary.found_in(done.stdout) == (arguments == EXPORT) and done.stdout != ""
    assert not canary.found_in(server_log(postgres))


def test_a_full_disk_is_told_and_nothing_else(run, person):
    others = (("token", "list"), ("migrate", "status"), ("link", "--help"), ("config",), ("version",), ("help",))
    for arguments in (*(arguments for arguments, _ in COMMANDS), *others):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = run(arguments, person, stdout=full)
        assert done.returncode == 2 and "could not be printed" in done.stderr, arguments


def test_a_database_that_goes_in_the_middle_is_told_and_nothing_else(run, person, database):
    for arguments, table in COMMANDS:
        ended = (f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                 f" AND application_name = 'intake {arguments[0]}' AND datname = current_database()")
        with database.connect() as blocker, blocker.transaction(), ThreadPoolExecutor(1) as pool:
            blocker.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            running = pool.submit(run, arguments, person)
            eventually(lambda ended=ended: database.value(ended) == 1, what=arguments)
            done = running.result(60)
        assert done.returncode == 2 and done.stderr.startswith("intake: "), arguments
        assert arguments == LIST or done.stdout == ""


@pytest.mark.parametrize("telling", [True, False])
def test_an_error_of_the_database_is_told_without_the_row(run, person, database, canary, postgres, telling):
    written = (("audit_log", (EXPORT, ERASE, RETENTION)),
               *((table, (ERASE,)) for table in ("submission_drafts", "submission_revisions", "submission_reviews",
                                                 "medical_backgrounds", "patient_profiles", "users")),
               ("medical_questionnaire_submissions", (ERASE, RETENTION)))
    refusal = Refusal(database, dict(written), telling)
    for table, commands in written:
        refusal.of(table)
        for arguments in commands:
            done = run(arguments, person)
            assert done.returncode == 2 and "PostgreSQL P0001" in done.stderr and done.stdout == "", (table, arguments)
    assert telling or "refused-for-" in server_log(postgres) and not canary.found_in(server_log(postgres))


def test_a_file_that_cannot_be_written_is_told_and_nothing_else(run, person, directory):
    plain = os.path.join(directory, "plain")
    with open(plain, "w", encoding="utf-8") as file:
        file.write("x")
    for path in (os.path.join(plain, "archive"), os.path.join(directory, "no", "archive"), directory, "/dev/null"):
        done = run((*EXPORT, "--output", path), person)
        assert done.returncode == 2 and "could not be written" in done.stderr
    assert os.listdir(directory).count("plain") == 1
    assert not [name for name in os.listdir(directory) if name.startswith("archive")]


def test_a_caller_without_rights_or_database_is_told_no_more(run, person, database):
    for arguments in (EXPORT, ERASE, RETENTION):
        for conninfo in (database.daemon_conninfo, "host=/nowhere dbname=x"):
            assert run(arguments, person, conninfo=conninfo).returncode == 2


def test_what_cannot_be_found_or_understood_is_not_repeated(run, person, canary, directory):
    for who in (canary.word, f"{canary.word}@example.org", f"{canary.word} {{x}}"):
        for arguments in (EXPORT, ERASE):
            assert run(arguments, who).returncode == 1
        assert run(("link", "WHO"), who).returncode == 2
        run(LIST, who)
    answers = os.path.join(directory, "answers.json")
    with open(answers, "w", encoding="utf-8") as file:
        json.dump({**canary.body(), "age_range": canary.word, "allergies_details": 7}, file)
    done = run(("questionnaire", "check", "config/questionnaires/hair-transplant.json", answers, "--flat"), "")
    assert done.returncode == 1 and json.loads(done.stdout)["issue"]


def test_several_persons_are_told_by_their_bookings(run, canary, database):
    for number in (1, 2):
        database.query("WITH u AS (INSERT INTO users (phone_number, name) VALUES (%s, %s) RETURNING id)"
                       " INSERT INTO patient_profiles (user_id, name, email, booking_uid)"
                       " SELECT id, %s, %s, %s FROM u", (f"+90{canary.digits[:-1]}{number}", canary.word, canary.word,
                                                         f"{canary.word}@example.com", f"shared{number}"))
    for arguments in (EXPORT, ERASE):
        done = run(arguments, f"{canary.word}@example.com")
        assert done.returncode == 1 and "shared1" in done.stderr and done.stdout == ""


def test_a_stream_tells_of_bookings_and_no_more(intake, client, staff, listen, canary, run, database):
    """Whatever is done while it is open, and when the database goes."""
    listener, booking = listen(intake, last_id=canary.word, reason=canary.word), fresh_booking()
    body = canary.body(booking)
    for change in ({}, {"allergies_details": f"later {canary.word}"}, {"attendee_name": f"Fatma {canary.word}"}):
        assert client.submit({**body, **change}).status_code in (200, 201)
    staff.request("PUT", f"/v1/submissions/{booking}/review",
                  json={"state": "has_issues", "comment": canary.word, "revision": 3})
    Drafts(client, booking).put(canary.body(booking))
    run(ERASE, booking)
    last = fresh_booking()
    assert client.submit(canary.body(last)).status_code == 201
    listener.wait(booking, last)
    assert {key for event in listener.events for key in event} == {"id", "event", "booking_uid", "revised", "at"}
    with database.connect("postgres") as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                      " WHERE datname = current_database() AND usename = 'intake_daemon'")
    after = fresh_booking()
    eventually(lambda: client.submit(canary.body(after)).status_code in (200, 201))
    listener.wait(after)
    again = listen(intake, last_id=listener.events[0]["id"])
    again.wait(after)
    for stream in (listener, again):
        stream.close()
        assert stream.ended.wait(10) and b"retry: " in stream.raw and not canary.found_in(stream.raw)


def test_a_stream_that_is_refused_repeats_nothing(start_intake, canary, listen, postgres, tokens):
    intake = start_intake({**QUIET, "http.streams_max": 1})
    listen(intake)
    headers = {"Last-Event-ID": canary.word, "X-Intake-Reason": canary.word, "User-Agent": canary.word}
    for token, status in ((tokens["staff"], 503), (tokens["intake"], 403), (canary.word, 401), (None, 401)):
        caller = intake.client(token)
        assert canary.take(caller.get("/v1/events", headers=headers)).status_code == status
        assert canary.take(caller.get(f"/v1/events?{canary.word}={canary.word}", headers=headers)).status_code >= 400
    postgres.stop()
    try:
        assert canary.take(intake.client(tokens["staff"]).get("/v1/events", headers=headers)).status_code == 503
    finally:
        postgres.start()
    assert canary.told == [] and not canary.found_in(intake.client().get("/metrics").text)
    assert not canary.found_in(intake.log())
