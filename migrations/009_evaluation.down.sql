-- intake: no-transaction
-- Parks the evaluations that there are.
SET lock_timeout = '20ms';

CALL intake_archive.park_columns('medical_questionnaire_submissions', 'submissions_009', '{evaluation}',
    'evaluation IS NOT NULL');

BEGIN;
SELECT intake_archive.prepare_to_alter('medical_questionnaire_submissions');
SELECT intake_archive.end_parking('medical_questionnaire_submissions', 'submissions_009');
ALTER TABLE medical_questionnaire_submissions DROP COLUMN IF EXISTS evaluation;
COMMIT;
