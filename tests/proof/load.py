"""How fast it is beside pgbench and the Go peer on the same PostgreSQL in the same minutes, and with ten million stored."""

import contextlib
import operator
import os
import shutil
import statistics
import sys
import tempfile

import psycopg

from intake_harness.daemon import ROOT, Intake, run_command
from intake_harness.postgres import Cluster

from .stage import DURABLE, resources, seconds_until

sys.path.insert(0, os.path.join(ROOT, "tests", "bench"))

import list_million  # noqa: E402
import measure  # noqa: E402

POSTS_TIMES, GO_TIMES, LOOK_UPS_TIMES, P99_MS, STORED_TIMES, MORE_MIB = 1.75, 2.5, 0.7, 10.0, 0.8, 4.0


class Judge:
    """Adds a figure; in the short form one that came about, whatever it is."""

    def __init__(self, table, short):
        self.table, self.short = table, short

    def add(self, what, measured, promised, good):
        self.table.add(what, measured, promised, None if self.short else good)


@contextlib.contextmanager
def quickstarted():
    """
    The database's connection string and the data folder of a service as a newcomer has it, and whether the Go peer
    works on the same PostgreSQL.
    """
    work, running = tempfile.mkdtemp(prefix="intake-load-", dir="/tmp"), []
    os.chmod(work, 0o711)
    try:
        data, dsn = measure.quickstart(work, running)
        measure.psql(dsn, "-f", os.path.join(measure.HERE, "schema.sql"))
        peer = measure.start_go_peer(dsn, work)
        if peer is not None:
            running.append(peer)
        yield dsn, data, peer is not None
    finally:
        measure.end(running)
        shutil.rmtree(work, ignore_errors=True)


def compare_posts(judge, dsn, has_peer, rounds, seconds):
    """Peaks, each with pgbench and the Go peer after it; the median peak, and pgbench's."""
    peaks, p99s, rates, to_go = [], [], [], []
    for _ in range(rounds):
        peak, _, p99 = measure.post(measure.BASE, 64, seconds)
        measure.drain(dsn)
        many, _ = measure.pgbench(dsn, 16, seconds)
        peaks.append(peak)
        p99s.append(p99)
        rates.append(many)
        if has_peer:
            to_go.append(peak / measure.post(f"http://127.0.0.1:{measure.GO_PORT}", 64, seconds)[0])
    ratio, p99 = statistics.median(map(operator.truediv, peaks, rates)), statistics.median(p99s)
    judge.add("POST at 64 connections, against pgbench with the three upserts and 16 clients",
              f"{ratio:.2f} times ({statistics.median(peaks):,.0f} a second)", f"at least {POSTS_TIMES}", ratio >= POSTS_TIMES)
    judge.add("  p99 of those, by round", ", ".join(f"{value:.1f}" for value in p99s) + " ms", f"median at most {P99_MS:.0f} ms",
              p99 <= P99_MS)
    report_go(judge, to_go)
    return statistics.median(peaks), statistics.median(rates)


def report_go(judge, ratios):
    what = "  the same against the Go peer (net/http and pgx)"
    if not ratios:
        judge.table.skip(what, "no Go, no pgx, or not the peer's source", "where tests/bench/README.md has them")
        return
    ratio = statistics.median(ratios)
    judge.add(what, f"{ratio:.2f} times", f"at least {GO_TIMES}", ratio >= GO_TIMES)


def compare_look_ups(judge, dsn, data, rounds, seconds):
    with open(os.path.join(data, "staff-token"), encoding="ascii") as file:
        token = file.read().strip()
    stored = int(measure.paced(measure.PORT, 1000, 2 * seconds, "look")["acknowledged"])
    measure.drain(dsn)
    ratios, rates = [], []
    for _ in range(rounds):
        rate, _, _ = measure.wrk(measure.BASE + "/", 64, seconds, "lookup.lua", token, str(stored))
        many, _ = measure.pgbench(dsn, 16, seconds, "lookup.pgbench", "-D", f"rows={stored}")
        rates.append(rate)
        ratios.append(rate / many)
    ratio = statistics.median(ratios)
    judge.add("look-ups by booking, with their row of the audit, at 64 connections, against pgbench with 16 clients",
              f"{ratio:.2f} times ({statistics.median(rates):,.0f} a second)", f"at least {LOOK_UPS_TIMES}",
              ratio >= LOOK_UPS_TIMES)


