"""PUT /v1/submissions/{booking_uid}/review: what staff think of a submission, apart from its status."""

import re
import threading

import pytest

from intake_harness.bodies import fresh_booking, full, minimal
from intake_harness.waiting import eventually


def review(client, booking_uid, revision=1, state="approved", **members):
    return client.request("PUT", f"/v1/submissions/{booking_uid}/review",
                          json={"state": state, "revision": revision, **members})


@pytest.fixture
def booking(shared_client):
    body = full()
    assert shared_client.submit(body).status_code == 201
    return body["booking_uid"]


def test_a_submission_is_received_at_first(shared_staff, booking):
    assert shared_staff.look_up(booking).json()["review"] == {
        "state": "received", "comment": None, "actor": None, "at": None, "revision": 1}


@pytest.mark.parametrize("state", ["received", "has_issues", "approved", "rejected"])
@pytest.mark.parametrize("comment", [None, "Önce doktora sorulsun.\nYarın aranacak. 🙂"])
def test_a_state_is_set_with_a_comment(shared_intake, shared_staff, booking, state, comment):
    status = shared_intake.database.submission(booking)["status"]
    reply = review(shared_staff, booking, state=state, comment=comment)
    assert reply.status_code == 200, reply.text
    told = reply.json()
    assert told["state"] == state and told["comment"] == comment
    assert told["actor"] == "test-staff" and told["revision"] == 1 and told["at"]
    assert shared_staff.look_up(booking).json()["review"] == told
    row = shared_intake.database.submission(booking)
    assert row["review_state"] == state and row["status"] in (status, "processed")
    assert row["updated_at"] == row["created_at"], "a review is no revision"


def test_a_comment_of_nothing_is_none(shared_staff, booking):
    assert review(shared_staff, booking, comment=" \n ").json()["comment"] is None
    assert review(shared_staff, booking).json()["comment"] is None


def test_every_review_is_kept(shared_intake, shared_staff, tokens, booking):
    review(shared_staff, booking, state="has_issues", comment="Which medication?")
    review(shared_intake.client(tokens["admin"]), booking, state="approved")
    assert shared_staff.look_up(booking).json()["review"]["actor"] == "test-admin"
    kept = shared_staff.get(f"/v1/submissions/{booking}/history").json()["reviews"]
    assert [(row["state"], row["comment"], row["actor"]) for row in kept] == [
        ("approved", None, "test-admin"), ("has_issues", "Which medication?", "test-staff")]


def test_a_revision_is_received_again(shared_client, shared_staff):
    body = full()
    shared_client.submit(body)
    assert review(shared_staff, body["booking_uid"]).status_code == 200
    shared_client.submit({**body, "age_range": "65+"})
    found = shared_staff.look_up(body["booking_uid"]).json()
    assert found["review"] == {"state": "received", "comment": None, "actor": None, "at": None, "revision": 2}
    assert [row["revision"] for row in
            shared_staff.get(f"/v1/submissions/{body['booking_uid']}/history").json()["reviews"]] == [1]


def test_the_same_content_again_keeps_the_review(shared_client, shared_staff):
    body = full()
    shared_client.submit(body)
    told = review(shared_staff, body["booking_uid"]).json()
    assert shared_client.submit(body).status_code == 200
    assert shared_staff.look_up(body["booking_uid"]).json()["review"] == told


def test_who_has_read_another_revision_cannot_review(shared_intake, shared_client, shared_staff):
    body = full()
    shared_client.submit(body)
    shared_client.submit({**body, "age_range": "65+"})
    for revision in (1, 3):
        reply = review(shared_staff, body["booking_uid"], revision)
        assert reply.status_code == 409 and "2" in reply.json()["detail"]
    assert shared_intake.database.submission(body["booking_uid"])["review_state"] == "received"
    assert review(shared_staff, body["booking_uid"], 2).status_code == 200


def wait_for_a_lock(database):
    eventually(lambda: database.query(
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        " AND application_name = 'intake executor'"), 20, "an executor that waits for a lock")


