"""The API's own document, driven: each operation's example, and each answer that is documented."""

import json
import os
import re

import pytest

from intake_harness import links
from intake_harness.bodies import fresh_booking, minimal
from intake_harness.client import RawConnection
from intake_harness.daemon import ROOT
from intake_harness.openapi import BY_ID, DOCUMENT, METHODS, OPERATIONS, Reply
from intake_harness.openapi_world import BOOKING, World
from intake_harness.waiting import eventually

GUARDED = {"http.submissions_require_token": "true", "http.metrics_require_token": "true"}


@pytest.fixture(scope="module")
def world(module_intake, tokens):
    return World(module_intake, tokens)


# --- what an operation's own answers need ------------------------------------------------------------


def _draft(world, exists):
    drafts = links.Drafts(world.intake.client(), BOOKING)
    drafts.delete(If_Match="*")
    if exists:
        assert drafts.put({"allergies": "none"}).status_code == 201


def _failed(world):
    world.settle()
    world.execute("UPDATE medical_questionnaire_submissions SET status = 'failed', failure_reason = 'a test'"
                  " WHERE booking_uid = %s", BOOKING)


def _another_booking(operation):
    """The example, of another booking and another person."""
    booking_uid = fresh_booking()
    text = operation.body()[0].decode().replace(BOOKING, booking_uid)
    return text.replace("jane.doe@", f"{booking_uid}@").replace("+905321234567", "").encode()


def _deleted(world, operation):
    """A post to a booking whose submission was deleted."""
    body = _another_booking(operation)
    assert world.send(operation, body=body).status == 201
    world.execute("UPDATE medical_questionnaire_submissions SET deleted = true WHERE booking_uid ="
                  " (SELECT booking_uid FROM medical_questionnaire_submissions ORDER BY created_at DESC LIMIT 1)")
    return world.send(operation, body=body)


def _while_deleted(world, operation):
    """The booking that every example names, which gets its submission back afterwards."""
    world.settle()
    world.execute("UPDATE medical_questionnaire_submissions SET deleted = true WHERE booking_uid = %s", BOOKING)
    try:
        return world.send(operation)
    finally:
        world.execute("UPDATE medical_questionnaire_submissions SET deleted = false WHERE booking_uid = %s", BOOKING)


def _invalid(world, operation):
    text = operation.body()[0].decode()
    assert "36-45" in text
    return world.send(operation, body=text.replace("36-45", "a-hundred").encode())


def _unknown_questionnaire(world, operation):
    world.execute("UPDATE medical_questionnaire_submissions SET questionnaire_id = 'not-there' WHERE booking_uid = %s",
                  BOOKING)
    try:
        return world.send(operation)
    finally:
        world.execute("UPDATE medical_questionnaire_submissions SET questionnaire_id = 'hair-transplant'"
                      " WHERE booking_uid = %s", BOOKING)


def _put_draft(world, exists, **headers):
    _draft(world, exists)
    return world.send(BY_ID["putDraft"], headers={"If-Match": None, "If-None-Match": None, **headers})


def _put_known_draft(world):
    _draft(world, True)
    read = world.send(BY_ID["getDraft"])
    return world.send(BY_ID["putDraft"], headers={"If-Match": read.headers["etag"]})


def _delete_draft(world, exists, if_match):
    _draft(world, exists)
    return world.send(BY_ID["deleteDraft"], headers={"If-Match": if_match})


def _with_draft(world):
    _draft(world, True)
    return world.send(BY_ID["getDraft"])


def _retry(world, failed):
    if failed:
        _failed(world)
    else:
        world.settle()
    return world.send(BY_ID["retrySubmission"])


def _decide(world, operation):
    """The example, of the revision that is there, and of a contradiction that is."""
    world.settle()
    world.execute("""UPDATE medical_questionnaire_submissions SET contradictions =
                     '[{"field": "age_range", "stored": "26-35", "posted": "36-45"}]' WHERE booking_uid = %s""", BOOKING)
    found = world.send(BY_ID["getSubmission"]).json()
    body = {**json.loads(operation.body()[0]), "revision": found["revision"]}
    return world.send(operation, body=json.dumps(body).encode())


def _of_another_revision(world, operation):
    return world.send(operation, body=json.dumps({**json.loads(operation.body()[0]), "revision": 999}).encode())


def _sign_in(world, operation, token):
    return world.send(operation, body=json.dumps({"token": token}).encode())


def _no_links(world, operation):
    return world.send(operation, world.daemon(link__secret=""))


