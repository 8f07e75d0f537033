-- intake: no-transaction
-- Indexes hold nothing to park.
SET lock_timeout = '2min';
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_list;
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_flags;
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_posted_email;
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_posted_phone;
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_posted_name;
DROP INDEX CONCURRENTLY IF EXISTS idx_patient_profiles_phone;
DROP INDEX CONCURRENTLY IF EXISTS idx_patient_profiles_name;

-- The extension goes where the step up has made it, and nobody uses it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension
               WHERE extname = 'pg_trgm' AND extnamespace = to_regnamespace('intake_archive')
                 AND pg_has_role(extowner, 'USAGE')) THEN
        DROP EXTENSION pg_trgm;
    END IF;
EXCEPTION WHEN dependent_objects_still_exist THEN
    NULL;
END
$$;
SET lock_timeout = '15ms';
