"""/v1/bookings/{booking_uid}: the patient's own view, for who holds the booking's link."""

import json

import pytest

from intake_harness.bodies import answers_of, fresh_booking, full, minimal
from intake_harness.links import OPTIONS, link_header


@pytest.fixture(scope="module")
def shared_intake(module_intake):
    return module_intake(OPTIONS)


@pytest.fixture
def intake(shared_intake):
    """Each test asks for its own bookings alone."""
    return shared_intake


def view(client, booking_uid, **arguments):
    return client.get(f"/v1/bookings/{booking_uid}", headers=link_header(booking_uid, **arguments))


def test_before_anything_is_sent_it_says_what_is_asked(client, intake):
    booking_uid = fresh_booking()
    reply = view(client, booking_uid)
    assert reply.status_code == 200 and reply.headers["Cache-Control"] == "no-store"
    assert reply.json() == {
        "booking_uid": booking_uid, "questionnaire": {"id": "hair-transplant", "version": "1.0.0"},
        "editable_until": reply.json()["editable_until"], "submission": None}
    assert intake.database.query("SELECT * FROM audit_log WHERE booking_uid = %s", (booking_uid,)) == []


def test_it_says_until_when_it_can_be_corrected(client):
    """For a booking's mail that is until the consultation."""
    reply = view(client, fresh_booking(), expires=4102477200)
    assert reply.json()["editable_until"] == "2100-01-01T09:00:00.000000Z"


def test_what_was_sent_comes_back_as_it_was_posted(client, intake):
    text = ('{"booking_uid": "%s", "attendee_name": "Jane  Doe", "attendee_email": "jane@example.com",'
            ' "family_history": ["a", "b"], "consent_version": "2026-11"}')
    booking_uid = fresh_booking()
    sent = client.submit((text % booking_uid).encode())
    assert sent.status_code == 201
    reply = view(client, booking_uid)
    submission = reply.json()["submission"]
    assert submission["answers"] == json.loads(text % booking_uid)
    assert submission["revision"] == 1
    assert submission["created_at"] == sent.json()["created_at"]
    assert set(submission) == {"revision", "status", "created_at", "updated_at", "answers"}
    row = intake.database.one("SELECT actor, token_id, action FROM audit_log"
                              " WHERE booking_uid = %s AND action = 'submission.read'", (booking_uid,))
    assert row == {"actor": "link", "token_id": None, "action": "submission.read"}


def test_it_names_the_questionnaire_that_was_answered(client):
    booking_uid = fresh_booking()
    answers = {name: "LA6568-5" for name in (
        "little_interest", "feeling_down", "sleep", "energy", "appetite", "self_esteem",
        "concentration", "movement", "self_harm")}
    assert client.submit(minimal(booking_uid, questionnaire="phq-9", **answers)).status_code == 201
    assert view(client, booking_uid).json()["questionnaire"] == {"id": "phq-9", "version": "1.0.0"}


@pytest.mark.parametrize("headers, status", [
    ({}, 401), ({"X-Intake-Link": "1.x"}, 403), (link_header("another-booking"), 403)])
def test_without_its_link_nobody_learns_anything(client, headers, status):
    body = full()
    assert client.submit(body).status_code == 201
    for booking_uid in (body["booking_uid"], fresh_booking()):
        reply = client.get(f"/v1/bookings/{booking_uid}", headers=headers)
        assert reply.status_code == status
        assert set(reply.json()) == {"type", "title", "status", "detail", "request_id"}


def test_a_link_that_has_expired_says_so(client):
    reply = view(client, fresh_booking(), expires=1)
    assert reply.status_code == 403 and "expired" in reply.json()["detail"]


def test_the_consent_is_stored_and_shown_to_staff(client, staff, intake):
    body = full(consent_version="2026-11.de_1")
    assert client.submit(body).status_code == 201
    record = staff.look_up(body["booking_uid"]).json()
    assert record["consent_version"] == "2026-11.de_1"
    assert record["answers"] == answers_of({k: v for k, v in body.items() if k != "consent_version"})
    assert intake.database.submission(body["booking_uid"])["submission_data"]["consent_version"] == "2026-11.de_1"
    found = staff.get("/fhir/QuestionnaireResponse", params={"identifier": body["booking_uid"]}).json()
    response = found["entry"][0]["resource"]
    extension = {"url": "urn:intake:consent-version", "valueString": "2026-11.de_1"}
    assert response["extension"] == [extension]
    response["identifier"]["value"] = other = fresh_booking()
    posted = client.request("POST", "/fhir/QuestionnaireResponse", json=response,
                            headers={"Content-Type": "application/fhir+json"})
    assert posted.status_code == 201, posted.text
    assert staff.look_up(other).json()["consent_version"] == "2026-11.de_1"


def test_without_consent_there_is_none(client, staff):
    for value in ({}, {"consent_version": None}, {"consent_version": " "}):
        body = full(**value)
        assert client.submit(body).status_code == 201
        assert staff.look_up(body["booking_uid"]).json()["consent_version"] is None


@pytest.mark.parametrize("value, code", [
    ("v" * 33, "maxLength"), ("a b", "format"), ("é", "format"), (1, "invalidAnswerType"), ("a/b", "format")])
def test_a_consent_that_is_no_version_is_refused(client, value, code):
    reply = client.submit(minimal(consent_version=value))
    assert reply.status_code == 422
    assert [(error["field"], error["code"]) for error in reply.json()["errors"]] == [("consent_version", code)]