OTHER = '"00000000-0000-7000-8000-000000000000"'
# (operation, status): how it comes about, where neither its example nor _usual() does it.
CASES = {
    ("postSubmission", 201): lambda world, each: world.send(each, body=_another_booking(each)),
    ("postSubmission", 409): _deleted,
    **{(name, 412): lambda world, each: world.send(each, body=_another_booking(each), headers={"If-Match": '"9"'})
       for name in ("postSubmission", "createQuestionnaireResponse")},
    ("postSubmission", 422): _invalid,
    ("createQuestionnaireResponse", 201): lambda world, each: world.send(each, body=_another_booking(each)),
    ("createQuestionnaireResponse", 409): _deleted,
    ("createQuestionnaireResponse", 422): _invalid,
    ("getQuestionnaireResponse", 404): lambda world, each: world.send(each, values={"id": OTHER.strip('"')}),
    ("getQuestionnaireResponse", 409): _unknown_questionnaire,
    ("searchQuestionnaireResponses", 409): _unknown_questionnaire,
    ("retrySubmission", 200): lambda world, each: _retry(world, True),
    ("retrySubmission", 409): lambda world, each: _retry(world, False),
    **{(name, 200): _decide for name in ("putReview", "putContradiction")},
    **{(name, 409): _of_another_revision for name in ("putReview", "putContradiction")},
    **{(name, 422): lambda world, each: world.send(each, body=b"{}") for name in ("putReview", "putContradiction", "signIn")},
    ("signIn", 201): lambda world, each: _sign_in(world, each, world.tokens["staff"]),
    ("signIn", 401): lambda world, each: _sign_in(world, each, "wrong"),
    ("signIn", 403): lambda world, each: _sign_in(world, each, world.tokens["metrics"]),
    ("signOut", 204): lambda world, each: world.send(each, headers=world.sign_in()),
    ("signOut", 404): lambda world, each: world.send(each),
    ("getBooking", 404): _no_links,
    ("getDraft", 200): lambda world, each: _with_draft(world),
    ("getDraft", 404): lambda world, each: (_draft(world, False), world.send(each))[1],
    ("putDraft", 200): lambda world, each: _put_known_draft(world),
    ("putDraft", 201): lambda world, each: _put_draft(world, False),
    ("putDraft", 404): _no_links,
    ("putDraft", 409): _while_deleted,
    ("putDraft", 412): lambda world, each: _put_draft(world, True, **{"If-Match": OTHER}),
    ("putDraft", 428): lambda world, each: _put_draft(world, True),
    ("deleteDraft", 204): lambda world, each: _delete_draft(world, True, "*"),
    ("deleteDraft", 404): _no_links,
    ("deleteDraft", 412): lambda world, each: _delete_draft(world, True, OTHER),
    ("deleteDraft", 428): lambda world, each: _delete_draft(world, True, None),
}


def _usual(world, operation, status):
    """What most operations with that answer need for it."""
    if status == 304:
        values = _asset(world, operation)
        etag = world.send(operation, values=values).headers["etag"]
        return world.send(operation, values=values, headers={"If-None-Match": etag})
    if status == 404:
        return world.send(operation, values={name: fresh_booking() for name in
                                             ("booking_uid", "id", "name")})
    return world.send(operation, values=_asset(world, operation))


def _asset(world, operation):
    """The digest in the addresses of assets is this build's."""
    if "{digest}" not in operation.path:
        return {}
    page = world.intake.client().get("/docs").text
    return {"digest": page.split("/assets/", 1)[1].split("/", 1)[0]}


# Answers of every operation, provoked below in ways that are the same for all.
GENERAL = {400, 413, 415, 417, 429, 431, 500, 503}
OWN = [(operation, status) for operation in OPERATIONS for status in operation.responses
       if status not in GENERAL and not (status in (401, 403) and operation.schemes)]


def _names(operations):
    return {"argvalues": operations, "ids": [str(each) for each in operations]}


@pytest.mark.parametrize(("operation", "status"), OWN, ids=[f"{each}-{status}" for each, status in OWN])
def test_an_operation_answers_as_documented(world, operation, status):
    case = CASES.get((operation.id, status))
    reply = case(world, operation) if case else _usual(world, operation, status)
    assert reply.status == status, reply.body[:500]


def test_no_case_is_left_over():
    assert set(CASES) <= {(operation.id, status) for operation, status in OWN}


