"""Clients that write down every acknowledgement, and the comparison of what they wrote with the database.

Each booking belongs to one client, which posts until it is acknowledged, so that the revision of
every acknowledgement is known beforehand: one that is missing or doubled shows at once.
"""

import collections
import concurrent.futures
import hashlib
import http.client
import json
import random
import threading
import time
import uuid

# What a client cannot know the outcome of: it posts the same again.
LOST = (OSError, http.client.HTTPException)
# What is counted apart: nobody was there, or neither an answer nor an end came.
FAILURES = ((ConnectionRefusedError, "refused"), (TimeoutError, "silent"))


def content_hash(body):
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


class Booking:
    """One booking as its client knows it, of a person who may have others."""

    def __init__(self, person=None):
        self.uid = "pv" + uuid.uuid4().hex[:22]
        self.person = person or self.uid
        self.acknowledged = []  # content hashes; the first is revision 1
        self.details = {}  # what each content says of the allergies, which is another each time, by its hash
        self.pending = None  # the hash of a content that was posted and not acknowledged
        self.abandoned = False  # a whole request of it may still lie somewhere unread
        self.id = None

    def name(self):
        return f"Patient {self.person}"

    def email(self):
        return f"{self.person}@example.com"

    def phone(self):
        return f"+90{int(self.person.removeprefix('pv'), 16) % 10**12:012}"

    def offer(self):
        """A body to post, which is pending from now on."""
        details = uuid.uuid4().hex * random.choice((1, 4, 60))
        body = {"booking_uid": self.uid, "attendee_name": self.name(), "attendee_email": self.email(),
                "attendee_phone": self.phone(), "allergies": "yes", "allergies_details": details}
        self.pending = content_hash(body)
        self.details[self.pending] = details
        return body


