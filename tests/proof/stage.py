"""What every proof stands on: a PostgreSQL, a migrated database, daemons, and a table of figures."""

import os
import shutil
import tempfile
import time
import urllib.error
import urllib.request

from intake_harness.daemon import ROOT, Intake, run_command
from intake_harness.postgres import Cluster

OPTIONS = {"worker.poll_ms": 100, "worker.lease_ms": 2000, "lane.deadline_ms": 1500, "executor.deadline_ms": 1500,
           "database.connect_timeout_s": 2, "log.level": "warning"}
# For figures of time, as quickstart has it: a database that forgets is not what a service has.
DURABLE = """
fsync = on
full_page_writes = on
min_wal_size = 1GB
max_wal_size = 4GB
wal_init_zero = off
backend_flush_after = 256kB
"""


class Table:
    """The figures: what was done, what came of it, what was promised, and whether that is kept."""

    def __init__(self):
        self.rows, self._proof = [], ""

    def begin(self, proof):
        """What is added from now on is of this one."""
        self._proof = proof
        print(f"{proof}:", flush=True)

    def add(self, what, measured, promised, good):
        """`good`: whether it is as promised; None where nothing is."""
        self._note(what, measured, promised, "not judged" if good is None else "kept" if good else "MISSED")

    def skip(self, what, why, wanted):
        """What cannot be done here, and where it could."""
        self._note(what, why, wanted, "NOT DONE")

    def _note(self, *row):
        self.rows.append((self._proof, *row))
        print("  {}: {} (promised: {})  {}".format(*row), flush=True)

    def having(self, verdict):
        """The names of those figures; one that is indented is named after that which it belongs to as well."""
        found, head = [], ""
        for proof, what, *_, given in self.rows:
            head = head if what.startswith(" ") else what
            if given == verdict:
                found.append(f"{proof}: {head}" + (f": {what.strip()}" if what != head else ""))
        return found

    def failures(self):
        return self.having("MISSED")

    def print(self):
        print("\n| proof | what | measured | promised | verdict |\n| --- | --- | --- | --- | --- |")
        for row in self.rows:
            print("| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in row) + " |")


class Stage:
    """Use as a context: a fresh cluster and database, and everything gone at the end."""

    def __init__(self, binary, settings=""):
        self.binary = binary
        self.directory = tempfile.mkdtemp(prefix="intake-proof-", dir="/tmp")
        self.cluster = Cluster(settings)
        self.daemons = []

    def __enter__(self):
        self.database = self.cluster.create_database()
        try:
            self.fill()
        except BaseException:
            self.__exit__()
            raise
        return self

    def fill(self):
        self.command("migrate", "up")
        self.command("migrate", "grant", "--role", "intake_daemon")

    def command(self, *arguments, timeout=60):
        """`intake ARGUMENTS` as the owner of the tables; it must succeed."""
        done = run_command(self.binary, *arguments, conninfo=self.database.conninfo, timeout=timeout)
        assert done.returncode == 0, done.stderr
        return done

    def prepare(self, options):
        """A daemon that is not started yet."""
        self.daemons.append(Intake(self.binary, self.database, self.directory, options))
        return self.daemons[-1]

    def start(self, options=None, count=1):
        """`count` more daemons on the one database."""
        return [self.prepare({**OPTIONS, **(options or {})}).start() for _ in range(count)]

    def __exit__(self, *_):
        for daemon in self.daemons:
            if daemon.running():
                daemon.kill()
        self.database.drop()
        self.cluster.close()
        shutil.rmtree(self.directory)


def is_ready(daemon):
    try:
        with urllib.request.urlopen(f"{daemon.base}/health/ready", timeout=5) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


def seconds_until(probe, limit):
    """How long it took until probe() was true; `limit` when it never was."""
    begun = time.monotonic()
    while time.monotonic() - begun < limit:
        if probe():
            return time.monotonic() - begun
        time.sleep(0.005)
    return limit


def resources(daemon):
    """(resident MiB, open descriptors) of the process."""
    pid = daemon.process.pid
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return resident, len(os.listdir(f"/proc/{pid}/fd"))


def default_binary():
    return os.path.join(ROOT, "build", "intake")
