"""Faults under load: what was acknowledged is there, once, and in order; and everything recovers.

Where this file sleeps, that is how long the fault itself lasts; what comes of it is waited for as an event.
"""

import os
import random
import resource
import signal
import socket
import time

import psycopg

from .ledger import Ledger, compare
from .proxy import Proxy
from .stage import Stage, is_ready, resources, seconds_until

READY_WITHIN_S = 2.0
PROCESSED_WITHIN_S = 60.0


def some_load():
    """A random moment."""
    time.sleep(random.uniform(0.02, 0.3))


def kill_daemon(stage, daemons):
    daemon = random.choice(daemons)
    some_load()
    daemon.kill()
    daemon.start()
    return None


def stop_database(stage, daemons):
    some_load()
    stage.cluster.kill()
    stage.cluster.start()
    return max(seconds_until(lambda daemon=daemon: is_ready(daemon), 10) for daemon in daemons)


def stop_both(stage, daemons):
    some_load()
    stage.cluster.kill()
    for daemon in daemons:
        daemon.kill()
    stage.cluster.start()
    begun = time.monotonic()
    for daemon in daemons:
        daemon.start()
    return time.monotonic() - begun + max(seconds_until(lambda d=daemon: is_ready(d), 10) for daemon in daemons)


def freeze_daemon(stage, daemons):
    """For longer than the lanes' deadline and the lease."""
    daemon = random.choice(daemons)
    some_load()
    daemon.signal(signal.SIGSTOP)
    time.sleep(2.5)
    daemon.signal(signal.SIGCONT)
    return seconds_until(lambda: is_ready(daemon), 10)


def cut_connections(stage, daemons):
    """In the middle of whatever passes between daemon and database just then."""
    stage.proxy.cut(random.randrange(1, 60_000))
    some_load()
    return None


def stall_connections(stage, daemons):
    stage.proxy.stall()
    time.sleep(2.0)
    stage.proxy.heal()
    return max(seconds_until(lambda daemon=daemon: is_ready(daemon), 10) for daemon in daemons)


def delay_connections(stage, daemons):
    stage.proxy.delay_s = 0.05
    time.sleep(0.5)
    stage.proxy.heal()
    return None


def take_all_database_connections(stage, daemons):
    """Somebody else holds every slot, and ours are ended: there is none left to reconnect with."""
    held = []
    with stage.database.connect("postgres") as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'intake_daemon'")
        while True:
            try:
                held.append(stage.database.connect())
            except psycopg.OperationalError:
                break
        time.sleep(0.5)
        for connection in held:
            connection.close()
    return max(seconds_until(lambda daemon=daemon: is_ready(daemon), 10) for daemon in daemons)


def exhaust_descriptors(stage, daemons):
    """The process may open no further descriptor, and strangers connect until it is out of them."""
    daemon = random.choice(daemons)
    pid = daemon.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (resources(daemon)[1] + 20, before[1]))
    strangers = []
    for _ in range(60):
        stranger = socket.socket()
        stranger.settimeout(0.2)
        try:
            stranger.connect(("127.0.0.1", daemon.port))
        except OSError:
            pass
        strangers.append(stranger)
    some_load()
    for stranger in strangers:
        stranger.close()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    return seconds_until(lambda: is_ready(daemon), 10)


# (name, the fault, how often in full, how often in short, whether the processes live on)
FAULTS = (
    ("kill -9 of the daemon", kill_daemon, 200, 4, False),
    ("immediate stop of PostgreSQL", stop_database, 100, 2, True),
    ("both at once", stop_both, 50, 1, False),
    ("SIGSTOP beyond the deadlines", freeze_daemon, 20, 1, True),
    ("connections to the database cut in mid-message", cut_connections, 200, 10, True),
    ("connections to the database stalled", stall_connections, 10, 1, True),
    ("connections to the database slow", delay_connections, 10, 1, True),
    ("no database connection to be had", take_all_database_connections, 10, 1, True),
    ("no descriptor to be had", exhaust_descriptors, 20, 1, True),
)


def prove_fault(stage, table, fault, times, instances, lives):
    name, inject = fault
    ports_proxy = {"database.conninfo": stage.proxy.conninfo(stage.database.daemon_conninfo)}
    daemons = stage.start(ports_proxy, instances)
    before = [resources(daemon) for daemon in daemons]
    book = Ledger([daemon.port for daemon in daemons], cut_share=0.02).start()
    book.wait_for_more(50)
    recovered = []
    for _ in range(times):
        recovered.append(inject(stage, daemons))
        book.wait_for_more(5)
    book.stop()
    unprocessed = seconds_until(lambda: stage.database.value(
        "SELECT count(*) FROM medical_questionnaire_submissions WHERE status = 'submitted'") == 0, 2 * PROCESSED_WITHIN_S)
    wrong = compare(book, stage.database)
    what = f"{name}, {times} times" + (f", {instances} instances" if instances > 1 else "")
    table.add(what, f"{book.acknowledged()} acknowledged, {len(wrong)} missing, doubled or wrong", "0", not wrong)
    for line in wrong[:5]:
        print(f"    {line}")
    table.add("  the last processed after", f"{unprocessed:.1f} s", f"{PROCESSED_WITHIN_S:.0f} s",
              unprocessed < PROCESSED_WITHIN_S)
    measured = [seconds for seconds in recovered if seconds is not None]
    if measured:
        table.add("  ready again after, at most", f"{max(measured):.2f} s", f"{READY_WITHIN_S:.0f} s",
                  max(measured) < READY_WITHIN_S)
    if lives:
        prove_resources(table, daemons, before)
    for daemon in daemons:
        daemon.kill()
    stage.database.query("TRUNCATE users, medical_questionnaire_submissions CASCADE")


# Connections to the database are made when first needed: lanes, executor, worker, monitor, sealer.
DATABASE_CONNECTIONS = 8


def prove_resources(table, daemons, before):
    """Back to where they were before the load, whose own connections are gone by then."""
    def settled():
        return all(resources(daemon)[1] <= start[1] + DATABASE_CONNECTIONS for daemon, start in zip(daemons, before))

    idle = seconds_until(settled, 20)
    after = [resources(daemon) for daemon in daemons]
    table.add("  descriptors, before and after", ", ".join(f"{b[1]} / {a[1]}" for b, a in zip(before, after)),
              f"at most {DATABASE_CONNECTIONS} more", idle < 20)
    table.add("  resident MiB, before and after", ", ".join(f"{b[0]:.0f} / {a[0]:.0f}" for b, a in zip(before, after)),
              "at most 16 more", all(a[0] - b[0] < 16 for b, a in zip(before, after)))


def prove(binary, table, short):
    for instances in (2,) if short else (1, 2):
        with Stage(binary) as stage:
            stage.proxy = Proxy(stage.cluster.directory)
            for name, inject, full_times, short_times, lives in FAULTS:
                times = short_times if short else full_times
                prove_fault(stage, table, (name, inject), times, instances, lives)
            stage.proxy.close()
