"""A client of GET /v1/events."""

import http.client
import json
import socket
import threading

from .waiting import eventually


class Listener:
    """One open stream, read by a thread; its events in the order in which they came."""

    def __init__(self, intake, token, last_id=None, reason=None):
        headers = {"Authorization": f"Bearer {token}", **({} if reason is None else {"X-Intake-Reason": reason})}
        if last_id is not None:
            headers["Last-Event-ID"] = str(last_id)
        self._connection = http.client.HTTPConnection("127.0.0.1", intake.port, timeout=60)
        self._connection.request("GET", "/v1/events", headers=headers)
        self._socket = self._connection.sock
        self.reply = self._connection.getresponse()
        self.status, self.headers = self.reply.status, self.reply.headers
        self.raw, self.events, self.ended, self.complete = b"", [], threading.Event(), None
        if self.status == 200:
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        event = {}
        try:
            while line := self.reply.readline():
                self.raw += line
                line = line.decode()
                name, _, value = line.rstrip("\n").partition(": ")
                if name == "" and "data" in event:
                    self.events.append({"id": int(event["id"]), "event": event["event"], **json.loads(event["data"])})
                event = {} if name == "" else {**event, name: value}
            self.complete = True
        except (OSError, http.client.HTTPException):
            self.complete = False
        self.ended.set()

    def bookings(self):
        return [event["booking_uid"] for event in self.events]

    def wait(self, *booking_uids):
        eventually(lambda: set(booking_uids) <= set(self.bookings()), what=f"{booking_uids} in {self.events}")

    def close(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is over already
