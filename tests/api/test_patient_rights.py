"""intake patient: everything that is held about a person, and that none of it stays."""

import json
import os
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from intake_harness.bodies import fresh_booking, full, minimal
from intake_harness.daemon import run_command
from intake_harness.links import OPTIONS, Drafts
from intake_harness.waiting import eventually

CANARY = "kanarienvogel"
PHONE = "+491700009137"


@pytest.fixture
def intake(start_intake):
    return start_intake({**OPTIONS, "worker.poll_ms": 50})


@pytest.fixture
def patient(binary, database):
    """patient("erase", WHO, "--yes") runs it to its end, as the tables' owner."""
    def run(*arguments, code=0):
        done = run_command(binary, "patient", *arguments, conninfo=database.conninfo)
        assert done.returncode == code, done.stdout + done.stderr
        assert CANARY not in done.stderr and PHONE not in done.stderr
        return done
    return run


@pytest.fixture
def person(intake, client, staff, database):
    """Somebody of whom every table holds something; the booking of the submission."""
    booking, begun = fresh_booking(), fresh_booking()
    body = full(booking, attendee_name=f"Frau {CANARY}", attendee_email=f"{CANARY}@example.com",
                attendee_phone=PHONE, current_medications_details=f"{CANARY} one")
    assert client.submit(body).status_code == 201
    intake.wait_processed(booking)
    assert client.submit({**body, "current_medications_details": f"{CANARY} two"}).status_code == 200
    intake.wait_processed(booking)
    reply = staff.request("PUT", f"/v1/submissions/{booking}/review",
                          json={"state": "has_issues", "comment": f"ask {CANARY}", "revision": 2})
    assert reply.status_code == 200, reply.text
    assert Drafts(client, begun).put({**body, "booking_uid": begun}).status_code == 201
    database.query("INSERT INTO processing_failures (submission_id, revision, attempt, reason, final)"
                   " SELECT id, 1, 1, %s, false FROM medical_questionnaire_submissions"
                   " WHERE booking_uid = %s", (f"reason {CANARY}", booking))
    database.query("INSERT INTO contradiction_resolutions (submission_id, revision, field, stored, posted,"
                   " decision, actor) SELECT id, 1, 'attendee_name', %s::jsonb, '1', 'keep', 'nurse'"
                   " FROM medical_questionnaire_submissions WHERE booking_uid = %s",
                   (json.dumps(CANARY), booking))
    database.query("""INSERT INTO "Appoinment" (id, "zoomMeetingId", topic, status, "attendeeName",
                      "attendeeEmail", "rawPayload", "hostName", "hostEmail", patient_profile_id)
                      VALUES ('a1', 'z', %(c)s, 'booked', %(c)s, 'x@example.com', %(j)s::jsonb, 'Dr', 'd@example.com',
                              %(profile)s),
                             ('a2', 'z', 'Consultation', 'booked', %(c)s, %(mail)s, '{}', 'Dr', 'd@example.com', NULL)""",
                   {"c": CANARY, "j": json.dumps({"name": CANARY}), "mail": f"{CANARY}@Example.com",
                    "profile": database.profile(booking)["id"]})
    user = database.profile(booking)["user_id"]
    database.query("INSERT INTO messages (user_id, direction, body) VALUES (%s, 'incoming', 'hello')", (user,))
    database.query("INSERT INTO conversations (user_id) VALUES (%s)", (user,))
    client.patient_texts.clear()
    return {"booking": booking, "begun": begun, "user": str(user), "email": f"{CANARY}@example.com"}


def contents(database, but=()):
    """Every row of every table as text."""
    tables = database.query("SELECT relname FROM pg_class WHERE relkind = 'r'"
                            " AND relnamespace IN (current_schema()::regnamespace, 'intake_archive'::regnamespace)")
    return {table["relname"]: [row["row"] for row in database.query(
        f'SELECT t::text AS row FROM "{table["relname"]}" AS t ORDER BY 1')]
            for table in tables if table["relname"] not in but and database.value(
                "SELECT to_regclass(quote_ident(%s)) IS NOT NULL", (table["relname"],))}


