-- intake: no-transaction
-- Parks what the worker knows of every submission.
SET lock_timeout = '15ms';

CALL intake_archive.park_columns('medical_questionnaire_submissions', 'submissions_003',
    '{revision, attempts, next_attempt_at, processed_at, failure_reason, questionnaire_id, questionnaire_version, contradictions}',
    'true');

SET lock_timeout = '2min';
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_claim;
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_claim_again;
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_created;
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_failed;
SET lock_timeout = '15ms';

BEGIN;
SELECT intake_archive.prepare_to_alter('medical_questionnaire_submissions');
SELECT intake_archive.end_parking('medical_questionnaire_submissions', 'submissions_003');
ALTER TABLE medical_questionnaire_submissions
    DROP COLUMN IF EXISTS revision,
    DROP COLUMN IF EXISTS attempts,
    DROP COLUMN IF EXISTS next_attempt_at,
    DROP COLUMN IF EXISTS processed_at,
    DROP COLUMN IF EXISTS failure_reason,
    DROP COLUMN IF EXISTS questionnaire_id,
    DROP COLUMN IF EXISTS questionnaire_version,
    DROP COLUMN IF EXISTS contradictions;
COMMIT;
