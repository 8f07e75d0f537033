"""What somebody would try who had taken the daemon over; run by systemd, with a unit's sandbox and without.

Prints, as one line of JSON, which of it was done.
"""

import json
import mmap
import os
import socket
import stat
import subprocess
import sys


def read(path):
    with open(path, "rb") as file:
        file.read(1)


def write(path):
    with open(path, "ab") as file:
        file.write(b"\n")


def run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def call_home():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as telephone:
        telephone.sendto(b"x", (sys.argv[1], 9))


def make_setuid():
    write("/tmp/shell")
    os.chmod("/tmp/shell", 0o4755)


def make_group():
    os.mkdir("/sys/fs/cgroup/intruder")
    os.rmdir("/sys/fs/cgroup/intruder")


TRIED = {
    "read what lies in a home": lambda: read("/home/somebody/letter"),
    "read the owner's password": lambda: read("/etc/intake/credentials/owner.conninfo"),
    "change the configuration": lambda: write("/etc/intake/intake.conf"),
    "write where others look": lambda: write("/var/lib/intruder"),
    "see other processes": lambda: read("/proc/1/status"),
    "signal other processes": lambda: os.kill(1, 0),
    "call home": call_home,
    "talk to the kernel's network": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close(),
    "send packets of its own making": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close(),
    "write code into memory": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close(),
    "make a device": lambda: os.mknod("/tmp/null", 0o600 | stat.S_IFCHR, os.makedev(1, 3)),
    "make a setuid program": make_setuid,
    "make a name space": lambda: run("unshare", "--mount", "true"),
    "mount": lambda: run("mount", "-t", "tmpfs", "tmpfs", "/tmp"),
    "rename the host": lambda: socket.sethostname("intruder"),
    "change its personality": lambda: run("setarch", "--addr-no-randomize", "true"),
    "outrank other processes": lambda: os.nice(-5),
    "run in real time": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "make a control group": make_group,
    "leave its root": lambda: os.chroot("/tmp"),
    "become another": lambda: os.setuid(1),
}


def succeeds(deed):
    try:
        deed()
        return True
    except (OSError, ValueError, subprocess.CalledProcessError):
        return False


if __name__ == "__main__":
    print(json.dumps({name: succeeds(deed) for name, deed in TRIED.items()}))
