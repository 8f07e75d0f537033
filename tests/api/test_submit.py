"""POST /v1/submissions: the first, the same again, another content, and what the reply says."""

import datetime
import json
import re
import uuid

from intake_harness.bodies import full, fresh_booking, minimal

REPLY_FIELDS = {"id", "booking_uid", "status", "revision", "created_at", "updated_at"}


def is_recent(text):
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", text)
    age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(
        text.replace("Z", "+00:00"))
    return abs(age.total_seconds()) < 60


def test_first_submission_is_201_with_its_location(shared_intake, shared_client):
    body = full()
    reply = shared_client.submit(body)
    assert reply.status_code == 201
    assert reply.headers["Location"] == f"/v1/submissions/{body['booking_uid']}"
    assert reply.headers["Content-Type"].split(";")[0] == "application/json"
    answer = reply.json()
    assert set(answer) == REPLY_FIELDS
    assert answer["booking_uid"] == body["booking_uid"]
    assert (answer["status"], answer["revision"]) == ("submitted", 1)
    assert is_recent(answer["created_at"]) and answer["updated_at"] == answer["created_at"]
    row = shared_intake.database.submission(body["booking_uid"])
    assert str(row["id"]) == answer["id"]
    assert uuid.UUID(answer["id"]).version == 7
    assert row["submission_data"] == body


def test_a_new_person_gets_a_user_and_a_profile(shared_intake, shared_client):
    body = full(attendee_phone="+1-555-210-4567")
    shared_client.submit(body)
    profile = shared_intake.database.profile(body["booking_uid"])
    assert profile["user_type"] == "medical_questionnaire"
    assert profile["source_channel"] == "medical_questionnaire"
    assert profile["booking_uid"] == body["booking_uid"]
    assert profile["name"] == profile["user_name"] == body["attendee_name"]
    assert profile["email"] == profile["user_email"] == body["attendee_email"]
    assert profile["phone"] == profile["phone_number"] == "+15552104567"


def test_an_e_mail_address_is_never_stored_as_a_phone_number(shared_intake, shared_client):
    body = full()
    shared_client.submit(body)
    profile = shared_intake.database.profile(body["booking_uid"])
    assert profile["phone"] is None and profile["phone_number"] is None


def test_the_same_content_again_changes_nothing(shared_intake, shared_client):
    body = full()
    first = shared_client.submit(body).json()
    shared_intake.wait_processed(body["booking_uid"])
    before = shared_intake.database.submission(body["booking_uid"])
    again = shared_client.submit(dict(reversed(body.items())))
    assert again.status_code == 200
    assert again.json()["id"] == first["id"]
    assert again.json()["revision"] == 1
    assert again.json()["status"] == "processed"
    assert shared_intake.database.submission(body["booking_uid"]) == before


def test_other_content_is_the_next_revision(shared_intake, shared_client):
    body = full()
    first = shared_client.submit(body).json()
    shared_intake.wait_processed(body["booking_uid"])
    reply = shared_client.submit({**body, "age_range": "46-55"})
    assert reply.status_code == 200
    second = reply.json()
    assert second["id"] == first["id"]
    assert second["created_at"] == first["created_at"]
    assert (second["revision"], second["status"]) == (2, "submitted")
    assert second["updated_at"] > first["updated_at"]
    third = shared_client.submit({**body, "age_range": "56-65"}).json()
    assert third["revision"] == 3
    kept = shared_intake.database.query(
        "SELECT revision, submission_data FROM submission_revisions"
        " WHERE submission_id = %s ORDER BY revision", (first["id"],))
    assert [(row["revision"], row["submission_data"]["age_range"]) for row in kept] == [
        (1, "36-45"), (2, "46-55")]
    row = shared_intake.database.submission(body["booking_uid"])
    assert row["submission_data"]["age_range"] == "56-65"


def test_a_number_keeps_every_digit(shared_intake, shared_client):
    """What was posted is kept, and not what a parser made of it."""
    body = minimal()
    raw = json.dumps(body)[:-1] + ', "allergies": null, "age_range": ""}'
    assert shared_client.submit(raw.encode()).status_code == 201
    stored = shared_intake.database.submission(body["booking_uid"])["submission_data"]
    assert stored == {**body, "allergies": None, "age_range": ""}


def test_a_deleted_submission_is_not_revived_by_a_stranger(shared_intake, shared_client, shared_staff):
    body = full()
    shared_client.submit(body)
    shared_intake.wait_processed(body["booking_uid"])
    shared_intake.database.query(
        "UPDATE medical_questionnaire_submissions SET deleted = true WHERE booking_uid = %s",
        (body["booking_uid"],))
    reply = shared_client.submit({**body, "age_range": "18-25"})
    assert 400 <= reply.status_code < 500
    row = shared_intake.database.submission(body["booking_uid"])
    assert row["deleted"] and row["submission_data"] == body
    assert shared_staff.look_up(body["booking_uid"]).status_code == 404


def test_booking_uids_of_every_allowed_form_are_found_again(shared_client, shared_staff):
    for uid in ("x" + fresh_booking(), "-" + fresh_booking(), "_" + fresh_booking(),
                (fresh_booking() * 10)[:128]):
        assert shared_client.submit(minimal(uid)).status_code == 201
        assert shared_staff.look_up(uid).json()["booking_uid"] == uid


def test_booking_uids_that_differ_in_case_are_two(shared_client, shared_staff):
    uid = fresh_booking()
    first, second = minimal(uid), minimal(uid.upper(), attendee_email=f"other-{uid}@example.com")
    assert shared_client.submit(first).json()["id"] != shared_client.submit(second).json()["id"]
    assert shared_staff.look_up(uid).json()["patient"]["name"] == first["attendee_name"]


def test_content_type_with_a_charset_is_json(shared_client):
    reply = shared_client.submit(minimal(), headers={"Content-Type": "Application/JSON; charset=UTF-8"})
    assert reply.status_code == 201


def test_content_type_other_than_json_is_415(shared_client):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json", ""):
        reply = shared_client.submit(minimal(), headers={"Content-Type": kind})
        assert reply.status_code == 415, kind
        assert reply.json()["status"] == 415
    reply = shared_client.request("POST", "/v1/submissions", data=json.dumps(minimal()).encode())
    assert reply.status_code == 415


def test_a_chunked_body_is_a_body(shared_client):
    body = full()
    data = json.dumps(body).encode()
    pieces = (data[i:i + 50] for i in range(0, len(data), 50))
    reply = shared_client.request("POST", "/v1/submissions", data=pieces,
                                  headers={"Content-Type": "application/json"})
    assert reply.status_code == 201