def test_a_scored_submission_fits_too(world):
    """The example has no score: this one has all that an evaluation can have."""
    with open(os.path.join(ROOT, "config", "questionnaires", "phq-9.json"), encoding="utf-8") as file:
        items = json.load(file)["item"]
    answers = {item["linkId"]: item["answerOption"][-1]["valueCoding"]["code"] for item in items if "answerOption" in item}
    body = minimal(questionnaire="phq-9", **answers)
    assert world.send(BY_ID["postSubmission"], body=json.dumps(body).encode()).status == 201
    world.intake.wait_processed(body["booking_uid"])
    evaluation = world.send(BY_ID["getSubmission"], values=body).json()["evaluation"]
    assert evaluation["scores"] and evaluation["flags"]


# --- what all of them have in common -------------------------------------------------------------------


@pytest.mark.parametrize("operation", **_names(OPERATIONS))
def test_what_is_no_plain_request_is_400(world, operation):
    with RawConnection(world.intake.port) as connection:
        raw = connection.send(f"{operation.method} {operation.target()} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").reply()
    reply = Reply(raw.status, raw.headers, raw.body)
    assert reply.status == 400
    operation.check(reply)


QUERIED = [each for each in OPERATIONS if any(parameter["in"] == "query" for parameter in each.parameters)]


@pytest.mark.parametrize("operation", **_names(QUERIED))
def test_a_parameter_that_is_not_documented_is_400(world, operation):
    reply = world.send(operation, query={"not_there": "1"})
    assert reply.status == 400
    assert "not_there" in reply.body.decode() or operation.is_fhir


def test_every_form_of_an_export_is_documented(world):
    export = BY_ID["exportSubmissions"]
    (form,) = [parameter for parameter in export.parameters if parameter["name"] == "format"]
    replies = [world.send(export, query={"format": name}) for name in form["schema"]["enum"]]
    assert {reply.media_type for reply in replies} == set(export.responses[200]["content"])


BODIED = [each for each in OPERATIONS if each.bodies]


@pytest.mark.parametrize("operation", **_names(BODIED))
def test_a_body_that_is_not_json_is_400(world, operation):
    assert world.send(operation, body=b"{").status == 400


@pytest.mark.parametrize("operation", **_names(BODIED))
def test_a_body_of_another_kind_is_415(world, operation):
    assert world.send(operation, headers={"Content-Type": "text/plain"}).status == 415


@pytest.mark.parametrize("operation", **_names(BODIED))
def test_every_documented_kind_of_body_is_taken(world, operation):
    for media_type in operation.bodies:
        assert world.send(operation, headers={"Content-Type": media_type}).status not in (400, 415), media_type


@pytest.mark.parametrize("operation", **_names(OPERATIONS))
def test_a_body_that_is_too_large_is_413(world, operation):
    reply = world.send(operation, body=b" " * 70000, headers={"Content-Type": next(iter(operation.bodies), "text/plain")})
    assert reply.status == 413


@pytest.mark.parametrize("operation", **_names(OPERATIONS))
def test_another_expectation_is_417(world, operation):
    assert world.send(operation, headers={"Expect": "miracles"}).status == 417


@pytest.mark.parametrize("operation", **_names(OPERATIONS))
def test_headers_that_are_too_large_are_431(world, operation):
    with RawConnection(world.intake.port) as connection:
        raw = connection.send(f"{operation.method} {operation.target()} HTTP/1.1\r\nHost: a\r\n"
                              f"X-Header: {'x' * 20000}\r\n\r\n").reply()
    reply = Reply(raw.status, raw.headers, raw.body)
    operation.check(reply)
    assert reply.status == 431


LOCKED = [each for each in OPERATIONS if each.schemes]


@pytest.mark.parametrize("operation", **_names(LOCKED))
def test_without_credentials_it_is_401(world, operation):
    guarded = world.daemon(**{key.replace(".", "__"): value for key, value in GUARDED.items()})
    bare = dict.fromkeys(world.credentials(operation))
    assert world.send(operation, guarded, headers=bare).status == 401
    if "bearer" in operation.schemes:
        assert world.send(operation, guarded, headers={"Authorization": "Bearer wrong"}).status == 401


@pytest.mark.parametrize("operation", **_names([each for each in OPERATIONS if {"bearer", "bookingLink"} <= each.schemes]))
def test_a_submission_that_needs_its_link_is_refused_as_documented(world, operation):
    daemon = world.daemon(link__submissions="required")
    assert world.send(operation, daemon).status == 401
    assert world.send(operation, daemon, headers=links.link_header("another-booking")).status == 403
    assert world.send(operation, daemon, headers=links.link_header(BOOKING)).status == 200


SESSIONS = [each for each in OPERATIONS if "session" in each.schemes]


