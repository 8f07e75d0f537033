"""Tokens: who may do what, what the command line makes, and what the audit keeps."""

import re

import pytest

from intake_harness.bodies import fresh_booking, full, minimal
from intake_harness.daemon import run_command

# Who may call what: role -> status, for a booking that is there. None: no token at all.
RIGHTS = {
    ("GET", "/v1/submissions/{uid}"): {None: 401, "staff": 200, "admin": 200, "intake": 403, "metrics": 403},
    ("GET", "/v1/submissions"): {None: 401, "staff": 200, "admin": 200, "intake": 403, "metrics": 403},
    ("POST", "/v1/submissions/{uid}/retry"): {None: 401, "staff": 409, "admin": 409, "intake": 403, "metrics": 403},
    ("GET", "/health/ready"): {None: 200, "staff": 200},
    ("GET", "/metrics"): {None: 200, "metrics": 200},
    ("GET", "/version"): {None: 200, "intake": 200},
}


@pytest.fixture(scope="module")
def booking(shared_intake):
    body = full()
    assert shared_intake.client().submit(body).status_code == 201
    shared_intake.wait_processed(body["booking_uid"])
    return body["booking_uid"]


@pytest.mark.parametrize("method,path,role,status", [
    (method, path, role, status) for (method, path), roles in RIGHTS.items() for role, status in roles.items()])
def test_rights(shared_intake, tokens, booking, method, path, role, status):
    reply = shared_intake.client(tokens.get(role)).request(method, path.format(uid=booking))
    assert reply.status_code == status
    if status == 401:
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", [
    "Bearer", "Bearer ", "Bearer x", "Basic dTpw", "bearer", "Bearer " + "0" * 64, "Bearer " + "f" * 64,
    "Bearer " + "0" * 4000, "Token abc"])
def test_a_wrong_token_is_401_and_tells_nothing(shared_intake, booking, header):
    client = shared_intake.client()
    there, absent = (client.look_up(uid, headers={"Authorization": header})
                     for uid in (booking, fresh_booking()))
    assert there.status_code == absent.status_code == 401
    without_id = [re.sub(r'"request_id":\s*"[^"]*"', "", reply.text) for reply in (there, absent)]
    assert without_id[0] == without_id[1]


def test_the_scheme_is_compared_without_case(shared_intake, staff_token, booking):
    client = shared_intake.client()
    assert client.look_up(booking, headers={"Authorization": f"bearer {staff_token}"}).status_code == 200


def test_posting_needs_a_token_where_the_configuration_says_so(start_intake, tokens):
    intake = start_intake({"http.submissions_require_token": "true", "http.metrics_require_token": "true"})
    assert intake.client().submit(minimal()).status_code == 401
    assert intake.client(tokens["metrics"]).submit(minimal()).status_code == 403
    assert intake.client(tokens["intake"]).submit(minimal()).status_code == 201
    assert intake.client().get("/metrics").status_code == 401
    assert intake.client(tokens["intake"]).get("/metrics").status_code == 403
    assert intake.client(tokens["metrics"]).get("/metrics").status_code == 200
    assert intake.client().get("/health/live").status_code == 200


@pytest.fixture
def token_command(binary, database):
    def run(*arguments):
        return run_command(binary, "token", *arguments, conninfo=database.conninfo)
    return run


def test_a_token_is_shown_once_and_stored_hashed(token_command, database, intake):
    done = token_command("create", "--role", "staff", "--name", "front desk")
    assert done.returncode == 0
    token = done.stdout.strip()
    assert len(token) >= 64 and done.stdout == token + "\n"
    rows = database.query("SELECT * FROM staff_tokens WHERE name = 'front desk'")
    assert len(rows) == 1 and token not in str(rows) and token.encode() not in bytes(rows[0]["token_hash"])
    listed = token_command("list")
    assert listed.returncode == 0 and "front desk" in listed.stdout and token not in listed.stdout
    assert intake.client(token).list().status_code == 200


def test_a_revoked_token_ends_at_once(token_command, intake):
    token = token_command("create", "--role", "staff", "--name", "temp").stdout.strip()
    staff = intake.client(token)
    assert staff.list().status_code == 200
    assert token_command("revoke", "temp").returncode == 0
    assert staff.list().status_code == 401
    again = token_command("revoke", "temp")
    assert again.returncode != 0 and again.stderr


