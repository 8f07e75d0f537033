"""The database as it was before Intake: its tables with rows, and programs that go on writing them."""

import threading

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
# tables only. `control` is a table that no migration touches: what it takes is the machine's noise.
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
CREATE FUNCTION other_program.write(OUT longest_ms float8, OUT noise_ms float8)
LANGUAGE plpgsql AS $$
DECLARE
    number bigint := 1000000 + nextval('other_program.numbers');
    some_user uuid := (SELECT id FROM users WHERE id >= gen_random_uuid() ORDER BY id LIMIT 1);
    t timestamptz;
    statement text;
BEGIN
    longest_ms := 0;
    noise_ms := 0;
    FOREACH statement IN ARRAY ARRAY[
        'INSERT INTO users (phone_number, name) VALUES (''+1555'' || $1, ''New'')',
        'INSERT INTO patient_profiles (user_id, name, phone, email)'
        ' SELECT id, name, phone_number, ''new'' || $1 || ''@example.com'' FROM users WHERE phone_number = ''+1555'' || $1',
        'INSERT INTO medical_backgrounds (patient_profile_id) SELECT p.id FROM users u'
        ' JOIN patient_profiles p ON p.user_id = u.id WHERE u.phone_number = ''+1555'' || $1',
        'UPDATE users SET name = ''Changed'' WHERE id = $2',
        'UPDATE patient_profiles SET location = ''Changed'' WHERE user_id = $2'
    ] LOOP
        t := clock_timestamp();
        EXECUTE statement USING number, some_user;
        longest_ms := greatest(longest_ms, other_program.elapsed_ms(t));
        t := clock_timestamp();
        EXECUTE 'INSERT INTO other_program.control (number) VALUES ($1)' USING number;
        noise_ms := greatest(noise_ms, other_program.elapsed_ms(t));
    END LOOP;
END $$;
"""


def load(database, rows):
    """Fills the tables of the baseline and prepares what LegacyWriters need."""
    with database.connect("postgres") as connection:
        connection.execute(ROWS_SQL.format(rows=rows))
        connection.execute(WRITER)


class LegacyWriters:
    """Programs that write the legacy tables without a pause, as a role that knows nothing else."""

    def __init__(self, database, count=2):
        self._database = database
        self._stop = threading.Event()
        self._lock = threading.Lock()  # guards what follows
        self._changed = threading.Condition(self._lock)
        self.writes = 0
        self.longest_ms = 0.0
        self.noise_ms = 0.0
        self.errors = []
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]

    def _run(self):
        with self._database.connect("legacy") as connection:
            while not self._stop.is_set():
                try:
                    row = connection.execute("SELECT * FROM other_program.write()").fetchone()
                except Exception as error:  # whatever it is, the test is to show it
                    with self._lock:
                        self.errors.append(error)
                        self._changed.notify_all()
                    return
                with self._lock:
                    self.writes += 1
                    self.longest_ms = max(self.longest_ms, row["longest_ms"])
                    self.noise_ms = max(self.noise_ms, row["noise_ms"])
                    self._changed.notify_all()

    def wait_for_writes(self, count, timeout=30):
        """Waits until there were so many more."""
        with self._lock:
            target = self.writes + count
            assert self._changed.wait_for(lambda: self.writes >= target or self.errors, timeout)
            assert not self.errors, self.errors

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        self.wait_for_writes(20)
        return self

    def __exit__(self, kind, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert kind is not None or not self.errors, self.errors
