"""The whole API suite on builds with sanitizers, while another daemon of the same build is under load."""

import glob
import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as tree

from intake_harness.daemon import ROOT, SANITIZER_REPORT, run_command, scrubbed_environment

from .ledger import LOST, Ledger, compare
from .stage import Stage

# What tests/run builds too, and so the same directories.
BUILDS = {"AddressSanitizer and UndefinedBehaviorSanitizer": ("build-asan", "address,undefined"),
          "ThreadSanitizer": ("build-tsan", "thread")}
# It reads what the process has of memory, of which ThreadSanitizer's own is a multiple.
NOT_OF_THREADS = "not a_reply_that_is_the_same_for_all_is_not_copied"
PARTS = 2  # of the suite, side by side
CLIENTS = 4
READERS = 2
FEWEST = 500  # tests of the whole suite: that it was there, and was not skipped
LISTS = ["/v1/submissions?limit=20", "/v1/export?format=ndjson", "/v1/export?format=csv"]  # of the readers
FEW = "test_[ds]*.py"  # of the short form
# A program some ten times slower than it is needs longer for the same.
SLOWER = {"worker.lease_ms": 20000, "lane.deadline_ms": 15000, "executor.deadline_ms": 15000}


def build(directory, sanitizers):
    path = os.path.join(ROOT, directory)
    if not os.path.exists(os.path.join(path, "build.ninja")):
        subprocess.run(["meson", "setup", path, "--buildtype=debug", "-Doptimization=1", "-Db_lundef=false",
                        f"-Db_sanitize={sanitizers}"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", path, "--quiet", "intake"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return os.path.join(path, "intake")


class Readers(threading.Thread):
    """Staff who look up, list and export what is posted meanwhile."""

    def __init__(self, port, token, book):
        super().__init__(daemon=True)
        self.count, self.refused = 0, []
        self._port, self._token, self._book = port, token, book
        self._ended = threading.Event()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._ended.is_set():
            known = [booking.uid for booking in self._book.bookings[-50:] if booking.acknowledged]
            for target in [f"/v1/submissions/{uid}" for uid in known[-3:]] + LISTS:
                try:
                    connection.request("GET", target, headers={"Authorization": f"Bearer {self._token}"})
                    reply = connection.getresponse()
                    reply.read()
                except LOST:
                    connection.close()
                    continue
                self.count += 1
                if reply.status != 200:
                    self.refused.append(f"{target}: {reply.status}")
            self._ended.wait(0.05)
        connection.close()

    def stop(self):
        self._ended.set()
        self.join()


class Suite:
    """pytest over the API, in parts side by side; what came of it is in the reports."""

    def __init__(self, binary, directory, pattern):
        files = sorted(glob.glob(os.path.join(ROOT, "tests", "api", pattern)))
        self._reports = [os.path.join(directory, f"part-{number}.xml") for number in range(PARTS)]
        self._runs = [subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--intake={binary}", f"--junitxml={report}",
             "-k", NOT_OF_THREADS if "tsan" in binary else "", *files[number::PARTS]], cwd=ROOT, env=scrubbed_environment(), stdout=subprocess.DEVNULL)
            for number, report in enumerate(self._reports)]

    def finish(self):
        """(how many tests passed, the names of those that did not, how many of these showed a report)"""
        passed, failed, reports = 0, [], 0
        for number, run in enumerate(self._runs):
            if run.wait() not in (0, 1):  # 1: some failed, which the report names
                failed.append(f"part {number} of the suite ended with {run.returncode}")
        for report in self._reports:
            for case in tree.parse(report).getroot().iter("testcase"):
                wrong = [child for child in case if child.tag in ("failure", "error")]
                passed += not len(case)
                failed += [f"{case.get('classname')}::{case.get('name')}"] if wrong else []
                reports += any(SANITIZER_REPORT.search(f"{child.text} {child.get('message')}") for child in wrong)
        return passed, failed, reports


def token_for_staff(binary, database):
    done = run_command(binary, "token", "create", "--role", "staff", "--name", "proof", conninfo=database.conninfo)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def under_load(binary, pattern):
    """The suite, with a load beside it; its outcome and the load's."""
    with tempfile.TemporaryDirectory(prefix="intake-proof-", dir="/tmp") as directory, Stage(binary) as stage:
        daemon = stage.start(SLOWER)[0]
        book = Ledger([daemon.port], clients=CLIENTS).start()
        token = token_for_staff(binary, stage.database)
        readers = [Readers(daemon.port, token, book) for _ in range(READERS)]
        for reader in readers:
            reader.start()
        passed, failed, reports = Suite(binary, directory, pattern).finish()
        for reader in readers:
            reader.stop()
        book.stop()
        try:
            daemon.stop(timeout=60)
            daemon.check_log()
        except AssertionError as error:
            print(f"  the daemon under load: {error}", flush=True)
            reports += 1
        wrong = compare(book, stage.database) + [line for reader in readers for line in reader.refused]
        idle = [reader for reader in readers if reader.count == 0]
        wrong += ["a reader read nothing"] if idle else []
    return passed, failed, reports, book.acknowledged() + sum(reader.count for reader in readers), wrong


def prove(binary, table, short):
    """`binary` is not used: each has a build of its own."""
    del binary
    for name, (directory, sanitizers) in BUILDS.items():
        program = build(directory, sanitizers)
        begun = time.monotonic()
        passed, failed, reports, requests, wrong = under_load(program, FEW if short else "test_*.py")
        for line in failed + wrong:
            print(f"  {line}", flush=True)
        table.add(f"{name}: reports", f"{reports} in {passed} tests of the API and {requests} requests beside them, "
                  f"{time.monotonic() - begun:.0f} s", "0", reports == 0 and passed >= (1 if short else FEWEST) and requests > 0)
        table.add("  tests that failed, and answers that were wrong", str(len(failed) + len(wrong)), "0",
                  not failed and not wrong)
