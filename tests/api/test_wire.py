"""Requests that are not plain HTTP: 400, and the connection ends; nothing after them is read."""

import json
import random

import pytest

from intake_harness.bodies import minimal
from intake_harness.client import RawConnection
from intake_harness.waiting import eventually

SMUGGLED = "GET /version HTTP/1.1\r\nHost: x\r\n\r\n"


def post(*headers, body=b"{}", host="Host: x"):
    lines = ["POST /v1/submissions HTTP/1.1"] + ([host] if host else [])
    lines += ["Content-Type: application/json", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


REFUSED = {
    "transfer-encoding-with-length": post("Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "length-with-transfer-encoding": post("Transfer-Encoding: chunked", "Content-Length: 5", body=b"0\r\n\r\n"),
    "two-lengths-that-differ": post("Content-Length: 2", "Content-Length: 5", body=b"{}abc"),
    "two-lengths-that-agree": post("Content-Length: 2", "Content-Length: 2"),
    "length-list": post("Content-Length: 2, 2"),
    "length-with-sign": post("Content-Length: +2"),
    "length-negative": post("Content-Length: -2"),
    "length-hexadecimal": post("Content-Length: 0x2"),
    "length-with-space": post("Content-Length: 2 2"),
    "length-with-space-behind": post("Content-Length: 2 "),
    "length-empty": post("Content-Length:"),
    "length-beyond-64-bits": post("Content-Length: 99999999999999999999"),
    "encoding-gzip": post("Transfer-Encoding: gzip", body=b"0\r\n\r\n"),
    "encoding-gzip-chunked": post("Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "encoding-chunked-identity": post("Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "encoding-identity": post("Transfer-Encoding: identity"),
    "encoding-with-space-behind": post("Transfer-Encoding: chunked ", body=b"0\r\n\r\n"),
    "encoding-xchunked": post("Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "encoding-twice": post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "encoding-with-tab": post("Transfer-Encoding:\tchunked, chunked", body=b"0\r\n\r\n"),
    "encoding-list-twice": post("Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
    "encoding-comma-behind": post("Transfer-Encoding: chunked,", body=b"0\r\n\r\n"),
    "encoding-quoted": post('Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"),
    "encoding-parameter": post("Transfer-Encoding: chunked;q=1", body=b"0\r\n\r\n"),
    "encoding-vertical-tab": post("Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
    "encoding-hard-space": post("Transfer-Encoding:\xa0chunked", body=b"0\r\n\r\n"),
    "encoding-nul-behind": post("Transfer-Encoding: chunked\0", body=b"0\r\n\r\n"),
    "encoding-folded": post("Transfer-Encoding:", " chunked", body=b"0\r\n\r\n"),
    "encoding-space-before-colon": post("Transfer-Encoding : chunked", body=b"0\r\n\r\n"),
    "encoding-in-1.0": post("Transfer-Encoding: chunked", body=b"0\r\n\r\n").replace(b"/1.1", b"/1.0"),
    "encoding-empty": post("Transfer-Encoding:", "Content-Length: 2"),
    "length-comma-behind": post("Content-Length: 2,"),
    "length-with-tab": post("Content-Length: 2\t2"),
    "length-form-feed": post("Content-Length: \x0c2"),
    "length-fraction": post("Content-Length: 2.0"),
    "length-exponent": post("Content-Length: 2e0"),
    "length-minus-zero": post("Content-Length: -0"),
    "length-superscript": post("Content-Length: \xb2"),
    "return-in-value": post("X-Y: a\rContent-Length: 5", "Content-Length: 2"),
    "line-feeds-alone": post("Content-Length: 2").replace(b"\r\n", b"\n"),
    "line-feed-ends-a-header": post("X-Y: a\nX-Z: b", "Content-Length: 2"),
    "line-feed-ends-the-headers": post("Content-Length: 2").replace(b"\r\n\r\n", b"\r\n\n"),
    "two-spaces-make-up-for-a-line-feed": post("X-Y: a\nX-Z: b", "Content-Length: 2").replace(b" /", b"  /", 1),
    "nul-makes-up-for-line-feeds": post("X-Y: a\0b", "X-Z: a\nX-V: b\nX-W: c", "Content-Length: 2"),
    "line-feed-and-nul-end-the-headers": post("Content-Length: 2").replace(b"\r\n\r\n", b"\n\0x\n"),
    "line-feed-and-colon-end-the-headers": post("Content-Length: 2").replace(b"\r\n\r\n", b"\n:x\n"),
    "folded-first-header": post("Content-Length: 2", host=" Host: x"),
    "space-before-first-header": post("Content-Length: 2", host=" X-Y: z\r\nHost: x"),
    "target-authority": b"GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "target-of-connect": b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "target-of-another-scheme": b"GET ftp://x/version HTTP/1.1\r\nHost: x\r\n\r\n",
    "target-with-return-in-its-host": b"GET http://x\r/version HTTP/1.1\r\nHost: x\r\n\r\n",
    "target-with-fragment": b"GET /version#x HTTP/1.1\r\nHost: x\r\n\r\n",
    "target-with-nul": b"GET /ver\0sion HTTP/1.1\r\nHost: x\r\n\r\n",
    "target-not-utf-8": b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "target-with-backslash": b"GET \\version HTTP/1.1\r\nHost: x\r\n\r\n",
    "no-host": post("Content-Length: 2", host=None),
    "two-hosts": post("Host: y", "Content-Length: 2"),
    "two-equal-hosts": post("Host: x", "Content-Length: 2"),
    "space-before-colon": post("Content-Length : 2"),
    "space-in-name": post("X Y: 1", "Content-Length: 2"),
    "tab-before-colon": post("X-Y\t: 1", "Content-Length: 2"),
    "nul-in-value": post("X-Y: a\0b", "Content-Length: 2"),
    "empty-name": post(": a", "Content-Length: 2"),
    "folded-header": post("X-Y: a", " Content-Length: 5", "Content-Length: 2"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_400_and_the_connection_ends(shared_intake, name):
    with RawConnection(shared_intake.port) as raw:
        raw.send(REFUSED[name] + SMUGGLED.encode())
        reply = raw.reply()
        assert reply.status == (413 if name == "length-beyond-64-bits" else 400)
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["request_id"] == reply.headers["x-request-id"]
        assert raw.closed(), "what followed was read as a request"
        shared_intake.wait_log(f"request_id={reply.headers['x-request-id']} ")


def test_a_bad_header_is_refused_whenever_it_comes(shared_intake, shared_client):
    """libmicrohttpd refuses a bad Content-Length by itself; others are reading headers meanwhile."""
    bad = post("Content-Length: +2")
    with RawConnection(shared_intake.port) as raw, RawConnection(shared_intake.port) as other:
        raw.send(bad[:20])
        other.send(bad[:60])
        assert shared_client.get("/version").status_code == 200
        raw.send(bad[20:])
        assert raw.reply().status == 400
        assert b"HTTP/1.1 2" not in raw.rest()
        other.send(bad[60:])
        assert other.reply().status == 400


def mutilated(data, chance):
    """A request with up to four small faults of the kinds that parsers stumble over."""
    data = bytearray(data)
    for _ in range(chance.randrange(5)):
        at = chance.randrange(len(data) or 1)
        fault = chance.randrange(5)
        if fault == 0 and data:
            data[at] = chance.randrange(256)
        elif fault == 1:
            data[at:at] = bytes([chance.choice(b"\0\t\n\r :%\xff")])
        elif fault == 2:
            del data[at:at + chance.randrange(1, 8)]
        elif fault == 3:
            data[at:at] = chance.choice([b"\r\n", b"Content-Length: 5\r\n", b"Expect: 100-continue\r\n",
                                         b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n"])
        else:
            data = data[:at + 1]
    return bytes(data)


def test_mutilated_requests_harm_nobody(start_intake):
    intake = start_intake({"http.header_timeout_ms": 200, "http.body_timeout_ms": 200,
                           "http.idle_timeout_ms": 1000})
    chance = random.Random(20261122)
    plain = [post("Content-Length: 2"), SMUGGLED.encode(),
             post("Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n")]
    for _ in range(200):
        data = mutilated(chance.choice(plain + list(REFUSED.values())), chance)
        cut = chance.randrange(len(data) + 1)
        with RawConnection(intake.port) as raw:
            try:
                raw.send(data[:cut]).send(data[cut:]).finish_sending()
                raw.rest()
            except OSError:
                pass  # refused before we had said it all
    assert intake.client().submit(minimal()).status_code == 201


def test_a_client_that_has_said_everything_gets_its_answers_and_the_end(shared_intake):
    with RawConnection(shared_intake.port) as raw:
        raw.send(SMUGGLED * 3).finish_sending()
        assert [raw.reply().status for _ in range(3)] == [200] * 3
        assert raw.closed()


def test_headers_that_are_too_large_are_431(shared_intake):
    with RawConnection(shared_intake.port) as raw:
        reply = raw.send(post("X-Y: " + "a" * 12000, "Content-Length: 2")).reply()
        assert reply.status == 431 and reply.json()["request_id"]
        assert raw.closed()


# What comes for a request line that is none.
REQUEST_LINES = {
    "GET /version": 400, "GET  /version HTTP/1.1": 400, "GET /version HTTP/1.1 x": 400, "/version HTTP/1.1": 400,
    "GET": None, "GET /ver sion HTTP/1.1": 400, "GET /version HTTP/2.0": 505, "GET /version HTTP/1.11": 400,
    "GET\t/version HTTP/1.1": 400, "GET /version http/1.1": 400}
# libmicrohttpd's own ends that are no 4xx, and why they stay: it decides before any of our code is asked.
NOT_4XX = {
    None: "a first line without a space is taken for no HTTP at all: the connection ends without an answer",
    505: "RFC 9110, 15.6.6: the status for a major version of HTTP that is not supported",
}


def assert_refused_and_ended(port, data, status):
    """The answer and the end are all that comes; the client waits for the end and does not close its side."""
    with RawConnection(port) as raw:
        answer = raw.send(data + SMUGGLED.encode()).rest()
    assert status in NOT_4XX or 400 <= status < 500
    if status is None:
        assert answer == b""
        return
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert answer.count(b"HTTP/1.") == 1, "what followed was read as a request"
    assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.parametrize("line", REQUEST_LINES)
def test_a_bad_request_line_is_refused_and_the_end(shared_intake, line):
    assert_refused_and_ended(shared_intake.port, f"{line}\r\nHost: x\r\n\r\n".encode(), REQUEST_LINES[line])


# What libmicrohttpd answers by itself, with a page of its own: for another connection's it could be taken.
BY_THE_LIBRARY = {
    "http-0.9": b"GET /version\r\n\r\n",
    "http-2-preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http-3": b"GET /version HTTP/3.0\r\nHost: x\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "target-of-20000": b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "method-of-20000": b"A" * 20000 + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
    "no-colon": post("X-Y", "Content-Length: 2"),
    "nul-in-name": post("X\0Y: a", "Content-Length: 2"),
    "no-colon-after-chunks": post("Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\nX y\r\n\r\n"),
    "3000-headers": post(*[f"X{number}: y" for number in range(3000)]),
}
STATUS_BY_THE_LIBRARY = {
    "http-0.9": 400, "http-2-preface": 505, "http-3": 505, "tls": None, "target-of-20000": 414, "method-of-20000": 414,
    "no-colon": 400, "nul-in-name": 400, "no-colon-after-chunks": 400, "3000-headers": 431}


@pytest.mark.parametrize("name", BY_THE_LIBRARY)
def test_what_the_library_refuses_is_an_error_and_the_end(shared_intake, name):
    assert_refused_and_ended(shared_intake.port, BY_THE_LIBRARY[name], STATUS_BY_THE_LIBRARY[name])


# What is no chunk, and what the library says by itself of the others.
BAD_CHUNKS = [
    b"zz\r\n{}\r\n0\r\n\r\n", b"-2\r\n{}\r\n0\r\n\r\n", b"2\r\n{}x\r\n0\r\n\r\n", b"\r\n{}\r\n0\r\n\r\n",
    b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n", b"10000000000000002\r\n{}\r\n0\r\n\r\n", b"+2\r\n{}\r\n0\r\n\r\n",
    b"0x2\r\n{}\r\n0\r\n\r\n", b" 2\r\n{}\r\n0\r\n\r\n", b"2 \r\n{}\r\n0\r\n\r\n", b"2,\r\n{}\r\n0\r\n\r\n",
    b"2\r\n{}0\r\n\r\n", b"2\r{}\r\n0\r\n\r\n", b"2\r{}\r0\r\r", b"2;" + b"a" * 30000 + b"\r\n{}\r\n0\r\n\r\n"]


@pytest.mark.parametrize("chunks", BAD_CHUNKS, ids=lambda chunks: repr(chunks[:20]))
def test_a_bad_chunk_is_a_problem_and_the_end(shared_intake, chunks):
    with RawConnection(shared_intake.port) as raw:
        reply = raw.send(post("Transfer-Encoding: chunked", body=chunks) + SMUGGLED.encode()).reply()
        assert reply.status in (400, 413) and reply.json()["request_id"] == reply.headers["x-request-id"]
        assert raw.closed(), "what followed was read as a request"
        shared_intake.wait_log(f"request_id={reply.headers['x-request-id']} .*status={reply.status}")


# Lines that end in LF alone, which the library takes, and what else two may read differently.
@pytest.mark.parametrize("chunks", [
    b"2\n{}\r\n0\r\n\r\n", b"2\r\n{}\n0\r\n\r\n", b"2\r\n{}\r\n0\n\r\n", b"2\r\n{}\r\n0\r\n\n", b"2\n{}\n0\n\n",
    b"2;a\n{}\r\n0\r\n\r\n", b"2;\0\r\n{}\r\n0\r\n\r\n", b"2;a=\"\n0\r\n\r\n", b"2\r\n{}\r\n0\r\nContent-Length: 99\r\n\r\n",
    b"2\r\n{}\r\n0\r\nTransfer-Encoding: gzip\r\n\r\n", b"2\r\n{}\r\n0\r\nX: a\r\n b\r\n\r\n", b"2\r\n{}\r\n0\r\n\r\n",
    b"2\r\n{}\r\n0\r\n\t\r\n: b\r\n\r\n", b"2\r\n{}\r\n0\r\n:\0\nost\n",
    b"0" * 9000 + b"2\r\n{}\r\n0\r\n\r\n"], ids=lambda chunks: repr(chunks[:40]))
@pytest.mark.parametrize("path", ["/v1/submissions", "/version", "/nowhere"])
def test_nothing_that_follows_chunks_is_read_as_a_request(shared_intake, chunks, path):
    with RawConnection(shared_intake.port) as raw:
        data = post("Transfer-Encoding: chunked", body=chunks).replace(b"/v1/submissions", path.encode())
        raw.send(data + SMUGGLED.encode())
        answer = raw.rest()  # to the end, which the server makes
    assert answer.split()[1] in (b"400", b"404", b"405", b"422"), answer
    assert answer.count(b"HTTP/1.") == 1 and b"Connection: close" in answer


def test_nobody_else_is_refused_for_it(start_intake):
    """The library tells no callback whom it refuses; somebody whose headers are still coming is not meant."""
    intake = start_intake({"http.threads": 1})
    chunked = [post("Transfer-Encoding: chunked", body=chunks) for chunks in BAD_CHUNKS]
    beyond = post("Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 3000 + b"\r\n")
    late = post("Transfer-Encoding: chunked", body=b"11000\r\n" + b" " * 0x11000 + b"\r\nzz\r\n")
    for bad in (*BY_THE_LIBRARY.values(), *chunked, beyond, late, post("Content-Length: +2"), post("X-Y: " + "a" * 20000)):
        with RawConnection(intake.port) as innocent, RawConnection(intake.port) as sender, \
                RawConnection(intake.port) as guilty:
            innocent.send(SMUGGLED[:-4])
            sender.send(post("Transfer-Encoding: chunked", body=b"2\r\n{"))
            assert intake.client().get("/version").status_code == 200  # what was sent before was read
            try:
                guilty.send(bad).finish_sending()
                assert b"HTTP/1.1 2" not in guilty.rest()
            except OSError:
                pass  # it was reset before all was sent
            assert innocent.send("\r\n\r\n").reply().status == 200, bad[:80]
            assert sender.send(b"}\r\n0\r\n\r\n").reply().status == 422, bad[:80]


def test_well_formed_requests_of_unusual_shape_are_served(shared_intake):
    body = json.dumps(minimal()).encode()
    shapes = [
        post("content-LENGTH:%d" % len(body), body=body),
        post("Content-Length: \t %d" % len(body), body=body),
        post("Transfer-Encoding: Chunked", body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)),
        post("Transfer-Encoding: chunked", body=b"%x;name=value\r\n%s\r\n0\r\n\r\n" % (len(body), body)),
    ]
    for shape in shapes:
        with RawConnection(shared_intake.port) as raw:
            assert raw.send(shape).reply().status in (200, 201)


def test_pipelined_requests_are_answered_in_order(shared_intake):
    bodies = [json.dumps(minimal()).encode() for _ in range(5)]
    with RawConnection(shared_intake.port) as raw:
        raw.send(b"".join(post(f"Content-Length: {len(body)}", body=body) + SMUGGLED.encode()
                          for body in bodies))
        for body in bodies:
            reply = raw.reply()
            assert (reply.status, reply.json()["booking_uid"]) == (201, json.loads(body)["booking_uid"])
            assert "version" in raw.reply().json()


def test_http_1_0_is_served_and_closed(shared_intake):
    with RawConnection(shared_intake.port) as raw:
        reply = raw.send("GET /version HTTP/1.0\r\n\r\n").reply()
        assert reply.status == 200 and raw.closed()


def test_expect_continue_is_answered(shared_intake):
    body = json.dumps(minimal()).encode()
    with RawConnection(shared_intake.port) as raw:
        raw.send(post(f"Content-Length: {len(body)}", "Expect: 100-continue", body=b""))
        assert raw.reply().status == 100
        assert raw.send(body).reply().status == 201


def test_a_client_that_stops_in_the_middle_of_its_body_is_not_waited_for(shared_intake):
    with RawConnection(shared_intake.port, timeout=5) as raw:
        raw.send(post("Content-Length: 10")).finish_sending()
        assert b"HTTP/1.1 2" not in raw.rest()


def test_a_client_that_leaves_in_the_middle_of_its_body_stores_nothing(intake):
    body = minimal()
    data = json.dumps(body).encode()
    with RawConnection(intake.port) as raw:
        raw.send(post(f"Content-Length: {len(data) + 10}", body=data))
    client = intake.client()
    eventually(lambda: client.metric("intake_http_requests_in_flight") == 1, what="the other has ended")
    assert client.submit(body).status_code == 201, "it was not stored before"


def test_a_client_that_leaves_after_its_body_harms_nobody(shared_intake, shared_client, shared_staff):
    bodies = [minimal() for _ in range(20)]
    for body in bodies:
        data = json.dumps(body).encode()
        RawConnection(shared_intake.port).send(post(f"Content-Length: {len(data)}", body=data)).close()
    for body in bodies:
        assert shared_client.submit(body).status_code in (200, 201)
        assert shared_staff.look_up(body["booking_uid"]).status_code == 200


def test_the_log_of_the_http_library_has_no_path(start_intake):
    """It says for which request a reply could not be sent, and a path can be a booking's."""
    intake = start_intake({"log.level": "debug"})
    with RawConnection(intake.port) as raw:
        raw.send("GET /v1/submissions/bk-of-a-patient HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n")
        assert raw.reply().status == 400
        assert raw.closed()
    intake.wait_log("Failed to send the response headers")
    assert "bk-of-a-patient" not in intake.log()
