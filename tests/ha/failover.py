"""Failover under load: what was acknowledged is on the primary that is left, once, and in order.

Where this file sleeps, that is how long the fault itself lasts; what comes of it is waited for as an event.
"""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile

import psycopg

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from intake_harness.daemon import Intake, run_command  # noqa: E402
from intake_harness.waiting import eventually  # noqa: E402
from ha.machines import RECOMMENDED_TIMES, TIMES, Machine, Site  # noqa: E402
from proof.faults import seconds_until_serving  # noqa: E402
from proof.ledger import Ledger, compare  # noqa: E402
from proof.stage import Table, default_binary  # noqa: E402

CLIENTS = 4
OPTIONS = {"http.trusted_proxies": "127.0.0.1", "worker.poll_ms": 500, "worker.lease_ms": 5000, "log.level": "info"}


class Watch:
    """Looks at standbys from before a fault on, to see the moment that one of them is the primary."""

    def __init__(self, machines):
        self._connections = {machine: machine.connect() for machine in machines}

    def _is_primary(self, machine):
        try:
            return not self._connections[machine].execute("SELECT pg_is_in_recovery()").fetchone()[0]
        except psycopg.OperationalError:  # it was restarted
            with contextlib.suppress(psycopg.OperationalError):
                self._connections[machine] = machine.connect()
            return False

    def wait(self, timeout=120):
        eventually(lambda: any(self._is_primary(machine) for machine in self._connections), timeout, "a new primary")
        for connection in self._connections.values():
            connection.close()


def of_primary(harm, mend):
    """A fault of the primary, which another machine follows as the primary; then it returns."""
    def fault(site):
        leader = site.leader()
        watch = Watch([machine for machine in site.machines if machine is not leader])
        harm(leader)
        watch.wait()
        yield True
        mend(leader)
    return fault


def of_synchronous(harm, mend):
    """A fault of the standby that commits wait for, which another one follows as that; then it returns."""
    def fault(site):
        synchronous, _ = site.standbys()
        harm(synchronous)
        eventually(lambda: site.standbys()[0] not in (None, synchronous), 60, "another synchronous standby")
        yield False
        mend(synchronous)
    return fault


def switch_over(site):
    leader, (candidate, _) = site.leader(), site.standbys()
    watch = Watch([candidate])
    status, _ = leader.ask("/switchover", {"leader": leader.name, "candidate": candidate.name}, 60)
    watch.wait()
    yield True
    assert status == 200, f"the switchover was answered {status}"


# What is done to a machine, and how it ends.
KILLED = Machine.kill, Machine.start
# It returns as one that does not know what happened.
FROZEN = Machine.freeze, Machine.thaw
# It goes on for whoever is on its side of the cut, until its Patroni gives up its leadership.
CUT = Machine.unplug, Machine.plug
# Its PostgreSQL goes on, and does not know that another one is the primary now.
HUNG = Machine.freeze_patroni, Machine.thaw_patroni

# name: (what it is in the table, the fault: a generator that yields once, while the
# fault lasts: whether there is a new primary, to be ready for)
FAULTS = {
    "kill": ("kill -9 of the primary's PostgreSQL and Patroni", of_primary(*KILLED)),
    "switchover": ("switchover", switch_over),
    "freeze": ("the primary's PostgreSQL and Patroni frozen, and back", of_primary(*FROZEN)),
    "hang": ("the primary's Patroni frozen, its PostgreSQL not, and back", of_primary(*HUNG)),
    "cut-primary": ("the primary's network cut, and back", of_primary(*CUT)),
    "cut": ("the synchronous replica's network cut, and back", of_synchronous(*CUT)),
    "freeze-replica": ("the synchronous replica frozen, and back", of_synchronous(*FROZEN)),
    "kill-replica": ("kill -9 of the synchronous replica", of_synchronous(*KILLED)),
}
CUTS = ("cut-primary", "cut")
FULL_TIMES = 10


