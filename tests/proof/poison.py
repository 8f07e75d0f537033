"""A submission that kills the process whenever it is processed: it fails, and its neighbours do not notice."""

import http.client
import json
import os
import resource
import socket
import statistics
import subprocess
import threading
import time
import uuid

from intake_harness.daemon import ROOT

from .stage import OPTIONS, Stage, seconds_until

MARK = "crash-"  # as in src/domain/processing_item.c
ATTEMPTS = 5
WAIT_S = 2.0
BUILD = os.path.join(ROOT, "build-crash")


def build():
    """The program with a submission that kills it; never the one that is installed."""
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        subprocess.run(["meson", "setup", BUILD, "--buildtype=release", "-Dc_args=-DINTAKE_TEST_CRASH"],
                       cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", BUILD, "--quiet", "intake"], cwd=ROOT, check=True)
    return os.path.join(BUILD, "intake")


class Supervisor:
    """Restarts the daemon on its socket when it dies, as systemd does."""

    def __init__(self, stage):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.daemon = stage.prepare({**OPTIONS, "http.port": 0, "worker.attempts_max": ATTEMPTS,
                                     "worker.backoff_ms": 100, "worker.backoff_max_ms": 200})
        self.deaths, self._stop = 0, threading.Event()
        self.daemon.start(listener=self.listener)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def port(self):
        return self.listener.getsockname()[1]

    def _run(self):
        while not self._stop.is_set():
            if self.daemon.running():
                self._stop.wait(0.005)
                continue
            self.deaths += 1
            self.daemon.start(listener=self.listener)

    def stop(self):
        self._stop.set()
        self._thread.join()
        self.daemon.kill()
        self.listener.close()


def post(connection, port, booking):
    """One submission, tried again until it is acknowledged; the connection that it was on."""
    body = json.dumps({"booking_uid": booking, "attendee_name": "P", "attendee_email": f"{booking}@example.com",
                       "allergies": "none"})
    while True:
        try:
            connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("POST", "/v1/submissions", body, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            reply.read()
            if reply.status in (200, 201):
                return connection
        except (OSError, http.client.HTTPException):
            connection.close()
            connection = None


class Neighbours:
    """Clients at a steady pace; how long each post took until it was acknowledged, tries included."""

    def __init__(self, port, seconds, clients=4, pause_s=0.01):
        self.latencies_ms, self._port, self._pause_s = [], port, pause_s
        self._until = time.monotonic() + seconds
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self):
        connection = None
        while time.monotonic() < self._until:
            begun = time.monotonic()
            connection = post(connection, self._port, "nb" + uuid.uuid4().hex[:20])
            self.latencies_ms.append((time.monotonic() - begun) * 1000)
            time.sleep(self._pause_s)

    def p99(self):
        for thread in self._threads:
            thread.join()
        return statistics.quantiles(self.latencies_ms, n=100)[98]

    def longest_s(self):
        """Of a minute with five deaths p99 sees little: this is who was there at the worst of them."""
        return max(self.latencies_ms) / 1000


def prove(binary, table, short):
    """`binary` is not used: the one that dies is a build of its own."""
    del binary
    seconds, rounds = (5, 1) if short else (60, 3)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    without, beside, deaths, failed, longest = [], [], [], 0, 0.0
    with Stage(build()) as stage:
        supervisor = Supervisor(stage)
        for number in range(rounds):  # in turn: the disk is not as fast in one minute as in another
            without.append(Neighbours(supervisor.port, seconds).p99())
            before, mark = supervisor.deaths, f"{MARK}{number}"
            crowd = Neighbours(supervisor.port, seconds)
            post(None, supervisor.port, mark)
            beside.append(crowd.p99())
            longest = max(longest, crowd.longest_s())
            gave_up = seconds_until(lambda: stage.database.submission(mark)["status"] == "failed", 120)
            failed += gave_up < 120 and stage.database.submission(mark)["failure_reason"] is not None
            deaths.append(supervisor.deaths - before)
        all_processed = seconds_until(lambda: stage.database.value(
            "SELECT count(*) FROM medical_questionnaire_submissions WHERE status <> 'processed'") == rounds, 60)
        supervisor.stop()
    table.add("a submission that kills the process: attempts until it is failed", ", ".join(map(str, deaths)),
              f"exactly {ATTEMPTS}", set(deaths) == {ATTEMPTS} and failed == rounds)
    table.add("  its neighbours are all processed after", f"{all_processed:.1f} s", "60 s", all_processed < 60)
    ratio = statistics.median(beside) / statistics.median(without)
    table.add("  p99 of its neighbours, with it and without, medians",
              f"{statistics.median(beside):.1f} / {statistics.median(without):.1f} ms, {ratio:.2f} times",
              "at most 1.1", None if short else ratio <= 1.1)
    table.add("  the longest that one of them waited while it died", f"{longest:.2f} s", f"at most {WAIT_S:.0f} s",
              None if short else longest < WAIT_S)
