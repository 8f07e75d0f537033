"""Texts that programs stumble over, in every field: each comes back as it was sent, or is refused."""

import json
import re

import pytest

from intake_harness.bodies import fresh_booking, minimal
from intake_harness.links import OPTIONS
from intake_harness.logfmt import errors, records
from intake_harness.naughty import (HAIR, PRE_OPERATIVE, WHITE, Crossing, EnvelopeCrossing, Headers, literals, quoted,
                                     strings)
from intake_harness.schema import dump

STRINGS = strings()
TABLES = ("users", "patient_profiles", "medical_questionnaire_submissions", "submission_drafts", "staff_tokens")


@pytest.fixture(scope="module")
def shared_intake(module_intake):
    return module_intake(OPTIONS)


@pytest.fixture(scope="module", autouse=True)
def nothing_happens(shared_intake):
    """No text is a statement, and none ends the service or makes it fail."""
    before = dump(shared_intake.database)
    yield
    assert dump(shared_intake.database) == before
    assert shared_intake.client().get("/health/ready").status_code == 200
    log = shared_intake.log()
    assert " status=500 " not in log and records(log) and errors(log) == []


@pytest.mark.parametrize("text", ["a\nlevel=error message=forged", "a b", '" level=error message="x', "a\rb", "a\u2028b",
                                  "a level=error", "a\x85b", '"a" level=error', "x=y", ""])
def test_a_line_with_a_raw_text_would_be_noticed(text):
    stamp = "time=2026-11-22T13:49:37.265707Z level=info message=request "
    assert records(f'{stamp}path=/ agent="a \\"b\\" \\x0a\\\\ \u0131"\n')
    with pytest.raises(AssertionError):
        records(f"{stamp}agent={text}\n")


def counts(database):
    return {table: database.value(f"SELECT count(*) FROM {table}") for table in TABLES}


@pytest.mark.parametrize("form", [HAIR, PRE_OPERATIVE], ids=["hair-transplant", "pre-operative-history"])
def test_every_text_comes_back_from_every_way_of_reading(shared_intake, staff_token, form):
    before = counts(shared_intake.database)
    crossing = Crossing(shared_intake, form, staff_token).run(STRINGS, every_field=False).read_exports().read_earlier()
    assert crossing.wrong == []
    assert len(crossing.stored) >= 2 * len(STRINGS) // len(form.names)
    after = counts(shared_intake.database)
    assert after["medical_questionnaire_submissions"] == \
        before["medical_questionnaire_submissions"] + len(crossing.stored) + 1
    assert after["users"] == before["users"] + len(crossing.stored) + 1
    assert after["staff_tokens"] == before["staff_tokens"]


@pytest.mark.parametrize("literal", literals())
def test_what_is_no_text_is_refused(shared_intake, shared_client, literal):
    before = counts(shared_intake.database)
    for field in ("attendee_name", "allergies_details", "hair_loss_pattern", "unknown"):
        text = json.dumps(minimal(allergies="yes", **{field: "@"})).replace('"@"', literal)
        assert shared_client.submit(text.encode()).status_code == 400
    assert counts(shared_intake.database) == before


def test_every_text_of_the_envelope_comes_back(shared_intake, staff_token):
    crossing = EnvelopeCrossing(shared_intake, staff_token).run(STRINGS, every_field=False).read_exports()
    crossing.read_earlier(STRINGS)
    assert crossing.wrong == []
    plain = {text for text in STRINGS if 0 < len(text) <= 200 and text.isalpha()}
    assert len(crossing.taken) > 100 and plain & {body["attendee_name"] for body in crossing.taken}


def test_every_name_is_in_the_list(shared_client, shared_staff):
    """As it is stored of the person, whose first post each is: one space for many, and no white space around it."""
    kept = 0
    for text in STRINGS:
        body = minimal(attendee_name=text)
        reply = shared_client.submit(json.dumps(body).encode())
        if reply.status_code == 201:
            (line,) = shared_staff.list(q=body["attendee_email"]).json()["submissions"]
            assert line["patient_name"] == re.sub(" +", " ", text.strip(WHITE))
            kept += 1
        assert reply.status_code in (201, 413, 422)
    assert kept > len(STRINGS) / 2


