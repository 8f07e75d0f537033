"""GET /v1/submissions/{booking_uid}/history: revisions, processing, reviews, the patient's other bookings."""

import json
import re

import pytest

from intake_harness.bodies import answers_of, fresh_booking, full, minimal

# The worker tries twice at once, and then gives up.
IMPATIENT = {"worker.poll_ms": 50, "worker.backoff_ms": 10, "worker.backoff_max_ms": 10, "worker.attempts_max": 2}


def history(client, booking_uid):
    return client.get(f"/v1/submissions/{booking_uid}/history")


def events(client, booking_uid):
    """What happened, the oldest first."""
    return [(row["event"], row["revision"], row["attempt"])
            for row in reversed(history(client, booking_uid).json()["processing"])]


def test_a_first_submission(intake, client, staff):
    body = full()
    created = client.submit(body).json()
    intake.wait_processed(body["booking_uid"])
    reply = history(staff, body["booking_uid"])
    assert reply.status_code == 200 and reply.headers["Cache-Control"] == "no-store"
    found = reply.json()
    assert set(found) == {"revisions", "processing", "reviews", "other_bookings"}
    looked_up = staff.look_up(body["booking_uid"]).json()
    assert found["revisions"] == [{
        "revision": 1, "created_at": created["created_at"], "replaced_at": None, "status": "processed",
        "questionnaire": looked_up["questionnaire"], "answers": answers_of(body)}]
    assert found["processing"] == [
        {"revision": 1, "attempt": 1, "at": looked_up["processed_at"], "event": "processed", "reason": None,
         "actor": None},
        {"revision": 1, "attempt": None, "at": created["created_at"], "event": "submitted", "reason": None,
         "actor": None}]
    assert found["reviews"] == found["other_bookings"] == []


def test_revisions_are_there_with_their_answers_newest_first(intake, client, staff):
    bodies = [full()]
    bodies += [{**bodies[0], "age_range": "46-55"}, {**bodies[0], "allergies": "yes", "allergies_details": "Pollen"}]
    receipts = []
    for body in bodies:
        receipts.append(client.submit(body).json())
        intake.wait_processed(body["booking_uid"])
    found = history(staff, bodies[0]["booking_uid"]).json()
    assert [row["revision"] for row in found["revisions"]] == [3, 2, 1]
    assert [row["answers"] for row in found["revisions"]] == [answers_of(body) for body in reversed(bodies)]
    assert {row["status"] for row in found["revisions"]} == {"processed"}
    times = [receipt["updated_at"] for receipt in reversed(receipts)]
    assert [row["created_at"] for row in found["revisions"]] == times
    assert [row["replaced_at"] for row in found["revisions"]] == [None, *times[:2]]
    assert events(staff, bodies[0]["booking_uid"]) == [
        ("submitted", 1, None), ("submitted", 2, None), ("submitted", 3, None), ("processed", 3, 1)]


def test_answers_have_the_digits_that_were_posted(shared_intake, shared_staff):
    uid = fresh_booking()
    shared_intake.database.query(
        "INSERT INTO medical_questionnaire_submissions (booking_uid, submission_data, status, revision)"
        " VALUES (%s, '{\"booking_uid\": \"x\", \"dose\": 12345678901234567890.10, \"none\": null}', 'failed', 2)", (uid,))
    reply = history(shared_staff, uid)
    assert '"answers":{"dose":12345678901234567890.10}' in reply.text


def fail_always(database):
    """A trigger of the test that refuses every result of the worker."""
    with database.connect("postgres") as admin:
        admin.execute("""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'refused' USING ERRCODE = 'check_violation';
            END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON medical_backgrounds FOR EACH ROW EXECUTE FUNCTION refuse()""")


def test_every_failed_attempt_and_every_new_try_is_there(start_intake, staff_token):
    intake = start_intake(IMPATIENT)
    client, staff = intake.client(), intake.client(staff_token)
    fail_always(intake.database)
    body = full()
    uid = body["booking_uid"]
    client.submit(body)
    intake.wait_processed(uid)
    assert events(staff, uid) == [("submitted", 1, None), ("attempt_failed", 1, 1), ("failed", 1, 2)]
    failed = history(staff, uid).json()["processing"]
    assert failed[0]["reason"] == failed[1]["reason"] == staff.look_up(uid).json()["failure_reason"]
    assert body["attendee_email"] not in json.dumps(failed)

    with intake.database.connect("postgres") as admin:
        admin.execute("DROP TRIGGER refuse ON medical_backgrounds")
    assert staff.request("POST", f"/v1/submissions/{uid}/retry",
                         headers={"X-Intake-Reason": "the disk was full"}).status_code == 200
    intake.wait_processed(uid)
    assert events(staff, uid)[3:] == [("retried", 1, None), ("processed", 1, 1)]
    (retried,) = [row for row in history(staff, uid).json()["processing"] if row["event"] == "retried"]
    assert (retried["actor"], retried["reason"]) == ("test-staff", "the disk was full")


