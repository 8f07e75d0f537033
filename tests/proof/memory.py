"""Memory that runs out while the daemon works: whoever asked is told, nothing is lost, and it goes on."""

import mmap
import os
import random
import time

from . import turns
from .faults import among, instance_counts, prove_faults, some_load
from .stage import OPTIONS, Stage, seconds_until

WINDOW_S = 0.1  # how long the fault lasts
WITHIN = 10_000  # calls
SHARE, TURN, CALLS, REFUSED, HELD = range(5)  # as in scarce_memory.c
SIZE = 40  # bytes


class Scarcity:
    """What the preloaded library is told, and what it has counted."""

    def __init__(self, binary, path):
        library = os.path.join(os.path.dirname(binary), "tests", "proof", "scarce_memory.so")
        assert os.path.exists(library), f"{library} is not built"
        with open(path, "w+b") as file:
            file.write(bytes(SIZE))
            file.flush()
            self._words = memoryview(mmap.mmap(file.fileno(), SIZE)).cast("Q")
        self.environment = {"LD_PRELOAD": library, "SCARCE_MEMORY": path}

    def calls(self):
        return self._words[CALLS]

    def refused(self):
        return self._words[REFUSED]

    def held(self):
        """Pieces of memory that are in use."""
        return self._words[HELD]

    def refuse_turn(self, turn):
        """Of the calls from now on this one, the first of which is 1; whose ever it is."""
        self._words[TURN] = turn

    def end_turn(self):
        """None is refused any more; whether it came to that."""
        came = self._words[TURN] == 0
        self._words[TURN] = 0
        return came

    def refuse_one(self):
        """One of the next calls, whose ever it is."""
        before = self.refused()
        self.refuse_turn(random.randrange(1, WITHIN))
        assert seconds_until(lambda: self.refused() > before, 60) < 60, "nobody asks for memory"

    def refuse(self, one_in):
        """A share of the calls, for a while."""
        before = self.refused()
        while self.refused() == before:
            self._words[SHARE] = one_in
            time.sleep(WINDOW_S)
            self._words[SHARE] = 0


def start(stage, count):
    daemons = []
    for _ in range(count):
        daemon = stage.prepare(OPTIONS)
        daemon.scarcity = Scarcity(stage.binary, daemon.config_path + ".scarcity")
        daemons.append(daemon.start(daemon.scarcity.environment))
    return daemons


def at_work(refuse):
    """The fault on one of them, which posts, processes, and reads its configuration and questionnaires."""
    def inject(stage, daemons):
        some_load()
        daemon = random.choice(daemons)
        daemon.reload()
        refuse(daemon.scarcity)
        daemon.wait_notification("READY=1")
    return inject


# As in faults.py.
FAULTS = (
    ("memory refused once", at_work(Scarcity.refuse_one), 300, 4, True),
    ("memory refused once in 1,000 times for 0.1 s", at_work(lambda scarcity: scarcity.refuse(1000)), 100, 1, True),
    ("memory refused once in 100 times for 0.1 s", at_work(lambda scarcity: scarcity.refuse(100)), 100, 2, True),
    ("no memory at all for 0.1 s", at_work(lambda scarcity: scarcity.refuse(1)), 50, 2, True),
)


def prove(binary, table, short):
    turns.prove(binary, table, short, Scarcity)
    for instances in instance_counts(short):
        with Stage(binary) as stage:
            prove_faults(stage, table, FAULTS, short, lambda s=stage, n=instances: start(s, n))
            refused = sum(daemon.scarcity.refused() for daemon in stage.daemons)
            table.add(f"allocations refused in all{among(instances)}", f"{refused:,}", "some", refused > 0)
