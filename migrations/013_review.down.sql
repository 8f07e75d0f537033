-- intake: no-transaction
-- Parks the tables, without their foreign keys, and the states that somebody set.
SET lock_timeout = '20ms';

BEGIN;
SELECT intake_archive.prepare_to_alter('medical_questionnaire_submissions', '10ms');
ALTER TABLE IF EXISTS submission_reviews DROP CONSTRAINT IF EXISTS submission_reviews_submission_id_fkey;
ALTER TABLE IF EXISTS submission_reviews SET SCHEMA intake_archive;
ALTER TABLE IF EXISTS processing_failures DROP CONSTRAINT IF EXISTS processing_failures_submission_id_fkey;
ALTER TABLE IF EXISTS processing_failures SET SCHEMA intake_archive;
ALTER TABLE IF EXISTS contradiction_resolutions
    DROP CONSTRAINT IF EXISTS contradiction_resolutions_submission_id_fkey;
ALTER TABLE IF EXISTS contradiction_resolutions SET SCHEMA intake_archive;
COMMIT;

CALL intake_archive.park_columns('medical_questionnaire_submissions', 'submissions_013', '{review_state}',
    $$review_state <> 'received'$$);

BEGIN;
SELECT intake_archive.prepare_to_alter('medical_questionnaire_submissions');
SELECT intake_archive.end_parking('medical_questionnaire_submissions', 'submissions_013');
ALTER TABLE medical_questionnaire_submissions DROP COLUMN IF EXISTS review_state;
COMMIT;
