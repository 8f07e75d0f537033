"""The links to bookings: who may write a draft, and a submission where the configuration demands it."""

import re
import time

import pytest

from intake_harness.bodies import fresh_booking, minimal
from intake_harness.daemon import run_command
from intake_harness.links import OPTIONS, SECRET, Drafts, link_header, link_token

REQUIRED = {**OPTIONS, "link.submissions": "required"}
WRITING = ("GET", "PUT", "DELETE")


@pytest.fixture(scope="module")
def shared_client(module_intake):
    return module_intake(OPTIONS).client()


@pytest.fixture(scope="module")
def strict_client(module_intake):
    return module_intake(REQUIRED).client()


def ask(client, method, booking_uid, headers):
    return client.request(method, f"/v1/drafts/{booking_uid}", data=b"{}" if method == "PUT" else None,
                          headers={"Content-Type": "application/json", "If-Match": "*", **headers})


def intake_link(binary, *arguments, code=0, **environment):
    done = run_command(binary, "link", *arguments, environment=environment)
    assert done.returncode == code, done.stderr
    return done.stdout.strip() if code == 0 else done.stderr


def test_intake_link_prints_a_link_that_works(binary, shared_client):
    booking_uid = fresh_booking()
    link = intake_link(binary, booking_uid, INTAKE_LINK_SECRET=SECRET,
                       INTAKE_LINK_BASE_URL="https://intake.example.org/")
    match = re.fullmatch(rf"https://intake\.example\.org/q/{booking_uid}\?t=(([0-9]+)\.[A-Za-z0-9_-]+)", link)
    assert abs(int(match[2]) - time.time() - 30 * 86400) < 60
    drafts = Drafts(shared_client, booking_uid)
    drafts.token = {"X-Intake-Link": match[1]}
    assert drafts.put({}).status_code == 201 and drafts.get().status_code == 200
    link = intake_link(binary, "--days", "2", booking_uid, INTAKE_LINK_SECRET=SECRET)
    assert abs(int(re.search(r"t=([0-9]+)\.", link)[1]) - time.time() - 2 * 86400) < 60
    link = intake_link(binary, "--until", "2100-01-01T12:00:00+03:00", booking_uid, INTAKE_LINK_SECRET=SECRET)
    assert int(re.search(r"t=([0-9]+)\.", link)[1]) == 4102477200


def test_intake_link_refuses_what_makes_no_link(binary):
    assert "secret" in intake_link(binary, "bk", code=2)
    assert "booking" in intake_link(binary, "{bookingUid}", code=2, INTAKE_LINK_SECRET=SECRET)
    for arguments in ([], ["a", "b"], ["--days", "0", "a"], ["--days", "x", "a"],
                      ["--until", "tomorrow", "a"], ["--until", "2100-01-01", "a"],
                      ["--until", "2000-01-01T12:00:00Z", "a"],
                      ["--until", "2100-01-01T12:00:00Z", "--days", "2", "a"]):
        assert "usage" in intake_link(binary, *arguments, code=2, INTAKE_LINK_SECRET=SECRET)


@pytest.mark.parametrize("method", WRITING)
def test_a_draft_without_a_link_is_401(shared_client, method):
    reply = ask(shared_client, method, "bk", {})
    assert reply.status_code == 401 and "Intake-Link" in reply.headers["WWW-Authenticate"]
    assert reply.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("method", WRITING)
@pytest.mark.parametrize("header", [
    pytest.param(link_header("another"), id="of another booking"),
    pytest.param(link_header("bk", secret="x" * 40), id="with another secret"),
    pytest.param(link_header("bk", expires=1), id="expired"),
    pytest.param({"X-Intake-Link": ""}, id="empty"),
    pytest.param({"X-Intake-Link": "x"}, id="a letter"),
    pytest.param({"X-Intake-Link": "9999999999."}, id="without a code"),
    pytest.param({"X-Intake-Link": "9" * 400 + ".x"}, id="long"),
    pytest.param({"X-Intake-Link": link_token("bk")[:-1]}, id="cut"),
    pytest.param({"X-Intake-Link": link_token("bk") + "A"}, id="with a letter more"),
    pytest.param({"X-Intake-Link": "2" + link_token("bk")[1:]}, id="until later")])
def test_a_draft_with_a_link_that_is_not_good_is_403(shared_client, method, header):
    assert ask(shared_client, method, "bk", header).status_code == 403


def test_a_wrong_link_does_not_tell_which_bookings_exist(shared_client):
    there, begun, unknown = fresh_booking(), fresh_booking(), fresh_booking()
    shared_client.submit(minimal(there))
    Drafts(shared_client, begun).put({})
    for headers in ({}, link_header("another"), {"X-Intake-Link": "x"}):
        replies = [ask(shared_client, "GET", uid, headers) for uid in (there, begun, unknown, "a.b")]
        problems = [{**reply.json(), "request_id": None} for reply in replies]
        assert all(problem == problems[0] for problem in problems)


def test_a_link_that_was_good_says_that_it_expired(shared_client):
    reply = ask(shared_client, "GET", "bk", link_header("bk", expires=int(time.time()) - 1))
    assert reply.status_code == 403 and "expired" in reply.json()["detail"]