def test_every_text_of_a_review_comes_back(shared_client, shared_staff):
    body = minimal()
    assert shared_client.submit(body).status_code == 201
    path = f"/v1/submissions/{body['booking_uid']}/review"
    kept = []
    for text in STRINGS:
        reply = shared_staff.request("PUT", path, json={"state": "approved", "comment": text, "revision": 1})
        if "\0" in text or len(text) > 2000:
            assert reply.status_code in (413, 422)
            continue
        shown = text if text.strip(WHITE) else None
        assert reply.status_code == 200 and reply.json()["comment"] == shown
        kept.append(shown)
    reviews = shared_staff.get(f"/v1/submissions/{body['booking_uid']}/history").json()["reviews"]
    assert [review["comment"] for review in reviews] == kept[::-1][:len(reviews)] and reviews


def test_every_text_of_a_header_is_kept_or_refused(shared_intake, tokens):
    """Each is the reason for a look that the audit shows; and a request id of somebody else is not taken over."""
    booking = fresh_booking()
    assert shared_intake.client().submit(minimal(booking)).status_code == 201
    connection, reasons = Headers(shared_intake.port), {}
    for text in STRINGS:
        if "\r" in text or "\n" in text or len(text) > 2000:
            continue  # is another header, or too large for any
        headers = [("Authorization", f"Bearer {tokens['admin']}"), ("X-Intake-Reason", text)]
        if len(text) < 500:
            headers += [(name, text) for name in ("X-Request-Id", "User-Agent", "Referer", "X-Forwarded-For")]
        reply = connection.request("GET", f"/v1/submissions/{booking}", headers)
        control = any(ord(character) < 32 and character != "\t" or character == "\x7f" for character in text)
        assert reply.status == (400 if control or len(text.strip(" \t")) > 200 else 200), (text, reply.body)
        assert set(reply.headers["x-request-id"]) <= set("0123456789abcdef")
        if reply.status == 200:
            reasons[reply.headers["x-request-id"]] = text.strip(" \t") if text.strip(WHITE) else None
    connection.close()
    stored = {row["request_id"]: row["reason"] and row["reason"].strip(" \t") for row in shared_intake.database.query(
        "SELECT request_id, reason FROM audit_log WHERE booking_uid = %s AND action = 'submission.read'", (booking,))}
    assert stored == reasons


PATHS = ("/v1/submissions/{}", "/v1/submissions/{}/history", "/v1/submissions?q={}", "/v1/submissions?flag={}",
         "/v1/submissions?status={}", "/v1/submissions?questionnaire={}", "/v1/submissions?cursor={}",
         "/v1/submissions?{}=1", "/v1/questionnaires/{}", "/v1/questionnaires/hair-transplant?version={}",
         "/fhir/QuestionnaireResponse/{}", "/fhir/QuestionnaireResponse?identifier={}", "/fhir/Questionnaire?url={}",
         "/fhir/AuditEvent?entity={}", "/v1/drafts/{}", "/v1/bookings/{}", "/q/{}", "/q/x?t={}", "/staff?{}",
         "/docs?x={}", "/assets/{}/base.css", "/assets/x/{}", "/{}")


def test_no_text_of_a_target_fails_or_is_in_a_page(shared_intake, shared_client, tokens):
    pages = {shared_client.get(path).text for path in ("/q/x", "/staff", "/docs")}
    connection = Headers(shared_intake.port)
    statuses = set()
    for number, text in enumerate(STRINGS):
        for path in PATHS[number % 6::6]:
            reply = connection.request("GET", path.format(quoted(text)), [("Authorization", f"Bearer {tokens['admin']}"),
                                                                         ("X-Intake-Link", "1.x")])
            statuses.add(reply.status)
            assert reply.status in (200, 304, 400, 401, 403, 404, 405, 414, 422, 431), (path, text, reply.status)
            if reply.headers.get("content-type", "").startswith("text/html"):
                assert reply.body.decode() in pages
    connection.close()
    assert {200, 400, 404} <= statuses


@pytest.mark.parametrize("text", ["%", "_", "%%%", "\\%", "\\_", "a_b", "' OR 1=1 -- 1", "*", "\\"])
def test_a_search_knows_no_wildcards(shared_client, shared_staff, text):
    shared_client.submit(minimal(attendee_name="Ab Cd"))
    for row in shared_staff.list(q=text).json()["submissions"]:
        posted = shared_staff.look_up(row["booking_uid"]).json()["contact"]["name"]
        assert any(text.lower() in name.lower() for name in (row["patient_name"], posted)) or row["booking_uid"] == text
