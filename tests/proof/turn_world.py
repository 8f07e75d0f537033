"""The daemon whose memory runs out in turn, what is stored there before, and what of its answers is the same each time."""

import os
import re

from intake_harness import links
from intake_harness.canary import Canary

from .asking import ask, request
from .turn_steps import post, submission

OPTIONS = {
    **links.OPTIONS, "executor.count": 1, "worker.count": 1, "worker.poll_ms": 50, "worker.lease_ms": 1000,
    "worker.backoff_ms": 10, "worker.backoff_max_ms": 20, "worker.attempts_max": 100, "http.rate_per_second": 1000000,
    "http.rate_burst": 1000000, "http.token_failures_per_minute": 100000, "http.cors_origins": "https://clinic.example",
    "http.events_heartbeat_ms": 1000}  # after which a stream that was left ends
ROLES = ("staff", "admin", "intake", "metrics")
# What is another each time.
CHANGING = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<secret>"), (re.compile(r"\b[0-9a-f]{16}\b"), "<request>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"), "<time>"),
    (re.compile(r"^id: .*$", re.MULTILINE), "id: <number>"), (re.compile(r'"status":"(submitted|processed)"'), '"status":<status>'),
    (re.compile(r"^(intake_.*|# HELP .*)\n", re.MULTILINE), ""),
    (re.compile(r'("observedValue":)\d+'), r"\1<number>"),
    (re.compile(r"\b\d{16}-<uuid>"), "<cursor>"))


class World:
    """A daemon with preloaded scarcity, and what is stored and known before."""

    def __init__(self, stage, scarcity):
        self.stage, self.database, self.canary, self.number = stage, stage.database, Canary(), 0
        self.shown = set()  # ids of requests that were shown somebody's data
        self.tokens = {role: stage.command("token", "create", "--role", role, "--name", role).stdout.strip() for role in ROLES}
        self.as_staff = {"Authorization": f"Bearer {self.tokens['staff']}"}
        self.daemon = stage.prepare(OPTIONS)
        self.make_scarcity = scarcity
        self.start()
        body = submission(self, attendee_phone=f"+90{self.canary.digits}")
        self.booking, self.link = body["booking_uid"], links.link_token(body["booking_uid"])
        (reply,) = ask(self.port, post(body))
        assert reply.status == 201, reply.text()
        self.submission_id = self.database.value("SELECT id::text FROM medical_questionnaire_submissions")
        self.daemon.wait_processed(self.booking)
        self.asset = re.search(r"/assets/[^\"]+", ask(self.port, request("GET", "/staff"))[0].text())[0]

    def start(self):
        self.scarcity = self.make_scarcity(self.stage.binary, self.daemon.config_path + ".scarcity")
        self.daemon.start(self.scarcity.environment)
        self.port = self.daemon.port
        self.threads = self._count_threads()

    def _count_threads(self):
        return len(os.listdir(f"/proc/{self.daemon.process.pid}/task"))

    def check_alive(self):
        assert self.daemon.running(), f"it ended with {self.daemon.process.returncode}\n{self.daemon.last_words()}"
        assert self._count_threads() == self.threads, "a thread has ended"


def plain(text, context):
    """Without what is another each time."""
    for key, value in context.items():
        if isinstance(value, str):
            text = text.replace(value, f"<{key}>").replace(value.lower(), f"<{key}>")
    for pattern, name in CHANGING:
        text = pattern.sub(name, text)
    return text
