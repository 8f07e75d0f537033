"""A full disk, PostgreSQL's and the log's: refused and tried again, and nothing is given up because of it."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time

import psycopg

from .faults import (READY_WITHIN_S, among, instance_counts, prove_resources, report_processing, seconds_until_serving,
                     wait_processed, warm_up)
from .ledger import Ledger, compare
from .stage import OPTIONS, Stage, seconds_until

# A disk that stays full for longer than as many leases would use the attempts up.
LEASE_MS, ATTEMPTS = 1000, 3


class SmallDisk:
    """A file system of its own that can be filled to its last byte; `mounted` says whether we may."""

    def __init__(self, mebibytes):
        self.directory = tempfile.mkdtemp(prefix="intake-disk-", dir="/tmp")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=755", "tmpfs", self.directory],
                              capture_output=True, check=False)
        self.mounted = done.returncode == 0

    def folder(self, name):
        path = os.path.join(self.directory, name)
        os.mkdir(path, 0o700)
        owner = pwd.getpwnam("postgres")
        os.chown(path, owner.pw_uid, owner.pw_gid)
        return path

    def fill(self):
        with open(os.path.join(self.directory, "filler"), "ab", buffering=0) as file:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass

    def stay_full(self, seconds):
        """But for a few pages at times, which are soon gone: what begins does not end."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with open(os.path.join(self.directory, "filler"), "ab") as file:
                file.truncate(file.tell() - 5 * 8192)
            time.sleep(0.1)
            self.fill()

    def free(self):
        os.unlink(os.path.join(self.directory, "filler"))

    def close(self):
        if self.mounted:
            subprocess.run(["umount", "--lazy", self.directory], check=True)
        os.rmdir(self.directory)


def move_wal(stage, disk):
    """pg_wal lies on the disk, which then has room for a few segments more."""
    stage.cluster.stop()
    old, new = os.path.join(stage.cluster.data, "pg_wal"), disk.folder("pg_wal")
    subprocess.run(["cp", "-a", old + "/.", new], check=True)
    shutil.rmtree(old)
    os.symlink(new, old)
    stage.cluster.start()


def move_tables(stage, disk):
    with stage.cluster.connect("postgres") as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{disk.folder('tables')}'")
        connection.execute(f"ALTER DATABASE {stage.database.name} SET TABLESPACE small")


def accepts(stage):
    try:
        stage.database.connect("postgres").close()
        return True
    except psycopg.OperationalError:
        return False


def exhaust_wal(stage):
    """Uses up what is left of the segments; PostgreSQL panics when it needs the next one."""
    def panics():
        try:
            with stage.database.connect("postgres") as connection:
                connection.execute("SELECT pg_logical_emit_message(false, 'intake', 'x'), pg_switch_wal()")
        except psycopg.Error:
            return True
        return False

    assert seconds_until(panics, 60) < 60


def start_again(stage):
    """Its postmaster may have ended, or be in the middle of a recovery of its own."""
    def runs():
        if accepts(stage):
            return True
        try:
            stage.cluster.start()
        except subprocess.CalledProcessError:
            pass
        return accepts(stage)

    assert seconds_until(runs, 60) < 60


def prove_full(table, binary, what, move, exhaust, hold_s, instances):
    disk = SmallDisk(128)
    try:
        if not disk.mounted:
            table.skip(f"{what} is full", "this user may not mount", "as root")
            return
        with Stage(binary) as stage:
            move(stage, disk)
            daemons = stage.start({"worker.lease_ms": LEASE_MS, "worker.attempts_max": ATTEMPTS}, instances)
            book = Ledger([daemon.port for daemon in daemons])
            before = warm_up(stage, book, daemons)
            book.start()
            book.wait_for_more(100)
            disk.fill()
            exhaust(stage)
            refused = book.outcomes["503"]
            assert seconds_until(lambda: book.outcomes["503"] > refused + 50, 60) < 60, "nothing was refused"
            disk.stay_full(hold_s)
            disk.free()
            start_again(stage)
            ready = seconds_until_serving(book, daemons)
            book.wait_for_more(200)
            book.stop()
            report(table, f"{what} is full for {hold_s:.0f} s{among(instances)}", stage, book, ready)
            prove_resources(table, daemons, before)
    finally:
        disk.close()


def report(table, what, stage, book, ready):
    wait_processed(stage)
    failed = stage.database.value("SELECT count(*) FROM medical_questionnaire_submissions WHERE status = 'failed'")
    wrong = compare(book, stage.database)
    for line in wrong[:5]:
        print(f"    {line}")
    table.add(what, f"{book.acknowledged()} acknowledged, {book.outcomes['503']} refused, "
              f"{len(wrong)} missing, doubled or wrong", "0", not wrong)
    table.add("  given up because of it", str(failed), "0", failed == 0)
    table.add("  ready after PostgreSQL", f"{ready:.2f} s", f"{READY_WITHIN_S:.0f} s", ready < READY_WITHIN_S)
    report_processing(table, stage)


def prove_log(table, binary, instances):
    """Every line of the log is lost."""
    with Stage(binary) as stage:
        daemons = [stage.prepare({**OPTIONS, "log.level": "debug"}) for _ in range(instances)]
        for daemon in daemons:
            usual, daemon.log_path = daemon.log_path, "/dev/full"
            daemon.launch()
            daemon.log_path = usual
            daemon.wait_notification("READY=1")
        book = Ledger([daemon.port for daemon in daemons]).start()
        book.wait_for_more(200)
        wrong = compare(book.stop(), stage.database)
        for daemon in daemons:
            daemon.stop()
        table.add(f"the log's disk is full{among(instances)}",
                  f"{book.acknowledged()} acknowledged, {len(wrong)} missing, doubled or wrong", "0", not wrong)


def prove(binary, table, short):
    hold_s = 1 if short else 30
    for instances in instance_counts(short):
        prove_full(table, binary, "the disk of PostgreSQL's tables", move_tables, lambda stage: None, hold_s, instances)
        if not short:
            prove_full(table, binary, "the disk of PostgreSQL's WAL", move_wal, exhaust_wal, hold_s, instances)
        prove_log(table, binary, instances)
