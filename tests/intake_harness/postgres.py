"""A private PostgreSQL for a test session, and databases in it."""

import glob
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

import psycopg
from psycopg.rows import dict_row

# The tests kill processes, never the machine: nothing is lost without fsync.
SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{directory}'
max_connections = 200
shared_buffers = 64MB
fsync = off
dynamic_shared_memory_type = mmap
timezone = 'UTC'
log_line_prefix = '%m [%p] %a '
"""


MEMORY, MEMORY_NEEDED = "/dev/shm", 4 << 30


def in_memory():
    """
    Where to put what is made and removed in great numbers: a file system in memory, or /tmp where there is none or little
    of it. A database is hundreds of files, and ext4 searches long for a number that none of those had that were just removed.
    """
    try:
        room = os.statvfs(MEMORY)
    except FileNotFoundError:
        return "/tmp"
    return MEMORY if room.f_bavail * room.f_frsize >= MEMORY_NEEDED else "/tmp"


def newest_bin():
    """The directory of the newest PostgreSQL server's programs."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    return os.path.dirname(max(found, key=lambda path: float(path.split("/")[4])))


def unprivileged_prefix():
    """What goes before a command to run it as somebody whom PostgreSQL accepts, and who that is."""
    if os.geteuid() != 0:
        return [], None
    user = pwd.getpwnam("postgres")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups", "--"], user


class Cluster:
    """One postmaster on a Unix socket of its own; can be stopped, killed and started again.

    `settings` are lines of postgresql.conf that come on top of those of the tests.
    """

    def __init__(self, settings="", parent="/tmp"):
        # Short, for the socket's path; below a directory where an unprivileged user may be.
        self.directory = tempfile.mkdtemp(prefix="intake-pg-", dir=parent)
        self.data = os.path.join(self.directory, "data")
        self.log = os.path.join(self.directory, "server.log")
        self.bin = newest_bin()
        self._prefix, user = unprivileged_prefix()
        if user is not None:
            os.chown(self.directory, user.pw_uid, user.pw_gid)
        self._numbers = itertools.count(1)
        self._run(["initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync",
                   "--encoding=UTF8", "--locale=C.UTF-8"])
        self._configure(SETTINGS.format(directory=self.directory) + settings)
        self.start()
        with self.connect("postgres") as connection:
            connection.execute("CREATE ROLE intake LOGIN CREATEDB")
            connection.execute("CREATE ROLE intake_daemon LOGIN")
            connection.execute("GRANT pg_read_all_stats TO intake")  # tests ask what the daemon waits for

    def _run(self, command):
        command = [os.path.join(self.bin, command[0])] + command[1:]
        done = subprocess.run(self._prefix + command, cwd="/", stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}"

    def _control(self, *arguments):
        # Into a file and not a pipe: the postmaster inherits what pg_ctl writes to.
        command = [os.path.join(self.bin, "pg_ctl"), "-D", self.data, "-w", "-s", *arguments]
        if arguments[0] in ("start", "restart"):
            command += ["-l", self.log]
        subprocess.run(self._prefix + command, cwd="/", stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, check=True)

    def _configure(self, settings):
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as conf:
            conf.write(settings)

    def start(self):
        self._control("start")

    def stop(self, mode="fast"):
        self._control("stop", "-m", mode)

    def restart(self, mode="fast", settings=""):
        """With `settings` on top of those so far."""
        self._configure(settings)
        self._control("restart", "-m", mode)

    def promote(self):
        """Begins a later timeline, as a standby does that takes the primary's place."""
        open(os.path.join(self.data, "standby.signal"), "w", encoding="ascii").close()
        self._control("restart", "-m", "fast")
        self._control("promote")

    def kill(self):
        """As the kernel would, when memory is out: every process at once, no farewell."""
        self.stop("immediate")

    def signal(self, number):
        os.kill(self.pid(), number)

    def pid(self):
        with open(os.path.join(self.data, "postmaster.pid"), encoding="ascii") as file:
            return int(file.readline())

    def conninfo(self, database, user="postgres"):
        return f"host={self.directory} dbname={database} user={user}"

    def connect(self, database, user="postgres"):
        return psycopg.connect(self.conninfo(database, user), autocommit=True, row_factory=dict_row)

    def create_database(self, template=None):
        name = f"test_{next(self._numbers)}"
        source = f" TEMPLATE {template} STRATEGY FILE_COPY" if template else ""  # less work than through the WAL
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name} OWNER intake{source}")
        return Database(self, name)

    def close(self):
        if os.path.exists(os.path.join(self.data, "postmaster.pid")):
            self.signal(signal.SIGCONT)
            self.stop("immediate")
        shutil.rmtree(self.directory, ignore_errors=True)


class Database:
    """One database of a cluster, with a connection for looking into it."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.name = name
        self.conninfo = cluster.conninfo(name, "intake")  # the tables' owner
        self.daemon_conninfo = cluster.conninfo(name, "intake_daemon")
        self._connection = None

    def connect(self, user="intake"):
        return self.cluster.connect(self.name, user)

    def query(self, sql, parameters=()):
        """All rows as dicts, each statement its own transaction; [] where there are none."""
        if self._connection is None:
            self._connection = self.connect()
        try:
            cursor = self._connection.execute(sql, parameters)
        except psycopg.OperationalError:
            if not self._connection.broken and not self._connection.closed:
                raise
            self._connection = self.connect()  # the server was restarted since the last call
            cursor = self._connection.execute(sql, parameters)
        return cursor.fetchall() if cursor.description is not None else []

    def one(self, sql, parameters=()):
        rows = self.query(sql, parameters)
        assert len(rows) == 1, f"{len(rows)} rows: {sql}"
        return rows[0]

    def value(self, sql, parameters=()):
        (value,) = self.one(sql, parameters).values()
        return value

    def submission(self, booking_uid):
        return self.one("SELECT * FROM medical_questionnaire_submissions WHERE booking_uid = %s",
                        (booking_uid,))

    def profile(self, booking_uid):
        return self.one("""
            SELECT p.*, u.phone_number, u.email AS user_email, u.name AS user_name, u.user_type
              FROM medical_questionnaire_submissions s
              JOIN patient_profiles p ON p.id = s.patient_profile_id
              JOIN users u ON u.id = p.user_id
             WHERE s.booking_uid = %s""", (booking_uid,))

    def background(self, booking_uid):
        """medical_data of the booking's patient, or None."""
        rows = self.query("""
            SELECT b.medical_data
              FROM medical_questionnaire_submissions s
              JOIN medical_backgrounds b ON b.patient_profile_id = s.patient_profile_id
             WHERE s.booking_uid = %s""", (booking_uid,))
        return rows[0]["medical_data"] if rows else None

    def close(self):
        """Nobody is in it any more, so that it can be copied; the next query opens it again."""
        if self._connection is not None:
            self._connection.close()

    def drop(self):
        self.close()
        with self.cluster.connect("postgres") as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")
