"""The staff page's session: signing in with a token, the cookie, its ends, and who may use it from where."""

import re

import pytest

from intake_harness.bodies import fresh_booking, full
from intake_harness.client import RawConnection
from intake_harness.daemon import run_command

COOKIE = re.compile(r"intake_session=([0-9a-f]{64}); Path=/; HttpOnly; SameSite=Strict(; Secure)?")


def sign_in(client, token, **headers):
    return client.request("POST", "/v1/session", json={"token": token}, headers=headers)


def cookie_of(reply):
    return COOKIE.fullmatch(reply.headers["Set-Cookie"]).group(1)


class Browser:
    """A signed-in page: sends its cookie, and its Origin with what changes something."""

    def __init__(self, intake, token):
        self.client = intake.client()
        reply = sign_in(self.client, token)
        assert reply.status_code == 201, reply.text
        self.signed_in = reply
        self.cookie = cookie_of(reply)

    def request(self, method, path, headers=None, **arguments):
        ours = {"Cookie": f"theme=dark; intake_session={self.cookie}", "Origin": self.client.base}
        if method == "GET":
            del ours["Origin"]
        ours.update(headers or {})
        self.client._session.cookies.clear()  # this page keeps its own
        return self.client.request(method, path, headers={k: v for k, v in ours.items() if v is not None},
                                   **arguments)

    def get(self, path, **arguments):
        return self.request("GET", path, **arguments)


@pytest.fixture
def page(intake, staff_token):
    return Browser(intake, staff_token)


def test_a_token_is_exchanged_for_a_cookie(intake, page, staff_token):
    reply = page.signed_in
    assert set(reply.json()) == {"name", "role", "expires_at"}
    assert (reply.json()["name"], reply.json()["role"]) == ("test-staff", "staff")
    assert reply.headers["Cache-Control"] == "no-store"
    assert "Secure" not in reply.headers["Set-Cookie"], "on loopback there is no TLS"
    assert page.get("/v1/session").json() == reply.json()
    row = intake.database.one("SELECT * FROM staff_sessions")
    assert page.cookie not in str(row) and page.cookie.encode() not in bytes(row["session_hash"])
    assert 11.9 < (row["expires_at"] - row["created_at"]).total_seconds() / 3600 <= 12
    assert staff_token not in intake.log() and page.cookie not in intake.log()


def test_a_name_that_is_not_loopback_gets_a_secure_cookie(client, staff_token):
    for host in ("clinic.example", "localhost.clinic.example", "10.0.0.1:8080"):
        assert sign_in(client, staff_token, Host=host).headers["Set-Cookie"].endswith("; Secure"), host
    for host in ("localhost", "LOCALHOST:8080", "127.0.0.1", "127.8.8.8:1", "[::1]:8080"):
        assert "Secure" not in sign_in(client, staff_token, Host=host).headers["Set-Cookie"], host


@pytest.mark.parametrize("role,status", [("staff", 201), ("admin", 201), ("intake", 403), ("metrics", 403)])
def test_only_persons_get_a_session(shared_intake, tokens, role, status):
    reply = sign_in(shared_intake.client(), tokens[role])
    assert reply.status_code == status
    assert ("Set-Cookie" in reply.headers) == (status == 201)


@pytest.mark.parametrize("body,status", [
    (b"", 400), (b"[]", 400), (b"{", 400), (b"{}", 422), (b'{"token": 1}', 422), (b'{"token": null}', 422),
    (b'{"token": ""}', 401), (b'{"token": "x"}', 401), (b'{"token": "\\u0000"}', 422),
    (b'{"token": "' + b"0" * 64 + b'"}', 401)])