def test_a_revision_that_comes_first_wins(shared_intake, shared_client, shared_staff):
    """The reviewer waits for the post that holds the row, and then sees that it is another revision."""
    body = full()
    shared_client.submit(body)
    uid = body["booking_uid"]
    shared_intake.wait_processed(uid)
    with shared_intake.database.connect() as other, other.transaction():
        other.execute("UPDATE medical_questionnaire_submissions SET revision = 2 WHERE booking_uid = %s", (uid,))
        replies = []
        thread = threading.Thread(target=lambda: replies.append(review(shared_staff, uid)))
        thread.start()
        wait_for_a_lock(shared_intake.database)
    thread.join()
    assert replies[0].status_code == 409
    assert shared_intake.database.submission(uid)["review_state"] == "received"


@pytest.mark.parametrize("body,field", [
    ({"revision": 1}, "state"), ({"state": "done", "revision": 1}, "state"), ({"state": 1, "revision": 1}, "state"),
    ({"state": "approved"}, "revision"), ({"state": "approved", "revision": "1"}, "revision"),
    ({"state": "approved", "revision": 0}, "revision"), ({"state": "approved", "revision": 2 ** 40}, "revision"),
    ({"state": "approved", "revision": 1.5}, "revision"), ({"state": "approved", "revision": 1, "comment": 1}, "comment"),
    ({"state": "approved", "revision": 1, "comment": "x" * 2001}, "comment"),
    ({"state": "approved", "revision": 1, "comment": "a\0b"}, "comment"),
    ({"state": "approved\0x", "revision": 1}, "state"),
    ({"state": "approved", "revision": 1, "coment": "x"}, "coment")])
def test_a_review_that_is_none_is_422(shared_staff, booking, body, field):
    reply = shared_staff.request("PUT", f"/v1/submissions/{booking}/review", json=body)
    assert reply.status_code == 422
    assert [error["field"] for error in reply.json()["errors"]] == [field]


def test_the_longest_comment_is_counted_in_characters(shared_staff, booking):
    assert review(shared_staff, booking, comment="ğ🙂" * 1000).status_code == 200


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'"x"', b'{"state":"approved","state":"approved"}'])
def test_what_is_no_object_is_400(shared_staff, booking, body):
    reply = shared_staff.request("PUT", f"/v1/submissions/{booking}/review", data=body,
                                 headers={"Content-Type": "application/json"})
    assert reply.status_code == 400


def test_a_booking_that_is_not_there_is_404(shared_intake, shared_staff, booking):
    shared_intake.database.query("UPDATE medical_questionnaire_submissions SET deleted = true WHERE booking_uid = %s",
                                 (booking,))
    for uid in (fresh_booking(), booking, "a.b"):
        assert review(shared_staff, uid).status_code == 404


@pytest.mark.parametrize("role,status", [(None, 401), ("intake", 403), ("metrics", 403), ("staff", 200), ("admin", 200)])
def test_only_staff_review_and_nobody_else_learns_what_is_there(shared_intake, tokens, booking, role, status):
    client = shared_intake.client(tokens.get(role))
    there, absent = review(client, booking), review(client, fresh_booking())
    assert there.status_code == status
    if status != 200:
        assert absent.status_code == status
        assert len({re.sub(r'"request_id":\s*"[^"]*"', "", reply.text) for reply in (there, absent)}) == 1


def test_a_review_is_audited_without_its_comment(intake, client, staff):
    body = minimal()
    client.submit(body)
    reply = review(staff, body["booking_uid"], comment="about the patient")
    row = intake.database.one("SELECT * FROM audit_log WHERE action = 'submission.review'")
    assert row["booking_uid"] == body["booking_uid"] and row["actor"] == "test-staff"
    assert row["request_id"] == reply.headers["X-Request-Id"]
    assert row["detail"] == {"state": "approved", "revision": 1}
    assert review(staff, body["booking_uid"], 7).status_code == 409
    assert intake.database.value("SELECT count(*) FROM audit_log WHERE action = 'submission.review'") == 1
    assert "about the patient" not in intake.log()


def test_without_its_audit_row_nothing_is_reviewed(intake, client, staff):
    body = minimal()
    client.submit(body)
    with intake.database.connect("postgres") as admin:
        admin.execute("ALTER TABLE audit_log ADD CONSTRAINT refuse CHECK (false) NOT VALID")
    assert review(staff, body["booking_uid"]).status_code == 500
    assert intake.database.submission(body["booking_uid"])["review_state"] == "received"
    assert intake.database.value("SELECT count(*) FROM submission_reviews") == 0