def test_a_new_try_does_not_move_the_time_of_the_revision(start_intake, staff_token):
    intake = start_intake({"worker.enabled": "false"})
    client, staff = intake.client(), intake.client(staff_token)
    body = full()
    posted = [client.submit({**body, "age_range": age}).json()["updated_at"] for age in ("18-25", "26-35")]
    intake.database.query("UPDATE medical_questionnaire_submissions SET status = 'failed'")
    assert staff.retry(body["booking_uid"]).status_code == 200
    assert [row["created_at"] for row in history(staff, body["booking_uid"]).json()["revisions"]] == posted[::-1]


def test_what_succeeds_leaves_no_row_of_failures(shared_intake, shared_client):
    body = full()
    shared_client.submit(body)
    shared_intake.wait_processed(body["booking_uid"])
    assert shared_intake.database.value("SELECT count(*) FROM processing_failures") == 0


def test_the_patient_s_other_bookings_are_named(shared_intake, shared_client, shared_staff):
    first = full()
    others = [full(attendee_email=first["attendee_email"].upper()) for _ in range(2)]
    stranger = full()
    receipts = [shared_client.submit(body).json() for body in (first, *others, stranger)]
    shared_intake.wait_processed(*(receipt["booking_uid"] for receipt in receipts))
    shared_staff.request("PUT", f"/v1/submissions/{others[0]['booking_uid']}/review",
                         json={"state": "rejected", "revision": 1})
    found = history(shared_staff, first["booking_uid"]).json()["other_bookings"]
    assert found == [
        {"booking_uid": others[1]["booking_uid"], "status": "processed", "review_state": "received",
         "created_at": receipts[2]["created_at"]},
        {"booking_uid": others[0]["booking_uid"], "status": "processed", "review_state": "rejected",
         "created_at": receipts[1]["created_at"]}]
    shared_intake.database.query("UPDATE medical_questionnaire_submissions SET deleted = true WHERE booking_uid = %s",
                                 (others[1]["booking_uid"],))
    assert len(history(shared_staff, first["booking_uid"]).json()["other_bookings"]) == 1


def test_the_history_of_a_much_revised_booking_ends(shared_intake, shared_client, shared_staff):
    body = minimal(allergies="none")
    shared_client.submit(body)
    shared_intake.wait_processed(body["booking_uid"])
    shared_intake.database.query("""
        INSERT INTO submission_revisions (submission_id, revision, submission_data, status, created_at)
        SELECT id, n, '{}', 'processed', now() - interval '1 day' + n * interval '1 second'
          FROM medical_questionnaire_submissions, generate_series(1, 149) AS n WHERE booking_uid = %(uid)s;
        UPDATE medical_questionnaire_submissions SET revision = 150 WHERE booking_uid = %(uid)s"""
                                 .replace("%(uid)s", f"'{body['booking_uid']}'"))
    revisions = [row["revision"] for row in history(shared_staff, body["booking_uid"]).json()["revisions"]]
    assert revisions == list(range(150, 50, -1))


def test_a_booking_that_is_not_there_is_404(shared_staff):
    for uid in (fresh_booking(), "a.b", "x" * 129):
        assert history(shared_staff, uid).status_code == 404


@pytest.mark.parametrize("role,status", [(None, 401), ("intake", 403), ("metrics", 403), ("staff", 200), ("admin", 200)])
def test_only_staff_see_it_and_nobody_else_learns_what_is_there(shared_intake, shared_client, tokens, role, status):
    body = full()
    shared_client.submit(body)
    client = shared_intake.client(tokens.get(role))
    there, absent = history(client, body["booking_uid"]), history(client, fresh_booking())
    assert there.status_code == status
    if status != 200:
        assert absent.status_code == status
        assert len({re.sub(r'"request_id":\s*"[^"]*"', "", reply.text) for reply in (there, absent)}) == 1


def test_a_look_at_the_history_is_audited(intake, client, staff):
    body = full()
    client.submit(body)
    reply = history(staff, body["booking_uid"])
    row = intake.database.one("SELECT * FROM audit_log WHERE action = 'submission.history'")
    assert (row["booking_uid"], row["actor"]) == (body["booking_uid"], "test-staff")
    assert row["request_id"] == reply.headers["X-Request-Id"]
    with intake.database.connect("postgres") as admin:
        admin.execute("ALTER TABLE audit_log ADD CONSTRAINT refuse CHECK (false) NOT VALID")
    refused = history(staff, body["booking_uid"])
    assert refused.status_code == 500 and "allergies" not in refused.text
