"""Faults under load: what was acknowledged is there, once, and in order; and everything recovers.

Where this file sleeps, that is how long the fault itself lasts; what comes of it is waited for as an event.
"""

import os
import random
import re
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
COMPARED_EVERY = 20  # faults
WARM_UP = 500  # acknowledgements
MORE_DESCRIPTORS, MORE_MIB = 1, 8
ESTABLISHED_OR_CLOSE_WAIT = ("01", "08")  # of /proc/net/tcp
# Sessions that each daemon has at rest, one for each thread; helping workers come last, when posts leave them time.
STANDING = {"lane": 2, "worker": 3, "sealer": 1, "monitor": 1}


def some_load():
    """A random moment."""
    time.sleep(random.uniform(0.02, 0.3))


def kill_daemon(stage, daemons):
    daemon = random.choice(daemons)
    some_load()
    daemon.kill()
    daemon.launch()


def stop_database(stage, daemons):
    some_load()
    stage.cluster.kill()
    stage.cluster.start()


def stop_both(stage, daemons):
    some_load()
    stage.cluster.kill()
    for daemon in daemons:
        daemon.kill()
    stage.cluster.start()
    for daemon in daemons:
        daemon.launch()


def freeze_daemon(stage, daemons):
    """For longer than the lanes' deadline and the lease."""
    daemon = random.choice(daemons)
    some_load()
    daemon.signal(signal.SIGSTOP)
    time.sleep(2.5)
    daemon.signal(signal.SIGCONT)


def cut_connections(stage, daemons):
    """In the middle of whatever passes between daemon and database just then."""
    cuts = stage.proxy.cuts
    stage.proxy.cut(random.randrange(1, 60_000))
    assert seconds_until(lambda: stage.proxy.cuts > cuts, 20) < 20, "nothing was cut"


def cut_commits(stage, daemons):
    """PostgreSQL has committed a post, and the daemon is not told."""
    lost = stage.proxy.lost_replies
    some_load()
    stage.proxy.cut_reply("submission_write_")
    assert seconds_until(lambda: stage.proxy.lost_replies > lost, 20) < 20, "no commit was cut"


def stall_connections(stage, daemons):
    stage.proxy.stall()
    time.sleep(2.0)
    stage.proxy.heal()


def delay_connections(stage, daemons):
    stage.proxy.delay_s = 0.05
    time.sleep(0.5)
    stage.proxy.heal()


def refusals(stage):
    """How often PostgreSQL had no connection left for somebody."""
    with open(stage.cluster.log, encoding="utf-8", errors="replace") as file:
        return len(re.findall("too many clients|remaining connection slots", file.read()))


def take_what_is_left(stage, held):
    while True:
        try:
            held.append(stage.database.connect())
        except psycopg.OperationalError:
            return refusals(stage)


def take_all_database_connections(stage, daemons):
    """Somebody else holds every slot, and ours are ended until there is none left to reconnect with."""
    held, before = [], 0
    with stage.database.connect("postgres") as admin:
        for _ in range(20):  # the daemon is quick: it may be there before us
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'intake_daemon'")
            before = take_what_is_left(stage, held)
            if seconds_until(lambda: refusals(stage) > before, 1) < 1:
                break
        assert refusals(stage) > before, "the daemon found a connection"
        time.sleep(0.5)
        pids = [connection.info.backend_pid for connection in held]
        for connection in held:
            connection.close()
        # Two hundred processes that end at once need the processors for themselves: what counts begins after them.
        assert seconds_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), 20) < 20, "sessions were left"


def exhaust_descriptors(stage, daemons):
    """The process may open no further descriptor, and strangers connect until it is out of them."""
    daemon = random.choice(daemons)
    pid = daemon.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    limit = resources(daemon)[1] + 20
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    strangers = []
    for _ in range(60):
        stranger = socket.socket()
        stranger.settimeout(0.2)
        try:
            stranger.connect(("127.0.0.1", daemon.port))
        except OSError:
            pass
        strangers.append(stranger)
    assert seconds_until(lambda: resources(daemon)[1] >= limit, 20) < 20, "descriptors were left"
    some_load()
    for stranger in strangers:
        stranger.close()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


# (name, the fault, how often in full, how often in short, whether the processes live on)
FAULTS = (
    ("kill -9 of the daemon", kill_daemon, 200, 4, False),
    ("immediate stop of PostgreSQL", stop_database, 100, 2, True),
    ("both at once", stop_both, 50, 1, False),
    ("SIGSTOP beyond the deadlines", freeze_daemon, 20, 1, True),
    ("connections to the database cut in mid-message", cut_connections, 200, 10, True),
    ("connections to the database cut between commit and reply", cut_commits, 100, 5, True),
    ("connections to the database stalled", stall_connections, 10, 1, True),
    ("connections to the database slow", delay_connections, 10, 1, True),
    ("no database connection to be had", take_all_database_connections, 10, 1, True),
    ("no descriptor to be had", exhaust_descriptors, 20, 1, True),
)


def seconds_until_serving(book, daemons):
    """
    Until each has acknowledged what was posted from now on, and says that it is ready: what it says alone
    may be what it saw a second ago.
    """
    begun = time.monotonic()
    book.acknowledge_at([daemon.port for daemon in daemons])
    for daemon in daemons:
        seconds_until(lambda d=daemon: is_ready(d), 20)
    return time.monotonic() - begun


