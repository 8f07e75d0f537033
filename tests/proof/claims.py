"""The worker's rate beside an old snapshot: what was processed since cannot be cleaned up, and must not be in the way."""

import statistics
import time

from .stage import Stage, seconds_until

KEEPS = 0.9
# What patients posted; their bookings begin with the round's name. As with the daemon's posts, none is due before what
# is there already; and all are due before they can be seen, for to write one takes longer.
BACKLOG = """
    WITH n AS (SELECT %(round)s || '-' || i AS uid FROM generate_series(1, %(count)s) AS i),
         u AS (INSERT INTO users (email, name) SELECT uid || '@example.com', 'Jo' FROM n RETURNING id, email),
         p AS (INSERT INTO patient_profiles (user_id, name, email) SELECT id, 'Jo', email FROM u RETURNING id, email)
    INSERT INTO medical_questionnaire_submissions
           (booking_uid, patient_profile_id, submission_data, questionnaire_id, next_attempt_at)
    SELECT split_part(email, '@', 1), id,
           jsonb_build_object('booking_uid', split_part(email, '@', 1), 'attendee_name', 'Jo', 'attendee_email', email,
                              'allergies', 'none'), 'hair-transplant',
           now() + row_number() OVER () * interval '0.05 ms'
      FROM p"""
PROCESSED = 'intake_worker_submissions_total{outcome="processed"}'


class Rounds:
    """
    Each puts submissions there and waits until the daemon has counted all as processed: to ask the database for what
    is left would itself wade through what cannot be cleaned up, a hundred times a second.
    """

    def __init__(self, stage, daemon):
        self._stage, self._client, self._number = stage, daemon.client(), 0
        self._placed = 0

    def run(self, count):
        """Submissions a second."""
        self._number += 1
        database = self._stage.database
        database.query(BACKLOG, {"round": f"r{self._number}", "count": count})
        begun, self._placed = time.monotonic(), self._placed + count
        assert seconds_until(lambda: self._client.metric(PROCESSED) >= self._placed, 600) < 600
        return count / (time.monotonic() - begun)

    def rate(self, count):
        return statistics.median(self.run(count) for _ in range(5))

    def keep_busy(self, seconds, count):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.run(count)


def prove(binary, table, short):
    # What is measured in a fifth of a second is moved by more than a tenth by whatever else the machine does.
    seconds, busy, measured, keeps = (8, 500, 2000, 0.5) if short else (600, 1000, 20000, KEEPS)
    with Stage(binary) as stage:
        rounds = Rounds(stage, stage.start({"worker.poll_ms": 50, "lane.deadline_ms": 5000})[0])
        rounds.keep_busy(min(seconds, 60), busy)
        with stage.database.connect("postgres") as holder:
            holder.autocommit = False
            holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            holder.execute("SELECT FROM medical_questionnaire_submissions LIMIT 1")
            rounds.keep_busy(seconds, busy)
            beside = rounds.rate(measured)
            holder.rollback()
        rounds.run(measured)  # the first to look cleans up
        without = rounds.rate(measured)  # afterwards, for the tables have grown meanwhile
    ratio = beside / without
    table.add(f"submissions processed a second, beside a snapshot of {seconds} s and without",
              f"{beside:.0f} / {without:.0f}, {ratio:.2f} times", f"at least {keeps}", ratio >= keeps)
