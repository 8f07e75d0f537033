"""Requests of which every byte of the answer is looked at, also of an answer that was cut off."""

import gzip
import re
import socket

WITHIN_S = 10.0


class Reply:
    """What came back for one request: nothing (`status` None), an answer, or the beginning of one (not `whole`)."""

    def __init__(self, status=None, headers=(), body=b"", whole=False):
        self.status, self.headers, self.body, self.whole = status, tuple(headers), body, whole

    def header(self, name):
        return next((value for key, value in self.headers if key == name.lower()), "")

    def text(self):
        body = gzip.decompress(self.body) if self.header("content-encoding") == "gzip" else self.body
        return body.decode("utf-8", "backslashreplace")


def request(method, path, headers=None, body=None, closes=True):
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{key}: {value}" for key, value in (headers or {}).items())]
    if closes:
        lines.append("Connection: close")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def read_chunks(data):
    """The chunks' content, what follows them, and whether the last was there."""
    content = b""
    while match := re.match(rb"([0-9a-fA-F]+)\r\n", data):
        size = int(match[1], 16)
        piece, data = data[match.end():match.end() + size], data[match.end() + size + 2:]
        content += piece
        if size == 0 or len(piece) < size:
            return content, data, size == 0
    return content, data, False


def read_reply(data, method):
    """The first reply of what came, and what follows it."""
    head, separator, rest = data.partition(b"\r\n\r\n")
    if not separator:
        return Reply(), b""
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    status, length = int(first.split()[1]), dict(headers).get("content-length")
    if status == 100:
        return read_reply(rest, method)
    if method == "HEAD" or status in (204, 304):
        return Reply(status, headers, b"", True), rest
    if length is None:
        body, rest, whole = read_chunks(rest)
        return Reply(status, headers, body, whole), rest
    body, rest = rest[:int(length)], rest[int(length):]
    return Reply(status, headers, body, len(body) == int(length)), rest


class Call:
    """Requests on their way on a connection of their own, answered one after the other."""

    def __init__(self, port, *requests):
        self._methods = [data.split(b" ", 1)[0].decode() for data in requests]
        self._socket = socket.create_connection(("127.0.0.1", port), WITHIN_S)
        self._data = b""
        try:
            self._socket.sendall(b"".join(requests))
        except OSError:
            pass  # it was closed before

    def wait(self, enough):
        """Until enough(what came), or the end of the connection."""
        try:
            while not enough(self._data) and (piece := self._socket.recv(1 << 16)):
                self._data += piece
        except ConnectionError:
            pass
        except TimeoutError:
            raise AssertionError(f"neither an answer nor an end: {self._methods} {self._data[:200]!r}") from None
        return self

    def replies(self, enough=lambda data: False):
        """Waits as above, and closes the connection; a reply for each request."""
        try:
            data = self.wait(enough)._data
        finally:
            self._socket.close()
        found = []
        for method in self._methods:
            reply, data = read_reply(data, method)
            found.append(reply)
        return found


def ask(port, *requests):
    return Call(port, *requests).replies()
