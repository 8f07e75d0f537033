"""A proxy in front of PostgreSQL's socket that delays, cuts in the middle of a message, or swallows."""

import os
import random
import shutil
import socket
import tempfile
import threading
import time

NAME = ".s.PGSQL.5432"


class Proxy:
    """
    `conninfo(text)` goes through it; cut(), cut_reply(), stall() and heal() say what it does to connections.
    `cuts` and `lost_replies` count what came of it.
    """

    def __init__(self, server_directory):
        self.directory = tempfile.mkdtemp(prefix="intake-px-", dir="/tmp")
        os.chmod(self.directory, 0o755)
        self._server = os.path.join(server_directory, NAME)
        self._server_directory = server_directory
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.path.join(self.directory, NAME))
        self._listener.listen(64)
        self._lock, self._pairs = threading.Lock(), set()
        self._budget = None  # bytes until every connection is cut; None: no end
        self._flowing = threading.Event()
        self._flowing.set()
        self.delay_s = 0.0
        self.deaf = False  # connections are made and statements prepared, and none is run
        self._wanted = None  # the beginning of a statement's name: the reply to the next one is withheld
        self._unanswered = set()  # of the pairs: those whose next reply is
        self._late = None  # the beginning of a statement: the next one waits for release()
        self._late_reply = None  # the same of its reply
        self._waiting = set()  # of the pairs: those whose next reply does
        self._released = threading.Event()
        self.cuts = self.lost_replies = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def conninfo(self, text):
        return text.replace(f"host={self._server_directory}", f"host={self.directory}")

    def cut(self, after_bytes):
        """Ends every connection once so many more bytes have passed, most likely within a message."""
        with self._lock:
            self._budget = after_bytes

    def cut_reply(self, statement):
        """Ends the connection of the next such statement once it was committed, and before that is told."""
        with self._lock:
            self._wanted = b"\0" + statement.encode()

    def hold(self, statement):
        """
        The next such statement, of a name or SQL that begins so, waits for release(), whatever becomes of its client: a
        packet that is sent again. Another may be held besides once this one holds().
        """
        with self._lock:
            self._released.clear()
            self._late = statement.encode()

    def hold_reply(self, statement):
        """The next such statement is carried out, and what came of it waits for release()."""
        with self._lock:
            self._released.clear()
            self._late_reply = b"\0" + statement.encode()

    def release(self):
        self._released.set()

    def holds(self):
        """Whether there was such a statement, or reply."""
        with self._lock:
            return self._late is None and self._late_reply is None

    def stall(self):
        """Connections stay open and nothing passes."""
        self._flowing.clear()

    def heal(self):
        self._flowing.set()
        self.delay_s = 0.0

    def close(self):
        self._listener.close()
        self._end_all()
        shutil.rmtree(self.directory)

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self._server)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._pairs.add((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink, (client, server)), daemon=True).start()

    def _passes(self, length):
        """How much of a piece may pass; less than all of it is the end of all connections."""
        with self._lock:
            if self._budget is None:
                return length
            allowed = min(length, self._budget)
            self._budget -= allowed
            if allowed < length:
                self._budget = None
                self.cuts += 1
            return allowed

    def _withholds(self, piece, pair, from_client):
        """Whether it ends the reply that nobody is to get: ReadyForQuery, outside of a transaction."""
        with self._lock:
            if from_client:
                if self._wanted is not None and piece.startswith(b"B") and self._wanted in piece[:80]:
                    self._wanted = None
                    self._unanswered.add(pair)
                return False
            if pair not in self._unanswered or not piece.endswith(b"Z\0\0\0\5I"):
                return False
            self._unanswered.remove(pair)
            self.lost_replies += 1
            return True

    def _wait_if_late(self, piece, pair, from_client):
        with self._lock:
            late = not from_client and pair in self._waiting
            if late:
                self._waiting.remove(pair)
                self._late_reply = None
            if from_client and piece[:1] in (b"B", b"Q"):
                if self._late is not None and self._late in piece[:80]:
                    late, self._late = True, None
                if self._late_reply is not None and self._late_reply in piece[:80]:
                    self._waiting.add(pair)
        if late:
            self._released.wait()

    def _pump(self, source, sink, pair):
        try:
            while piece := source.recv(random.choice((512, 8192, 65536))):
                self._flowing.wait()
                if self.deaf and source is pair[0] and piece.startswith(b"B"):
                    continue
                if self._withholds(piece, pair, source is pair[0]):
                    break
                self._wait_if_late(piece, pair, source is pair[0])
                if self.delay_s:
                    time.sleep(self.delay_s)
                allowed = self._passes(len(piece))
                sink.sendall(piece[:allowed])
                if allowed < len(piece):
                    self._end_all()
        except OSError:
            pass
        self._end(pair)

    def _end(self, pair):
        with self._lock:
            if pair not in self._pairs:
                return
            self._pairs.remove(pair)
            self._unanswered.discard(pair)
        for end in pair:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def _end_all(self):
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            self._end(pair)
