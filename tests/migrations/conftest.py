"""Databases as they were before Intake, and the command that changes them."""

import pytest

from intake_harness import migrating
from intake_harness.daemon import run_command
from intake_harness.legacy import ROWS, load


@pytest.fixture(scope="module")
def legacy_template(binary, postgres):
    """A database as it was before Intake, with rows."""
    database = postgres.create_database()
    load(database, ROWS)
    yield database.name
    database.drop()


@pytest.fixture
def legacy(postgres, legacy_template):
    copy = postgres.create_database(legacy_template)
    yield copy
    copy.drop()


@pytest.fixture
def migrate(binary):
    """migrate(database, "up", "--to", "3") runs it to its end."""
    def run(database, *arguments, code=0):
        done = run_command(binary, "migrate", *arguments, conninfo=database.conninfo, timeout=300)
        assert done.returncode == code, done.stdout + done.stderr
        return done
    return run


@pytest.fixture
def start_migrate(binary):
    """The same as a process to watch and to kill."""
    started = []

    def start(database, *arguments):
        process = migrating.start_migrate(binary, database, *arguments)
        started.append(process)
        return process
    yield start
    for process in started:
        process.kill()
        process.communicate()
