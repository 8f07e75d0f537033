"""The database as it was before Intake: its tables with rows, and programs that go on writing them."""

import os
import threading

from .daemon import ROOT

ROWS = 20000

# As the live data is: e-mail addresses stored as telephone numbers, profiles that share an e-mail,
# names left NULL, soft-deleted profiles.
ROWS_SQL = """
INSERT INTO users (phone_number, name)
SELECT CASE
           WHEN i % 50 = 0 THEN 'medical_patient' || i || '@example.com'
           WHEN i % 50 = 1 THEN 'patient' || i || '@example.com'
           ELSE '+90532' || lpad(i::text, 7, '0')
       END,
       CASE WHEN i % 97 = 0 THEN NULL ELSE 'Patient ' || i END
  FROM generate_series(1, {rows}) AS i;
INSERT INTO patient_profiles (user_id, name, phone, email, age, deleted)
SELECT id, coalesce(name, 'Unknown'), phone_number,
       CASE
           WHEN phone_number LIKE '%@%' THEN replace(phone_number, 'medical_', '')
           WHEN right(phone_number, 3) = '777' THEN 'shared@example.com'
           ELSE 'p' || right(phone_number, 7) || '@example.com'
       END,
       20 + (hashtext(phone_number) & 31),
       right(phone_number, 3) = '555'
  FROM users;
INSERT INTO medical_backgrounds (patient_profile_id, medical_data)
SELECT id, '{{"allergies": "none"}}' FROM patient_profiles WHERE age % 3 = 0;
INSERT INTO messages (user_id, direction, body) SELECT id, 'incoming', 'Merhaba' FROM users;
INSERT INTO "Appoinment" (id, "zoomMeetingId", topic, status, "attendeeName", "attendeeEmail",
                          "rawPayload", "hostName", "hostEmail", patient_profile_id)
SELECT gen_random_uuid()::text, 'legacy', 'Free Consultation', 'scheduled', name, email,
       '{{}}', 'Clinic', 'clinic@example.com', id
  FROM patient_profiles WHERE age % 5 = 0;
ANALYZE;
"""

# What the other programs do, each statement timed by the server. They have rights on their own
# tables only, and on the submissions where somebody grants them. `control` is a table that no
# migration touches: what it takes is the machine's noise. `apart` commits after every statement,
# and the commit counts. Of the users that were there, they change those whose id begins with f.
# `submission` is what the one that it wrote holds; NULL: it wrote none.
WRITER = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'legacy') THEN
        CREATE ROLE legacy LOGIN;
    END IF;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE
   ON users, patient_profiles, medical_backgrounds, conversations, messages, "Appoinment" TO legacy;
CREATE SCHEMA other_program;
GRANT USAGE ON SCHEMA other_program TO legacy;
CREATE TABLE other_program.control (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), number bigint);
CREATE INDEX ON other_program.control (number);
GRANT ALL ON other_program.control TO legacy;
CREATE FUNCTION other_program.elapsed_ms(since timestamptz) RETURNS float8 LANGUAGE sql VOLATILE AS
    $$ SELECT extract(epoch FROM clock_timestamp() - since)::float8 * 1000 $$;