class Ledger:
    """
    `clients` threads that post to the given ports until stop(); ports may change hands meanwhile.
    `cut_share` of the posts are broken off, and `parting_share` are their connection's last. `common_share` of
    the bookings are of the person who came just before, whom another client may be posting at this moment.
    What is not acknowledged within `patience_s` is given up, which is a fault.
    """

    def __init__(self, ports, clients=8, cut_share=0.0, parting_share=0.0, common_share=0.3,
                 patience_s=120):
        self.ports, self.cut_share, self.parting_share = list(ports), cut_share, parting_share
        self.common_share, self.patience_s = common_share, patience_s
        self.bookings, self.faults = [], []
        self.outcomes = collections.Counter()
        self._last_at, self._longest = time.monotonic(), 0.0  # of the acknowledgements
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._changed = threading.Condition(self._lock)
        self._clients, self._threads = clients, []

    def start(self):
        """Also again, after stop()."""
        self._stop.clear()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(self._clients)]
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        """Ends when every client has its last post acknowledged, or has waited too long for it."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self

    def acknowledged(self):
        return self.outcomes["acknowledged"]

    def longest_silence(self):
        """The longest time without an acknowledgement, in seconds, since this was asked last."""
        with self._lock:
            longest, self._longest = self._longest, 0.0
        return longest

    def acknowledge_at(self, ports):
        """Returns when each of them has acknowledged a submission that was sent after this was called."""
        with concurrent.futures.ThreadPoolExecutor(len(ports)) as pool:
            for connection in pool.map(lambda port: self._post_until_acknowledged(None, self._new_booking(), [port]), ports):
                if connection is not None:
                    connection.close()

    def wait_for_more(self, count, timeout=60):
        with self._changed:
            goal = self.acknowledged() + count
            if not self._changed.wait_for(lambda: self.acknowledged() >= goal, timeout):
                self.faults.append(f"nothing was acknowledged for {timeout} s: {dict(self.outcomes)}")

    def _note(self, outcome):
        with self._changed:
            self.outcomes[outcome] += 1
            if outcome == "acknowledged":
                now = time.monotonic()
                self._longest, self._last_at = max(self._longest, now - self._last_at), now
            self._changed.notify_all()

    def _new_booking(self):
        with self._lock:
            common = self.bookings and random.random() < self.common_share
            booking = Booking(self.bookings[-1].person if common else None)
            self.bookings.append(booking)
        return booking

    def _run(self):
        connection = None
        while not self._stop.is_set():
            booking = self._new_booking()
            for _ in range(random.choice((1, 1, 1, 2, 3))):
                connection = self._post_until_acknowledged(connection, booking, self.ports)
                if booking.pending is not None:
                    return
                # What was abandoned may be read after what follows it, like any second writer's post.
                if booking.abandoned:
                    break
        if connection is not None:
            connection.close()

    def _post_until_acknowledged(self, connection, booking, ports):
        data = json.dumps(booking.offer()).encode()
        give_up_at = time.monotonic() + self.patience_s
        while time.monotonic() < give_up_at:
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", random.choice(ports), timeout=20)
                if random.random() < self.cut_share:
                    self._cut(connection, booking, data)
                connection.request("POST", "/v1/submissions", data, {"Content-Type": "application/json"})
                reply = connection.getresponse()
                receipt = reply.read()
            except LOST as error:
                booking.abandoned |= isinstance(error, TimeoutError)
                connection = connection.close() if connection is not None else None
                self._note(next((outcome for kind, outcome in FAILURES if isinstance(error, kind)), "lost"))
                self._stop.wait(0.02) if not self._stop.is_set() else threading.Event().wait(0.02)
                continue
            if reply.status in (200, 201):
                self._acknowledge(booking, reply.status, json.loads(receipt))
                return connection.close() if random.random() < self.parting_share else connection
            self._note(str(reply.status))
            if reply.status != 503 or reply.getheader("Retry-After") is None:
                self.faults.append(f"{booking.uid}: {reply.status}, Retry-After {reply.getheader('Retry-After')}")
                return connection
            threading.Event().wait(0.02)
        self.faults.append(f"{booking.uid}: never acknowledged")
        return connection

    @staticmethod
    def _cut(connection, booking, data):
        """Sends the beginning of a request, or all of it, and goes away."""
        connection.connect()
        booking.abandoned = True
        head = f"POST /v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        raw = head.encode() + data
        connection.sock.sendall(raw[:random.randrange(1, len(raw))] if random.random() < 0.5 else raw)
        raise ConnectionAbortedError

    def _acknowledge(self, booking, status, receipt):
        expected = len(booking.acknowledged) + 1
        if receipt["revision"] != expected or booking.id not in (None, receipt["id"]):
            self.faults.append(f"{booking.uid}: acknowledged as {receipt['revision']}, not {expected}")
        booking.id = receipt["id"]
        booking.acknowledged.append(booking.pending)
        booking.pending = None
        self._note("acknowledged")


# With its person, and with what the audit says of it.
CURRENT = """
    SELECT s.booking_uid, s.id::text, s.revision, s.submission_data, s.status,
           p.name, p.email, p.phone, u.name AS user_name, u.email AS user_email, u.phone_number AS user_phone,
           p.booking_uid AS profile_booking_uid, b.medical_data::text AS background, a.created, a.revised
      FROM medical_questionnaire_submissions s
      LEFT JOIN patient_profiles p ON p.id = s.patient_profile_id
      LEFT JOIN users u ON u.id = p.user_id
      LEFT JOIN medical_backgrounds b ON b.patient_profile_id = p.id
      LEFT JOIN (SELECT booking_uid, count(*) FILTER (WHERE action = 'submission.create') AS created,
                        count(*) FILTER (WHERE action = 'submission.revise') AS revised
                   FROM audit_log GROUP BY booking_uid) a ON a.booking_uid = s.booking_uid"""
EARLIER = "SELECT submission_id::text AS id, revision, submission_data FROM submission_revisions ORDER BY revision"


def wrong_in(booking, row, earlier, of_person):
    """
    What of a booking's row, and of its `earlier` revisions, is not as its client was told. `of_person` are the UIDs of all
    bookings of its person: the profile has one of them, and with several the medical background may be of another.
    """
    stored = earlier + [(row["revision"], content_hash(row["submission_data"]))]
    if [number for number, _ in stored] != list(range(1, len(stored) + 1)):
        yield f"has the revisions {[number for number, _ in stored]}"
    hashes = [content for _, content in stored]
    if hashes not in (booking.acknowledged, booking.acknowledged + [booking.pending]):
        yield "other contents than were acknowledged"
    if booking.id not in (None, row["id"]):
        yield f"acknowledged as {booking.id}, and stored as {row['id']}"
    if row["status"] == "failed":
        yield "was given up"
    told = (booking.name(), booking.email(), booking.phone())
    if (row["name"], row["email"], row["phone"]) != told or (row["user_name"], row["user_email"], row["user_phone"]) != told:
        yield "the three tables do not agree"
    if row["profile_booking_uid"] not in of_person:
        yield f"the profile has the booking {row['profile_booking_uid']}"
    if (row["created"], row["revised"]) != (1, len(stored) - 1):
        yield f"{len(stored)} revisions, and the audit has {row['created']} created, {row['revised']} revised"
    merged = row["status"] == "processed" and len(of_person) == 1
    if merged and booking.details.get(hashes[-1], "?") not in (row["background"] or ""):
        yield "its answers are not in the medical background"


def compare(ledger, database, alone=True):
    """
    Everything that is not as the clients were told; [] is what is hoped for. `alone`: nobody else
    has written, so that there is nothing else.
    """
    found = list(ledger.faults)
    rows = {row["booking_uid"]: row for row in database.query(CURRENT)}
    earlier = collections.defaultdict(list)
    for row in database.query(EARLIER):
        earlier[row["id"]].append((row["revision"], content_hash(row["submission_data"])))
    of_person = collections.defaultdict(set)
    for booking in ledger.bookings:
        of_person[booking.person].add(booking.uid)
    for booking in ledger.bookings:
        row = rows.pop(booking.uid, None)
        if row is not None:
            found += [f"{booking.uid}: {what}"
                      for what in wrong_in(booking, row, earlier[row["id"]], of_person[booking.person])]
        elif booking.acknowledged:
            found.append(f"{booking.uid} is missing")
    if not alone:
        return found
    found += [f"{uid}: stored, and nobody posted it" for uid in rows]
    for table, column in (("users", "email"), ("patient_profiles", "email")):
        twice = database.value(f"SELECT count(*) - count(DISTINCT lower({column})) FROM {table}")
        if twice:
            found.append(f"{twice} rows of {table} are doubled")
    return found