def wait_processed(stage):
    return seconds_until(lambda: stage.database.value(
        "SELECT count(*) FROM medical_questionnaire_submissions WHERE status = 'submitted'") == 0, 2 * PROCESSED_WITHIN_S)


def instance_counts(short):
    """On how many daemons at once something is proved."""
    return (2,) if short else (1, 2)


def among(count):
    """What a row says of the number of daemons."""
    return f", {count} instances" if count > 1 else ""


def prove_fault(stage, table, fault, times, daemons, lives):
    name, inject = fault
    book = Ledger([daemon.port for daemon in daemons], cut_share=0.02)
    before = warm_up(stage, book, daemons)
    wrong, ready = set(), 0.0
    for number in range(times):
        if number % COMPARED_EVERY == 0:
            book.start()
            book.wait_for_more(50)
        inject(stage, daemons)
        for daemon in daemons:
            assert daemon.running(), f"{name}: it ended\n{daemon.last_words()}"
        ready = max(ready, seconds_until_serving(book, daemons))
        book.wait_for_more(5)
        if (number + 1) % COMPARED_EVERY == 0 or number + 1 == times:
            book.stop()
            wait_processed(stage)
            wrong |= set(compare(book, stage.database))
    report(table, f"{name}, {times} times{among(len(daemons))}", book, wrong)
    silent = book.outcomes["silent"]
    table.add("  requests that got neither an answer nor an end", str(silent), "0", silent == 0)
    report_processing(table, stage)
    table.add("  ready again after, at most", f"{ready:.2f} s", f"{READY_WITHIN_S:.0f} s", ready < READY_WITHIN_S)
    if lives:
        prove_resources(table, daemons, before)
    for daemon in daemons:
        daemon.stop() if lives else daemon.kill()
    stage.database.query("TRUNCATE users, medical_questionnaire_submissions CASCADE")


def report(table, what, book, wrong):
    table.add(what, f"{book.acknowledged()} acknowledged, {len(wrong)} missing, doubled or wrong", "0", not wrong)
    for line in sorted(wrong)[:5]:
        print(f"    {line}")


def report_processing(table, stage):
    """Of all, also of those that came while the fault lasted."""
    left = wait_processed(stage)
    longest = float(stage.database.value(
        "SELECT extract(epoch FROM max(processed_at - updated_at)) FROM medical_questionnaire_submissions") or 0)
    longest = max(left, longest)
    table.add("  processed after, at most", f"{longest:.1f} s", f"{PROCESSED_WITHIN_S:.0f} s", longest < PROCESSED_WITHIN_S)


def warm_up(stage, book, daemons):
    """What they hold at rest, after some work: connections to the database are made when first needed."""
    book.start()
    book.wait_for_more(WARM_UP)
    book.stop()
    wait_processed(stage)
    seconds_until(lambda: all(clients_of(daemon) == 0 for daemon in daemons), 20)
    expected = {f"intake {who}": count * len(daemons) for who, count in STANDING.items()}
    assert seconds_until(lambda: expected.items() <= sessions(stage).items(), 20) < 20, f"{sessions(stage)}, not {expected}"
    return [resources(daemon) for daemon in daemons]


def sessions(stage):
    """How many there are, by the name of who has them."""
    return {row["application_name"]: row["count"] for row in stage.database.query(
        "SELECT application_name, count(*) FROM pg_stat_activity GROUP BY application_name")}


def clients_of(daemon):
    """How many connections of clients it has."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        port = f":{daemon.port:04X}"
        return sum(line.split()[1].endswith(port) and line.split()[3] in ESTABLISHED_OR_CLOSE_WAIT for line in file)


def prove_resources(table, daemons, before):
    """Back to where they were at rest, before the fault."""
    after = []

    def settled():
        after[:] = [resources(daemon) for daemon in daemons]
        return all(now[1] <= start[1] + MORE_DESCRIPTORS for now, start in zip(after, before))

    idle = seconds_until(settled, 20)
    table.add("  descriptors, before and after", ", ".join(f"{b[1]} / {a[1]}" for b, a in zip(before, after)),
              f"at most {MORE_DESCRIPTORS} more", idle < 20)
    table.add("  resident MiB, before and after", ", ".join(f"{b[0]:.0f} / {a[0]:.0f}" for b, a in zip(before, after)),
              f"at most {MORE_MIB} more", all(a[0] - b[0] < MORE_MIB for b, a in zip(before, after)))


def prove_faults(stage, table, faults, short, start):
    """Each of them, on daemons that start() returns and that no other has met."""
    for name, inject, full_times, short_times, lives in faults:
        prove_fault(stage, table, (name, inject), short_times if short else full_times, start(), lives)


def prove(binary, table, short):
    for instances in instance_counts(short):
        with Stage(binary) as stage:
            stage.proxy = Proxy(stage.cluster.directory)
            by_proxy = {"database.conninfo": stage.proxy.conninfo(stage.database.daemon_conninfo)}
            prove_faults(stage, table, FAULTS, short, lambda s=stage, o=by_proxy, n=instances: s.start(o, n))
            stage.proxy.close()
