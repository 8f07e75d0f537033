"""The pages and their assets: what they are sent with, and that they tell nothing."""

import gzip
import re

import pytest

PAGES = ["/q/some-booking", "/staff", "/docs"]
ASSET = re.compile(r"/assets/[0-9a-f]{32}/[a-z0-9.-]+")


def get(client, path, encoding="identity", **headers):
    """The reply, with its body as it came over the wire."""
    reply = client.get(path, headers={"Accept-Encoding": encoding, **headers}, stream=True)
    reply.wire = reply.raw.read(decode_content=False)
    return reply


def assets(client, page):
    return ASSET.findall(get(client, page).wire.decode())


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_sent_with_what_protects_it(shared_client, path):
    reply = get(shared_client, path)
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert reply.headers["Cache-Control"] == "no-cache"
    assert reply.headers["Referrer-Policy"] == "no-referrer"
    assert reply.headers["X-Frame-Options"] == "DENY"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    policy = dict(part.strip().split(" ", 1) for part in reply.headers["Content-Security-Policy"].split(";"))
    assert policy == {"default-src": "'none'", "script-src": "'self'", "style-src": "'self'",
                      "img-src": "'self' data:", "connect-src": "'self'", "font-src": "'self'",
                      "base-uri": "'none'", "form-action": "'self'", "frame-ancestors": "'none'"}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_nothing_inline_and_nothing_from_elsewhere(shared_client, path):
    html = get(shared_client, path).wire.decode()
    assert "@ASSETS@" not in html
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|https?://", html)
    assert len(assets(shared_client, path)) >= 1


@pytest.mark.parametrize("path", PAGES)
def test_every_asset_of_a_page_is_there_for_ever(shared_client, path):
    for asset in assets(shared_client, path):
        reply = get(shared_client, asset)
        assert reply.status_code == 200, asset
        assert reply.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        kind = "css" if asset.endswith(".css") else "javascript"
        assert reply.headers["Content-Type"] == f"text/{kind}; charset=utf-8"


@pytest.mark.parametrize("path", PAGES)
def test_who_takes_gzip_gets_the_same_in_less(shared_client, path):
    for one in [path, *assets(shared_client, path)]:
        plain, packed = get(shared_client, one), get(shared_client, one, "br, gzip")
        assert "Content-Encoding" not in plain.headers
        assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
        assert plain.headers["ETag"] != packed.headers["ETag"] or len(plain.wire) < 100
        if packed.headers.get("Content-Encoding") == "gzip":
            assert gzip.decompress(packed.wire) == plain.wire
            assert len(packed.wire) < len(plain.wire)
        else:
            assert packed.wire == plain.wire and len(plain.wire) < 100, f"{one} is not compressed"


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("path", PAGES)
def test_who_has_it_is_not_sent_it_again(shared_client, path, encoding):
    for one in [path, assets(shared_client, path)[0]]:
        etag = get(shared_client, one, encoding).headers["ETag"]
        again = get(shared_client, one, encoding, **{"If-None-Match": f'"x", W/{etag}'})
        assert again.status_code == 304
        assert again.wire == b""
        assert again.headers["ETag"] == etag
        assert get(shared_client, one, encoding, **{"If-None-Match": '"x"'}).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_head_is_get_without_the_body(shared_client, path):
    full = get(shared_client, path)
    head = shared_client.request("HEAD", path, headers={"Accept-Encoding": "identity"})
    assert head.status_code == 200
    assert head.content == b""
    for name in ("Content-Type", "Content-Length", "ETag", "Content-Security-Policy", "Cache-Control"):
        assert head.headers[name] == full.headers[name]


def test_the_patient_page_is_the_same_whatever_the_booking(shared_client, shared_intake):
    booking = "there-is-such-a-one"
    assert shared_client.submit({"booking_uid": booking, "attendee_name": "Jane Doe",
                                 "attendee_email": "jane.there@example.com"}).status_code == 201
    seen = {}
    for path in (f"/q/{booking}", "/q/there-is-none", f"/q/{booking}?t=1.x", "/q/%7BbookingUid%7D"):
        reply = get(shared_client, path)
        headers = {name: value for name, value in reply.headers.items() if name not in ("X-Request-Id", "Date")}
        seen[path] = (reply.status_code, reply.wire, headers)
    assert len({str(value) for value in seen.values()}) == 1
    assert booking not in shared_intake.log()


@pytest.mark.parametrize("path", [
    "/assets/00000000000000000000000000000000/base.css", "/assets/{digest}/none.css",
    "/assets/{digest}/staff.html", "/assets/{digest}/..%2Fbase.css", "/assets/{digest}/"])
def test_no_other_asset_is_there(shared_client, path):
    digest = assets(shared_client, "/staff")[0].split("/")[2]
    reply = get(shared_client, path.replace("{digest}", digest))
    assert reply.status_code == 404
    assert reply.headers["Cache-Control"] == "no-store"


def test_a_page_loads_whatever_the_rate(start_intake):
    client = start_intake({"http.rate_per_second": 1, "http.rate_burst": 1}).client()
    page = get(client, "/staff")
    assert page.status_code == 200
    assert {get(client, one).status_code for one in ASSET.findall(page.wire.decode()) * 5} == {200}
