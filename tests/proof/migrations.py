"""Every migration, up and down, while other programs and the daemon write: nobody waits, nothing is lost.

The figures are the server's own: it times every statement of the writers, and logs whoever waits
for a lock longer than REPORTED_MS.
"""

import contextlib
import re
import time

import psycopg

from intake_harness import migrating
from intake_harness.daemon import run_command
from intake_harness.legacy import LegacyWriters, load
from intake_harness.schema import LATEST, use
from intake_harness.waiting import eventually

from .contents import LEGACY, Unchanged, lost, some_use
from .ledger import Ledger, compare
from .stage import DURABLE, OPTIONS, Stage

ROWS, ROWS_SHORT = 2_000_000, 20_000
PROMISED_MS = 50
# More than a step ever waits (so that the check for deadlocks never strikes a writer) and less than is promised.
REPORTED_MS = 25
SETTINGS = f"""{DURABLE}
shared_buffers = 512MB
log_lock_waits = on
deadlock_timeout = {REPORTED_MS}ms
log_min_messages = error
log_min_error_statement = panic
"""
PATIENCE_S = 3600
# Steps that find everything there, that only build or drop indexes, or that wait for such a one first: nobody waits
# behind them, and an idle transaction stops them, if at all.
HINDER_NOBODY = ("000 up", "003 down", "014 up", "014 down", "015 down")
# Those that only make new tables, which nobody holds; up again, they restore what was parked.
FIRST_HINDER_NOBODY = HINDER_NOBODY + ("004 up", "006 up", "007 up", "008 up", "011 up", "012 up")

GAVE_WAY = "intake migrate ERROR:  canceling statement due to lock timeout"
WAITED = re.compile(r"\] (legacy writer|intake (?!migrate)\w+) LOG:  process \d+ acquired (\w+) on (?:relation|tuple|transaction)"
                    r" .*after ([0-9.]+) ms")


class ServerLog:
    """What the server has written since it was last asked."""

    def __init__(self, cluster):
        self._file = open(cluster.log, encoding="utf-8", errors="replace")
        self.take()

    def take(self):
        """(the longest wait of a writer for a lock in ms, how often a step gave way)."""
        text = self._file.read()
        return max((float(ms) for _, _, ms in WAITED.findall(text)), default=0.0), text.count(GAVE_WAY)

    def close(self):
        self._file.close()


class LegacyStage(Stage):
    """A database as it was before Intake."""

    def __init__(self, binary, rows):
        super().__init__(binary, SETTINGS)
        self.rows = rows

    def fill(self):
        load(self.database, self.rows)
        with self.database.connect("postgres") as connection:
            connection.execute("CHECKPOINT")  # and files of WAL that are written anew, as a server has that is not new


