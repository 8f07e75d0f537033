-- intake: no-transaction
-- What the answers of a submission come to: scores with their bands, and flags.
SET lock_timeout = '20ms';

BEGIN;
SELECT intake_archive.prepare_to_alter('medical_questionnaire_submissions');
SELECT intake_archive.discard_unfinished_parking('medical_questionnaire_submissions', 'submissions_009');
ALTER TABLE medical_questionnaire_submissions ADD COLUMN IF NOT EXISTS evaluation jsonb;
COMMENT ON COLUMN medical_questionnaire_submissions.evaluation IS
    'What the worker found for staff: {"scores": […], "flags": […]}; NULL: nothing, or not processed yet';
COMMIT;

CALL intake_archive.restore_columns('medical_questionnaire_submissions', 'submissions_009', '{evaluation}',
    'live.evaluation IS NULL');
DROP TABLE IF EXISTS intake_archive.submissions_009;
