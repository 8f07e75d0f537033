-- intake: no-transaction
-- Takes the plan out again and parks it in intake_archive: the submissions as a whole table, the
-- columns by row. A profile without a telephone gets the placeholder 'intake:no-phone:<user id>',
-- because the legacy schema demands one.
SET lock_timeout = '15ms';

-- Without its foreign key, so that the parked table forbids nobody to delete a profile.
BEGIN;
SELECT intake_archive.prepare_to_alter('patient_profiles', '10ms');
ALTER TABLE IF EXISTS medical_questionnaire_submissions
    DROP CONSTRAINT IF EXISTS medical_questionnaire_submissions_patient_profile_id_fkey;
ALTER TABLE IF EXISTS medical_questionnaire_submissions SET SCHEMA intake_archive;
COMMIT;

CALL intake_archive.park_columns('patient_profiles', 'patient_profiles_001', '{booking_uid, source_channel}',
    $$booking_uid IS NOT NULL OR source_channel IS DISTINCT FROM 'whatsapp'$$);
CALL intake_archive.forbid_null_phone('patient_profiles', 'phone', 'user_id');

SET lock_timeout = '2min';
DROP INDEX CONCURRENTLY IF EXISTS idx_patient_profiles_booking_uid;
SET lock_timeout = '15ms';

BEGIN;
SELECT intake_archive.prepare_to_alter('patient_profiles');
SELECT intake_archive.end_parking('patient_profiles', 'patient_profiles_001');
SELECT intake_archive.finish_forbidding_null('patient_profiles', 'phone');
ALTER TABLE patient_profiles
    DROP COLUMN IF EXISTS booking_uid,
    DROP COLUMN IF EXISTS source_channel;
COMMIT;

CALL intake_archive.park_columns('users', 'users_001', '{user_type}',
    $$user_type IS DISTINCT FROM 'whatsapp'$$);

BEGIN;
SELECT intake_archive.prepare_to_alter('users');
SELECT intake_archive.end_parking('users', 'users_001');
ALTER TABLE users DROP COLUMN IF EXISTS user_type;
COMMIT;