def pace_posts(judge, dsn, peak, pgbench_peak, rounds, seconds):
    runs, beside = [], []
    for number in range(rounds):
        measure.drain(dsn)
        runs.append(measure.paced(measure.PORT, int(peak / 2), 2 * seconds, f"half{number}"))
        measure.drain(dsn)
        beside.append(measure.pgbench_paced(dsn, pgbench_peak / 2, 2 * seconds))
    p99 = statistics.median(run["p99"] for run in runs)
    judge.add(f"p99 of a POST at half of the peak ({peak / 2:,.0f} a second, whatever comes back), by round",
              ", ".join(f"{run['p99']:.1f}" for run in runs) + f" ms; p50 {statistics.median(run['p50'] for run in runs):.1f} ms",
              f"median at most {P99_MS:.0f} ms", p99 <= P99_MS and not any(run["refused"] for run in runs))
    judge.add(f"  p99 of pgbench's three upserts at half of its own peak ({pgbench_peak / 2:,.0f} a second), after each round",
              ", ".join(f"{value:.1f}" for value in beside) + " ms", "what this machine's disk allows", None)


class Side:
    """A daemon on one of the two databases that are compared."""

    def __init__(self, binary, conninfo, directory):
        done = run_command(binary, "migrate", "up", conninfo=conninfo, timeout=3600)
        assert done.returncode == 0, done.stderr
        self.database = list_million.Filled(conninfo)
        self.daemon = Intake(binary, self.database, directory, {"log.level": "warning"}).start()
        self.rates = []

    def round(self, seconds):
        self.rates.append(measure.post(self.daemon.base, 64, seconds)[0])
        left = "SELECT 1 FROM medical_questionnaire_submissions WHERE status = 'submitted' AND next_attempt_at <= now() LIMIT 1"
        if seconds_until(lambda: not self.database.column(left), 600) >= 600:
            sys.exit("the worker does not come to an end")

    def end(self):
        self.daemon.stop()
        self.database.connection.close()


def compare_stored(judge, binary, kept, rounds, seconds):
    """Rounds on an empty database and on `kept`, in turns; what is posted stays in `kept`."""
    empty_name = f"bench_empty_{os.getpid()}"
    directory = tempfile.mkdtemp(prefix="intake-load-", dir="/tmp")
    sides = []
    with psycopg.connect(psycopg.conninfo.make_conninfo(kept, dbname="postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {empty_name}")
        try:
            empty, full = (psycopg.conninfo.make_conninfo(kept, dbname=empty_name), kept)
            for conninfo in (empty, full):
                sides.append(Side(binary, conninfo, directory))
            stored = sides[1].database.column("SELECT reltuples::bigint FROM pg_class"
                                              " WHERE relname = 'medical_questionnaire_submissions'")[0]
            for _ in range(rounds + 1):
                for side in sides:
                    side.round(seconds)
            resident = [resources(side.daemon)[0] for side in sides]
        finally:
            for side in sides:
                side.end()
            admin.execute(f"DROP DATABASE {empty_name} WITH (FORCE)")
            shutil.rmtree(directory)
    # The first round of each fills the caches.
    without, with_them = (statistics.median(side.rates[1:]) for side in sides)
    share = with_them / without
    judge.add(f"throughput of posts with {stored:,} stored, against an empty table",
              f"{share:.2f} times ({with_them:,.0f} a second against {without:,.0f})", f"at least {STORED_TIMES}",
              share >= STORED_TIMES)
    judge.add("  resident MiB, empty and with them", f"{resident[0]:.1f} / {resident[1]:.1f}",
              f"at most {MORE_MIB:.0f} more", resident[1] - resident[0] <= MORE_MIB)


def filled(cluster, rows):
    """The conninfo of a database with so many submissions, durable from now on."""
    conninfo = list_million.fill(cluster, rows)
    cluster.restart(settings=DURABLE)
    return conninfo


def prove(binary, table, short, kept=None, rows=None):
    """`kept`: a superuser's conninfo of a database that list_load.sql filled; else `rows` are filled in."""
    judge = Judge(table, short)
    rounds, seconds = (1, 2) if short else (3, 10)
    with quickstarted() as (dsn, data, has_peer):
        peak, pgbench_peak = compare_posts(judge, dsn, has_peer, rounds, seconds)
        pace_posts(judge, dsn, peak, pgbench_peak, rounds, seconds)
        compare_look_ups(judge, dsn, data, rounds, seconds)
    cluster = None if kept else Cluster()
    try:
        compare_stored(judge, binary, kept or filled(cluster, rows or (20_000 if short else 10_000_000)), rounds, seconds)
    finally:
        if cluster is not None:
            cluster.close()
