"""The document's requests against real daemons: what they need beforehand, and each reply checked."""

import requests

from . import links
from .openapi import BY_ID, DOCUMENT, Reply

BOOKING = DOCUMENT["components"]["parameters"]["BookingUid"]["example"]


class World:
    """Daemons on one database, in which the document's example submission is there and processed."""

    def __init__(self, start, tokens):
        self._start, self.tokens, self._daemons = start, tokens, {}
        self.intake = self.daemon()
        example, media_type = BY_ID["postSubmission"].body()
        first = self.intake.client().submit(example)
        assert first.status_code == 201, first.text
        BY_ID["postSubmission"].check(Reply(201, first.headers, first.content))
        assert media_type == "application/json"
        self.submission_id = first.json()["id"]
        self.settle()

    def daemon(self, **options):
        """A running daemon with links and these options; the same one for the same options."""
        options = {**links.OPTIONS, **{key.replace("__", "."): value for key, value in options.items()}}
        key = tuple(sorted(options.items()))
        if key not in self._daemons:
            self._daemons[key] = self._start(options)
        return self._daemons[key]

    def settle(self):
        self.intake.wait_processed(BOOKING)

    def execute(self, sql, *parameters):
        self.intake.database.query(sql, parameters)

    def values(self):
        """What the examples cannot know."""
        return {"id": self.submission_id}

    def credentials(self, operation, booking_uid=BOOKING, role=None):
        if "bearer" in operation.schemes:
            return {"Authorization": f"Bearer {self.tokens[role or operation.roles[0]]}"}
        return links.link_header(booking_uid) if "bookingLink" in operation.schemes else {}

    def sign_in(self):
        """What a browser of a member of staff sends with every request of its page."""
        reply = self.intake.client().request("POST", "/v1/session", json={"token": self.tokens["staff"]})
        assert reply.status_code == 201, reply.text
        return {"Authorization": None, "Cookie": reply.headers["Set-Cookie"].split(";")[0], "Origin": self.intake.base}

    def send(self, operation, daemon=None, values=None, headers=None, query=None, **changes):
        """Sends the operation's example with these changes; a reply that fits the document."""
        example, media_type = operation.body()
        body = changes.pop("body", example)
        sent = operation.headers(self.credentials(operation))
        if body is not None:
            sent["Content-Type"] = media_type or "application/json"
        sent.update(headers or {})
        sent = {name: value for name, value in sent.items() if value is not None}
        known = self.values() if operation.path.startswith("/fhir/QuestionnaireResponse/") else {}
        target = operation.target({**known, **(values or {})}, query)
        request = requests.Request(operation.method, (daemon or self.intake).base + target, sent, data=body)
        with requests.Session() as session:
            got = session.send(request.prepare(), timeout=30, allow_redirects=False, stream=True)
            # A stream of events has no end: its beginning says what there is to say.
            endless = got.headers.get("Content-Type") == "text/event-stream"
            reply = Reply(got.status_code, got.headers, next(got.iter_content(None)) if endless else got.content)
        operation.check(reply)
        return reply