def test_a_token_is_revoked_by_its_id(token_command, database, intake):
    token = token_command("create", "--role", "staff", "--name", "by id").stdout.strip()
    number = database.value("SELECT id FROM staff_tokens WHERE name = 'by id'")
    assert token_command("revoke", str(number)).returncode == 0
    assert intake.client(token).list().status_code == 401


def test_an_expired_token_is_401(token_command, database, intake):
    token = token_command("create", "--role", "staff", "--name", "short", "--expires", "30d").stdout.strip()
    assert intake.client(token).list().status_code == 200
    left = database.value("SELECT expires_at - now() FROM staff_tokens WHERE name = 'short'")
    assert 29.9 < left.total_seconds() / 86400 < 30.1
    database.query("UPDATE staff_tokens SET expires_at = now() WHERE name = 'short'")
    assert intake.client(token).list().status_code == 401


def test_a_token_expires_at_a_time(token_command, database):
    done = token_command("create", "--role", "intake", "--name", "web", "--expires", "2031-01-01T00:00:00Z")
    assert done.returncode == 0
    expires = database.value("SELECT expires_at FROM staff_tokens WHERE name = 'web'")
    assert expires.isoformat() == "2031-01-01T00:00:00+00:00"


@pytest.mark.parametrize("arguments", [
    [], ["create"], ["create", "--role", "staff"], ["create", "--name", "x"],
    ["create", "--role", "boss", "--name", "x"], ["create", "--role", "staff", "--name", ""],
    ["create", "--role", "staff", "--name", "x", "--expires", "soon"],
    ["create", "--role", "staff", "--name", "x", "--expires", "2001-01-01T00:00:00Z"],
    ["revoke"], ["revoke", "nobody"], ["forge"]])
def test_a_wrong_token_command_says_so(token_command, database, arguments):
    before = database.value("SELECT count(*) FROM staff_tokens")
    done = token_command(*arguments)
    assert done.returncode != 0 and done.stderr and not done.stdout
    assert database.value("SELECT count(*) FROM staff_tokens") == before


def audit(database):
    """What was done with a token; the tokens were made with commands, and patients post without."""
    return database.query("SELECT * FROM audit_log WHERE token_id IS NOT NULL ORDER BY id")


def test_every_read_of_a_patient_s_data_is_audited(intake, client, staff):
    body = full()
    client.submit(body)
    intake.wait_processed(body["booking_uid"])
    assert audit(intake.database) == []
    reply = staff.look_up(body["booking_uid"])
    (row,) = audit(intake.database)
    assert row["booking_uid"] == body["booking_uid"]
    assert row["request_id"] == reply.headers["X-Request-Id"]
    assert row["actor"] == "test-staff"
    assert row["token_id"] == intake.database.value("SELECT id FROM staff_tokens WHERE name = 'test-staff'")
    assert row["occurred_at"] and row["action"]


def test_a_list_is_audited_with_what_it_showed(intake, client, staff):
    bodies = [full() for _ in range(3)]
    for body in bodies:
        client.submit(body)
    reply = staff.list()
    rows = audit(intake.database)
    assert rows and {row["request_id"] for row in rows} == {reply.headers["X-Request-Id"]}
    shown = "".join(str(row["booking_uid"]) + str(row["detail"]) for row in rows)
    for body in bodies:
        assert body["booking_uid"] in shown
        assert body["attendee_email"] not in shown and body["attendee_name"] not in shown


def test_a_retry_is_audited(intake, client, staff):
    body = full()
    client.submit(body)
    intake.wait_processed(body["booking_uid"])
    intake.database.query("UPDATE medical_questionnaire_submissions SET status = 'failed'")
    assert staff.retry(body["booking_uid"]).status_code == 200
    assert [row["booking_uid"] for row in audit(intake.database)] == [body["booking_uid"]]


def test_refused_reads_show_nothing_and_leave_no_audit_of_data(intake, client, tokens):
    body = full()
    client.submit(body)
    for token in (None, tokens["intake"], "0" * 64):
        reply = intake.client(token).look_up(body["booking_uid"])
        assert body["attendee_email"] not in reply.text
    assert audit(intake.database) == []


def test_without_its_audit_row_nothing_is_shown(intake, client, staff):
    body = full()
    client.submit(body)
    intake.wait_processed(body["booking_uid"])
    with intake.database.connect("postgres") as admin:
        admin.execute("ALTER TABLE audit_log ADD CONSTRAINT refuse CHECK (false) NOT VALID")
    for reply in (staff.look_up(body["booking_uid"]), staff.list()):
        assert reply.status_code >= 500
        assert body["attendee_email"] not in reply.text
