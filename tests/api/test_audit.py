"""The audit: every access is a row with who, what, why, when and from where; and no row changes."""

import getpass

import psycopg
import pytest

from intake_harness.bodies import full, minimal
from intake_harness.daemon import run_command

PROXY = {"http.trusted_proxies": "127.0.0.1"}
ACCESSES = {
    "submission.read": lambda staff, uid, **how: staff.look_up(uid, **how),
    "submission.list": lambda staff, uid, **how: staff.get("/v1/submissions", **how),
    "submission.retry": lambda staff, uid, **how: staff.request("POST", f"/v1/submissions/{uid}/retry", **how),
}


def rows_of(database, action):
    return database.query("SELECT *, host(client_address) AS client FROM audit_log WHERE action = %s ORDER BY id",
                          (action,))


@pytest.fixture
def booking(intake, client):
    body = minimal()
    assert client.submit(body).status_code == 201
    intake.wait_processed(body["booking_uid"])
    intake.database.query("UPDATE medical_questionnaire_submissions SET status = 'failed'")
    return body["booking_uid"]


@pytest.mark.parametrize("action", ACCESSES)
def test_an_access_is_kept_with_its_reason_and_origin(intake, staff, booking, action):
    reply = ACCESSES[action](staff, booking, headers={"X-Intake-Reason": "Görüşme öncesi".encode()})
    assert reply.status_code == 200
    (row,) = rows_of(intake.database, action)
    assert (row["booking_uid"], row["client"], row["reason"]) == (booking, "127.0.0.1", "Görüşme öncesi")
    assert row["request_id"] == reply.headers["X-Request-Id"]


def test_a_post_is_kept_with_what_it_changed(intake, client):
    body = minimal()
    first = client.submit(body)
    assert client.submit(body).status_code == 200, "the same again changes nothing"
    second = client.submit(body | {"allergies": "none"})
    assert (first.status_code, second.status_code) == (201, 200)
    (created,) = rows_of(intake.database, "submission.create")
    (revised,) = rows_of(intake.database, "submission.revise")
    for row, reply, detail in ((created, first, None), (revised, second, {"revision": 2})):
        assert (row["booking_uid"], row["actor"], row["token_id"]) == (body["booking_uid"], "public", None)
        assert (row["client"], row["request_id"]) == ("127.0.0.1", reply.headers["X-Request-Id"])
        assert row["detail"] == detail


def test_a_post_names_its_token_or_its_link(start_intake, tokens):
    intake = start_intake({"http.submissions_require_token": "true"})
    body = minimal()
    reply = intake.client(tokens["intake"]).submit(body, headers={"X-Intake-Reason": "typed in by telephone"})
    assert reply.status_code == 201
    (row,) = rows_of(intake.database, "submission.create")
    assert (row["actor"], row["reason"]) == ("test-intake", "typed in by telephone")
    assert row["token_id"] is not None


def test_a_post_that_cannot_be_audited_does_not_happen(intake, client):
    with intake.database.connect("postgres") as connection:
        connection.execute("ALTER TABLE audit_log ADD CONSTRAINT nobody CHECK (actor <> 'public') NOT VALID")
    body = minimal()
    for posted in (body, body | {"allergies": "none"}):
        assert client.submit(posted).status_code == 500
    assert intake.database.value("SELECT count(*) FROM medical_questionnaire_submissions") == 0
    assert intake.database.value("SELECT count(*) FROM patient_profiles") == 0


def test_without_a_reason_there_is_none(intake, staff, booking):
    for headers in ({}, {"X-Intake-Reason": ""}):
        assert staff.look_up(booking, headers=headers).status_code == 200
    assert [row["reason"] for row in rows_of(intake.database, "submission.read")] == [None, None]


@pytest.mark.parametrize("reason, status", [
    ("ü" * 200, 200), ("ü" * 201, 400), (b"\xff", 400)])
def test_a_reason_has_at_most_200_characters(intake, staff, booking, reason, status):
    reason = reason.encode() if isinstance(reason, str) else reason
    assert staff.look_up(booking, headers={"X-Intake-Reason": reason}).status_code == status
    assert len(rows_of(intake.database, "submission.read")) == (1 if status == 200 else 0)


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
def test_the_address_is_that_of_the_client_behind_the_proxy(start_intake, staff_token, address):
    intake = start_intake(PROXY)
    body = minimal()
    assert intake.client().submit(body).status_code == 201
    assert intake.client(staff_token).look_up(
        body["booking_uid"], headers={"X-Forwarded-For": address}).status_code == 200
    assert [row["client"] for row in rows_of(intake.database, "submission.read")] == [address]


def test_commands_are_kept_with_the_user_who_gave_them(binary, database):
    def token(*arguments):
        return run_command(binary, "token", *arguments, conninfo=database.conninfo)

    before = database.value("SELECT max(id) FROM audit_log")
    made = token("create", "--role", "staff", "--name", "front desk", "--reason", "new colleague")
    assert token("revoke", "front desk").returncode == 0
    assert token("list").returncode == 0
    assert token("revoke", "nobody").returncode == 1
    rows = database.query("SELECT * FROM audit_log WHERE id > %s ORDER BY id", (before,))
    assert [row["action"] for row in rows] == ["token.create", "token.revoke", "token.list"]
    assert {row["actor"] for row in rows} == {f"cli:{getpass.getuser()}"}
    assert [row["reason"] for row in rows] == ["new colleague", None, None]
    identity = database.value("SELECT id FROM staff_tokens WHERE name = 'front desk'")
    for row in rows[:2]:
        assert row["detail"] == {"token_id": str(identity), "name": "front desk", "role": "staff"}
    assert made.stdout.strip() not in str(rows)


def test_a_command_s_reason_has_at_most_200_characters(binary, database):
    done = run_command(binary, "token", "list", "--reason", "x" * 201, conninfo=database.conninfo)
    assert done.returncode == 2 and "200" in done.stderr


@pytest.mark.parametrize("statement", [
    "UPDATE audit_log SET actor = 'nobody'", "DELETE FROM audit_log", "TRUNCATE audit_log",
    "SET session_replication_role = replica; DELETE FROM audit_log"])
@pytest.mark.parametrize("user", ["intake", "postgres"])
def test_no_row_is_changed_or_removed_not_even_by_the_owner(database, statement, user):
    before = database.query("SELECT * FROM audit_log ORDER BY id")
    assert before
    with database.connect(user) as connection, pytest.raises(psycopg.Error):
        connection.execute(statement)
    assert database.query("SELECT * FROM audit_log ORDER BY id") == before


def test_nothing_of_a_patient_is_in_the_audit(intake, client, staff):
    body = full()
    client.submit(body)
    intake.wait_processed(body["booking_uid"])
    staff.look_up(body["booking_uid"])
    staff.list()
    assert body["attendee_email"] not in str(intake.database.query("SELECT * FROM audit_log"))
