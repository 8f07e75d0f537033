-- Answers that patients have begun and not sent yet.
SELECT intake_archive.restore_table('submission_drafts');
CREATE TABLE IF NOT EXISTS submission_drafts (
    booking_uid text PRIMARY KEY,
    version     uuid NOT NULL,
    draft_data  json NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS idx_submission_drafts_expires_at ON submission_drafts (expires_at);
COMMENT ON TABLE submission_drafts IS
    'What was begun for a booking; the submission that completes it takes it out in its own transaction';
COMMENT ON COLUMN submission_drafts.version IS
    'Another one for every content, also after the draft was removed and begun anew';
COMMENT ON COLUMN submission_drafts.draft_data IS
    'The body as it was posted, byte by byte, however wrong: json, because jsonb takes no \u0000';
COMMENT ON COLUMN submission_drafts.expires_at IS 'Not there for anybody from then on; the worker deletes it';