@pytest.mark.parametrize("operation", **_names(SESSIONS))
def test_a_session_does_what_its_role_may_and_only_from_our_pages(world, operation):
    guarded = world.daemon(**{key.replace(".", "__"): value for key, value in GUARDED.items()})
    signed_in = {**world.sign_in(), "Origin": guarded.base}
    assert (world.send(operation, guarded, headers=signed_in).status == 403) == ("staff" not in operation.roles)
    assert world.send(operation, guarded, headers={**signed_in, "Cookie": "intake_session=wrong"}).status == 401
    if operation.method != "GET":
        elsewhere = {**world.sign_in(), "Origin": "https://example.com"}
        assert world.send(operation, guarded, headers=elsewhere).status == 403


@pytest.mark.parametrize("operation", **_names(LOCKED))
def test_every_documented_role_may_and_no_other(world, operation):
    guarded = world.daemon(**{key.replace(".", "__"): value for key, value in GUARDED.items()})
    for role in world.tokens if operation.roles else ():
        status = world.send(operation, guarded, headers=world.credentials(operation, role=role)).status
        assert (status == 403) == (role not in operation.roles), role
    if not operation.roles:
        assert world.send(operation, headers=links.link_header("another-booking")).status == 403


LIMITED = [each for each in OPERATIONS if 429 in each.responses]


@pytest.mark.parametrize("operation", **_names(LIMITED))
def test_too_many_requests_are_429(world, operation):
    # Probes are limited by wrong tokens alone, of which the loopback address has ten times as many.
    options = {"http.token_failures_per_minute": 1, **GUARDED} if operation.id == "getMetrics" \
        else {"http.rate_per_second": 1, "http.rate_burst": 1}
    daemon = world.daemon(**{key.replace(".", "__"): value for key, value in options.items()})
    wrong = {"Authorization": "Bearer wrong"} if operation.id == "getMetrics" else {}
    assert any(world.send(operation, daemon, headers=wrong).status == 429 for _ in range(50))


def _template(path):
    return re.compile("/".join("[^/]+" if part.startswith("{") else re.escape(part) for part in path.split("/")))


def test_another_method_is_405_and_told_which_there_are(world):
    client = world.intake.client()
    for path, item in DOCUMENT["paths"].items():
        operation = next(each for each in OPERATIONS if each.path == path)
        # An address can be one of two paths: /fhir/Questionnaire/{id} fits the operation too.
        fitting = [other for other in DOCUMENT["paths"] if _template(other).fullmatch(path)]
        documented = {method for method in METHODS if method in item}
        known = {method for other in fitting for method in METHODS if method in DOCUMENT["paths"][other]}
        expected = {method.upper() for method in documented} | {"OPTIONS"} | ({"HEAD"} if "get" in documented else set())
        for method in sorted(set(METHODS) - known):
            got = client.request(method.upper(), operation.target())
            assert got.status_code == 405, (method, path)
            assert set(got.headers["Allow"].split(", ")) == expected, path
            assert got.headers["Content-Type"] in operation.responses[400]["content"]


READY = [BY_ID["getHealth"], BY_ID["getReadiness"]]
# What has a reason to be audited is what reads or changes the database; metrics only where guarded.
STORED = [each for each in OPERATIONS if any(parameter["name"] == "X-Intake-Reason" for parameter in each.parameters)
          and each.id != "getMetrics"]


def test_without_its_database_it_is_503(world, postgres):
    """All in one: stopping a database takes longer than asking everything."""
    daemon = world.daemon(lane__deadline_ms=300, executor__deadline_ms=300)
    postgres.stop()
    try:
        for operation in STORED:
            assert world.send(operation, daemon).status == 503, operation
        for operation in READY:
            eventually(lambda: world.send(operation, daemon).status == 503, 30, "not ready")
        assert world.send(BY_ID["getLiveness"], daemon).status == 200
    finally:
        postgres.start()
    for each in (world.intake, daemon):
        eventually(lambda: world.send(BY_ID["getReadiness"], each).status == 200, 30, "ready again")


# --- the document itself --------------------------------------------------------------------------------


def test_the_document_is_served_with_the_programs_version(world):
    client = world.intake.client()
    reply = client.get("/openapi.json")
    version = client.get("/version").json()["version"]
    assert reply.headers["Cache-Control"] == "no-cache"
    assert reply.json() == json.loads(json.dumps(DOCUMENT).replace("@INTAKE_VERSION@", version))
    assert client.get("/openapi.json", headers={"If-None-Match": reply.headers["ETag"]}).status_code == 304