class Walk:
    """Steps in one direction, each measured for itself."""

    def __init__(self, stage, log, writers, hinder_nobody=HINDER_NOBODY):
        self._stage, self._log, self._writers, self._hinder_nobody = stage, log, writers, hinder_nobody
        self.steps, self.lock_ms, self.held, self.gave_way, self.seconds = 0, 0.0, 0, 0, 0.0
        self.statements = {}  # by step: the longest of a writer, and the noise meanwhile, in ms

    def step(self, direction, to, hold_s, broken_off=None):
        """One run that an idle transaction meets; `broken_off(stage, direction, to)` kills one before it."""
        self._writers.take()
        self._log.take()
        begun, written_from = time.monotonic(), self._wal()
        with broken_off(self._stage, direction, to) if broken_off is not None else contextlib.nullcontext():
            gave_way = self._meet_idle(direction, to, hold_s)
        seconds = time.monotonic() - begun
        self._writers.wait_for_writes(1)
        (statement_ms, noise_ms), (lock_ms, gave_way_late) = self._writers.take(), self._log.take()
        self._note(f"{direction} to {to:03}", seconds, statement_ms, noise_ms, lock_ms)
        print(f"    {direction} to {to:03}: {seconds:.1f} s, {(self._wal() - written_from) / 1e6:.0f} MB of WAL,"
              f" longest statement {statement_ms:.0f} ms, noise {noise_ms:.0f} ms, longest wait for a lock {lock_ms:.0f} ms,"
              f" gave way {gave_way + gave_way_late} times", flush=True)

    def _meet_idle(self, direction, to, hold_s):
        """
        An idle transaction holds every table for `hold_s`, and longer until the step gives way, if it is one of
        those that must. Returns how often it did.
        """
        must = f"{to if direction == 'up' else to + 1:03} {direction}" not in self._hinder_nobody
        gave_way = 0

        def is_over():
            nonlocal gave_way
            lock_ms, gave_way_now = self._log.take()
            self.lock_ms = max(self.lock_ms, lock_ms)
            gave_way += gave_way_now
            return time.monotonic() > begun + hold_s and (not must or gave_way > 0 or process.poll() is not None)

        with self._stage.database.connect() as idle, idle.transaction():
            for row in self._stage.database.query(
                    "SELECT oid::regclass AS name FROM pg_class WHERE relkind = 'r'"
                    " AND relnamespace IN ('public'::regnamespace, to_regnamespace('intake_archive'))"):
                idle.execute(f"SELECT FROM {row['name']} LIMIT 1")
            process = migrating.start_migrate(self._stage.binary, self._stage.database, direction, "--to", str(to))
            begun = time.monotonic()
            eventually(is_over, PATIENCE_S, "the step to give way to an idle transaction")
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, errors
        self.held += must
        self.gave_way += must and gave_way > 0
        return gave_way

    def _wal(self):
        return int(self._stage.database.value("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"))

    def _note(self, name, seconds, statement_ms, noise_ms, lock_ms):
        self.steps += 1
        self.seconds += seconds
        self.lock_ms = max(self.lock_ms, lock_ms)
        self.statements[name] = statement_ms, noise_ms

    def report(self, table, what):
        waited = f"{self.lock_ms:.0f} ms" if self.lock_ms > 0 else f"less than {REPORTED_MS} ms"
        table.add(f"{what}, {self.steps} steps: the longest wait of a writer for a lock", waited,
                  f"{PROMISED_MS} ms", self.lock_ms <= PROMISED_MS)
        name, (statement_ms, noise_ms) = worst_step(self.statements)
        table.add(f"  the worst step's ({name}) longest statement of a writer, and then on a table that no step touches",
                  f"{statement_ms:.0f} / {noise_ms:.0f} ms", f"at most {PROMISED_MS} ms more",
                  statement_ms <= noise_ms + PROMISED_MS)
        longest_ms = max(statement_ms for statement_ms, _ in self.statements.values())
        table.add("  the longest statement of a writer in any step, whatever the machine did", f"{longest_ms:.0f} ms",
                  "as the machine is", None)
        table.add("  steps that hinder writers, and gave way to an idle transaction and finished after it",
                  f"{self.gave_way} of {self.held}", "all", self.gave_way == self.held)
        table.add("  duration", f"{self.seconds:.0f} s", "as long as it takes", None)


def worst_step(statements):
    """That whose longest statement exceeds its own noise by the most."""
    return max(statements.items(), key=lambda item: item[1][0] - item[1][1])


class BreakOff:
    """Contexts that kill a run in its middle, and note what it left and what the run within did about it."""

    def __init__(self, table):
        self._table = table

    @contextlib.contextmanager
    def index_build(self, stage, direction, to):
        with stage.database.connect() as old, old.transaction():
            old.execute("DECLARE c CURSOR FOR SELECT FROM messages")  # an old snapshot
            old.execute("FETCH 1 FROM c")
            process = migrating.start_migrate(stage.binary, stage.database, direction, "--to", str(to))
            migrating.waiting_index_build(stage.database, PATIENCE_S)
            migrating.break_off(stage.database, process)
        left = migrating.invalid_indexes(stage.database)
        yield
        after = migrating.invalid_indexes(stage.database)
        self._table.add("killed in a concurrent index: invalid ones left, and after the next run",
                        f"{len(left)} / {len(after)}", "none after it", len(left) > 0 and not after)

    def pages(self, count, total):
        """SQL: how many rows have been done while it is at work, and how many when it has ended."""
        @contextlib.contextmanager
        def broken_off(stage, direction, to):
            process = migrating.start_migrate(stage.binary, stage.database, direction, "--to", str(to))
            eventually(lambda: so_far(stage.database, count) > 0, PATIENCE_S, "some pages")
            migrating.break_off(stage.database, process)
            done = so_far(stage.database, count)
            yield
            rows = so_far(stage.database, total)
            self._table.add(f"killed while it works in pages ({direction} to {to:03}): rows done by then, and by the next run",
                            f"{done} / {rows}", "all by the next run", 0 < done < rows)
        return broken_off


