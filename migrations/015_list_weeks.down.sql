-- intake: no-transaction
-- The weeks need no parking: the step up reads them from the submissions again. The indexes of
-- 014 come back before those that took their place go.
SET lock_timeout = '2min';
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_flags;
CREATE INDEX CONCURRENTLY idx_submissions_flags
    ON medical_questionnaire_submissions USING gin ((evaluation -> 'flags') jsonb_path_ops) WITH (gin_pending_list_limit = 64)
    WHERE evaluation -> 'flags' <> '[]';
SELECT set_config('search_path', format('%s, %s', current_setting('search_path'), extnamespace::regnamespace), false)
FROM pg_extension
WHERE extname = 'pg_trgm';
DROP INDEX CONCURRENTLY IF EXISTS idx_patient_profiles_name;
CREATE INDEX CONCURRENTLY idx_patient_profiles_name
    ON patient_profiles USING gin ((' ' || translate(lower(name), E'\u0131\u0307', 'i')) gin_trgm_ops)
    WITH (gin_pending_list_limit = 64);
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_posted_name;
CREATE INDEX CONCURRENTLY idx_submissions_posted_name
    ON medical_questionnaire_submissions
       USING gin ((' ' || translate(lower(submission_data ->> 'attendee_name'), E'\u0131\u0307', 'i')) gin_trgm_ops)
    WITH (gin_pending_list_limit = 64)
    WHERE contradictions <> '[]' OR patient_profile_id IS NULL;
RESET search_path;
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_flag_weeks;
DROP INDEX CONCURRENTLY IF EXISTS idx_patient_profiles_name_weeks;
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_posted_name_weeks;

SET lock_timeout = '20ms';
BEGIN;
SELECT intake_archive.prepare_to_alter('medical_questionnaire_submissions');
DROP TRIGGER IF EXISTS submission_weeks_insert ON medical_questionnaire_submissions;
DROP TRIGGER IF EXISTS submission_weeks_update ON medical_questionnaire_submissions;
COMMIT;
BEGIN;
SELECT intake_archive.prepare_to_alter('patient_profiles');
DROP TRIGGER IF EXISTS keep_profile_week ON patient_profiles;
ALTER TABLE patient_profiles DROP COLUMN IF EXISTS submission_weeks;
COMMIT;
DROP FUNCTION IF EXISTS note_submission_weeks();
DROP FUNCTION IF EXISTS keep_profile_week();
