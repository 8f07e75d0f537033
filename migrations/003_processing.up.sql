-- intake: no-transaction
-- What the worker needs to know of a submission, and the indexes that its claim and the staff's
-- lists read.
SET lock_timeout = '15ms';

BEGIN;
SELECT intake_archive.prepare_to_alter('medical_questionnaire_submissions');
SELECT intake_archive.discard_unfinished_parking('medical_questionnaire_submissions', 'submissions_003');
ALTER TABLE medical_questionnaire_submissions
    ADD COLUMN IF NOT EXISTS revision integer NOT NULL DEFAULT 1,
    ADD COLUMN IF NOT EXISTS attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS next_attempt_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS processed_at timestamptz,
    ADD COLUMN IF NOT EXISTS failure_reason text,
    ADD COLUMN IF NOT EXISTS questionnaire_id text,
    ADD COLUMN IF NOT EXISTS questionnaire_version text,
    ADD COLUMN IF NOT EXISTS contradictions jsonb NOT NULL DEFAULT '[]';
COMMIT;

BEGIN;
SELECT intake_archive.prepare_to_alter('medical_questionnaire_submissions');
COMMENT ON COLUMN medical_questionnaire_submissions.revision IS
    'Which content of this booking the row holds; the first is 1';
COMMENT ON COLUMN medical_questionnaire_submissions.attempts IS
    'How often the worker claimed this revision; results of an older claim change nothing';
COMMENT ON COLUMN medical_questionnaire_submissions.next_attempt_at IS
    'Not claimed before: the lease of the current attempt, or the end of its back-off';
COMMENT ON COLUMN medical_questionnaire_submissions.failure_reason IS
    'Why status is failed, for staff to read; no patient data';
COMMENT ON COLUMN medical_questionnaire_submissions.questionnaire_id IS
    'The definition that the answers were validated against';
COMMENT ON COLUMN medical_questionnaire_submissions.contradictions IS
    'Posted contact fields that contradict stored ones: [{"field", "stored", "posted"}]';
COMMIT;

CALL intake_archive.restore_columns('medical_questionnaire_submissions', 'submissions_003',
    '{revision, attempts, next_attempt_at, processed_at, failure_reason, questionnaire_id, questionnaire_version, contradictions}');
DROP TABLE IF EXISTS intake_archive.submissions_003;

SET lock_timeout = '2min';
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_claim;
CREATE INDEX CONCURRENTLY idx_submissions_claim
    ON medical_questionnaire_submissions (next_attempt_at, id)
    WHERE status = 'submitted' AND attempts = 0;
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_claim_again;
CREATE INDEX CONCURRENTLY idx_submissions_claim_again
    ON medical_questionnaire_submissions (next_attempt_at, id)
    WHERE status = 'submitted' AND attempts > 0;
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_created;
CREATE INDEX CONCURRENTLY idx_submissions_created
    ON medical_questionnaire_submissions (created_at, id);
DROP INDEX CONCURRENTLY IF EXISTS idx_submissions_failed;
CREATE INDEX CONCURRENTLY idx_submissions_failed
    ON medical_questionnaire_submissions (created_at, id) WHERE status = 'failed';
SET lock_timeout = '15ms';
