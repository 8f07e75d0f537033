"""`intake migrate` as a process to watch and to kill, and what it leaves behind then."""

import signal
import subprocess

from .daemon import ROOT, scrubbed_environment
from .waiting import eventually

BACKEND = "SELECT pid FROM pg_stat_activity WHERE application_name = 'intake migrate' AND datname = current_database()"


def start_migrate(binary, database, *arguments):
    return subprocess.Popen(
        [binary, "migrate", *arguments], cwd=ROOT, text=True, stdin=subprocess.DEVNULL,
        env=scrubbed_environment({"INTAKE_DATABASE_CONNINFO": database.conninfo}),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def waiting_index_build(database, timeout=30):
    """The backend that waits in the middle of CREATE INDEX CONCURRENTLY, once it does."""
    return eventually(lambda: database.query(
        BACKEND + " AND starts_with(query, 'CREATE INDEX CONCURRENTLY')"
        " AND state = 'active' AND wait_event = 'virtualxid'"), timeout, "an index build that waits")[0]["pid"]


def invalid_indexes(database):
    return [row["name"] for row in database.query(
        "SELECT indexrelid::regclass::text AS name FROM pg_index WHERE NOT indisvalid ORDER BY 1")]


def break_off(database, process, victims=("program", "backend")):
    """Kills the program, or its connection, or both, and waits until the server has noticed."""
    backend = database.query(BACKEND)[0]["pid"]
    if "program" in victims:
        process.send_signal(signal.SIGKILL)
    if "backend" in victims:
        database.query("SELECT pg_terminate_backend(%s)", (backend,))
    assert process.wait(30) != 0
    eventually(lambda: not database.query("SELECT FROM pg_stat_activity WHERE pid = %s", (backend,)),
               30, "the end of the backend")
