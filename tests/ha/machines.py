"""Several machines on one: three etcd, three PostgreSQL under Patroni, and HAProxy, as the README sets them up.

The configuration files are this directory's, which the README points to; only addresses, ports and directories
are put into them, and times that a test can wait for.
"""

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request

import psutil
import psycopg
from psycopg.rows import dict_row

from intake_harness.daemon import free_port
from intake_harness.postgres import Database, newest_bin, unprivileged_prefix
from intake_harness.waiting import eventually
from ha import network

HERE = os.path.dirname(os.path.abspath(__file__))
FRONT = "127.0.0.1"  # where HAProxy and the daemons are
NAMES = ("a", "b", "c")
# Later versions of Patroni than Debian's insist on a ttl of 20 at least, against needless failovers.
RECOMMENDED_TIMES = {"ttl": 20, "loop_wait": 5, "retry_timeout": 5}
# What a test can wait for.
TIMES = {"ttl": 5, "loop_wait": 1, "retry_timeout": 2}


def fetch(address, port, path, body=None, timeout=2):
    """(status, JSON or None) of one request; (0, None) when nobody answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{address}:{port}{path}", data)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as reply:
            text = reply.read()
            return reply.status, json.loads(text) if text.startswith(b"{") else None
    except urllib.error.HTTPError as error:
        return error.code, None
    except (OSError, ValueError):
        return 0, None


def descendants(pid):
    """The process and all that it started, parents first."""
    try:
        parent = psutil.Process(pid)
        return [parent] + parent.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def signal_all(pids, number):
    """Parents first and until nobody new is found, since a process may start another meanwhile."""
    seen = set()
    while True:
        fresh = [process for pid in pids for process in descendants(pid) if process.pid not in seen]
        if not fresh:
            return
        for process in fresh:
            seen.add(process.pid)
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                pass


class Machine:
    """One PostgreSQL and its Patroni."""

    def __init__(self, site, name):
        self.site, self.name, self.address = site, name, site.network.address(name)
        self.port, self.rest_port = free_port(), free_port()
        self.directory = site.make_directory(name)
        self.config = site.fill("patroni.yml", self.directory, {
            "name": name, "address": self.address, "directory": self.directory, "postgresql_port": self.port,
            "rest_port": self.rest_port, "etcd_hosts": site.etcd_hosts, "postgresql_bin": newest_bin(), "watchdog": "off"})
        self.process = None

    def start(self):
        self.process = self.site.launch(["patroni", self.config], f"{self.name}/patroni.log",
                                        self.site.network.prefix(self.name))

    def ask(self, path, body=None, timeout=2):
        """Patroni's (status, JSON or None)."""
        return fetch(self.address, self.rest_port, path, body, timeout)

    def members(self):
        """{name: member} as this machine's Patroni has it, which may be of the past when it is cut off."""
        status, cluster = self.ask("/cluster") if self.process else (0, None)
        return {member["name"]: member for member in cluster["members"]} if status == 200 and cluster else {}

    def postmaster(self):
        try:
            with open(os.path.join(self.directory, "postgresql", "postmaster.pid"), encoding="ascii") as file:
                pid = int(file.readline())
            return pid if self.directory in " ".join(psutil.Process(pid).cmdline()) else None
        except (FileNotFoundError, ValueError, psutil.Error):
            return None

    def signal(self, number):
        """To Patroni, PostgreSQL, and all their processes."""
        postmaster = self.postmaster()
        signal_all([self.process.pid] + ([postmaster] if postmaster else []), number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        eventually(lambda: self.postmaster() is None, what="the postmaster's end")

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def freeze_patroni(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw_patroni(self):
        self.process.send_signal(signal.SIGCONT)

    def unplug(self):
        self.site.network.pull(self.name)

    def plug(self):
        self.site.network.plug(self.name)

    def connect(self, database="postgres"):
        conninfo = f"host={self.address} port={self.port} user=postgres password={self.site.password} dbname={database}"
        return psycopg.connect(conninfo, autocommit=True, connect_timeout=2)


class Site:
    """Use as a context: everything runs and is healthy inside, and is gone afterwards."""

    def __init__(self, times):
        self.times = times
        self.password = secrets.token_hex(16)
        self._prefix, self._user = unprivileged_prefix()
        # Short, for the sockets' paths; below /tmp, where an unprivileged user may be.
        self.directory = tempfile.mkdtemp(prefix="intake-ha-", dir="/tmp")
        self._own(self.directory)
        self._processes = []
        self.machines = []
        self.network = network.connect(NAMES)
        self.haproxy_port = free_port()

    def __enter__(self):
        try:
            self._start_etcd()
            self.machines = [Machine(self, name) for name in NAMES]
            self.machines[0].start()
            eventually(lambda: self.leader() is self.machines[0], 60, "the first primary")
            for machine in self.machines[1:]:
                machine.start()
            self.wait_healthy()
            self._create_database()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for machine in self.machines:
            if machine.process is not None:
                machine.kill()
        for process in self._processes:
            process.kill()
            process.wait()
        self.network.close()
        shutil.rmtree(self.directory)

    def _own(self, path):
        if self._user is not None:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)

    def make_directory(self, name):
        path = os.path.join(self.directory, name)
        os.mkdir(path, 0o700)
        self._own(path)
        return path

    def fill(self, template, directory, values):
        """The file of that name, with its ${…} filled in; its path."""
        values = {**self.times, "network": self.network.network, "password": self.password, **values}
        with open(os.path.join(HERE, template), encoding="utf-8") as file:
            text = re.sub(r"\$\{(\w+)\}", lambda found: str(values[found.group(1)]), file.read())
        path = os.path.join(directory, template)
        with open(path, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
        self._own(path)
        return path

    def launch(self, command, log, where=()):
        """
        In a session of its own: a terminal's Ctrl-C is ours to pass on; gone when we are. `where` is what
        goes before a command to run it on a machine.
        """
        environment = {"PATH": os.environ["PATH"], "HOME": self.directory, "LANG": "C.UTF-8"}
        with open(os.path.join(self.directory, log), "ab") as output:
            process = subprocess.Popen([*where, *self._prefix, "setpriv", "--pdeathsig", "TERM", "--", *command],
                                       cwd=self.directory, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=output, start_new_session=True)
        self._processes.append(process)
        return process

    def _start_etcd(self):
        ports = {name: (free_port(), free_port()) for name in NAMES}
        addresses = {name: self.network.address(name) for name in NAMES}
        self.etcd_hosts = ",".join(f"{addresses[name]}:{client}" for name, (client, _) in ports.items())
        peers = ",".join(f"{name}=http://{addresses[name]}:{peer}" for name, (_, peer) in ports.items())
        for name, (client, peer) in ports.items():
            directory = self.make_directory(f"etcd-{name}")
            config = self.fill("etcd.yml", directory, {"name": name, "address": addresses[name], "directory": directory,
                                                       "client_port": client, "peer_port": peer, "peers": peers})
            self.launch(["etcd", "--config-file", config], f"etcd-{name}/etcd.log", self.network.prefix(name))
        for name, (client, _) in ports.items():
            eventually(lambda n=name, port=client: fetch(addresses[n], port, "/health")[0] == 200, 30, "etcd")

    def start_haproxy(self, daemons):
        addresses = {f"daemon_{name}": f"{FRONT}:{daemon.port}" for name, daemon in zip(NAMES, daemons)}
        config = self.fill("haproxy.cfg", self.directory, {"address": FRONT, "haproxy_port": self.haproxy_port, **addresses})
        self.launch(["/usr/sbin/haproxy", "-db", "-f", config], "haproxy.log")
        eventually(lambda: fetch(FRONT, self.haproxy_port, "/health/ready")[0] == 200, 20, "HAProxy")

    def _create_database(self):
        script = self.fill("roles.sql", self.directory, {})
        done = subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo("postgres"), "-f", script],
                              text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        self.database = Database(self, "intake")

    def conninfo(self, database, user="postgres"):
        """As the daemons have it: all three, and whichever of them takes writes."""
        hosts = ",".join(machine.address for machine in self.machines)
        ports = ",".join(str(machine.port) for machine in self.machines)
        return (f"host={hosts} port={ports} target_session_attrs=read-write dbname={database}"
                f" user={user} password={self.password}")

    def connect(self, database, user="postgres"):
        return psycopg.connect(self.conninfo(database, user), autocommit=True, row_factory=dict_row, connect_timeout=2)

    def leader(self):
        """Whoever says that it is the primary."""
        return next((machine for machine in self.machines if machine.process is not None
                     and machine.ask("/primary")[0] == 200), None)

    def standbys(self):
        """(the synchronous one, the others), as the primary's Patroni has it."""
        leader = self.leader()
        members = leader.members() if leader else {}
        roles = {machine: members.get(machine.name, {}).get("role") for machine in self.machines}
        synchronous = [machine for machine, role in roles.items() if role == "sync_standby"]
        others = [machine for machine, role in roles.items() if role == "replica"]
        return synchronous[0] if synchronous else None, others

    def is_healthy(self):
        """Everybody says the same: one primary, one synchronous standby, one more, all streaming the same history."""
        views = [machine.members() for machine in self.machines]
        members = views[0].values()
        return (all({name: member["role"] for name, member in view.items()}
                    == {name: member["role"] for name, member in views[0].items()} for view in views)
                and sorted(member["role"] for member in members) == ["leader", "replica", "sync_standby"]
                and all(member["state"] in ("running", "streaming") for member in members)
                and len({member.get("timeline") for member in members}) == 1)

    def mend(self):
        """Ends whatever a fault did."""
        for machine in self.machines:
            machine.plug()
            if machine.process.poll() is None:
                machine.thaw()
            else:
                machine.start()

    def last_words(self):
        """The end of what every Patroni and PostgreSQL wrote."""
        texts = []
        for machine in self.machines:
            with open(os.path.join(self.directory, machine.name, "patroni.log"), encoding="utf-8") as file:
                texts.append(f"{machine.name}:\n" + "".join(file.readlines()[-200:]))
        return "\n".join(texts)

    def wait_healthy(self, timeout=300):
        eventually(self.is_healthy, timeout, "three healthy PostgreSQL")
