-- intake: no-transaction
-- Parks every user's e-mail (also that there is none, so that the next step up does not look for
-- one again). A user without a telephone gets the placeholder 'intake:no-phone:<user id>'.
SET lock_timeout = '15ms';

-- When a step up was broken off, its archive is still there, and the users that it had not come
-- to are to be looked at by the next one.
DO $$
BEGIN
    CALL intake_archive.park_columns('users', 'users_002', '{email}', CASE
        WHEN to_regclass('intake_archive.users_002') IS NULL THEN 'true'
        ELSE 'email IS NOT NULL OR EXISTS (SELECT FROM intake_archive.users_002 AS known WHERE known.id = live.id)'
    END);
END
$$;
CALL intake_archive.forbid_null_phone('users', 'phone_number', 'id');

SET lock_timeout = '2min';
DROP INDEX CONCURRENTLY IF EXISTS idx_patient_profiles_email;
DROP INDEX CONCURRENTLY IF EXISTS users_email_key;
SET lock_timeout = '15ms';

BEGIN;
SELECT intake_archive.prepare_to_alter('users');
SELECT intake_archive.end_parking('users', 'users_002');
SELECT intake_archive.finish_forbidding_null('users', 'phone_number');
ALTER TABLE users DROP COLUMN IF EXISTS email;
COMMIT;

BEGIN;
SELECT intake_archive.prepare_to_alter('users');
COMMENT ON COLUMN users.phone_number IS NULL;
COMMIT;