def holding(database, *needles):
    return {name for name, rows in contents(database).items()
            if any(needle in row for row in rows for needle in needles)}


PERSONAL = {"users", "patient_profiles", "medical_backgrounds", "medical_questionnaire_submissions",
            "submission_revisions", "submission_drafts", "submission_reviews",
            "contradiction_resolutions", "processing_failures", "Appoinment"}


def test_the_canary_is_everywhere_before(person, database):
    assert holding(database, CANARY, PHONE) == PERSONAL


@pytest.mark.parametrize("who", ["booking", "begun", "email", "user"])
def test_the_archive_holds_everything(person, patient, database, staff, who):
    staff.look_up(person["booking"])
    archive = json.loads(patient("export", person[who].upper() if who == "email" else person[who]).stdout)
    if who == "begun":
        assert archive["users"] == [] and len(archive["submission_drafts"]) == 1
        return
    for table in PERSONAL | {"messages", "conversations"}:
        assert len(archive[table]) == database.value(f'SELECT count(*) FROM "{table}"'), table
    for table in PERSONAL:
        assert CANARY in json.dumps(archive[table]), table
    assert PHONE in json.dumps(archive["users"])
    assert {"submission.read", "submission.create", "patient.export"} <= {row["action"] for row in archive["audit_log"]}
    rows = database.query("SELECT booking_uid, actor, reason FROM audit_log WHERE action = 'patient.export'")
    assert {row["booking_uid"] for row in rows} == {person["booking"], person["begun"]}


def test_the_archive_as_a_file_is_the_owners_alone(person, patient, directory):
    path = os.path.join(directory, "archive.json")
    assert patient("export", person["email"], "--output", path, "--reason", "her letter").stdout == ""
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with open(path, encoding="utf-8") as file:
        assert json.load(file)["users"][0]["email"] == person["email"]
    assert [name for name in os.listdir(directory) if "archive" in name] == ["archive.json"]
    patient("export", person["email"], "--output", os.path.join(directory, "no", "such"), code=2)


@pytest.mark.parametrize("who", ["nobody@example.com", "bk0", "erased", "", "'; DROP TABLE users"])
def test_nothing_found_is_said_without_repeating_it(database, patient, who):
    for arguments in (("export", who), ("erase", who, "--yes")):
        done = patient(*arguments, code=1)
        assert done.stdout == ""
        assert done.stderr == "intake: nothing is held under that booking, id or e-mail\n"


def test_erasing_leaves_nothing_but_the_tombstone(person, patient, database, client, intake):
    other = minimal()
    client.submit(other)
    intake.wait_processed(other["booking_uid"])
    before = {name: rows for name, rows in contents(database).items()}
    printed = patient("erase", person["email"], "--yes", "--reason", "asked for").stdout
    assert holding(database, CANARY, PHONE) == set()
    assert "messages                           1" in printed
    for booking in (person["booking"], person["begun"]):
        row = database.submission(booking)
        assert row["deleted"] and row["submission_data"] == {} and row["contradictions"] == []
        assert row["evaluation"] is None and row["questionnaire_id"] is None
    assert database.value("SELECT count(*) FROM audit_log WHERE action = 'patient.erase'"
                          " AND reason = 'asked for' AND booking_uid = ANY (%s)",
                          ([person["booking"], person["begun"]],)) == 2
    assert set(before["audit_log"]) <= set(contents(database)["audit_log"])
    assert database.submission(other["booking_uid"])["submission_data"] == other
    assert database.profile(other["booking_uid"])["user_email"] == other["attendee_email"]
    assert not intake.log().count(CANARY)


def test_the_bookings_are_not_taken_anew(person, patient, client, staff, database):
    patient("erase", person["booking"], "--yes")
    for booking in (person["booking"], person["begun"]):
        draft = Drafts(client, booking)
        for _ in range(2):
            assert client.submit(minimal(booking)).status_code == 409
            assert draft.get().status_code == 404
            assert draft.put({"age_range": "36-45"}).status_code == 409
            assert draft.put({"age_range": "36-45"}, If_Match="*").status_code == 409
            assert draft.put({}).status_code == 409
            assert staff.look_up(booking).status_code == 404
            # The worker takes the ended draft out; nothing changes by that.
            eventually(lambda: not database.query("DELETE FROM submission_drafts WHERE expires_at < now()"))
    assert holding(database, CANARY) == set()


