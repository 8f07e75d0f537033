-- intake: no-transaction
-- What the staff's list reads, whatever it is narrowed to and however many rows there are.
SET lock_timeout = '2min';

-- What GIN puts off it does in small pieces: with the standard 4 MB whoever posts just then waits 100 ms.

-- Every narrowing by questionnaire, review state and status, alone or together, newest first: a
-- reader takes the head of each of the few groups that are left.
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_list;
CREATE INDEX CONCURRENTLY idx_submissions_list
    ON medical_questionnaire_submissions (coalesce(questionnaire_id, ''), review_state, status, created_at, id);

DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_flags;
CREATE INDEX CONCURRENTLY idx_submissions_flags
    ON medical_questionnaire_submissions USING gin ((evaluation -> 'flags') jsonb_path_ops) WITH (gin_pending_list_limit = 64)
    WHERE evaluation -> 'flags' <> '[]';

-- The contact as posted, where it is not the patient's: few rows.
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_posted_email;
CREATE INDEX CONCURRENTLY idx_submissions_posted_email
    ON medical_questionnaire_submissions (lower(submission_data ->> 'attendee_email'))
    WHERE contradictions <> '[]' OR patient_profile_id IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_posted_phone;
CREATE INDEX CONCURRENTLY idx_submissions_posted_phone
    ON medical_questionnaire_submissions
       (ltrim(regexp_replace(submission_data ->> 'attendee_phone', '[^0-9]', '', 'g'), '0'))
    WHERE contradictions <> '[]' OR patient_profile_id IS NULL;

DROP INDEX CONCURRENTLY IF EXISTS idx_patient_profiles_phone;
CREATE INDEX CONCURRENTLY idx_patient_profiles_phone ON patient_profiles (phone);

-- A part of a name is found by its trigrams. The extension comes with PostgreSQL, and whoever may
-- create in the database may make it. Its functions go where no other program sees them.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') THEN
        CREATE EXTENSION pg_trgm SCHEMA intake_archive;
    END IF;
EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
    RAISE EXCEPTION 'the search by name needs the extension pg_trgm, which % may not make: run "CREATE EXTENSION pg_trgm SCHEMA intake_archive" as a superuser (%)',
        current_user, SQLERRM USING ERRCODE = 'ITK03';
END
$$;
SELECT set_config('search_path', format('%s, %s', current_setting('search_path'), extnamespace::regnamespace), false)
FROM pg_extension
WHERE extname = 'pg_trgm';

-- İ, I, ı and i are one letter: lower() leaves the ı, and in some locales a dot above (U+0307). The
-- space makes the first word begin like every other one.
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
SET lock_timeout = '15ms';
