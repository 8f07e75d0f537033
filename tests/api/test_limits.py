"""Limits: sizes, rates, connections, slow clients; each refuses with its own status."""

import json

import pytest

from intake_harness.bodies import full, minimal
from intake_harness.client import RawConnection
from intake_harness.waiting import eventually

LIMIT = 65536


def padded(size):
    """A submission of exactly so many bytes."""
    body = json.dumps(minimal()).encode()
    return body[:-1] + b" " * (size - len(body)) + b"}"


def test_a_body_at_the_limit_is_accepted(shared_client):
    assert shared_client.submit(padded(LIMIT)).status_code == 201


def test_a_body_over_the_limit_is_413(shared_client):
    reply = shared_client.submit(padded(LIMIT + 1))
    assert reply.status_code == 413 and reply.json()["status"] == 413


def test_a_body_that_only_says_that_it_is_too_long_is_413_at_once(shared_intake):
    with RawConnection(shared_intake.port) as raw:
        raw.send("POST /v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                 f"Content-Length: {10**12}\r\n\r\n")
        assert raw.reply().status == 413


def test_a_chunked_body_over_the_limit_is_413(shared_intake):
    with RawConnection(shared_intake.port) as raw:
        raw.send("POST /v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(9):
            raw.send(b"2000\r\n" + b" " * 0x2000 + b"\r\n")
        assert raw.reply().status == 413


def test_headers_over_the_limit_are_refused(shared_intake):
    with RawConnection(shared_intake.port) as raw:
        raw.send("GET /version HTTP/1.1\r\nHost: x\r\nX-Long: " + "x" * 100000 + "\r\n\r\n")
        assert raw.reply().status in (400, 413, 431)


def test_a_path_over_the_limit_is_refused(shared_intake):
    with RawConnection(shared_intake.port) as raw:
        raw.send("GET /" + "x" * 100000 + " HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.reply().status in (400, 404, 413, 414, 431)


def test_the_limits_are_configured(start_intake):
    client = start_intake({"http.body_max_bytes": 2048}).client()
    assert client.submit(padded(2048)).status_code == 201
    assert client.submit(padded(2049)).status_code == 413


def test_too_many_requests_are_429(start_intake):
    client = start_intake({"http.rate_per_second": 1, "http.rate_burst": 5}).client()
    replies = [client.submit(minimal()) for _ in range(12)]
    refused = [reply for reply in replies if reply.status_code == 429]
    assert [reply.status_code for reply in replies[:5]] == [201] * 5
    assert refused
    for reply in refused:
        assert int(reply.headers["Retry-After"]) >= 1
        assert reply.headers["Content-Type"].split(";")[0] == "application/problem+json"


def test_the_rate_is_counted_by_address(start_intake):
    client = start_intake({"http.rate_per_second": 1, "http.rate_burst": 2,
                           "http.trusted_proxies": "127.0.0.1"}).client()
    for number in range(5):
        headers = {"X-Forwarded-For": f"192.0.2.{number}"}
        assert client.submit(minimal(), headers=headers).status_code == 201
    codes = [client.submit(minimal(), headers={"X-Forwarded-For": "198.51.100.1"}).status_code
             for _ in range(6)]
    assert codes[:2] == [201, 201] and 429 in codes


def test_the_word_of_a_stranger_about_its_address_is_not_believed(start_intake):
    client = start_intake({"http.rate_per_second": 1, "http.rate_burst": 2}).client()
    codes = [client.submit(minimal(), headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code
             for number in range(8)]
    assert 429 in codes


def test_many_forged_addresses_do_not_hide_what_the_proxy_adds(start_intake):
    """A proxy that adds a header line of its own puts it behind all that the client sent."""
    intake = start_intake({"http.rate_per_second": 1, "http.rate_burst": 2,
                           "http.trusted_proxies": "127.0.0.1"})
    codes = []
    for number in range(6):
        forged = "".join(f"X-Forwarded-For: 192.0.{number}.{line}\r\n" for line in range(20))
        with RawConnection(intake.port) as raw:
            raw.send(f"GET /version HTTP/1.1\r\nHost: x\r\n{forged}X-Forwarded-For: 198.51.100.7\r\n\r\n")
            codes.append(raw.reply().status)
    assert codes[:2] == [200, 200] and 429 in codes


def test_a_body_that_drips_gets_408(start_intake):
    intake = start_intake({"http.body_timeout_ms": 300})
    with RawConnection(intake.port) as raw:
        raw.send("POST /v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                 "Content-Length: 1000\r\n\r\n{")
        assert raw.reply().status == 408
        assert raw.closed()


def test_a_body_that_never_pauses_but_never_ends_gets_408(start_intake):
    """The library's time-out is for silence; this one is for the whole."""
    intake = start_intake({"http.body_timeout_ms": 400})
    with RawConnection(intake.port) as raw:
        raw.send("POST /v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                 "Content-Length: 60000\r\n\r\n{")
        raw._socket.settimeout(0.02)
        answer = b""
        for _ in range(1000):
            try:
                raw._socket.sendall(b" ")
                answer = raw._socket.recv(100)
                break
            except TimeoutError:
                continue
            except OSError:
                break
        assert answer.startswith(b"HTTP/1.1 408")


def test_headers_that_drip_end_the_connection(start_intake):
    intake = start_intake({"http.header_timeout_ms": 300})
    with RawConnection(intake.port) as raw:
        raw.send("GET /version HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        answer = raw.rest()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408")


def test_an_idle_connection_is_closed(start_intake):
    intake = start_intake({"http.idle_timeout_ms": 1000})
    with RawConnection(intake.port) as raw:
        assert raw.send("GET /version HTTP/1.1\r\nHost: x\r\n\r\n").reply().status == 200
        assert raw.closed()


def test_slow_clients_do_not_stop_the_others(start_intake):
    intake = start_intake({"http.threads": 1})
    slow = [RawConnection(intake.port).send(
        "POST /v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Content-Length: 1000\r\n\r\n{") for _ in range(100)]
    assert intake.client().submit(full()).status_code == 201
    for connection in slow:
        connection.close()


def test_a_full_queue_is_503_with_retry_after(start_intake, database):
    """One submission waits for a lock, two wait behind it; whoever comes then shall come back."""
    intake = start_intake({"lane.count": 1, "lane.queue_max": 2, "lane.batch_max": 1, "lane.deadline_ms": 20000})
    client = intake.client()

    def post():
        data = json.dumps(minimal()).encode()
        return RawConnection(intake.port).send(
            b"POST /v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(data) + data)

    with database.connect() as blocker:
        blocker.autocommit = False
        blocker.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        accepted = [post()]
        eventually(lambda: database.query(
            "SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'intake lane' AND wait_event_type = 'Lock'"), what="a lane that waits")
        # Only now: before the lane has taken the first, it is one of the two that the queue holds.
        accepted += [post(), post()]
        eventually(lambda: client.metric("intake_lane_queue_depth") >= 2, what="a full queue")
        for _ in range(10):
            reply = client.submit(minimal())
            assert reply.status_code == 503 and int(reply.headers["Retry-After"]) >= 1
        blocker.rollback()
    assert [raw.reply().status for raw in accepted] == [201, 201, 201]
    for raw in accepted:
        raw.close()
    assert database.value("SELECT count(*) FROM medical_questionnaire_submissions") == 3


def test_a_passed_deadline_is_503_and_not_an_acknowledgement(start_intake, database):
    intake = start_intake({"lane.deadline_ms": 300})
    with database.connect() as blocker:
        blocker.autocommit = False
        blocker.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        reply = intake.client().submit(minimal())
        assert reply.status_code == 503 and int(reply.headers["Retry-After"]) >= 1
        blocker.rollback()
    eventually(lambda: intake.client().submit(minimal()).status_code == 201)


@pytest.mark.parametrize("count", [200])
def test_many_idle_connections_are_held(start_intake, count):
    intake = start_intake()
    idle = [RawConnection(intake.port) for _ in range(count)]
    for raw in idle:
        raw.send("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    assert {raw.reply().status for raw in idle} == {200}
    assert intake.client().submit(full()).status_code == 201
    for raw in idle:
        raw.close()


def test_connections_from_one_address_are_limited_where_configured(start_intake):
    intake = start_intake({"http.connections_per_address_max": 5})
    held = [RawConnection(intake.port) for _ in range(5)]
    for raw in held:
        assert raw.send("GET /version HTTP/1.1\r\nHost: x\r\n\r\n").reply().status == 200
    with RawConnection(intake.port) as sixth:
        try:
            sixth.send("GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sixth.closed()
        except (ConnectionResetError, BrokenPipeError):
            pass
    for raw in held:
        raw.close()


GUESSES = {"http.token_failures_per_minute": 3, "http.trusted_proxies": "127.0.0.1"}


def look_up_from(intake, address, token):
    return intake.client(token).look_up("absent", headers={"X-Forwarded-For": address})


def test_too_many_wrong_tokens_slow_their_address_down(start_intake, tokens):
    intake = start_intake(GUESSES)
    assert look_up_from(intake, "192.0.2.1", tokens["staff"]).status_code == 404
    replies = [look_up_from(intake, "192.0.2.1", f"{number:064x}") for number in range(5)]
    assert [reply.status_code for reply in replies] == [401, 401, 401, 429, 429]
    assert 1 <= int(replies[-1].headers["Retry-After"]) <= 20
    assert look_up_from(intake, "192.0.2.1", tokens["admin"]).status_code == 429, "a right guess tells itself"
    assert look_up_from(intake, "192.0.2.1", tokens["staff"]).status_code == 404, "a colleague is locked out"
    assert look_up_from(intake, "192.0.2.2", tokens["admin"]).status_code == 404, "another address is"
    assert intake.client().submit(minimal(), headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 201


def test_what_is_no_token_counts_as_a_wrong_one(start_intake):
    client = start_intake(GUESSES).client()
    headers = {"X-Forwarded-For": "192.0.2.1", "Authorization": "Basic dTpw"}
    codes = [client.look_up("absent", headers=headers).status_code for _ in range(4)]
    assert codes == [401, 401, 401, 429]
    del headers["Authorization"]
    assert client.look_up("absent", headers=headers).status_code == 401, "none at all is no guess"


def test_a_token_that_was_revoked_counts_as_a_wrong_one(start_intake, tokens):
    intake = start_intake(GUESSES)
    assert look_up_from(intake, "192.0.2.1", tokens["staff"]).status_code == 404
    intake.database.query("UPDATE staff_tokens SET revoked_at = now() WHERE role = 'staff'")
    codes = [look_up_from(intake, "192.0.2.1", tokens["staff"]).status_code for _ in range(4)]
    assert codes == [401, 401, 401, 429]


def test_the_loopback_address_may_err_ten_times_as_often(start_intake):
    client = start_intake({"http.token_failures_per_minute": 2}).client("0" * 64)
    codes = [client.look_up("absent").status_code for _ in range(22)]
    assert codes[:20] == [401] * 20 and 429 in codes[20:]


def test_the_limit_of_wrong_tokens_can_be_lifted(start_intake):
    intake = start_intake({**GUESSES, "http.token_failures_per_minute": 0})
    codes = {look_up_from(intake, "192.0.2.1", "0" * 64).status_code for _ in range(30)}
    assert codes == {401}
