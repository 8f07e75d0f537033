"""The fixtures that every test file may use; what they start is in intake_harness."""

import os
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from intake_harness.canary import Canary  # noqa: E402
from intake_harness.daemon import ROOT, Intake, run_command  # noqa: E402
from intake_harness.listener import Listener  # noqa: E402
from intake_harness.postgres import Cluster, in_memory  # noqa: E402

ROLES = ("staff", "admin", "intake", "metrics")


def pytest_addoption(parser):
    parser.addoption("--intake", default=None, metavar="BINARY",
                     help="the program to test (default: that of build-asan, else of build)")


@pytest.fixture(scope="session")
def binary(pytestconfig):
    """The path of the program under test."""
    named = pytestconfig.getoption("--intake")
    candidates = [named] if named else ["build-asan/intake", "build/intake"]
    for path in (os.path.join(ROOT, candidate) for candidate in candidates):
        if os.path.exists(path):
            return path
    raise pytest.UsageError(f"none of {candidates} is built")


@pytest.fixture(scope="session")
def postgres():
    """A running PostgreSQL; a test that stops it starts it again."""
    cluster = Cluster(parent=in_memory())
    yield cluster
    cluster.close()


@pytest.fixture(scope="session")
def template(binary, postgres):
    """A migrated database to copy, and the tokens in it by role."""
    database = postgres.create_database()
    done = run_command(binary, "migrate", "up", conninfo=database.conninfo)
    assert done.returncode == 0, done.stderr
    done = run_command(binary, "migrate", "grant", "--role", "intake_daemon", conninfo=database.conninfo)
    assert done.returncode == 0, done.stderr
    tokens = {}
    for role in ROLES:
        done = run_command(binary, "token", "create", "--role", role, "--name", f"test-{role}",
                           conninfo=database.conninfo)
        assert done.returncode == 0, done.stderr
        tokens[role] = done.stdout.strip()
    return database.name, tokens


@pytest.fixture(scope="session")
def tokens(template):
    """A valid token for each role; they are in every fresh database."""
    return template[1]


@pytest.fixture(scope="session")
def staff_token(tokens):
    return tokens["staff"]


@pytest.fixture
def empty_database(postgres):
    """A database without a table."""
    database = postgres.create_database()
    yield database
    database.drop()


@pytest.fixture
def database(postgres, template):
    """A fresh migrated database with the tokens."""
    copy = postgres.create_database(template[0])
    yield copy
    copy.drop()


@pytest.fixture
def directory():
    """A directory of the test's own, with a path short enough for a socket."""
    path = tempfile.mkdtemp(prefix="intake-", dir="/tmp")
    yield path
    shutil.rmtree(path)


class Daemons:
    """Starts daemons and, at the end, stops them and reads their logs."""

    def __init__(self, binary, database, directory):
        self._binary, self._database, self._directory = binary, database, directory
        self._all = []

    def prepare(self, options=None, database=None, **arguments):
        daemon = Intake(self._binary, database or self._database, self._directory, options, **arguments)
        self._all.append(daemon)
        return daemon

    def __call__(self, options=None, **arguments):
        return self.prepare(options, **arguments).start()

    def finish(self):
        failures = []
        for daemon in self._all:
            for step in (daemon.stop, daemon.check_log):
                try:
                    step()
                except AssertionError as error:
                    failures.append(str(error))
        assert not failures, "\n".join(failures)


@pytest.fixture
def start_intake(binary, database, directory):
    """start_intake({"http.rate_per_second": 5}) is a running daemon with that configuration."""
    daemons = Daemons(binary, database, directory)
    yield daemons
    daemons.finish()


@pytest.fixture
def intake(start_intake):
    """A running daemon on a fresh database."""
    return start_intake()


@pytest.fixture
def client(intake):
    """Anybody: the web frontend."""
    return intake.client()


@pytest.fixture
def staff(intake, staff_token):
    return intake.client(staff_token)


@pytest.fixture
def canary():
    return Canary()


@pytest.fixture
def listen(staff_token):
    opened = []

    def start(intake, **how):
        opened.append(Listener(intake, how.pop("token", staff_token), **how))
        return opened[-1]

    yield start
    for listener in opened:
        listener.close()


@pytest.fixture(scope="module")
def module_intake(binary, postgres, template):
    """start_intake for daemons that live, on one database, until their file's end."""
    copy = postgres.create_database(template[0])
    path = tempfile.mkdtemp(prefix="intake-", dir="/tmp")
    daemons = Daemons(binary, copy, path)
    yield daemons
    daemons.finish()
    copy.drop()
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def shared_intake(module_intake):
    """One daemon for a whole file, for tests that do not mind each other's submissions."""
    return module_intake()


@pytest.fixture
def shared_client(shared_intake):
    return shared_intake.client()


@pytest.fixture
def shared_staff(shared_intake, staff_token):
    return shared_intake.client(staff_token)
