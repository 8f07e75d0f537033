"""Clients that hold connections for as long as they are let: a byte a second, of headers, body or reply."""

import argparse
import errno
import select
import socket
import sys
import time

ROUND_S = 1.0  # each client has one byte of its own in a round
TCP_ESTABLISHED = 1
RECEIVE_BUFFER = 2048  # the kernel doubles it, and takes no less than its own minimum

HEADERS = b"POST /v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Slow: " + b"a" * 4096
BODY = (b"POST /v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n",
        b'{"attendee_name":"' + b"a" * 4096)


class Slow:
    """One of them; step() is its turn, and makes the connection anew when it was cut."""

    def __init__(self, kind, port, request):
        self._kind, self._port, self._request = kind, port, request
        self.cuts, self._socket = 0, None
        self._open()

    def _open(self):
        self._socket = socket.socket()
        if self._kind == "readers":
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._socket.settimeout(5)
        self._sent, self._begun = 0, time.monotonic()
        try:
            self._socket.connect(("127.0.0.1", self._port))
            if self._kind != "headers":
                self._socket.sendall(BODY[0] if self._kind == "bodies" else self._request)
        except OSError:
            pass
        self._socket.setblocking(False)

    def step(self, again):
        """False when it was cut and is not to come again."""
        if self._socket is None:
            return False
        if self._goes_on():
            return True
        self.cuts += 1
        self.close()
        if again:
            self._open()
        return again

    def _goes_on(self):
        try:
            if self._kind == "readers":  # what it has not read yet hides the end from it
                ended = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != TCP_ESTABLISHED
                return not ended and self._socket.recv(1) != b""
            drip = HEADERS if self._kind == "headers" else BODY[1]
            self._socket.send(drip[self._sent % len(drip):][:1])
            self._sent += 1
            return self._socket.recv(4096) != b"" and False  # whatever is answered: it is over
        except OSError as error:
            return error.errno in (errno.EAGAIN, errno.EWOULDBLOCK)

    def close(self):
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def main():
    """Prints "ready", goes on until a line comes in, waits until all are cut, and prints how many cuts there were."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("headers", "bodies", "readers"))
    parser.add_argument("port", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("requests", nargs="*", help="of the readers, each path in turn", default=["/openapi.json"])
    parser.add_argument("--token", default="")
    arguments = parser.parse_args()
    heads = [f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {arguments.token}\r\n\r\n".encode()
             for path in arguments.requests]
    crowd = [Slow(arguments.kind, arguments.port, heads[number % len(heads)]) for number in range(arguments.count)]
    print("ready", flush=True)
    again, left = True, len(crowd)
    while left:
        begun, left = time.monotonic(), 0
        for number, slow in enumerate(crowd):
            due = begun + ROUND_S * number / len(crowd)
            if due > time.monotonic() + 0.005:
                time.sleep(due - time.monotonic())
            left += slow.step(again)
        time.sleep(max(0.0, begun + ROUND_S - time.monotonic()))
        if again and select.select([sys.stdin], [], [], 0)[0]:
            sys.stdin.readline()
            again = False
    print(sum(slow.cuts for slow in crowd), flush=True)


if __name__ == "__main__":
    main()
