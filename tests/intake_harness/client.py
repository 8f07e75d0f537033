"""Clients: one for well-formed requests, and bare sockets for everything else."""

import json
import select
import socket

import requests

PATIENT_FIELDS = ("attendee_name", "attendee_email", "attendee_phone")


class Client:
    """Talks to one daemon. Remembers what patients wrote, which no log may hold."""

    def __init__(self, base, token=None):
        self.base = base
        self.patient_texts = set()
        self._session = requests.Session()
        if token is not None:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def request(self, method, path, timeout=30, **arguments):
        return self._session.request(method, self.base + path, timeout=timeout,
                                     allow_redirects=False, **arguments)

    def get(self, path, **arguments):
        return self.request("GET", path, **arguments)

    def submit(self, body, **arguments):
        """POSTs a questionnaire: a dict, or the bytes themselves."""
        if isinstance(body, dict):
            self._remember(body)
            body = json.dumps(body, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", **arguments.pop("headers", {})}
        return self.request("POST", "/v1/submissions", data=body, headers=headers, **arguments)

    def look_up(self, booking_uid, **arguments):
        return self.get(f"/v1/submissions/{booking_uid}", **arguments)

    def retry(self, booking_uid):
        return self.request("POST", f"/v1/submissions/{booking_uid}/retry")

    def list(self, **parameters):
        return self.get("/v1/submissions", params=parameters)

    def metric(self, line):
        """The value of one series of /metrics, named with its labels as they are printed; 0 without."""
        for row in self.get("/metrics").text.splitlines():
            if row.rsplit(" ", 1)[0] == line:
                return float(row.rsplit(" ", 1)[1])
        return 0.0

    def _remember(self, body):
        for field, value in body.items():
            if isinstance(value, str) and len(value) > 5 and (
                    field in PATIENT_FIELDS or field.endswith("_details")):
                self.patient_texts.add(value)


class RawReply:
    """One response, read from a socket byte by byte."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # lower-case names
        self.body = body

    def json(self):
        return json.loads(self.body)


class RawConnection:
    """A bare TCP connection, for requests that no HTTP library would send."""

    def __init__(self, port, timeout=20.0):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._file = self._socket.makefile("rb")

    def send(self, data):
        self._socket.sendall(data if isinstance(data, bytes) else data.encode())
        return self

    def finish_sending(self):
        self._socket.shutdown(socket.SHUT_WR)

    def reply(self, head=False):
        """The next response; `head`: it answers a HEAD and has no body."""
        status_line = self._file.readline()
        assert status_line.startswith(b"HTTP/1."), f"no response but {status_line!r}"
        headers = {}
        while (line := self._file.readline()) not in (b"\r\n", b""):
            name, value = line.decode("latin-1").split(":", 1)
            headers[name.strip().lower()] = value.strip()
        status = int(status_line.split()[1])
        body = b"" if head or status in (204, 304) or status < 200 \
            else self._file.read(int(headers["content-length"]))
        return RawReply(status, headers, body)

    def rest(self):
        """Everything until the server's end of the connection, for which it waits."""
        try:
            return self._file.read()
        except ConnectionResetError:
            return b""

    def closed(self):
        """Waits for the server's end of the connection; True when nothing but the end came."""
        return self.rest() == b""

    def stays_silent(self, seconds):
        """Whether nothing comes for so long, not even the server's end of the connection."""
        return select.select([self._socket], [], [], seconds)[0] == []

    def close(self):
        self._file.close()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
