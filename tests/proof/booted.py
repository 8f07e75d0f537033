"""A systemd as process 1 of a small file system, in which the program is installed as the README says.

systemd-nspawn boots it, from the units of Debian's systemd in a /usr that cannot be written; its
network is one that ends at its loopback, so that the units' own port is free.
"""

import contextlib
import ctypes
import glob
import os
import re
import shutil
import subprocess
import tempfile

from intake_harness.waiting import eventually

CLONE_NEWNET = 0x40000000  # as in <linux/sched.h>; Python before 3.12 does not name it
# In no loopback network, yet leading nowhere: what an intruder would call home to.
ELSEWHERE = "192.0.2.1"
TARGET = """[Unit]
Description=What is booted
Requires=basic.target
After=basic.target
"""
# Of the machine's hardware, or the machine's own.
MASKED = ("dev-hugepages.mount", "sys-fs-fuse-connections.mount", "systemd-update-utmp.service", "dbus.socket",
          "systemd-tmpfiles-clean.timer")


class CannotBoot(Exception):
    """Why not, for the table."""


def checked(*command, **options):
    """A CompletedProcess with text, whatever its exit code."""
    return subprocess.run(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, **options)


@contextlib.contextmanager
def own_network():
    """What this thread and what it starts see of networks: a loopback, on which ELSEWHERE is too."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(CLONE_NEWNET) != 0:
            raise CannotBoot(f"no network of its own: {os.strerror(ctypes.get_errno())}")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            subprocess.run(["ip", "address", "add", f"{ELSEWHERE}/32", "dev", "lo"], check=True)
            yield
        finally:
            assert libc.setns(before, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    finally:
        os.close(before)


class Group:
    """A control group of its own: everything in it ends with it."""

    def __init__(self):
        roots = [root for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified") if os.path.exists(root + "/cgroup.procs")
                 and os.path.exists(root + "/cgroup.controllers")]
        if not roots:
            raise CannotBoot("there are no control groups of version 2")
        self.path = f"{roots[0]}/intake-proof-{os.getpid()}"
        try:
            os.mkdir(self.path)
        except OSError as error:
            raise CannotBoot(f"no control group of its own: {error}") from None

    def first_process(self, inside="init.scope"):
        """The number, here, of the first process of a group of the systemd inside: of itself; None while there is none."""
        try:
            with open(f"{self.path}/payload/{inside}/cgroup.procs", encoding="ascii") as file:
                return int(file.readline() or 0) or None
        except OSError:  # it comes, or goes just then
            return None

    def close(self):
        with open(f"{self.path}/cgroup.kill", "w", encoding="ascii") as file:
            file.write("1")
        eventually(lambda: "populated 0" in open(f"{self.path}/cgroup.events", encoding="ascii").read(), 30)
        for folder, _, _ in os.walk(self.path, topdown=False):
            os.rmdir(folder)


class Booted:
    """Use as a context, in own_network(): booted, and nothing left of it at the end."""

    def __init__(self, binary):
        if os.geteuid() != 0:
            raise CannotBoot("not root")
        if shutil.which("systemd-nspawn") is None:
            raise CannotBoot("systemd-nspawn is not installed")
        self._build = os.path.dirname(binary)
        self._directory = tempfile.mkdtemp(prefix="intake-booted-", dir="/tmp")
        self.root = os.path.join(self._directory, "root")
        self._group = self._process = None

    def __enter__(self):
        try:
            self._fill()
            self._boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _fill(self):
        """The directories that a system has, and the program as `meson install` leaves it."""
        for name in ("usr", "etc/systemd/system", "var", "run", "proc", "sys", "dev", "tmp", "root", "home/somebody"):
            os.makedirs(os.path.join(self.root, name))
        for link in glob.glob("/*"):
            if os.path.islink(link) and os.readlink(link).startswith("usr/"):
                os.symlink(os.readlink(link), self.root + link)
        installed = os.path.join(self._directory, "installed")
        subprocess.run(["meson", "install", "-C", self._build, "--no-rebuild", "--quiet", "--destdir", installed],
                       check=True, stdout=subprocess.DEVNULL)
        shutil.move(installed + "/etc/intake", self.root + "/etc/intake")
        self.write("/etc/passwd", "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\n")
        self.write("/etc/group", "root:x:0:\nnogroup:x:65534:\n")
        self.write("/etc/nsswitch.conf", "passwd: files systemd\ngroup: files systemd\nhosts: files\n")
        self.write("/etc/hosts", "127.0.0.1 localhost\n")
        self.write("/etc/os-release", "ID=intake-proof\n")
        self.write("/etc/machine-id", "")
        self.write("/home/somebody/letter", "private\n")
        self.write("/etc/systemd/system/booted.target", TARGET)
        for unit in MASKED:
            os.symlink("/dev/null", f"{self.root}/etc/systemd/system/{unit}")
        self._prefix = installed + "/usr/local"

    def write(self, path, text, mode=0o644):
        """A file of the booted system."""
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        with open(self.root + path, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)

    def read(self, path):
        with open(self.root + path, encoding="utf-8") as file:
            return file.read()

    def _boot(self):
        self._group = Group()
        # The firewall of a unit is a program for the kernel, which nspawn would not let systemd load.
        command = ["systemd-nspawn", "--quiet", "--keep-unit", "--register=no", "--directory=" + self.root,
                   "--bind-ro=/usr", f"--bind-ro={self._prefix}:/usr/local", "--console=pipe", "--link-journal=no",
                   "--resolv-conf=off", "--timezone=off", "--system-call-filter=bpf", "--boot", "--", "--unit=booted.target"]
        joining = f'echo $$ >{self._group.path}/cgroup.procs && exec setpriv --pdeathsig=TERM "$@"'
        self._log = os.path.join(self._directory, "console")
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(["sh", "-c", joining, "sh", *command], stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=log, env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})
        if not self._is_up():
            with open(self._log, encoding="utf-8", errors="replace") as file:
                lines = file.read().strip().splitlines() or ["it never came up"]
            raise CannotBoot(f"systemd does not boot: {lines[-1]}")

    def _is_up(self):
        def up():
            return self._process.poll() is not None or \
                self._group.first_process() and self.run("systemctl", "is-active", "booted.target").stdout == "active\n"
        try:
            eventually(up, 30)
        except AssertionError:
            return False
        return self._process.poll() is None

    @property
    def pid(self):
        """Of the systemd, as seen from here."""
        return self._group.first_process()

    def run(self, *command):
        """A command inside, as root; output and errors are one text."""
        return checked("nsenter", f"--target={self.pid}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", *command)

    def must(self, *command):
        done = self.run(*command)
        assert done.returncode == 0, f"{command}: {done.stdout}"
        return done.stdout

    def show(self, unit, name):
        """A property of a unit."""
        return self.must("systemctl", "show", f"--property={name}", "--value", unit).strip()

    def told(self, unit, pattern):
        """What of the unit's journal the regular expression finds, which may come after the unit has ended; or None."""
        def found():
            journal = self.must("journalctl", "--no-pager", "--output=cat", f"--unit={unit}")
            return re.search(pattern, journal, re.MULTILINE)
        try:
            return eventually(found, 20)[0]
        except AssertionError:
            return None

    def process(self, unit):
        """The number, here, of the service's process; None while it has none."""
        group = self.show(unit, "ControlGroup")
        return self._group.first_process(group.lstrip("/")) if group else None

    def __exit__(self, *_):
        if self._process is not None:
            self._process.terminate()  # which it passes on as an order to shut down
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(30)
        if self._group is not None:
            self._group.close()
        if self._process is not None:
            self._process.wait()
        shutil.rmtree(self._directory)
