-- intake: no-transaction
-- A user can be found by e-mail, and need not have a telephone.
SET lock_timeout = '15ms';

BEGIN;
SELECT intake_archive.prepare_to_alter('users');
SELECT intake_archive.discard_unfinished_parking('users', 'users_002');
-- The archive comes or is there together with the new column, and goes when everybody's e-mail is
-- known: only while it is there are e-mails looked for.
DO $$
BEGIN
    IF NOT intake_archive.has_column('users', 'email') THEN
        ALTER TABLE users ADD COLUMN email text;
        CREATE TABLE IF NOT EXISTS intake_archive.users_002 (id uuid PRIMARY KEY, email text);
    END IF;
END
$$;
COMMIT;

BEGIN;
SELECT intake_archive.prepare_to_alter('users');
COMMENT ON COLUMN users.email IS
    'Unique without regard to case; NULL where none is known, and where legacy profiles share one';
COMMENT ON COLUMN users.phone_number IS
    'NULL where none is known; older rows hold an e-mail address in places';
COMMIT;

CALL intake_archive.allow_null_phone('users', 'phone_number');

SET lock_timeout = '2min';
DROP INDEX CONCURRENTLY IF EXISTS users_email_key;
CREATE UNIQUE INDEX CONCURRENTLY users_email_key ON users (lower(email));
DROP INDEX CONCURRENTLY IF EXISTS idx_patient_profiles_email;
CREATE INDEX CONCURRENTLY idx_patient_profiles_email ON patient_profiles (lower(email));
SET lock_timeout = '15ms';

-- What a step back parked, which is also the knowledge that a user has none.
CALL intake_archive.restore_columns('users', 'users_002', '{email}',
    $$NOT EXISTS (SELECT FROM users AS other
                  WHERE lower(other.email) = lower(parked.email) AND other.id <> parked.id)$$);

-- Of every other user, the e-mail of the live profile, where that is one and nobody else's.
DO $$
BEGIN
    IF to_regclass('intake_archive.users_002') IS NULL THEN
        RETURN;
    END IF;
    CALL intake_archive.for_each_page('users', 200, $page$
        UPDATE users AS u
        SET email = p.email
        FROM patient_profiles AS p
        WHERE u.id >= $1 AND ($2 IS NULL OR u.id < $2)
          AND u.email IS NULL
          AND p.user_id = u.id
          AND NOT p.deleted
          AND p.email ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+[.][^@[:space:][:cntrl:]]+$'
          AND NOT EXISTS (SELECT FROM patient_profiles AS other
                          WHERE lower(other.email) = lower(p.email) AND other.id <> p.id AND NOT other.deleted)
          AND NOT EXISTS (SELECT FROM users AS other WHERE lower(other.email) = lower(p.email))
          AND NOT EXISTS (SELECT FROM intake_archive.users_002 AS known WHERE known.id = u.id)
    $page$);
END
$$;
DROP TABLE IF EXISTS intake_archive.users_002;