CREATE SEQUENCE other_program.numbers;
GRANT USAGE ON SEQUENCE other_program.numbers TO legacy;
CREATE PROCEDURE other_program.write(
    apart boolean, INOUT number bigint DEFAULT NULL, INOUT longest_ms float8 DEFAULT 0, INOUT noise_ms float8 DEFAULT 0,
    INOUT submission text DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    from_id uuid := overlay(gen_random_uuid()::text PLACING 'f' FROM 1);
    some_user uuid := (SELECT id FROM users WHERE id >= from_id ORDER BY id LIMIT 1);
    t timestamptz;
    statement text;
    rows bigint;
BEGIN
    number := 1000000 + nextval('other_program.numbers');
    FOREACH statement IN ARRAY ARRAY[
        'INSERT INTO users (phone_number, name) VALUES (''+1555'' || $1, ''New'')',
        'INSERT INTO patient_profiles (user_id, name, phone, email)'
        ' SELECT id, name, phone_number, ''new'' || $1 || ''@example.com'' FROM users WHERE phone_number = ''+1555'' || $1',
        'INSERT INTO medical_backgrounds (patient_profile_id) SELECT p.id FROM users u'
        ' JOIN patient_profiles p ON p.user_id = u.id WHERE u.phone_number = ''+1555'' || $1',
        'UPDATE users SET name = ''Changed'' WHERE id = $2',
        'UPDATE patient_profiles SET location = ''Changed'' WHERE user_id = $2',
        'INSERT INTO medical_questionnaire_submissions (booking_uid, patient_profile_id, submission_data, status)'
        ' SELECT ''legacy'' || $1, p.id, ''{}'', ''processed'' FROM users u'
        ' JOIN patient_profiles p ON p.user_id = u.id WHERE u.phone_number = ''+1555'' || $1',
        'UPDATE medical_questionnaire_submissions SET submission_data = ''{"changed": true}'''
        ' WHERE booking_uid = ''legacy'' || $1'
    ] LOOP
        CONTINUE WHEN statement LIKE '%medical_questionnaire_submissions%'
            AND has_table_privilege(to_regclass('medical_questionnaire_submissions'), 'INSERT') IS NOT TRUE;
        t := clock_timestamp();
        BEGIN
            EXECUTE statement USING number, some_user;
            GET DIAGNOSTICS rows = ROW_COUNT;
            IF rows > 0 AND statement LIKE '%medical_questionnaire_submissions%' THEN
                submission := CASE WHEN statement LIKE 'INSERT%' THEN '{}' ELSE '{"changed": true}' END;
            END IF;
        EXCEPTION WHEN undefined_table THEN
            NULL; -- the submissions were parked since we asked
        END;
        IF apart THEN
            COMMIT;
        END IF;
        longest_ms := greatest(longest_ms, other_program.elapsed_ms(t));
        t := clock_timestamp();
        EXECUTE 'INSERT INTO other_program.control (number) VALUES ($1)' USING number;
        IF apart THEN
            COMMIT;
        END IF;
        noise_ms := greatest(noise_ms, other_program.elapsed_ms(t));
    END LOOP;
END $$;
CREATE PROCEDURE other_program.write_control(INOUT noise_ms float8 DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE
    t timestamptz := clock_timestamp();
BEGIN
    INSERT INTO other_program.control (number) VALUES (0);
    COMMIT;
    noise_ms := other_program.elapsed_ms(t);
END $$;
"""


def load(database, rows):
    """Makes the tables of the baseline, fills them, and prepares what LegacyWriters need."""
    with open(os.path.join(ROOT, "migrations", "000_baseline.up.sql"), encoding="utf-8") as file:
        with database.connect() as connection:
            connection.execute(file.read())
    with database.connect("postgres") as connection:
        connection.execute(ROWS_SQL.format(rows=rows))
        connection.execute(WRITER)


class LegacyWriters:
    """Programs that write the legacy tables, as a role that knows nothing else.

    Every other one commits after each statement; none pauses for more than `pause_s` between writes.
    With `control_pause_s` one more writes only the table that no migration touches, that often, so that
    what the machine does to everybody is not missed by the noise.
    """

    def __init__(self, database, count=2, pause_s=0, control_pause_s=None):
        self._database = database
        self._stop = threading.Event()
        self._lock = threading.Lock()  # guards what follows
        self._changed = threading.Condition(self._lock)
        self.writes = [0] * count
        self.acknowledged = {}  # of the writes: number, and what its submission holds or None
        self.longest_ms = 0.0
        self.noise_ms = 0.0
        self.errors = []
        work = [(self._write, pause_s, place) for place in range(count)]
        if control_pause_s is not None:
            work.append((self._write_control, control_pause_s))
        self._threads = [threading.Thread(target=self._run, args=arguments, daemon=True) for arguments in work]

    def _run(self, write, pause_s, *arguments):
        with self._database.connect("legacy") as connection:
            connection.execute("SET application_name = 'legacy writer'")
            while not self._stop.is_set():
                try:
                    write(connection, *arguments)
                except Exception as error:  # whatever it is, the test is to show it
                    with self._lock:
                        self.errors.append(error)
                        self._changed.notify_all()
                    return
                self._stop.wait(pause_s)

    def _write(self, connection, place):
        row = connection.execute("CALL other_program.write(%s)", (place % 2 == 1,)).fetchone()
        with self._lock:
            self.writes[place] += 1
            self.acknowledged[row["number"]] = row["submission"]
            self.longest_ms = max(self.longest_ms, row["longest_ms"])
            self.noise_ms = max(self.noise_ms, row["noise_ms"])
            self._changed.notify_all()

    def _write_control(self, connection):
        noise_ms = connection.execute("CALL other_program.write_control()").fetchone()["noise_ms"]
        with self._lock:
            self.noise_ms = max(self.noise_ms, noise_ms)

    def wait_for_writes(self, count, timeout=30):
        """Waits until each has written so many times more."""
        with self._lock:
            targets = [writes + count for writes in self.writes]
            assert self._changed.wait_for(
                lambda: self.errors or all(writes >= target for writes, target in zip(self.writes, targets)), timeout)
            assert not self.errors, self.errors

    def take(self):
        """(longest_ms, noise_ms) since the last time, and begins anew."""
        with self._lock:
            taken = self.longest_ms, self.noise_ms
            self.longest_ms = self.noise_ms = 0.0
            return taken

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        self.wait_for_writes(10)
        return self

    def __exit__(self, kind, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads), "a writer waits for something"
        assert kind is not None or not self.errors, self.errors