def test_a_link_in_the_address_is_not_looked_at(shared_client):
    reply = shared_client.get(f"/v1/drafts/bk?t={link_token('bk')}")
    assert reply.status_code == 401


def test_the_body_of_a_stranger_is_not_read(shared_client):
    reply = shared_client.request("PUT", "/v1/drafts/bk", data=b"{", headers={"Content-Type": "text/plain"})
    assert reply.status_code == 401


def test_without_a_secret_there_are_no_drafts(start_intake):
    client = start_intake().client()
    for method in WRITING:
        reply = ask(client, method, "bk", link_header("bk"))
        assert reply.status_code == 404 and "secret" in reply.json()["detail"]
    assert client.submit(minimal()).status_code == 201


def test_a_link_is_in_no_log(start_intake):
    intake = start_intake({**OPTIONS, "log.level": "debug"})
    token = link_token("bk")
    for header in ({"X-Intake-Link": token}, {"X-Intake-Link": token + "A"}):
        ask(intake.client(), "PUT", "bk", header)
    intake.client().get(f"/v1/drafts/bk?t={token}")
    intake.stop()
    assert token.split(".")[1] not in intake.log() and SECRET not in intake.log()


def test_a_submission_needs_no_link_unless_it_is_required(shared_client):
    body = minimal()
    assert shared_client.submit(body).status_code == 201
    assert shared_client.submit({**body, "allergies": "none"}, headers={"X-Intake-Link": "x"}).status_code == 200


def test_a_submission_with_its_bookings_link_is_stored(strict_client):
    body = minimal()
    assert strict_client.submit(body, headers=link_header(body["booking_uid"])).status_code == 201


def test_a_submission_without_its_bookings_link_is_not_stored(strict_client, module_intake):
    body = minimal()
    assert strict_client.submit(body).status_code == 401
    for header in (link_header("another"), link_header(body["booking_uid"], expires=1), {"X-Intake-Link": "x"}):
        assert strict_client.submit(body, headers=header).status_code == 403
        assert strict_client.submit({**body, "zzz": 1}, headers=header).status_code == 403
    reply = strict_client.submit(body, headers=link_header(body["booking_uid"]))
    assert reply.status_code == 201, "it was stored before"


def test_what_is_wrong_with_a_body_is_told_to_holders_of_links(strict_client):
    header = link_header("bk")
    assert strict_client.submit(b"{", headers=header).status_code == 400
    assert strict_client.submit(b"{").status_code == 401
    assert strict_client.submit({"booking_uid": "{bookingUid}"}, headers=header).status_code == 422
    assert strict_client.submit({"booking_uid": "bk"}, headers=header).status_code == 422


def test_a_page_of_another_origin_may_send_links_and_conditions(start_intake):
    origin = "https://www.example.org"
    client = start_intake({**OPTIONS, "http.cors_origins": origin}).client()
    reply = client.request("OPTIONS", "/v1/drafts/bk", headers={
        "Origin": origin, "Access-Control-Request-Method": "PUT"})
    allowed = reply.headers["Access-Control-Allow-Headers"].lower()
    assert all(name in allowed for name in ("x-intake-link", "if-match", "if-none-match", "content-type"))
    assert "PUT" in reply.headers["Access-Control-Allow-Methods"]
    reply = ask(client, "GET", "bk", {"Origin": origin, **link_header("bk")})
    assert "ETag" in reply.headers["Access-Control-Expose-Headers"]


def test_a_fhir_response_needs_its_bookings_link_too(strict_client):
    booking_uid = fresh_booking()
    response = {
        "resourceType": "QuestionnaireResponse", "status": "completed",
        "questionnaire": "urn:intake:questionnaire:hair-transplant",
        "identifier": {"system": "urn:intake:booking-uid", "value": booking_uid},
        "contained": [{"resourceType": "Patient", "id": "p", "name": [{"text": "Jane Doe"}],
                       "telecom": [{"system": "email", "value": f"{booking_uid}@example.com"}]}],
        "subject": {"reference": "#p"}}
    for header, code in (({}, 401), (link_header("another"), 403), (link_header(booking_uid), 201)):
        reply = strict_client.request("POST", "/fhir/QuestionnaireResponse", json=response, headers=header)
        assert reply.status_code == code, reply.text
        assert reply.json()["resourceType"] == "OperationOutcome" or code == 201


def test_the_audit_tells_who_showed_the_link(start_intake):
    """Also where it is not demanded; one that is not good changes nothing."""
    intake = start_intake(OPTIONS)
    good, bad = minimal(), minimal()
    for body, link in ((good, good), (bad, good)):
        headers = link_header(link["booking_uid"])
        assert intake.client().submit(body, headers=headers).status_code == 201
    actors = {row["booking_uid"]: row["actor"] for row in intake.database.query(
        "SELECT booking_uid, actor FROM audit_log WHERE action = 'submission.create'")}
    assert actors == {good["booking_uid"]: "link", bad["booking_uid"]: "public"}
