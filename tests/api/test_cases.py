"""Bodies as data: the case files, and the shared samples where they are at hand."""

import copy
import json

import pytest

from intake_harness.bodies import (answers_of, cases, fresh_booking, minimal, sample_bytes, samples)

BAD_EXPECTED = json.loads(sample_bytes("bad-expected.json")) if samples("bad-expected.json") else {}


def named(found):
    return [pytest.param(content, id=name) for name, content in found]


def body_of(case):
    body = minimal()
    uid = body["booking_uid"]
    for field, value in copy.deepcopy(case["set"]).items():
        body[field] = value.replace("{uid}", uid) if isinstance(value, str) else value
    for field in case.get("remove", []):
        del body[field]
    return body


def problem(reply, status):
    """The body of an error reply, of the form that all of them have."""
    assert reply.status_code == status, reply.text
    assert reply.headers["Content-Type"].split(";")[0] == "application/problem+json"
    body = reply.json()
    assert body["status"] == status and body["title"]
    assert body["request_id"] == reply.headers["X-Request-Id"]
    return body


@pytest.mark.parametrize("case", named(cases("accepted")))
def test_accepted_case_is_stored_and_found(shared_intake, shared_client, shared_staff, case):
    body = body_of(case)
    reply = shared_client.submit(body)
    assert reply.status_code == 201, reply.text
    found = shared_staff.look_up(body["booking_uid"]).json()
    assert found["answers"] == case.get("answers", answers_of(case["set"]))
    stored = shared_intake.database.submission(body["booking_uid"])["submission_data"]
    assert stored == body, "what was posted is what is kept"
    profile = shared_intake.database.profile(body["booking_uid"])
    for column, value in (case.get("profile") or {}).items():
        assert profile[column] == value


@pytest.mark.parametrize("case", named(cases("refused")))
def test_refused_case_names_every_fault(shared_intake, shared_client, case):
    before = shared_intake.database.value("SELECT count(*) FROM users")
    body = body_of(case)
    errors = problem(shared_client.submit(body), 422)["errors"]
    assert {error["field"] for error in errors} == {error["field"] for error in case["errors"]}
    for expected in case["errors"]:
        codes = [error["code"] for error in errors if error["field"] == expected["field"]]
        assert expected.get("code", codes[0]) in codes
    assert all(error["message"] for error in errors)
    assert shared_intake.database.value("SELECT count(*) FROM users") == before


@pytest.mark.parametrize("case", named(cases("malformed")))
def test_malformed_case_is_400(shared_client, case):
    data = bytes.fromhex(case["hex"]) if "hex" in case else case["text"].encode()
    problem(shared_client.submit(data), 400)


@pytest.mark.parametrize("name", samples("form-*.json"))
def test_every_sample_form_is_accepted(shared_intake, shared_client, shared_staff, name):
    body = json.loads(sample_bytes(name))
    body["booking_uid"] = fresh_booking()
    reply = shared_client.submit(json.dumps(body).encode())
    assert reply.status_code == 201, reply.text
    found = shared_staff.look_up(body["booking_uid"]).json()
    answered = {field: value for field, value in answers_of(body).items()
                if value and (not isinstance(value, str) or value.strip())}
    assert found["answers"] == answered
    shared_intake.wait_processed(body["booking_uid"])
    assert shared_intake.database.submission(body["booking_uid"])["status"] == "processed"


@pytest.mark.parametrize("name", samples("bad-*.json") and sorted(BAD_EXPECTED))
def test_every_bad_sample_is_refused_as_expected(shared_client, name):
    errors = problem(shared_client.submit(sample_bytes(name)), 422)["errors"]
    assert BAD_EXPECTED[name] in [{"field": error["field"], "code": error["code"]} for error in errors]


@pytest.mark.parametrize("name", samples("malformed-*.json"))
def test_every_malformed_sample_is_400(shared_client, name):
    problem(shared_client.submit(sample_bytes(name)), 400)


def test_an_error_quotes_nothing_of_what_was_posted(shared_client):
    secret = "Hydroxychloroquine-Secret"
    reply = shared_client.submit(minimal(age_range=secret, allergies="none", allergies_details=secret,
                                         attendee_email=secret))
    assert reply.status_code == 422
    assert secret not in reply.text


def test_errors_come_in_the_questionnaire_s_order(shared_client):
    """Envelope first, then the questions as they are asked, whatever the body's own order."""
    body = minimal(previous_surgeries="yes", allergies="yes", age_range="x", current_medications="yes",
                   attendee_phone="call me")
    fields = [error["field"] for error in shared_client.submit(body).json()["errors"]]
    assert fields == ["attendee_phone", "age_range", "current_medications_details",
                      "allergies_details", "previous_surgeries_details"]
