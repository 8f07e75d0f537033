"""The links to bookings, made here as domain/link.c makes them; and a client that holds one."""

import base64
import hashlib
import hmac
import json
import time

SECRET = "an-example-of-a-secret-of-48-characters-for-tests"
OPTIONS = {"link.secret": SECRET}


def link_token(booking_uid, expires=None, secret=SECRET):
    """The token of a booking's link, valid for an hour unless `expires` says otherwise."""
    expires = int(time.time()) + 3600 if expires is None else expires
    mac = hmac.new(secret.encode(), f"intake link\n{expires}\n{booking_uid}".encode(), hashlib.sha256)
    return f"{expires}." + base64.urlsafe_b64encode(mac.digest()).decode().rstrip("=")


def link_header(booking_uid, **arguments):
    return {"X-Intake-Link": link_token(booking_uid, **arguments)}


class Drafts:
    """The draft of one booking, as its patient's browser reads and writes it."""

    def __init__(self, client, booking_uid):
        self.client = client
        self.path = f"/v1/drafts/{booking_uid}"
        self.token = link_header(booking_uid)

    def get(self, **headers):
        return self._request("GET", headers)

    def put(self, body, **headers):
        """A dict, or the bytes themselves; headers as If_Match='"…"'."""
        data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        return self._request("PUT", {"Content-Type": "application/json", **headers}, data=data)

    def delete(self, **headers):
        return self._request("DELETE", headers)

    def _request(self, method, headers, **arguments):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, self.path, headers={**self.token, **headers}, **arguments)
