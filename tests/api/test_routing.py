"""What the route table promises for every path: 404, 405, HEAD, OPTIONS, CORS, request ids."""

import re

import pytest

from intake_harness.bodies import fresh_booking, full, minimal
from intake_harness.client import RawConnection

ORIGIN = "https://booking.example.com"
# Every path, and the methods that it knows besides OPTIONS.
ROUTES = {
    "/v1/submissions": {"GET", "HEAD", "POST"},
    "/v1/submissions/some-booking": {"GET", "HEAD"},
    "/v1/submissions/some-booking/retry": {"POST"},
    "/v1/questionnaires": {"GET", "HEAD"},
    "/v1/questionnaires/hair-transplant": {"GET", "HEAD"},
    "/fhir/Questionnaire": {"GET", "HEAD"},
    "/fhir/Questionnaire/hair-transplant": {"GET", "HEAD"},
    "/fhir/metadata": {"GET", "HEAD"},
    "/fhir/QuestionnaireResponse": {"GET", "HEAD", "POST"},
    "/fhir/QuestionnaireResponse/some-id": {"GET", "HEAD"},
    "/health": {"GET", "HEAD"},
    "/health/live": {"GET", "HEAD"},
    "/health/ready": {"GET", "HEAD"},
    "/metrics": {"GET", "HEAD"},
    "/version": {"GET", "HEAD"},
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW")


def allowed(reply):
    return {method.strip() for method in reply.headers["Allow"].split(",")}


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/submission", "/v1/submissions/", "/V1/submissions",
                                  "/v1/submissions/a/b", "/v1//submissions", "/health/", "/health/x",
                                  "/v1/submissions/a/retry/", "/.env", "/v1/../health", "/%76ersion/x"])
def test_unknown_paths_are_404(shared_client, path):
    with RawConnection(int(shared_client.base.rsplit(":", 1)[1])) as raw:
        raw.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.reply().status == 404


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("method", METHODS)
def test_other_methods_are_405_with_allow(shared_client, path, method):
    if method in ROUTES[path]:
        return
    reply = shared_client.request(method, path)
    assert reply.status_code in ((405,) if method != "BREW" else (405, 501))
    assert allowed(reply) - {"OPTIONS"} == ROUTES[path]


@pytest.mark.parametrize("path", ROUTES)
def test_options_says_what_is_allowed(shared_client, path):
    reply = shared_client.request("OPTIONS", path)
    assert reply.status_code in (200, 204) and not reply.content
    assert allowed(reply) - {"OPTIONS"} == ROUTES[path]


@pytest.mark.parametrize("path", ["/health/live", "/version", "/metrics", "/v1/submissions"])
def test_head_is_get_without_its_body(shared_staff, path):
    with RawConnection(int(shared_staff.base.rsplit(":", 1)[1])) as raw:
        token = shared_staff._session.headers["Authorization"]
        request = f" {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n"
        head = raw.send("HEAD" + request).reply(head=True)
        get = raw.send("GET" + request).reply()
    assert head.status == get.status == 200
    assert head.headers["content-type"] == get.headers["content-type"]
    assert get.body


def test_head_of_what_is_not_there(shared_staff):
    assert shared_staff.request("HEAD", "/nowhere").status_code == 404
    assert shared_staff.request("HEAD", f"/v1/submissions/{fresh_booking()}").status_code == 404


def test_every_reply_has_its_own_request_id(shared_client):
    replies = [shared_client.get(path) for path in ("/version", "/version", "/nowhere", "/v1/submissions")]
    replies.append(shared_client.submit(minimal()))
    replies.append(shared_client.submit(b"x"))
    numbers = [reply.headers["X-Request-Id"] for reply in replies]
    assert len(set(numbers)) == len(numbers) and all(numbers)


def test_the_request_id_is_in_the_log(shared_intake, shared_client):
    for reply in (shared_client.get("/version"), shared_client.submit(minimal()), shared_client.get("/nowhere")):
        shared_intake.wait_log(re.escape(reply.headers["X-Request-Id"]))


def test_problems_are_rfc_9457(shared_client):
    for reply in (shared_client.get("/nowhere"), shared_client.request("DELETE", "/version"),
                  shared_client.get("/v1/submissions"), shared_client.submit(b"x"),
                  shared_client.submit(minimal(age_range="x"))):
        assert reply.headers["Content-Type"].split(";")[0] == "application/problem+json"
        body = reply.json()
        assert body["status"] == reply.status_code
        assert body["title"] and "type" in body
        assert body["request_id"] == reply.headers["X-Request-Id"]


def test_replies_are_not_sniffed_and_patient_data_is_not_cached(shared_client, shared_staff):
    body = full()
    shared_client.submit(body)
    reply = shared_staff.look_up(body["booking_uid"])
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Cache-Control"] == "no-store"


@pytest.fixture(scope="module")
def cors_options():
    return {"http.cors_origins": f"{ORIGIN}, https://other.example.com"}


def test_cors_preflight_for_a_configured_origin(start_intake, cors_options):
    client = start_intake(cors_options).client()
    reply = client.request("OPTIONS", "/v1/submissions", headers={
        "Origin": ORIGIN, "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type"})
    assert reply.status_code in (200, 204)
    assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "POST" in reply.headers["Access-Control-Allow-Methods"]
    assert "content-type" in reply.headers["Access-Control-Allow-Headers"].lower()
    assert "Origin" in reply.headers["Vary"]


def test_cors_on_every_reply_to_a_configured_origin(start_intake, cors_options):
    client = start_intake(cors_options).client()
    for body in (minimal(), minimal(age_range="x"), b"x"):
        reply = client.submit(body, headers={"Origin": ORIGIN})
        assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN, reply.status_code
        assert "Origin" in reply.headers["Vary"]


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", ORIGIN + ".evil.com",
                                    ORIGIN.upper() + "x", "http://booking.example.com"])
def test_other_origins_get_no_cors(start_intake, cors_options, origin):
    client = start_intake(cors_options).client()
    preflight = client.request("OPTIONS", "/v1/submissions", headers={
        "Origin": origin, "Access-Control-Request-Method": "POST"})
    assert "Access-Control-Allow-Origin" not in preflight.headers
    reply = client.submit(minimal(), headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in reply.headers


def test_without_configured_origins_there_is_no_cors(shared_client):
    reply = shared_client.submit(minimal(), headers={"Origin": ORIGIN})
    assert reply.status_code == 201 and "Access-Control-Allow-Origin" not in reply.headers
