"""The units of systemd, by a real systemd where one can be booted: sandbox, restarts under load, and what goes wrong."""

import contextlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import time

from intake_harness.daemon import ROOT
from intake_harness.units import EXPOSURE_MAX, SERVICES, UNITS, exposure, verify
from intake_harness.waiting import eventually

from .booted import ELSEWHERE, Booted, CannotBoot, own_network
from .ledger import Ledger, compare
from .stage import Stage

PORT = 8080  # the units' own
CONFIG = "/etc/intake/intake.conf"
RESTARTED_WITHIN_S = 5.0
WATCHDOG_WITHIN_S = 35.0
STOPPED_WITHIN_S = 5.0
# Half of the posts are a connection's last, so that there are always new ones to refuse.
PARTING_SHARE = 0.5
INTRUDER = "/srv/intruder.py"
DEED = f"ExecStart=/usr/bin/python3 {INTRUDER} {ELSEWHERE}\n"


@contextlib.contextmanager
def under_load(port):
    book = Ledger([port], parting_share=PARTING_SHARE).start()
    book.wait_for_more(50)
    yield book
    book.wait_for_more(50)
    book.stop()


def failed_requests(book):
    """All that was neither acknowledged nor refused a connection."""
    return sum(count for outcome, count in book.outcomes.items() if outcome not in ("acknowledged", "refused"))


def prove_units(table, binary):
    with Stage(binary) as stage:
        code, text = verify(binary, stage.directory)
    table.add(f"systemd-analyze verify, {len(UNITS)} units", text.strip() or "clean", "clean", (code, text) == (0, ""))
    for name in SERVICES:
        level = exposure(name)
        table.add(f"  exposure of {name}", f"{level:.1f}", f"{EXPOSURE_MAX}", level <= EXPOSURE_MAX)


@contextlib.contextmanager
def booted(binary):
    """A stage and a booted system that reaches its PostgreSQL; CannotBoot where that cannot be."""
    with own_network(), Stage(binary, "listen_addresses = '127.0.0.1'\n") as stage, Booted(binary) as machine:
        install(machine, stage)
        yield stage, machine


def install(machine, stage):
    """What the README has an administrator do before the first start."""
    for file, role in (("owner", "intake"), ("database", "intake_daemon")):
        machine.write(f"/etc/intake/credentials/{file}.conninfo",
                      f"host=127.0.0.1 dbname={stage.database.name} user={role}\n", 0o600)
    # All clients have one address here, as behind a proxy.
    machine.write(CONFIG, machine.read(CONFIG).replace("\nrate_per_second = 20\n", "\nrate_per_second = 0\n"))
    with open(os.path.join(ROOT, "tests", "proof", "intruder.py"), encoding="utf-8") as file:
        machine.write(INTRUDER, file.read())


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file)


def prove_start(table, machine):
    begun = time.monotonic()
    done = machine.run("systemctl", "enable", "--now", "intake.socket", "intake.service", "intake-retention.timer")
    seconds = time.monotonic() - begun
    states = [machine.show(unit, "ActiveState") for unit in ("intake.socket", "intake.service", "intake-retention.timer")]
    migrated = machine.show("intake-migrate.service", "ExecMainStatus"), machine.show("intake-migrate.service", "Result")
    good = done.returncode == 0 and set(states) == {"active"} and migrated == ("0", "success")
    table.add("started by a real systemd as process 1", f"socket, service and timer {', '.join(sorted(set(states)))} after "
              f"{seconds:.1f} s, migration {migrated[1]}", "active, success", good)
    status, first = status_of(machine.process("intake.service")), status_of(machine.pid)
    user, capabilities = int(status["Uid"].split()[0]), int(status["CapEff"], 16) | int(status["CapBnd"], 16)
    filters = int(status["Seccomp_filters"]) - int(first["Seccomp_filters"])
    core = resource.prlimit(machine.process("intake.service"), resource.RLIMIT_CORE)[0]
    table.add("  its process", f"user {user}, {capabilities.bit_count()} capabilities, NoNewPrivs {status['NoNewPrivs']}, "
              f"{filters} filters of system calls, cores of {core} bytes", "no root, 0 capabilities, 1, some, 0",
              user != 0 and capabilities == 0 and status["NoNewPrivs"] == "1" and filters > 0 and core == 0)


