"""The newcomer's command: what it prints works when pasted, and it stops without a trace."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile

import psycopg
import pytest

from intake_harness.daemon import ROOT, free_port, scrubbed_environment
from intake_harness.waiting import eventually

pytestmark = pytest.mark.skipif(not os.path.exists(os.path.join(ROOT, "build/intake")),
                                reason="there is no release build")


def listen_to_ctrl_c():
    """As from a terminal, even where the tests run in the background, which has it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Quickstart:
    """./quickstart with a data folder and a port of its own, in a session as a terminal's."""

    def __init__(self, data):
        self.data = data
        self.port = free_port()
        self.out = data + ".out"
        self.process = None

    def launch(self):
        environment = scrubbed_environment({"INTAKE_DATA": self.data, "INTAKE_HTTP_PORT": str(self.port)})
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(["./quickstart"], cwd=ROOT, env=environment, stdout=out,
                                            stderr=out, stdin=subprocess.DEVNULL, start_new_session=True,
                                            preexec_fn=listen_to_ctrl_c)
        return self

    def start(self):
        self.launch()
        eventually(lambda: "Ctrl-C stops it" in self.output() or self.process.poll() is not None, 120,
                   "quickstart is ready")
        assert self.process.poll() is None, self.output()
        return self

    def output(self):
        with open(self.out, encoding="utf-8") as file:
            return file.read()

    def stop(self, number=signal.SIGTERM, group=False):
        (os.killpg if group else os.kill)(self.process.pid, number)
        return self.process.wait(60)

    def read(self, name):
        with open(os.path.join(self.data, name), encoding="utf-8") as file:
            return file.read().strip()

    def postmaster(self):
        return int(self.read("postgres/postmaster.pid").split("\n")[0])


def alive(pid):
    """Whether it runs: one that has ended may wait for its new parent for a moment."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def assert_ends(postmaster):
    """pg_ctl waits for the file postmaster.pid to go, which is the last but one thing that a postmaster does."""
    eventually(lambda: not alive(postmaster), 5, "PostgreSQL's end")


@pytest.fixture
def quickstart():
    folder = tempfile.mkdtemp(prefix="intake-qs-", dir="/tmp")
    os.chmod(folder, 0o711)
    started = Quickstart(os.path.join(folder, "data"))
    yield started
    if started.process is not None and started.process.poll() is None:
        started.stop()
    shutil.rmtree(folder)


def paste(line):
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, timeout=30)


def test_a_newcomer_gets_from_nothing_to_a_stored_and_found_submission(quickstart):
    quickstart.start()
    post, look_up, health = re.findall(r"^ +(curl .*)$", quickstart.output(), re.MULTILINE)
    assert "201 Created" in paste(post).stdout
    assert '"jane.doe@example.com"' in paste(look_up).stdout
    assert '"status":"pass"' in paste(health).stdout
    for name in ("dsn", "staff-token"):
        assert stat.S_IMODE(os.stat(os.path.join(quickstart.data, name)).st_mode) == 0o600
    with psycopg.connect(quickstart.read("dsn")) as connection:
        settings = [connection.execute(f"SHOW {name}").fetchone()[0]
                    for name in ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses")]
        assert settings == ["on", "on", "on", ""]
    wal = os.listdir(os.path.join(quickstart.data, "postgres", "pg_wal"))
    assert len([name for name in wal if len(name) == 24]) > 30, "no commit waits for a new file of WAL"
    postmaster, daemon, token = quickstart.postmaster(), int(quickstart.read("intake.pid")), quickstart.read("staff-token")
    assert quickstart.stop() == 0
    assert not alive(daemon)
    assert_ends(postmaster)

    quickstart.start()
    assert quickstart.read("staff-token") == token, "the second start keeps the token"
    assert '"jane.doe@example.com"' in paste(look_up).stdout, "and the data"


def test_ctrl_c_of_a_terminal_stops_both_cleanly(quickstart):
    """It goes to the whole process group, twice by an impatient hand."""
    quickstart.start()
    postmaster = quickstart.postmaster()
    os.killpg(quickstart.process.pid, signal.SIGINT)
    assert quickstart.stop(signal.SIGINT, group=True) == 0
    assert_ends(postmaster)
    assert "message=stopped" in quickstart.output()


def test_after_a_crash_it_clears_up_and_starts_again(quickstart):
    quickstart.start()
    quickstart.process.kill()
    quickstart.process.wait()
    left = quickstart.postmaster()
    assert alive(left), "PostgreSQL outlives the script"
    quickstart.start()
    assert "left behind" in quickstart.output()
    assert not alive(left)


def test_a_revoked_token_is_replaced(quickstart):
    quickstart.start()
    token = quickstart.read("staff-token")
    with psycopg.connect(quickstart.read("dsn"), autocommit=True) as connection:
        connection.execute("UPDATE staff_tokens SET revoked_at = now()")
    assert quickstart.stop() == 0
    quickstart.start()
    assert quickstart.read("staff-token") != token


def test_a_second_one_on_the_same_data_says_so(quickstart):
    quickstart.start()
    second = Quickstart(quickstart.data).launch()
    assert second.process.wait(60) == 1
    assert "another quickstart runs" in second.output()
    assert paste(f"curl -fs http://127.0.0.1:{quickstart.port}/health/live").returncode == 0


def test_a_taken_port_says_which(quickstart):
    with socket_on(quickstart.port):
        quickstart.launch()
        assert quickstart.process.wait(60) == 1
    assert str(quickstart.port) in quickstart.output() and "INTAKE_HTTP_PORT" in quickstart.output()


def socket_on(port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    return listener


@pytest.mark.skipif(os.geteuid() != 0, reason="a folder that PostgreSQL's user cannot enter needs root")
def test_a_root_only_folder_with_a_long_name_works_too(quickstart):
    parent = os.path.dirname(quickstart.data)
    quickstart.data = os.path.join(parent, "x" * 100 + " y", "data")
    os.mkdir(os.path.dirname(quickstart.data), 0o700)
    quickstart.start()
    post, look_up, _ = re.findall(r"^ +(curl .*)$", quickstart.output(), re.MULTILINE)
    assert "201 Created" in paste(post).stdout
    assert '"jane.doe@example.com"' in paste(look_up).stdout
    with psycopg.connect(quickstart.read("dsn")) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (1,)
    assert quickstart.stop() == 0
    elsewhere = os.path.dirname(os.path.realpath(os.path.join(quickstart.data, "postgres")))
    assert elsewhere.startswith("/var/lib/intake-quickstart-")
    shutil.rmtree(elsewhere)
    os.rmdir(quickstart.read("socket-directory"))
