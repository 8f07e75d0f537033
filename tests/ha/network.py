"""The network between the machines, whose cables can be pulled; the loopback address where none can be made."""

import os
import random
import subprocess


def ip(*arguments, inside=None):
    """iproute2's command, in a namespace when one is named."""
    subprocess.run(["ip", *(["-n", inside] if inside else []), *arguments], check=True, capture_output=True, text=True)


class Loopback:
    """All machines are 127.0.0.1; nothing can be cut."""

    network = "127.0.0.0/8"
    can_cut = False

    def address(self, _name):
        return "127.0.0.1"

    def prefix(self, _name):
        """What goes before a command to run it on that machine."""
        return []

    def plug(self, _name):
        """As for what can be cut."""

    def close(self):
        pass


class Bridge:
    """Each machine has a network namespace and an address of its own, and a cable to a bridge. Needs root."""

    can_cut = True

    def __init__(self, names):
        # Of the addresses that RFC 2544 keeps for tests; names of interfaces have at most 15 characters.
        self._name = f"intake{os.getpid() % 10**7}"
        net = f"198.18.{random.randrange(256)}"
        self.network = f"{net}.0/24"
        self._addresses = {name: f"{net}.{number}" for number, name in enumerate(names, 2)}
        try:
            ip("link", "add", self._name, "type", "bridge")
            ip("address", "add", f"{net}.1/24", "dev", self._name)
            ip("link", "set", self._name, "up")
            for name, address in self._addresses.items():
                self._connect(name, address)
        except BaseException:
            self.close()
            raise

    def _machine(self, name):
        return f"{self._name}-{name}"

    def _connect(self, name, address):
        machine = self._machine(name)
        ip("netns", "add", machine)
        ip("link", "add", machine, "type", "veth", "peer", "name", "eth0", "netns", machine)
        ip("link", "set", machine, "master", self._name, "up")
        ip("link", "set", "lo", "up", inside=machine)
        ip("link", "set", "eth0", "up", inside=machine)
        ip("address", "add", f"{address}/24", "dev", "eth0", inside=machine)

    def address(self, name):
        return self._addresses[name]

    def prefix(self, name):
        """What goes before a command to run it on that machine."""
        return ["ip", "netns", "exec", self._machine(name)]

    def pull(self, name):
        """Nothing reaches the machine or leaves it any more, and nobody is told."""
        ip("link", "set", self._machine(name), "down")

    def plug(self, name):
        ip("link", "set", self._machine(name), "up")

    def close(self):
        for name in self._addresses:
            subprocess.run(["ip", "netns", "delete", self._machine(name)], check=False, capture_output=True)
            # At once, and not when the last process in it is gone.
            subprocess.run(["ip", "link", "delete", self._machine(name)], check=False, capture_output=True)
        subprocess.run(["ip", "link", "delete", self._name], check=False, capture_output=True)


def connect(names):
    """The best that this machine lets us have."""
    if os.geteuid() != 0:
        return Loopback()
    try:
        return Bridge(names)
    except (OSError, subprocess.CalledProcessError):
        return Loopback()
