"""The program under test: its commands, and `intake serve` as a process to start, watch and stop."""

import os
import re
import select
import signal
import socket
import subprocess
import time

from .client import Client
from .waiting import eventually

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SANITIZER_REPORT = re.compile(
    r"(ERROR|WARNING): \w+Sanitizer|SUMMARY: \w+Sanitizer|runtime error:|stack smashing")


def scrubbed_environment(extra=None):
    """Ours alone: nothing that the caller's shell says about databases or about Intake."""
    environment = {key: value for key, value in os.environ.items()
                   if not key.startswith(("INTAKE_", "PG", "LISTEN_", "NOTIFY_", "CREDENTIALS_"))}
    environment.update({
        "ASAN_OPTIONS": "detect_leaks=1:exitcode=99:strict_string_checks=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        "TSAN_OPTIONS": "halt_on_error=1:exitcode=66",
    })
    environment.update(extra or {})
    return environment


# Ports below those that outgoing connections take, in blocks that belong to one process at a time.
FIRST_PORT, LAST_PORT, BLOCK = 20000, 31999, 100


def reserve_block():
    """The ports of a block that no other test process uses: an abstract socket's name is one
    process's, and goes with it."""
    blocks = range(FIRST_PORT, LAST_PORT, BLOCK)
    start = os.getpid() % len(blocks)
    for first in [*blocks[start:], *blocks[:start]]:
        reservation = socket.socket(socket.AF_UNIX)
        try:
            reservation.bind(f"\0intake-test-ports-{first}")
        except OSError:
            reservation.close()
            continue
        free_port.reservations.append(reservation)
        return iter(range(first, first + BLOCK))
    raise AssertionError("no free port")


def free_port():
    """A port that nobody listens on, and that no other test gets: not even one of another run."""
    while True:
        port = next(free_port.ports, None)
        if port is None:
            free_port.ports = reserve_block()
            continue
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


free_port.reservations = []
free_port.ports = iter(())


def ini(options):
    """{"http.port": 1} as the text of a configuration file."""
    sections = {}
    for key, value in options.items():
        section, name = key.split(".")
        sections.setdefault(section, []).append(f"{name} = {value}")
    return "".join(f"[{section}]\n" + "\n".join(lines) + "\n\n" for section, lines in sections.items())


def run_command(binary, *arguments, conninfo=None, environment=None, timeout=60, stdout=subprocess.PIPE):
    """Runs `intake ARGUMENTS` to its end; a CompletedProcess with text. `stdout` may be a file."""
    extra = dict(environment or {})
    if conninfo is not None:
        extra["INTAKE_DATABASE_CONNINFO"] = conninfo
    done = subprocess.run([binary, *arguments], cwd=ROOT, env=scrubbed_environment(extra), text=True,
                          stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, timeout=timeout, check=False)
    assert not SANITIZER_REPORT.search(done.stderr), done.stderr
    return done


class Intake:
    """One `intake serve`. `options` are configuration keys ("http.rate_per_second": 5)."""

    def __init__(self, binary, database, directory, options=None, port=None):
        self.binary = binary
        self.database = database
        self.port = port or free_port()
        self.options = {"http.port": self.port, "http.rate_per_second": 0, "http.farewell_ms": 0,
                        "database.conninfo": database.daemon_conninfo}
        self.options.update(options or {})
        self.config_path = os.path.join(directory, f"intake-{self.port}.conf")
        self.log_path = os.path.join(directory, f"intake-{self.port}.log")
        self._notify_path = os.path.join(directory, f"notify-{self.port}")
        self._clients = []
        self.process = None
        self.expected_exit = 0
        self.write_config()

    def write_config(self, **changes):
        self.options.update({key.replace("__", "."): value for key, value in changes.items()})
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(ini(self.options))

    def launch(self, environment=None, listener=None):
        """
        Starts the process and does not wait for anything. `listener` is a listening socket to hand
        over as systemd does: descriptor 3, and the process's own number.
        """
        if os.path.exists(self._notify_path):
            os.unlink(self._notify_path)
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(self._notify_path)
        extra = {"NOTIFY_SOCKET": self._notify_path}
        extra.update(environment or {})
        command = [self.binary, "serve", "--config", self.config_path]
        passed = []
        if listener is not None:
            passed = [listener.fileno()]
            handing_over = f'exec 3<&{listener.fileno()}; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
            command = ["bash", "-c", handing_over, "bash", *command]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=scrubbed_environment(extra), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, pass_fds=passed)
        return self

    def wait_notification(self, text, timeout=30.0):
        """Waits for the line `text` of systemd's notification protocol; fails when we end instead."""
        pidfd = os.pidfd_open(self.process.pid)
        deadline = time.monotonic() + timeout
        try:
            while True:
                remaining = deadline - time.monotonic()
                assert remaining > 0, f"no {text} within {timeout} s\n{self.last_words()}"
                ready, _, _ = select.select([self._notify, pidfd], [], [], remaining)
                if self._notify in ready:
                    if text in self._notify.recv(4096).decode().splitlines():
                        return
                elif pidfd in ready:
                    raise AssertionError(f"ended with {self.process.wait()}\n{self.last_words()}")
        finally:
            os.close(pidfd)

    def start(self, environment=None, listener=None):
        """Starts the process and waits until it says that it serves."""
        self.launch(environment, listener)
        self.wait_notification("READY=1")
        return self

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    def client(self, token=None):
        client = Client(self.base, token)
        self._clients.append(client)
        return client

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def last_words(self):
        """The end of the log, and any sanitizer's report in full, for an assertion's message."""
        log = self.log()
        report = SANITIZER_REPORT.search(log)
        return log[report.start():] if report else "\n".join(log.splitlines()[-20:])

    def wait_log(self, pattern, timeout=20.0):
        """Waits for a line that the regular expression is found in; the match."""
        return eventually(lambda: re.search(pattern, self.log()), timeout, f"{pattern!r} in the log")

    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """As the kernel would: no clean-up, no farewell."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self, timeout=30.0):
        """SIGTERM, and what the exit code must be."""
        if self.process is None:
            return
        self.process.terminate() if self.running() else None
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"did not stop within {timeout} s\n{self.last_words()}") from None
        finally:
            self.process = None
            self._notify.close()
        assert code == self.expected_exit, f"ended with {code}\n{self.last_words()}"

    def restart(self):
        self.stop()
        return self.start()

    def wait_processed(self, *booking_uids, timeout=30.0):
        """Waits until the worker has decided on every one of the bookings."""
        eventually(lambda: self.database.value(
            "SELECT count(*) FROM medical_questionnaire_submissions"
            " WHERE booking_uid = ANY(%s) AND status <> 'submitted'",
            (list(booking_uids),)) == len(booking_uids), timeout, f"{booking_uids} processed")

    def check_log(self):
        """No sanitizer's report, and nothing that a patient wrote."""
        log = self.log()
        assert not SANITIZER_REPORT.search(log), self.last_words()
        leaked = [text for client in self._clients for text in client.patient_texts if text in log]
        assert not leaked, f"patient data in the log: {leaked}"

    def reload(self):
        self.signal(signal.SIGHUP)
