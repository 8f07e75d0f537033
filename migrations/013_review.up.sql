-- intake: no-transaction
-- What staff decide about a submission, and what went wrong while it was processed.
SET lock_timeout = '20ms';

-- A constant default is kept in the catalogue: no row is written.
BEGIN;
SELECT intake_archive.prepare_to_alter('medical_questionnaire_submissions');
SELECT intake_archive.discard_unfinished_parking('medical_questionnaire_submissions', 'submissions_013');
ALTER TABLE medical_questionnaire_submissions
    ADD COLUMN IF NOT EXISTS review_state text NOT NULL DEFAULT 'received',
    DROP CONSTRAINT IF EXISTS medical_questionnaire_submissions_review_state_check,
    ADD CONSTRAINT medical_questionnaire_submissions_review_state_check
        CHECK (review_state IN ('received', 'has_issues', 'approved', 'rejected')) NOT VALID;
COMMENT ON COLUMN medical_questionnaire_submissions.review_state IS
    'What staff think of the current revision, apart from status; the next revision is received again';
COMMIT;

BEGIN;
SELECT intake_archive.prepare_to_alter('medical_questionnaire_submissions');
ALTER TABLE medical_questionnaire_submissions
    VALIDATE CONSTRAINT medical_questionnaire_submissions_review_state_check;
COMMIT;

CALL intake_archive.restore_columns('medical_questionnaire_submissions', 'submissions_013', '{review_state}',
    $$live.review_state = 'received'$$);
DROP TABLE IF EXISTS intake_archive.submissions_013;

BEGIN;
SELECT intake_archive.restore_table('submission_reviews');
CREATE TABLE IF NOT EXISTS submission_reviews (
    submission_id uuid NOT NULL,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    revision      integer NOT NULL,
    state         text NOT NULL,
    comment       text,
    token_id      uuid,
    actor         text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (submission_id, id)
);
COMMENT ON TABLE submission_reviews IS 'Every review state that somebody set, with the comment; only ever added to';
COMMENT ON COLUMN submission_reviews.revision IS 'The content that was reviewed';
COMMENT ON COLUMN submission_reviews.actor IS 'The name of the staff token';

SELECT intake_archive.restore_table('processing_failures');
CREATE TABLE IF NOT EXISTS processing_failures (
    submission_id uuid NOT NULL,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    revision      integer NOT NULL,
    attempt       integer NOT NULL,
    failed_at     timestamptz NOT NULL DEFAULT now(),
    reason        text NOT NULL,
    final         boolean NOT NULL,
    PRIMARY KEY (submission_id, id)
);
COMMENT ON TABLE processing_failures IS 'Attempts of the worker that failed; those that succeeded leave nothing here';
COMMENT ON COLUMN processing_failures.attempt IS 'Which attempt, counted from 1 again after somebody asked for a new try';
COMMENT ON COLUMN processing_failures.reason IS 'For staff to read; no patient data';
COMMENT ON COLUMN processing_failures.final IS 'Whether the submission was given up: status failed';

SELECT intake_archive.restore_table('contradiction_resolutions');
CREATE TABLE IF NOT EXISTS contradiction_resolutions (
    submission_id uuid NOT NULL,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    revision      integer NOT NULL,
    field         text NOT NULL,
    stored        jsonb NOT NULL,
    posted        jsonb NOT NULL,
    decision      text NOT NULL CHECK (decision IN ('keep', 'take')),
    token_id      uuid,
    actor         text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (submission_id, id)
);
COMMENT ON TABLE contradiction_resolutions IS
    'What staff decided about contradictions of a submission; the last one of a field and its two values counts';
COMMENT ON COLUMN contradiction_resolutions.stored IS 'The value that was there before; JSON null: none';
COMMENT ON COLUMN contradiction_resolutions.posted IS 'The value that contradicted it';
COMMENT ON COLUMN contradiction_resolutions.decision IS
    'keep: the stored value stays, for later revisions that say the same, too; take: the posted one was written in its place';
COMMIT;

-- A submission that was deleted while these were parked takes its rows along.
DELETE FROM submission_reviews AS r
WHERE NOT EXISTS (SELECT FROM medical_questionnaire_submissions AS s WHERE s.id = r.submission_id);
DELETE FROM processing_failures AS r
WHERE NOT EXISTS (SELECT FROM medical_questionnaire_submissions AS s WHERE s.id = r.submission_id);
DELETE FROM contradiction_resolutions AS r
WHERE NOT EXISTS (SELECT FROM medical_questionnaire_submissions AS s WHERE s.id = r.submission_id);

BEGIN;
SELECT intake_archive.prepare_to_alter('medical_questionnaire_submissions', '10ms');
ALTER TABLE submission_reviews DROP CONSTRAINT IF EXISTS submission_reviews_submission_id_fkey;
ALTER TABLE submission_reviews
    ADD CONSTRAINT submission_reviews_submission_id_fkey
    FOREIGN KEY (submission_id) REFERENCES medical_questionnaire_submissions (id) NOT VALID;
ALTER TABLE processing_failures DROP CONSTRAINT IF EXISTS processing_failures_submission_id_fkey;
ALTER TABLE processing_failures
    ADD CONSTRAINT processing_failures_submission_id_fkey
    FOREIGN KEY (submission_id) REFERENCES medical_questionnaire_submissions (id) NOT VALID;
ALTER TABLE contradiction_resolutions DROP CONSTRAINT IF EXISTS contradiction_resolutions_submission_id_fkey;
ALTER TABLE contradiction_resolutions
    ADD CONSTRAINT contradiction_resolutions_submission_id_fkey
    FOREIGN KEY (submission_id) REFERENCES medical_questionnaire_submissions (id) NOT VALID;
COMMIT;

ALTER TABLE submission_reviews VALIDATE CONSTRAINT submission_reviews_submission_id_fkey;
ALTER TABLE processing_failures VALIDATE CONSTRAINT processing_failures_submission_id_fkey;
ALTER TABLE contradiction_resolutions VALIDATE CONSTRAINT contradiction_resolutions_submission_id_fkey;