def inject_once(site, daemons, inject, book):
    """(seconds until ready or None, the longest time without an acknowledgement)."""
    book.start()
    try:
        book.wait_for_more(50)
        book.longest_silence()
        fault = inject(site)
        ready = seconds_until_serving(book, daemons) if next(fault) else None
        book.wait_for_more(20)
        next(fault, None)
        site.wait_healthy()
        book.wait_for_more(20)
    finally:
        book.stop()
    return ready, book.longest_silence()


def give_up(site, table, what, error):
    """What did not come in time; the other faults go on."""
    table.add(what, f"given up: {error}", "0", False)
    print(site.last_words())
    site.mend()


def prove_fault(site, table, daemons, name, times):
    what, inject = FAULTS[name]
    acknowledged, wrong, silences, readies = 0, [], [], []
    for number in range(1, times + 1):
        site.wait_healthy()
        site.database.query("TRUNCATE users, medical_questionnaire_submissions CASCADE")
        book = Ledger([site.haproxy_port], clients=CLIENTS)
        given_up = False
        try:
            ready, silence = inject_once(site, daemons, inject, book)
            silences.append(silence)
            readies += [ready] if ready is not None else []
        except (AssertionError, psycopg.Error) as error:
            give_up(site, table, what, error)
            eventually(site.leader, 120, "a primary to compare with")
            given_up = True
        wrong += compare(book, site.database)  # also then: what was acknowledged is there, or it is lost
        acknowledged += book.acknowledged()
        if given_up:
            break
    table.add(f"{what}, {number} times", f"{acknowledged} acknowledged, {len(wrong)} missing, doubled or wrong", "0",
              not wrong)
    for line in wrong[:5]:
        print(f"    {line}")
    if silences:
        table.add("  the longest time without an acknowledgement", f"{max(silences):.1f} s", "reported", True)
    if readies:
        table.add("  each daemon has acknowledged again, and is ready, after there was a primary, at most",
                  f"{max(readies):.2f} s", "reported", True)


def prove(binary, table, names, times, patience):
    directory = tempfile.mkdtemp(prefix="intake-had-", dir="/tmp")
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, directory)
        site = stack.enter_context(Site(patience))
        for arguments in (("migrate", "up"), ("migrate", "grant", "--role", "intake_daemon")):
            done = run_command(binary, *arguments, conninfo=site.database.conninfo)
            assert done.returncode == 0, done.stderr
        daemons = [Intake(binary, site.database, directory, OPTIONS) for _ in range(2)]
        for daemon in daemons:
            stack.callback(lambda d=daemon: d.kill() if d.running() else None)
            daemon.start()
        site.start_haproxy(daemons)
        for name in names:
            if name in CUTS and not site.network.can_cut:
                table.skip(FAULTS[name][0], "no network of one's own to be had", "root, and network namespaces")
                continue
            try:
                prove_fault(site, table, daemons, name, times)
            except (AssertionError, psycopg.Error) as error:
                give_up(site, table, FAULTS[name][0], error)


def end(*_):
    """As Ctrl-C does: by way of what cleans up, which nothing interrupts any more."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(prog="tests/ha/run", description=__doc__)
    parser.add_argument("--short", action="store_true", help="each fault once")
    parser.add_argument("--recommended-times", action="store_true",
                        help="Patroni's times as the README has them, instead of ones that a test can wait for")
    parser.add_argument("--intake", default=default_binary(), metavar="BINARY", help="default: that of build")
    parser.add_argument("faults", nargs="*", help="some of: " + ", ".join(FAULTS))
    arguments = parser.parse_args()
    unknown = set(arguments.faults) - set(FAULTS)
    if unknown:
        parser.error(f"there is no fault {', '.join(sorted(unknown))}")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    table = Table()
    table.begin("fail-over")
    try:
        prove(os.path.abspath(arguments.intake), table, arguments.faults or list(FAULTS),
              1 if arguments.short else FULL_TIMES, RECOMMENDED_TIMES if arguments.recommended_times else TIMES)
    except KeyboardInterrupt:
        sys.exit(130)
    table.print()
    sys.exit(1 if table.failures() else 0)


if __name__ == "__main__":
    main()
