-- intake: no-transaction
-- The earlier contents of a booking's submission.
SET lock_timeout = '15ms';

BEGIN;
SELECT intake_archive.restore_table('submission_revisions');
CREATE TABLE IF NOT EXISTS submission_revisions (
    submission_id         uuid NOT NULL,
    revision              integer NOT NULL,
    submission_data       jsonb NOT NULL,
    status                text,
    questionnaire_id      text,
    questionnaire_version text,
    created_at            timestamptz,
    replaced_at           timestamptz DEFAULT now(),
    PRIMARY KEY (submission_id, revision)
);
COMMENT ON TABLE submission_revisions IS
    'Contents that a later revision replaced; the current one is in medical_questionnaire_submissions';
COMMENT ON COLUMN submission_revisions.submission_data IS 'The body as it was posted';
COMMENT ON COLUMN submission_revisions.status IS 'What this revision had come to when it was replaced';
COMMENT ON COLUMN submission_revisions.created_at IS 'When this revision was posted';
COMMENT ON COLUMN submission_revisions.replaced_at IS 'When the next revision was posted';
COMMIT;

BEGIN;
SELECT intake_archive.prepare_to_alter('medical_questionnaire_submissions', '10ms');
ALTER TABLE submission_revisions DROP CONSTRAINT IF EXISTS submission_revisions_submission_id_fkey;
ALTER TABLE submission_revisions
    ADD CONSTRAINT submission_revisions_submission_id_fkey
    FOREIGN KEY (submission_id) REFERENCES medical_questionnaire_submissions (id) NOT VALID;
COMMIT;

-- A submission that was deleted while these were parked takes its revisions along.
DELETE FROM submission_revisions AS r
WHERE NOT EXISTS (SELECT FROM medical_questionnaire_submissions AS s WHERE s.id = r.submission_id);

ALTER TABLE submission_revisions VALIDATE CONSTRAINT submission_revisions_submission_id_fkey;