def test_what_is_no_token_gets_no_session(shared_client, body, status):
    reply = shared_client.request("POST", "/v1/session", data=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == status and "Set-Cookie" not in reply.headers


def test_a_form_of_another_page_cannot_sign_in(shared_client, staff_token):
    body = f'{{"token": "{staff_token}"}}'
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        assert shared_client.request("POST", "/v1/session", data=body,
                                     headers={"Content-Type": content_type}).status_code == 415
    assert sign_in(shared_client, staff_token, Origin="https://evil.example").status_code == 403


def test_the_cookie_opens_what_the_role_may(intake, client, tokens):
    body = full()
    client.submit(body)
    intake.wait_processed(body["booking_uid"])
    page = Browser(intake, tokens["staff"])
    assert page.get(f"/v1/submissions/{body['booking_uid']}").json()["contact"]["email"] == body["attendee_email"]
    assert page.request("POST", f"/v1/submissions/{body['booking_uid']}/retry").status_code == 409
    row = intake.database.one("SELECT * FROM audit_log WHERE action = 'submission.read'")
    assert row["actor"] == "test-staff"
    assert row["token_id"] == intake.database.value("SELECT id FROM staff_tokens WHERE name = 'test-staff'")


def test_a_route_that_the_role_may_not_call_is_403(start_intake, tokens):
    page = Browser(start_intake({"http.metrics_require_token": "true"}), tokens["staff"])
    assert page.get("/metrics").status_code == 403


def test_an_authorization_goes_before_the_cookie(page, tokens):
    headers = {"Authorization": f"Bearer {tokens['admin']}"}
    assert page.get("/v1/session", headers=headers).json() == {
        "name": "test-admin", "role": "admin", "expires_at": None}
    headers = {"Authorization": f"Bearer {'0' * 64}"}
    assert page.get("/v1/session", headers=headers).status_code == 401


@pytest.mark.parametrize("headers", [
    {"Origin": None}, {"Origin": "null"}, {"Origin": "https://evil.example"}, {"Origin": "http://127.0.0.1"},
    {"Origin": "http://127.0.0.1:1"}, {"Origin": "http://"}, {"Origin": "ftp://127.0.0.1"},
    {"Origin": None, "Sec-Fetch-Site": "cross-site"}, {"Origin": None, "Sec-Fetch-Site": "same-site"},
    {"Origin": None, "Sec-Fetch-Site": "none"}, {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}])
def test_another_page_cannot_change_anything_with_the_cookie(shared_intake, staff_token, headers):
    page = Browser(shared_intake, staff_token)
    for method, path in (("POST", f"/v1/submissions/{fresh_booking()}/retry"), ("DELETE", "/v1/session")):
        reply = page.request(method, path, headers=headers)
        assert reply.status_code == 403, method
    assert page.get("/v1/session").status_code == 200, "it was not ended"


def test_a_page_of_this_host_can(shared_intake, staff_token):
    page = Browser(shared_intake, staff_token)
    path = f"/v1/submissions/{fresh_booking()}/retry"
    for headers in ({}, {"Origin": None, "Sec-Fetch-Site": "same-origin"},
                    {"Origin": "https://clinic.example", "Host": "clinic.example"},
                    {"Origin": "https://clinic.example", "Host": "Clinic.Example:443"},
                    {"Origin": "https://clinic.example:8443", "Host": "clinic.example:8443"}):
        assert page.request("POST", path, headers=headers).status_code == 404, headers


def test_a_reader_needs_no_origin(shared_intake, staff_token):
    page = Browser(shared_intake, staff_token)
    for method in ("GET", "HEAD"):
        assert page.request(method, "/v1/submissions", headers={"Origin": None}).status_code == 200


def test_signing_out_ends_the_session_on_the_server(intake, page):
    reply = page.request("DELETE", "/v1/session")
    assert reply.status_code == 204
    assert reply.headers["Set-Cookie"].startswith("intake_session=; ") and "Max-Age=0" in reply.headers["Set-Cookie"]
    again = page.get("/v1/session")
    assert again.status_code == 401
    assert again.headers["Set-Cookie"].startswith("intake_session=; "), "the browser is to forget it"
    assert intake.database.value("SELECT ended_at IS NOT NULL FROM staff_sessions")


def test_a_token_has_no_session_to_end(staff):
    assert staff.request("DELETE", "/v1/session").status_code == 404


def test_one_session_ends_and_the_other_stays(intake, page, staff_token):
    other = Browser(intake, staff_token)
    assert page.request("DELETE", "/v1/session").status_code == 204
    assert other.get("/v1/session").status_code == 200


@pytest.mark.parametrize("change", [
    "UPDATE staff_sessions SET last_seen_at = now() - interval '30 minutes'",
    "UPDATE staff_sessions SET expires_at = now()",
    "UPDATE staff_tokens SET expires_at = now()",
    "UPDATE staff_tokens SET revoked_at = now()"])
def test_a_session_ends_with_time_and_with_its_token(intake, page, change):
    assert page.get("/v1/session").status_code == 200
    intake.database.query(change)
    assert page.get("/v1/session").status_code == 401


def test_a_revoked_token_ends_its_sessions_at_once(binary, intake):
    arguments = ("token", "create", "--role", "staff", "--name", "temp")
    token = run_command(binary, *arguments, conninfo=intake.database.conninfo).stdout.strip()
    page = Browser(intake, token)
    assert page.get("/v1/submissions").status_code == 200
    assert run_command(binary, "token", "revoke", "temp", conninfo=intake.database.conninfo).returncode == 0
    assert page.get("/v1/submissions").status_code == 401


def test_the_configuration_says_how_long(start_intake, staff_token):
    intake = start_intake({"session.idle_minutes": 5, "session.hours": 2})
    page = Browser(intake, staff_token)
    assert intake.database.value("SELECT expires_at - created_at FROM staff_sessions").total_seconds() == 7200
    for seconds, status in ((299, 200), (301, 401)):
        intake.database.query("UPDATE staff_sessions SET last_seen_at = now() - %s * interval '1 second'", (seconds,))
        assert page.get("/v1/session").status_code == status, seconds


def test_a_session_is_never_longer_than_its_token(intake, staff_token):
    intake.database.query("UPDATE staff_tokens SET expires_at = now() + interval '1 hour' WHERE name = 'test-staff'")
    Browser(intake, staff_token)
    assert intake.database.value("SELECT s.expires_at = t.expires_at FROM staff_sessions AS s"
                                 " JOIN staff_tokens AS t ON t.id = s.token_id")


def test_a_use_is_noted_once_a_minute(intake, page):
    written = "SELECT xmin::text || last_seen_at FROM staff_sessions"
    before = intake.database.value(written)
    assert page.get("/v1/submissions").status_code == 200
    assert intake.database.value(written) == before, "most reads write nothing"
    intake.database.query("UPDATE staff_sessions SET last_seen_at = now() - interval '61 seconds'")
    assert page.get("/v1/submissions").status_code == 200
    assert intake.database.value("SELECT now() - last_seen_at FROM staff_sessions").total_seconds() < 30


def test_what_a_page_asks_by_itself_is_no_use(intake, page):
    """Or an unattended page, which asks from time to time whether it is still signed in, always is."""
    written = "SELECT last_seen_at FROM staff_sessions"
    intake.database.query("UPDATE staff_sessions SET last_seen_at = now() - interval '25 minutes'")
    before = intake.database.value(written)
    for path in ("/v1/session", "/v1/events"):
        with page.get(path, stream=True) as reply:
            assert reply.status_code == 200
        assert intake.database.value(written) == before, path
    assert page.get("/v1/submissions", headers={"X-Intake-Unattended": "true"}).status_code == 200
    assert intake.database.value(written) == before, "what was fetched because of an event"
    assert page.get("/v1/submissions").status_code == 200
    assert intake.database.value(written) > before


def test_sessions_that_are_long_over_are_removed_with_the_next_one(intake, page, staff_token):
    intake.database.query("UPDATE staff_sessions SET expires_at = now() - interval '25 hours'")
    Browser(intake, staff_token)
    assert intake.database.value("SELECT count(*) FROM staff_sessions") == 1


@pytest.mark.parametrize("cookie", [
    "intake_session=", "intake_session=x", "intake_session=" + "0" * 63, "intake_session=" + "0" * 64,
    "intake_session=" + "F" * 64, "intake_session=\"" + "0" * 64 + "\"", "a=b; intake_session=" + "0" * 64,
    "intake_session=" + "0" * 65])
def test_a_wrong_cookie_is_401_and_tells_nothing(shared_intake, shared_client, cookie):
    body = full()
    shared_client.submit(body)
    there, absent = (shared_client.look_up(uid, headers={"Cookie": cookie})
                     for uid in (body["booking_uid"], fresh_booking()))
    assert there.status_code == absent.status_code == 401
    without_id = [re.sub(r'"request_id":\s*"[^"]*"', "", reply.text) for reply in (there, absent)]
    assert without_id[0] == without_id[1] and body["attendee_email"] not in there.text
    assert there.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("cookie", ["Intake_session={0}", "intake_sessions={0}", "xintake_session={0}", "theme=dark"])
def test_a_cookie_of_another_name_is_none(shared_intake, staff_token, cookie):
    page = Browser(shared_intake, staff_token)
    reply = page.get("/v1/session", headers={"Cookie": cookie.format(page.cookie)})
    assert reply.status_code == 401 and "Set-Cookie" not in reply.headers


def test_several_cookies_of_that_name_are_none(shared_intake, staff_token):
    page = Browser(shared_intake, staff_token)
    pair = f"intake_session={page.cookie}"
    for cookie in (f"{pair}; {pair}", f"{pair};{pair}", f"intake_session=; {pair}", f"{pair}; intake_session="):
        assert page.get("/v1/session", headers={"Cookie": cookie}).status_code == 401, cookie
    for cookie in (f"{pair};", f"; {pair} ;;", f"a=1;{pair};b=2"):
        assert page.get("/v1/session", headers={"Cookie": cookie}).status_code == 200, cookie


def test_several_cookie_headers_are_read_as_one(shared_intake, staff_token):
    """A proxy that speaks HTTP/2 to the browser may leave them apart (RFC 9113 section 8.2.3)."""
    page = Browser(shared_intake, staff_token)
    pair = f"intake_session={page.cookie}"
    for cookies, status in (((pair, "theme=dark"), 200), (("theme=dark", pair), 200), ((pair, pair), 401),
                            ((pair, "intake_session="), 401)):
        lines = "".join(f"Cookie: {cookie}\r\n" for cookie in cookies)
        with RawConnection(shared_intake.port) as connection:
            reply = connection.send(f"GET /v1/session HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n").reply()
        assert reply.status == status, cookies


def test_a_public_route_does_not_look_at_the_cookie(shared_client):
    for method, path in (("GET", "/version"), ("GET", "/health/live")):
        reply = shared_client.request(method, path, headers={"Cookie": "intake_session=x"})
        assert reply.status_code == 200 and "Set-Cookie" not in reply.headers
    assert shared_client.submit(full(), headers={"Cookie": "intake_session=x"}).status_code == 201


def test_wrong_cookies_and_wrong_sign_ins_are_guesses(start_intake, staff_token):
    intake = start_intake({"http.token_failures_per_minute": 1})  # ten from the loopback address
    client = intake.client()
    page = Browser(intake, staff_token)
    for n in range(5):
        assert client.get("/v1/session", headers={"Cookie": f"intake_session={n:064x}"}).status_code == 401
        assert sign_in(client, f"{n:064x}").status_code == 401
    for reply in (client.get("/v1/session", headers={"Cookie": "intake_session=" + "e" * 64}),
                  sign_in(client, "e" * 64)):
        assert reply.status_code == 429 and int(reply.headers["Retry-After"]) > 0
    assert page.get("/v1/session").status_code == 200, "who was let in lately still is"


def test_a_session_that_has_ended_is_no_guess(start_intake, staff_token):
    """A page that is left open goes on asking for a while; that must not lock the clinic out."""
    intake = start_intake({"http.token_failures_per_minute": 1})
    page = Browser(intake, staff_token)
    intake.database.query("UPDATE staff_sessions SET expires_at = now()")
    for _ in range(12):
        assert page.get("/v1/session").status_code == 401
    assert sign_in(intake.client(), "e" * 64).status_code == 401


def test_signing_in_and_out_is_audited(intake, page):
    page.request("DELETE", "/v1/session")
    page.request("DELETE", "/v1/session")
    rows = intake.database.query("SELECT * FROM audit_log WHERE action LIKE 'session.%%' ORDER BY id")
    assert [row["action"] for row in rows] == ["session.create", "session.end"]
    for row in rows:
        assert row["actor"] == "test-staff" and row["token_id"] and row["client_address"]
    assert rows[0]["request_id"] == page.signed_in.headers["X-Request-Id"]


def test_without_its_audit_row_there_is_no_session(intake, client, staff_token):
    with intake.database.connect("postgres") as admin:
        admin.execute("ALTER TABLE audit_log ADD CONSTRAINT refuse CHECK (false) NOT VALID")
    reply = sign_in(client, staff_token)
    assert reply.status_code >= 400 and "Set-Cookie" not in reply.headers
    assert intake.database.value("SELECT count(*) FROM staff_sessions") == 0