def tried(machine, unit, text):
    """What an intruder in a service of that text can do."""
    machine.write(f"/etc/systemd/system/{unit}", text)
    machine.must("systemctl", "daemon-reload")
    machine.must("systemctl", "start", unit)
    return json.loads(machine.told(unit, r"^\{.*\}$"))


def prove_sandbox(table, machine):
    free = tried(machine, "free.service", f"[Service]\nType=oneshot\n{DEED}")
    for name in SERVICES:
        text = machine.must("systemctl", "cat", name)
        text += f"\n[Service]\nType=oneshot\nRestart=no\nWatchdogSec=0\nExecStart=\n{DEED}"
        done = [deed for deed, success in tried(machine, f"boxed-{name}", text).items() if success]
        without = sum(free.values())
        table.add(f"  what an intruder can do in the sandbox of {name}", f"{len(done)} of {len(free)} things "
                  f"({without} without it){': ' if done else ''}{', '.join(done)}", "0", not done and without == len(free))


def report_load(table, book, what, wrong):
    table.add(what, f"{book.acknowledged()} acknowledged, {book.outcomes['refused']} connections refused, "
              f"{failed_requests(book)} requests failed", "0 refused, 0 failed",
              book.outcomes["refused"] == 0 and failed_requests(book) == 0)
    table.add("  missing, doubled or wrong", str(len(wrong)), "0", not wrong)
    for line in wrong[:5]:
        print(f"    {line}")


def prove_none_failed(table, machine):
    lines = machine.must("systemctl", "list-units", "--failed", "--plain", "--no-legend").splitlines()
    failed = [line.split()[0] for line in lines]
    table.add("  units that failed, in the end", ", ".join(failed) or "none", "none", not failed)


def prove_restarts(table, machine, stage, times):
    processes = {machine.process("intake.service")}
    with under_load(PORT) as book:
        book.longest_silence()
        for _ in range(times):
            machine.must("systemctl", "restart", "intake.service")
            processes.add(machine.process("intake.service"))
            book.wait_for_more(50)
        silence = book.longest_silence()
        machine.must("systemctl", "reload", "intake.service")
    report_load(table, book, f"systemctl restart {times} times under load", compare(book, stage.database))
    table.add("  the longest time without an acknowledgement", f"{silence:.2f} s", f"{RESTARTED_WITHIN_S:.0f} s",
              silence < RESTARTED_WITHIN_S and len(processes) == times + 1)
    reloaded = machine.told("intake.service", "were read again")
    table.add("  systemctl reload", "done" if reloaded else "not done", "done", reloaded)
    prove_none_failed(table, machine)


def end_process(machine, book, number):
    """The seconds without an acknowledgement after the process got the signal."""
    book.longest_silence()
    before = machine.process("intake.service")
    os.kill(before, number)
    eventually(lambda: machine.process("intake.service") not in (None, before), 60)
    book.wait_for_more(50)
    return book.longest_silence()


def break_configuration(machine, book):
    """(whether systemd and the journal say what is wrong, seconds without an acknowledgement after it was mended)."""
    right = machine.read(CONFIG)
    machine.write(CONFIG, right + "\n[http]\nprot = 80\n")
    done = machine.run("systemctl", "restart", "intake.service")
    eventually(lambda: int(machine.show("intake.service", "NRestarts")) >= 3, 30)
    line = right.count("\n") + 3
    reason = re.escape(f'{CONFIG}:{line}: [http] has no key "prot"')
    told = done.returncode != 0 and machine.told("intake.service", reason) is not None
    machine.write(CONFIG, right)
    return told, seconds_until_acknowledged(book)


def miss_database(machine, stage, book):
    """Seconds without an acknowledgement after PostgreSQL is there again, which was not at the start."""
    stage.cluster.stop()
    machine.run("systemctl", "restart", "intake.service")
    eventually(lambda: int(machine.show("intake.service", "NRestarts")) >= 3, 30)
    stage.cluster.start()
    return seconds_until_acknowledged(book)


def seconds_until_acknowledged(book):
    begun = time.monotonic()
    book.wait_for_more(1)
    return time.monotonic() - begun


