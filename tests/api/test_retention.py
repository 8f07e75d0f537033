"""intake retention run: what is older than configured goes, and nothing else."""

import pytest

from intake_harness.bodies import full
from intake_harness.daemon import run_command


@pytest.fixture
def retention(binary, database):
    """retention("run", submission_days=30) runs it to its end, as the tables' owner."""
    def run(*arguments, **periods):
        environment = {f"INTAKE_RETENTION_{name.upper()}": str(days) for name, days in periods.items()}
        done = run_command(binary, "retention", *arguments, conninfo=database.conninfo, environment=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout
    return run


@pytest.fixture
def bookings(intake, client, database):
    """Two bookings of one person, the first forty days old."""
    bodies = [full(attendee_email="one@example.com", allergies="yes", allergies_details="kanarienvogel"),
              full(attendee_email="one@example.com")]
    for body in bodies:
        assert client.submit(body).status_code == 201
        intake.wait_processed(body["booking_uid"])
    database.query("UPDATE medical_questionnaire_submissions SET created_at = now() - interval '40 days'"
                   " WHERE booking_uid = %s", (bodies[0]["booking_uid"],))
    return [body["booking_uid"] for body in bodies]


def state(database):
    return [database.query(f"SELECT t::text FROM {table} AS t ORDER BY 1") for table in (
        "medical_questionnaire_submissions", "medical_backgrounds", "submission_revisions", "users",
        "patient_profiles", "audit_log")]


@pytest.mark.parametrize(("arguments", "periods", "said"), [
    (("run",), {}, "erased: 0 submissions"),
    (("run",), {"submission_days": 41}, "erased: 0 submissions"),
    (("run", "--dry-run"), {"submission_days": 39}, "would be erased: 1 submissions")])
def test_it_changes_nothing_before_its_time(bookings, database, retention, arguments, periods, said):
    before = state(database)
    assert retention(*arguments, **periods).startswith(said)
    assert state(database) == before


def test_what_is_too_old_is_erased(bookings, client, database, retention):
    old, young = bookings
    kept = database.submission(young)
    assert "kanarienvogel" in str(database.background(old))
    assert retention("run", submission_days=39) == "erased: 1 submissions, 0 earlier revisions\n"
    assert "kanarienvogel" not in str(state(database))
    row = database.submission(old)
    assert row["deleted"] and row["submission_data"] == {}
    assert database.submission(young) == kept
    assert client.submit(full(old)).status_code == 409
    assert database.value("SELECT count(*) FROM audit_log WHERE action = 'retention.erase'"
                          " AND booking_uid = %s", (old,)) == 1
    assert retention("run", submission_days=39).startswith("erased: 0 submissions")


def test_many_go_in_batches(database, retention):
    database.query("INSERT INTO medical_questionnaire_submissions (booking_uid, submission_data, created_at)"
                   " SELECT 'b' || n, '{\"a\": 1}', now() - interval '50 days' FROM generate_series(1, 450) AS n")
    assert retention("run", submission_days=39).startswith("erased: 450 submissions")
    assert database.value("SELECT count(*) FROM medical_questionnaire_submissions"
                          " WHERE deleted AND submission_data = '{}'") == 450
    assert database.value("SELECT count(DISTINCT occurred_at) FROM audit_log WHERE action = 'retention.erase'") == 3


def test_replaced_revisions_have_a_period_of_their_own(intake, client, database, retention):
    body = full()
    assert client.submit(body).status_code == 201
    assert client.submit({**body, "allergies": "yes", "allergies_details": "dust"}).status_code == 200
    assert retention("run", revision_days=1).endswith("0 earlier revisions\n")
    database.query("UPDATE submission_revisions SET replaced_at = now() - interval '2 days'")
    assert retention("run", "--dry-run", revision_days=1).endswith("1 earlier revisions\n")
    assert retention("run", revision_days=1).endswith("1 earlier revisions\n")
    assert database.query("SELECT * FROM submission_revisions") == []
    assert not database.submission(body["booking_uid"])["deleted"]
