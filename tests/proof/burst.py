"""Twenty thousand submissions at once: each is acknowledged, or refused so that it can be tried again."""

import json
import re
import resource
import selectors
import socket
import time

from .ledger import Booking, Ledger, compare
from .stage import Stage

ANSWERED_WITHIN_S = 30.0
SPARE_DESCRIPTORS = 100
# From one address the kernel finds the last thousands of its ports only slowly.
CLIENT_ADDRESSES = 16
IP_BIND_ADDRESS_NO_PORT = 24  # as in <linux/in.h>; Python does not name it
REQUEST = ("POST /v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
           "Connection: close\r\nContent-Length: {}\r\n\r\n")


class Attempt:
    """One connection with one submission."""

    def __init__(self, booking, port):
        self.booking, self.received = booking, b""
        data = json.dumps(booking.offer()).encode()
        self.unsent = REQUEST.format(len(data)).encode() + data
        self.begun = time.monotonic()
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        self.socket.bind((f"127.0.0.{2 + hash(booking.uid) % CLIENT_ADDRESSES}", 0))
        self.socket.connect_ex(("127.0.0.1", port))

    def go_on(self):
        """Sends or receives what can be; whether the connection has ended."""
        if self.unsent:
            self.unsent = self.unsent[self.socket.send(self.unsent):]
            return False
        part = self.socket.recv(65536)
        self.received += part
        return not part


class Burst:
    """Everything at once, as far as descriptors allow; who is refused waits as long as it was told."""

    def __init__(self, port, count):
        self.port, self.book = port, Ledger([port], clients=0)
        self.book.bookings = [Booking() for _ in range(count)]
        self.waiting = [(0.0, booking) for booking in self.book.bookings]
        self.refused, self.longest_s = set(), 0.0
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.at_once = min(count, hard - SPARE_DESCRIPTORS)
        self.selector = selectors.EpollSelector()
        self.open = 0

    def run(self):
        while self.waiting or self.open:
            self._begin()
            for key, _ in self.selector.select(0.05):
                attempt = key.data
                try:
                    ended = attempt.go_on()
                except OSError as error:
                    self._end(attempt, f"{attempt.booking.uid}: {error}")
                    continue
                if ended:
                    self._end(attempt, self._settle(attempt))
                elif not attempt.unsent:
                    self.selector.modify(attempt.socket, selectors.EVENT_READ, attempt)
            self._look_for_the_forgotten()
        self.selector.close()
        return self

    def _begin(self):
        now = time.monotonic()
        due = [pair for pair in self.waiting if pair[0] <= now][:self.at_once - self.open]
        if not due:
            return
        chosen = {id(booking) for _, booking in due}
        self.waiting = [pair for pair in self.waiting if id(pair[1]) not in chosen]
        for _, booking in due:
            attempt = Attempt(booking, self.port)
            self.selector.register(attempt.socket, selectors.EVENT_WRITE, attempt)
            self.open += 1

    def _settle(self, attempt):
        """Writes the reply down; what is wrong with it, or None."""
        booking, reply = attempt.booking, attempt.received
        head, _, body = reply.partition(b"\r\n\r\n")
        status = reply[9:12]
        if status == b"201":
            booking.id = json.loads(body)["id"]
            booking.acknowledged.append(booking.pending)
            booking.pending = None
            return None
        again = re.search(rb"\r\nRetry-After: (\d+)\r\n", head + b"\r\n", re.IGNORECASE)
        if status != b"503" or again is None:
            return f"{booking.uid}: {reply[:200]!r}"
        self.refused.add(booking.uid)
        self.waiting.append((time.monotonic() + int(again[1]), booking))
        return None

    def _end(self, attempt, fault):
        if fault is not None:
            self.book.faults.append(fault)
        self.longest_s = max(self.longest_s, time.monotonic() - attempt.begun)
        self.selector.unregister(attempt.socket)
        attempt.socket.close()
        self.open -= 1

    def _look_for_the_forgotten(self):
        late = time.monotonic() - 2 * ANSWERED_WITHIN_S
        for attempt in [key.data for key in self.selector.get_map().values()] if self.open else []:
            if attempt.begun < late:
                self._end(attempt, f"{attempt.booking.uid}: no reply at all")


def prove(binary, table, short):
    count = 3000 if short else 20000
    with Stage(binary) as stage:
        options = {"lane.deadline_ms": 5000, "lane.queue_max": 1000 if short else 8192}
        (daemon,) = stage.start(options)
        burst = Burst(daemon.port, count).run()
        faults, wrong = len(burst.book.faults), compare(burst.book, stage.database)
    acknowledged = sum(1 for booking in burst.book.bookings if booking.acknowledged)
    at_once = count - len(burst.refused)
    table.add(f"{count} submissions at once", f"{at_once} acknowledged, {len(burst.refused)} refused with 503 and Retry-After,"
              f" {faults} neither", "0 neither", faults == 0)
    table.add("  the longest wait for a reply", f"{burst.longest_s:.1f} s", f"{ANSWERED_WITHIN_S:.0f} s",
              burst.longest_s < ANSWERED_WITHIN_S)
    table.add("  acknowledged in the end", str(acknowledged), str(count), acknowledged == count)
    table.add("  missing, doubled or wrong", str(len(wrong)), "0", not wrong)
    for line in wrong[:5]:
        print(f"    {line}")