def prove_mishaps(table, machine, stage, short):
    """Requests that the process had taken are lost with it, connections are not; and it is back by itself."""
    kills = 2 if short else 10
    rows = []
    with under_load(PORT) as book:
        silence = max(end_process(machine, book, signal.SIGKILL) for _ in range(kills))
        rows.append((f"  killed {kills} times: the longest time without an acknowledgement", silence, RESTARTED_WITHIN_S))
        if not short:
            rows.append(("  frozen: replaced after", end_process(machine, book, signal.SIGSTOP), WATCHDOG_WITHIN_S))
        told, mended = break_configuration(machine, book)
        rows.append(("  started again after a typing error was mended, by itself", mended, RESTARTED_WITHIN_S))
        rows.append(("  started once PostgreSQL is there, by itself", miss_database(machine, stage, book), RESTARTED_WITHIN_S))
    wrong = compare(book, stage.database, alone=False)
    table.add("killed, misconfigured, without PostgreSQL, under load", f"{book.acknowledged()} acknowledged, "
              f"{book.outcomes['refused']} connections refused, {len(wrong)} missing, doubled or wrong", "0",
              book.outcomes["refused"] == 0 and not wrong)
    for line in wrong[:5]:
        print(f"    {line}")
    for what, seconds, limit in rows:
        table.add(what, f"{seconds:.1f} s", f"{limit:.0f} s", seconds < limit)
    table.add("  a typing error", "restart fails, the journal names file, line and key" if told else "not told", "told", told)


def prove_timer(table, machine):
    due = machine.show("intake-retention.timer", "NextElapseUSecRealtime")
    machine.write(CONFIG, machine.read(CONFIG).replace("\nsubmission_days = 0\n", "\nsubmission_days = 3650\n"))
    done = machine.run("systemctl", "start", "intake-retention.service")
    said = machine.told("intake-retention.service", r"^.*\d+ submissions, \d+ earlier revisions$")
    table.add("the timer's service", said or done.stdout.strip(), "runs, and is due again",
              done.returncode == 0 and said is not None and due != "")


def version_status():
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    connection.request("GET", "/version")
    status = connection.getresponse().status
    connection.close()
    return status


def prove_end(table, machine):
    begun = time.monotonic()
    done = machine.run("systemctl", "stop", "intake.service")
    seconds = time.monotonic() - begun
    end = machine.show("intake.service", "Result"), machine.show("intake.service", "ExecMainStatus")
    state = machine.show("intake.service", "ActiveState")
    table.add("systemctl stop", f"{state}, {end[0]}, exit code {end[1]} after {seconds:.1f} s", "inactive, success, 0",
              (done.returncode, state, *end) == (0, "inactive", "success", "0") and seconds < STOPPED_WITHIN_S)
    status = version_status()
    table.add("  a connection then starts it again", f"{status}, {machine.show('intake.service', 'ActiveState')}", "200, active",
              status == 200 and machine.show("intake.service", "ActiveState") == "active")
    prove_none_failed(table, machine)
    leaked = len(re.findall(r"@example\.com|Patient pv", machine.must("journalctl", "--no-pager")))
    table.add("  lines of the journal with patient data", str(leaked), "0", leaked == 0)


def prove_booted(binary, table, short):
    with booted(binary) as (stage, machine):
        prove_start(table, machine)
        prove_sandbox(table, machine)
        prove_restarts(table, machine, stage, 6 if short else 20)
        prove_mishaps(table, machine, stage, short)
        prove_timer(table, machine)
        prove_end(table, machine)


def prove_kept_socket(binary, table, times):
    """We keep the socket in systemd's place."""
    with Stage(binary) as stage, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(4096)
        daemon = stage.prepare({"http.farewell_ms": 1000})
        daemon.port = listener.getsockname()[1]
        daemon.start(listener=listener)
        with under_load(daemon.port) as book:
            for _ in range(times):
                daemon.stop()
                daemon.start(listener=listener)
                book.wait_for_more(50)
        report_load(table, book, f"{times} restarts on a socket that is kept", compare(book, stage.database))


def prove(binary, table, short):
    prove_units(table, binary)
    try:
        prove_booted(binary, table, short)
    except CannotBoot as reason:
        table.skip("started by a real systemd as process 1", str(reason), "where one can be booted")
        prove_kept_socket(binary, table, 6 if short else 20)
