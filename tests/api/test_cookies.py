"""Cookies of others on the same host: below the limit of all headers they are nobody's matter, above it 431."""

import random

import pytest

from intake_harness.client import RawConnection

# Of a clinic's site with its counters and banners; the default limit is 12288 bytes for line and headers.
LARGE = {
    "one": b"consent=" + b"a" * 10000,
    "many": b"; ".join([b"_ga_%04d=GS1.1.1732" % number for number in range(480)]),
    "bare": b"a=;" * 3300,
    "separators": b";" * 10000,
    "spaces": b" " * 10000,
}
ODD = [b"", b"=", b"=b", b"a", b'a="', b'a="b', b'a="b; c=d', b'a="b;c"; d=e', b";;;", b"a=b,c=d", b"a=b=c", b"a=\tb", b"a=\xff\xfe",
       "a=ü".encode(), b'a={"b": "c, d;e"}', b"a=b; a=b; A=c", b"$Version=1; a=b; $Path=/", b"__Host-=", b"%00=%0d%0a", b'"', b'","']


def get(path, *cookies):
    lines = b"".join(b"Cookie: " + cookie + b"\r\n" for cookie in cookies)
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n".encode() + lines + b"\r\n"


def statuses(intake, path, cookies):
    """One after another on one connection, which none of them may end."""
    with RawConnection(intake.port) as raw:
        return [raw.send(get(path, cookie)).reply().status for cookie in cookies]


@pytest.mark.parametrize("name", LARGE)
def test_a_large_cookie_locks_nobody_out(shared_intake, name):
    assert statuses(shared_intake, "/version", [LARGE[name]] * 3) == [200] * 3


def test_an_odd_cookie_locks_nobody_out(shared_intake):
    assert statuses(shared_intake, "/version", ODD) == [200] * len(ODD)
    with RawConnection(shared_intake.port) as raw:
        assert raw.send(get("/version", *ODD)).reply().status == 200


def test_whatever_a_cookie_is_made_of_it_locks_nobody_out(shared_intake):
    chance = random.Random(20261125)
    made = [bytes(chance.choice(b'ab=;", \t%\\\x80\xff') for _ in range(chance.choice((3, 30, 300, 9000)))) for _ in range(200)]
    assert statuses(shared_intake, "/version", made) == [200] * len(made)


def test_a_session_is_found_among_others(shared_intake, shared_client, staff_token):
    signed_in = shared_client.request("POST", "/v1/session", json={"token": staff_token})
    session = signed_in.headers["Set-Cookie"].split(";")[0].encode()
    for other in (*LARGE.values(), b'a="', b"a=b"):
        with RawConnection(shared_intake.port) as raw:
            assert raw.send(get("/v1/session", other + b"; " + session)).reply().status == 200
            assert raw.send(get("/v1/session", session + b"; " + other)).reply().status == 200
            assert raw.send(get("/v1/session", other, session)).reply().status == 200


@pytest.mark.parametrize("cookies", [[b"a=" + b"b" * 13000], [b"a=b" * 1000] * 5, [b"a=b"] * 300], ids=["one", "few", "many"])
def test_above_the_limit_it_is_431(shared_intake, cookies):
    with RawConnection(shared_intake.port) as raw:
        reply = raw.send(get("/version", *cookies)).reply()
        assert reply.status == 431 and reply.json()["request_id"] == reply.headers["x-request-id"]
        assert raw.closed()


@pytest.mark.parametrize("cookie", [b"a=\0b", b"a=\x01b", b"a=\x7f"])
def test_a_control_character_is_400_as_in_every_header(shared_intake, cookie):
    with RawConnection(shared_intake.port) as raw:
        assert raw.send(get("/version", cookie)).reply().status == 400
        assert raw.closed()