def test_the_same_person_may_come_back_with_another_booking(person, patient, client, intake, database):
    patient("erase", person["booking"], "--yes")
    body = full(attendee_email=person["email"], attendee_phone=PHONE)
    assert client.submit(body).status_code == 201
    intake.wait_processed(body["booking_uid"])
    assert str(database.profile(body["booking_uid"])["user_id"]) != person["user"]
    assert database.background(body["booking_uid"]) is not None


def test_a_second_time_changes_nothing(person, patient, database):
    patient("erase", person["booking"], "--yes")
    # The worker seals the audit and takes the ended draft out at any moment.
    before = contents(database, but=("audit_seals", "submission_drafts"))
    patient("erase", person["booking"], "--yes")
    patient("erase", person["user"], "--yes")
    assert contents(database, but=("audit_seals", "submission_drafts")) == before
    patient("erase", person["email"], "--yes", code=1)


def dump(database):
    done = subprocess.run([os.path.join(database.cluster.bin, "pg_dump"), "-d", database.conninfo],
                          capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if not line.startswith("\\")]


def test_a_dry_run_counts_and_changes_nothing(person, patient, intake, database):
    intake.stop()
    before = dump(database)
    printed = patient("erase", person["email"], "--dry-run").stdout
    assert dump(database) == before
    assert printed.startswith("would be erased:\n")
    wet = patient("erase", person["email"], "--yes").stdout
    assert wet.splitlines()[1:] == printed.splitlines()[1:]


def test_without_a_terminal_it_wants_a_yes(person, patient, database):
    before = contents(database, but=("audit_seals",))
    assert "--yes" in patient("erase", person["email"], code=2).stderr
    assert contents(database, but=("audit_seals",)) == before


def test_a_shared_email_erases_nobody(database, patient):
    for number, phone in ((1, "+491"), (2, "+492")):
        database.query("WITH u AS (INSERT INTO users (phone_number) VALUES (%s) RETURNING id)"
                       " INSERT INTO patient_profiles (user_id, name, email, booking_uid)"
                       " SELECT id, 'A', %s, %s FROM u", (phone, f"{CANARY}@example.com", f"shared{number}"))
    before = contents(database)
    for arguments in (("export", f"{CANARY}@example.com"), ("erase", f"{CANARY}@example.com", "--yes")):
        said = patient(*arguments, code=1).stderr
        assert "several persons" in said and "shared1" in said and "shared2" in said
    assert contents(database) == before
    patient("erase", "shared1", "--yes")
    left = database.one("SELECT booking_uid FROM patient_profiles WHERE NOT deleted")
    assert left == {"booking_uid": "shared2"}
    patient("erase", f"{CANARY}@example.com", "--yes")
    assert holding(database, CANARY) == set()


def test_a_draft_alone_is_found_by_its_email(intake, client, patient, database):
    booking = fresh_booking()
    assert Drafts(client, booking).put({"attendee_email": f"{CANARY}@example.com"}).status_code == 201
    assert Drafts(client, fresh_booking()).put(b'{"attendee_email":"a\\u0000b","x":"\\ud83d\\ude00"}').status_code == 201
    patient("erase", f"{CANARY}@EXAMPLE.com", "--yes")
    assert holding(database, CANARY) == set()
    assert client.submit(minimal(booking)).status_code == 409
    assert database.value("SELECT count(*) FROM submission_drafts WHERE expires_at > now()") == 1


def test_the_daemons_role_cannot_do_it(person, binary, database):
    before = contents(database, but=("audit_seals",))
    done = run_command(binary, "patient", "erase", person["booking"], "--yes", conninfo=database.daemon_conninfo)
    assert done.returncode == 2
    assert contents(database, but=("audit_seals",)) == before


