"""Clients that ask and do not read: they hold little, not for long, and nothing stays of them."""

import socket

from intake_harness.waiting import eventually

TCP_CLOSED = 7  # the kernel's TCP_CLOSE
REQUEST = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"


def unread(intake):
    """A client whose kernel takes next to nothing, and who reads nothing of a long reply."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.connect(("127.0.0.1", intake.port))
    client.sendall(REQUEST)
    return client


def state(client):
    return client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def resident_mib(intake):
    with open(f"/proc/{intake.process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096 / 2**20


def test_what_was_not_read_is_dropped_with_the_connection(start_intake):
    """An orderly end would come behind it, and leave it with the kernel for as long as the client likes."""
    intake = start_intake({"http.response_timeout_ms": 300})
    with unread(intake) as client:
        eventually(lambda: state(client) == TCP_CLOSED, what="the connection was reset")
    assert intake.client().metric('intake_http_timeouts_total{phase="response"}') == 1


def test_a_reply_that_is_the_same_for_all_is_not_copied_for_each(start_intake):
    intake = start_intake()
    probe = intake.client()
    size = len(probe.get("/openapi.json", headers={"Accept-Encoding": "identity"}).content)
    before, clients = resident_mib(intake), [unread(intake) for _ in range(200)]
    eventually(lambda: probe.metric("intake_http_connections") > len(clients), what="all are there")
    eventually(lambda: all(state(client) == 1 and client.recv(1, socket.MSG_PEEK) for client in clients))
    grown = resident_mib(intake) - before
    for client in clients:
        client.close()
    assert size > 200_000 and grown < len(clients) * size / 2**20 / 3