def so_far(database, count):
    """0 where there is nothing yet to count."""
    try:
        return database.value(f"SELECT {count}")
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        return 0


def prove(binary, table, short, patients=None):
    rows = patients or (ROWS_SHORT if short else ROWS)
    hold_s = 0.3 if short else 1.0
    with LegacyStage(binary, rows) as stage:
        log = ServerLog(stage.cluster)
        legacy = Unchanged(stage.database, LEGACY)
        with LegacyWriters(stage.database, 4, pause_s=0.05, control_pause_s=0.005) as writers:
            prove_walks(stage, table, log, writers, legacy, hold_s, 2 if short else 10)
        log.close()


def baseline_noise(writers, seconds):
    writers.take()
    time.sleep(seconds)
    statement_ms, noise_ms = writers.take()
    print(f"    no step: longest statement {statement_ms:.0f} ms, noise {noise_ms:.0f} ms", flush=True)


def prove_walks(stage, table, log, writers, legacy, hold_s, baseline_s):
    baseline_noise(writers, baseline_s)
    breaks = BreakOff(table)
    emails = "count(*) FROM users WHERE email IS NOT NULL"
    up = Walk(stage, log, writers, FIRST_HINDER_NOBODY)
    kills = {1: breaks.index_build, 2: breaks.pages(emails, emails)}
    for to in range(LATEST + 1):
        up.step("up", to, hold_s, kills.get(to))
        if to == 1:
            stage.database.query("GRANT SELECT, INSERT, UPDATE ON medical_questionnaire_submissions TO legacy")
    up.report(table, f"up, {stage.rows:,} legacy patients")
    legacy.compare(table, "  values of the legacy columns that changed")

    daemon = begin_use(stage)
    everything = Unchanged(stage.database, writers=writers)
    # Long patience: with the first steps taken back, the daemon has nowhere to write.
    book = Ledger([daemon.port], clients=2, patience_s=PATIENCE_S).start()
    book.wait_for_more(20)

    down = Walk(stage, log, writers)
    parked = "count(*) FROM intake_archive.users_002"
    for to in range(LATEST - 1, -1, -1):
        down.step("down", to, hold_s, {1: breaks.pages(parked + "_unfinished", parked)}.get(to))
    down.report(table, "down, with the daemon at work")
    legacy.compare(table, "  values of the legacy columns that changed")

    again = Walk(stage, log, writers)
    for to in range(1, LATEST + 1):
        again.step("up", to, hold_s)
    again.report(table, "up again, with the daemon at work")
    book.wait_for_more(20)
    book.stop()
    everything.compare(table, "up, use, down, up: values that changed")
    prove_what_was_written_meanwhile(stage, table, writers, book)


def begin_use(stage):
    """A daemon, and rows of every kind that a step back has to park, all of them sealed."""
    stage.command("migrate", "grant", "--role", "intake_daemon")
    use(stage.database)
    some_use(stage.database, stage.rows // 10)
    daemon = stage.start(OPTIONS)[0]
    eventually(lambda: stage.database.value("SELECT max(last_id) FROM audit_seals") == stage.database.value(
        "SELECT max(id) FROM audit_log"), 300, "the audit to be sealed")
    return daemon


def prove_what_was_written_meanwhile(stage, table, writers, book):
    acknowledged = dict(writers.acknowledged)
    submissions = sum(submission is not None for submission in acknowledged.values())
    missing = lost(stage.database, acknowledged)
    table.add("written by the others meanwhile, of them with a submission, and missing or other than written",
              f"{len(acknowledged)} / {submissions} / {missing}", "0 missing", missing == 0 < submissions)
    wrong = compare(book, stage.database, alone=False)
    table.add("acknowledged by the daemon meanwhile, and missing, doubled or wrong",
              f"{book.acknowledged()} / {len(wrong)}", "0 wrong", not wrong)
    for line in wrong[:5]:
        print(f"    {line}")
    audit = run_command(stage.binary, "audit", "verify", conninfo=stage.database.conninfo, timeout=PATIENCE_S)
    table.add("the audit's chain after it all", "whole" if audit.returncode == 0 else audit.stderr + audit.stdout, "whole",
              audit.returncode == 0)
    invalid = migrating.invalid_indexes(stage.database)
    table.add("invalid indexes in the end", str(len(invalid)), "0", not invalid)
    stage.command("migrate", "check")