def test_what_the_worker_writes_meanwhile_goes_too(start_intake, database, patient):
    """It holds the answers when the erasing begins: one of the two waits for the other."""
    intake = start_intake({"worker.poll_ms": 50})
    client = intake.client()
    body = full(attendee_name=f"Frau {CANARY}", current_medications_details=CANARY)
    with database.connect() as blocker, blocker.transaction():
        blocker.execute("LOCK TABLE medical_backgrounds IN EXCLUSIVE MODE")
        assert client.submit(body).status_code == 201
        eventually(lambda: database.value(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"))
        with ThreadPoolExecutor(1) as pool:
            erasing = pool.submit(patient, "erase", body["booking_uid"], "--yes")
            eventually(lambda: database.value(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND application_name = 'intake patient' AND datname = current_database()"))
            blocker.execute("COMMIT; BEGIN")
            erasing.result(60)
    intake.stop()
    assert holding(database, CANARY) == set()
    assert database.submission(body["booking_uid"])["deleted"]


def test_posts_and_drafts_of_the_same_booking_race_it(intake, client, patient, database):
    """Whoever comes first: in the end it is erased, and nothing of the person is there."""
    for _ in range(4):
        booking = fresh_booking()
        body = full(booking, attendee_name=f"Frau {CANARY}", attendee_email=f"{booking}@example.com")
        assert client.submit(body).status_code == 201
        with ThreadPoolExecutor(6) as pool:
            posts = [pool.submit(intake.client().submit, {**body, "allergies_details": f"{CANARY} {n}", "allergies": "yes"})
                     for n in range(4)]
            draft = pool.submit(Drafts(intake.client(), booking).put, {"attendee_name": CANARY})
            pool.submit(patient, "erase", booking, "--yes").result(60)
            assert {post.result().status_code for post in posts} <= {200, 409}
            assert draft.result().status_code in (201, 409)
        assert client.submit(body).status_code == 409
        assert holding(database, CANARY) == set()


def test_another_booking_of_the_person_that_races_it_is_a_new_person(client, patient, database):
    """It finds the person, waits for the erasing, and belongs to nobody who was erased."""
    first = full(attendee_name=f"Frau {CANARY}")
    second = {**first, "booking_uid": fresh_booking(), "attendee_name": "Frau Neu"}
    assert client.submit(first).status_code == 201
    user = database.value("SELECT user_id FROM patient_profiles WHERE booking_uid = %s", (first["booking_uid"],))
    waiting = ("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
               " AND application_name = %s AND datname = current_database()")
    with database.connect("postgres") as blocker, ThreadPoolExecutor(2) as pool:
        blocker.execute("""
            CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END $$;
            CREATE TRIGGER wait BEFORE UPDATE ON users FOR EACH ROW WHEN (NEW.email IS NULL) EXECUTE FUNCTION wait()""")
        with blocker.transaction():
            blocker.execute("SELECT pg_advisory_xact_lock(1)")
            erasing = pool.submit(patient, "erase", first["booking_uid"], "--yes")
            eventually(lambda: database.value(waiting, ("intake patient",)))
            post = pool.submit(client.submit, second)
            eventually(lambda: database.value(waiting, ("intake lane",)))
        erasing.result(60)
        assert post.result().status_code == 201
    row = database.query("""
        SELECT p.user_id, p.deleted FROM medical_questionnaire_submissions AS s
        JOIN patient_profiles AS p ON p.id = s.patient_profile_id WHERE s.booking_uid = %s""", (second["booking_uid"],))[0]
    assert row["user_id"] != user and not row["deleted"]
    assert database.value("SELECT name FROM users WHERE id = %s", (user,)) is None
    assert holding(database, CANARY) == set()


def test_tombstones_outlive_a_step_back(person, patient, binary, database, intake):
    patient("erase", person["booking"], "--yes")
    intake.stop()
    for step in (("down", "--to", "0"), ("up",)):
        done = run_command(binary, "migrate", *step, conninfo=database.conninfo)
        assert done.returncode == 0, done.stderr
    intake.start()
    for booking in (person["booking"], person["begun"]):
        assert intake.client().submit(minimal(booking)).status_code == 409
    assert holding(database, CANARY, PHONE) == set()
