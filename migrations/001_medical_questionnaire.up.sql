-- intake: no-transaction
-- The customer's plan: where a user came from, the booking and the channel of a patient profile,
-- a telephone that may be missing, and the submissions.
SET lock_timeout = '15ms';

-- users.user_type. A constant default is kept in the catalogue: no row is written.
BEGIN;
SELECT intake_archive.prepare_to_alter('users');
SELECT intake_archive.discard_unfinished_parking('users', 'users_001');
ALTER TABLE users
    ADD COLUMN IF NOT EXISTS user_type text DEFAULT 'whatsapp',
    DROP CONSTRAINT IF EXISTS users_user_type_check,
    ADD CONSTRAINT users_user_type_check
        CHECK (user_type IN ('whatsapp', 'medical_questionnaire', 'chat')) NOT VALID;
COMMIT;

BEGIN;
SELECT intake_archive.prepare_to_alter('users');
ALTER TABLE users VALIDATE CONSTRAINT users_user_type_check;
COMMENT ON COLUMN users.user_type IS
    'Where the user first came from: whatsapp, medical_questionnaire or chat; never changed by a questionnaire';
COMMIT;

CALL intake_archive.restore_columns('users', 'users_001', '{user_type}');
DROP TABLE IF EXISTS intake_archive.users_001;

-- patient_profiles. The rows of today did not come from a questionnaire: they get 'whatsapp', the
-- default at the moment when the column arrives; the default of the plan holds from then on.
BEGIN;
SELECT intake_archive.prepare_to_alter('patient_profiles');
SELECT intake_archive.discard_unfinished_parking('patient_profiles', 'patient_profiles_001');
ALTER TABLE patient_profiles
    ADD COLUMN IF NOT EXISTS booking_uid text,
    ADD COLUMN IF NOT EXISTS source_channel text DEFAULT 'whatsapp';
ALTER TABLE patient_profiles ALTER COLUMN source_channel SET DEFAULT 'medical_questionnaire';
COMMIT;

BEGIN;
SELECT intake_archive.prepare_to_alter('patient_profiles');
COMMENT ON COLUMN patient_profiles.booking_uid IS
    'The Cal.com booking whose questionnaire came last; each submission has its own';
COMMENT ON COLUMN patient_profiles.source_channel IS
    'What created the profile: whatsapp for those older than the questionnaire';
COMMIT;

CALL intake_archive.allow_null_phone('patient_profiles', 'phone');
CALL intake_archive.restore_columns('patient_profiles', 'patient_profiles_001', '{booking_uid, source_channel}');
DROP TABLE IF EXISTS intake_archive.patient_profiles_001;

-- An index build waits for older transactions, and nobody waits for it. An index that a broken
-- build left behind is invalid: it goes first.
SET lock_timeout = '2min';
DROP INDEX CONCURRENTLY IF EXISTS idx_patient_profiles_booking_uid;
CREATE INDEX CONCURRENTLY idx_patient_profiles_booking_uid ON patient_profiles (booking_uid);
SET lock_timeout = '15ms';

-- The submissions: taken back as they were parked, or new.
BEGIN;
SELECT intake_archive.prepare_to_alter('intake_archive.medical_questionnaire_submissions');
SELECT intake_archive.restore_table('medical_questionnaire_submissions');
CREATE TABLE IF NOT EXISTS medical_questionnaire_submissions (
    id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    booking_uid        text UNIQUE NOT NULL,
    patient_profile_id uuid,
    submission_data    jsonb NOT NULL,
    status             text NOT NULL DEFAULT 'submitted'
                       CHECK (status IN ('submitted', 'processed', 'failed')),
    created_at         timestamptz DEFAULT now(),
    updated_at         timestamptz DEFAULT now(),
    deleted            boolean DEFAULT false
);
CREATE INDEX IF NOT EXISTS idx_submissions_patient_profile_id
    ON medical_questionnaire_submissions (patient_profile_id);
COMMENT ON TABLE medical_questionnaire_submissions IS
    'One row per booking: the questionnaire as last posted';
COMMENT ON COLUMN medical_questionnaire_submissions.booking_uid IS
    'Cal.com''s identifier of the booking: 1 to 128 letters, digits, - or _';
COMMENT ON COLUMN medical_questionnaire_submissions.patient_profile_id IS
    'The patient; NULL when another program has deleted the profile since';
COMMENT ON COLUMN medical_questionnaire_submissions.submission_data IS
    'The body as it was posted';
COMMENT ON COLUMN medical_questionnaire_submissions.status IS
    'submitted: waits for the worker; processed: merged into the medical background; failed: given up';
COMMENT ON COLUMN medical_questionnaire_submissions.deleted IS
    'Soft deletion: every read leaves the row out when this is true';
COMMIT;

-- ON DELETE SET NULL: a program that deletes profiles today can do so tomorrow. What was deleted
-- while the submissions were parked loses its reference in the same way.
BEGIN;
SELECT intake_archive.prepare_to_alter('patient_profiles', '10ms');
ALTER TABLE medical_questionnaire_submissions
    DROP CONSTRAINT IF EXISTS medical_questionnaire_submissions_patient_profile_id_fkey;
ALTER TABLE medical_questionnaire_submissions
    ADD CONSTRAINT medical_questionnaire_submissions_patient_profile_id_fkey
    FOREIGN KEY (patient_profile_id) REFERENCES patient_profiles (id) ON DELETE SET NULL NOT VALID;
COMMIT;

CALL intake_archive.for_each_page('medical_questionnaire_submissions', 500, $$
    UPDATE medical_questionnaire_submissions AS s
    SET patient_profile_id = NULL
    WHERE s.id >= $1 AND ($2 IS NULL OR s.id < $2)
      AND s.patient_profile_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM patient_profiles AS p WHERE p.id = s.patient_profile_id)
$$);

BEGIN;
SELECT intake_archive.prepare_to_alter('medical_questionnaire_submissions');
ALTER TABLE medical_questionnaire_submissions
    VALIDATE CONSTRAINT medical_questionnaire_submissions_patient_profile_id_fkey;
COMMIT;
