-- intake: no-transaction
-- The staff's list finds names and flags week by week, the newest first, so that what it reads does
-- not grow with the number of all who have them: each of its indexes knows the week (its Monday,
-- UTC) of the submission, too. A name stands in the profile; its submission is nearly always of the
-- profile's own week, and every other week is written down in the profile.
SET lock_timeout = '20ms';

BEGIN;
SELECT intake_archive.prepare_to_alter('patient_profiles');
ALTER TABLE patient_profiles ADD COLUMN IF NOT EXISTS submission_weeks date[] NOT NULL DEFAULT '{}';
COMMIT;
COMMENT ON COLUMN patient_profiles.submission_weeks IS
    'Mondays (UTC) of the weeks of the patient''s submissions, but for that of created_at; kept by triggers, may be too many';

-- For whoever writes a submission, and need not be allowed to write profiles.
SELECT set_config('search_path', format('%I, pg_temp', current_schema()), false);
CREATE OR REPLACE FUNCTION note_submission_weeks() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_LEVEL = 'ROW' THEN
        UPDATE patient_profiles AS p
        SET submission_weeks = p.submission_weeks || date_trunc('week', NEW.created_at AT TIME ZONE 'UTC')::date
        WHERE p.id = NEW.patient_profile_id
          AND NOT (ARRAY[date_trunc('week', p.created_at AT TIME ZONE 'UTC')::date] || p.submission_weeks)
                  @> ARRAY[date_trunc('week', NEW.created_at AT TIME ZONE 'UTC')::date];
    -- Nearly all are of patients who are as new as they are; to see that is half of the work.
    ELSIF EXISTS (SELECT FROM fresh AS f JOIN patient_profiles AS p ON p.id = f.patient_profile_id
                  WHERE p.created_at <> f.created_at) THEN
        UPDATE patient_profiles AS p
        SET submission_weeks = p.submission_weeks || f.weeks
        FROM (SELECT patient_profile_id, array_agg(DISTINCT date_trunc('week', created_at AT TIME ZONE 'UTC')::date) AS weeks
              FROM fresh
              GROUP BY patient_profile_id) AS f
        WHERE p.id = f.patient_profile_id
          AND NOT (ARRAY[date_trunc('week', p.created_at AT TIME ZONE 'UTC')::date] || p.submission_weeks) @> f.weeks;
    END IF;
    RETURN NULL;
END
$$;
RESET search_path;
COMMENT ON FUNCTION note_submission_weeks() IS 'Writes the weeks of new submissions into their patients'' submission_weeks';

CREATE OR REPLACE FUNCTION keep_profile_week() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.submission_weeks := NEW.submission_weeks || date_trunc('week', OLD.created_at AT TIME ZONE 'UTC')::date;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION keep_profile_week() IS 'Keeps the week of a created_at that changes in submission_weeks';

BEGIN;
SELECT intake_archive.prepare_to_alter('medical_questionnaire_submissions');
CREATE OR REPLACE TRIGGER submission_weeks_insert AFTER INSERT ON medical_questionnaire_submissions
    REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION note_submission_weeks();
CREATE OR REPLACE TRIGGER submission_weeks_update AFTER UPDATE OF patient_profile_id, created_at ON medical_questionnaire_submissions
    FOR EACH ROW WHEN (OLD.patient_profile_id IS DISTINCT FROM NEW.patient_profile_id OR OLD.created_at <> NEW.created_at)
    EXECUTE FUNCTION note_submission_weeks();
COMMIT;

BEGIN;
SELECT intake_archive.prepare_to_alter('patient_profiles');
CREATE OR REPLACE TRIGGER keep_profile_week BEFORE UPDATE OF created_at ON patient_profiles
    FOR EACH ROW WHEN (OLD.created_at <> NEW.created_at)
    EXECUTE FUNCTION keep_profile_week();
COMMIT;

CALL intake_archive.for_each_page('medical_questionnaire_submissions', 1000, $page$
    UPDATE patient_profiles AS p
    SET submission_weeks = p.submission_weeks || f.weeks
    FROM (SELECT patient_profile_id, array_agg(DISTINCT date_trunc('week', created_at AT TIME ZONE 'UTC')::date) AS weeks
          FROM medical_questionnaire_submissions
          WHERE id >= $1 AND ($2 IS NULL OR id < $2)
          GROUP BY patient_profile_id) AS f
    WHERE p.id = f.patient_profile_id
      AND NOT (ARRAY[date_trunc('week', p.created_at AT TIME ZONE 'UTC')::date] || p.submission_weeks) @> f.weeks
$page$);

SET lock_timeout = '2min';
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_flag_weeks;
CREATE INDEX CONCURRENTLY idx_submissions_flag_weeks
    ON medical_questionnaire_submissions
       USING gin ((ARRAY[date_trunc('week', created_at AT TIME ZONE 'UTC')::date]), (evaluation -> 'flags') jsonb_path_ops)
    WITH (gin_pending_list_limit = 64)
    WHERE evaluation -> 'flags' <> '[]';

SELECT set_config('search_path', format('%s, %s', current_setting('search_path'), extnamespace::regnamespace), false)
FROM pg_extension
WHERE extname = 'pg_trgm';
DROP INDEX CONCURRENTLY IF EXISTS idx_patient_profiles_name_weeks;
CREATE INDEX CONCURRENTLY idx_patient_profiles_name_weeks
    ON patient_profiles
       USING gin ((ARRAY[date_trunc('week', created_at AT TIME ZONE 'UTC')::date] || submission_weeks),
                  (' ' || translate(lower(name), E'\u0131\u0307', 'i')) gin_trgm_ops)
    WITH (gin_pending_list_limit = 64);
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_posted_name_weeks;
CREATE INDEX CONCURRENTLY idx_submissions_posted_name_weeks
    ON medical_questionnaire_submissions
       USING gin ((ARRAY[date_trunc('week', created_at AT TIME ZONE 'UTC')::date]),
                  (' ' || translate(lower(submission_data ->> 'attendee_name'), E'\u0131\u0307', 'i')) gin_trgm_ops)
    WITH (gin_pending_list_limit = 64)
    WHERE contradictions <> '[]' OR patient_profile_id IS NULL;
RESET search_path;

-- What these take the place of.
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_flags;
DROP INDEX CONCURRENTLY IF EXISTS idx_patient_profiles_name;
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_posted_name;
SET lock_timeout = '15ms';
