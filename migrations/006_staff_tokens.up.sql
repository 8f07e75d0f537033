-- Who may call the routes that are not for everybody.
SELECT intake_archive.restore_table('staff_tokens');
CREATE TABLE IF NOT EXISTS staff_tokens (
    id         uuid PRIMARY KEY,
    name       text NOT NULL,
    role       text NOT NULL CHECK (role IN ('staff', 'admin', 'intake', 'metrics')),
    token_hash bytea UNIQUE NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz
);
COMMENT ON TABLE staff_tokens IS 'Bearer tokens; a revoked one stays, because the audit log names it';
COMMENT ON COLUMN staff_tokens.name IS 'Who holds the token; the actor of the audit log';
COMMENT ON COLUMN staff_tokens.token_hash IS 'A hash of the token, which itself is shown once and not stored';
COMMENT ON COLUMN staff_tokens.expires_at IS 'Not accepted from then on; NULL: never expires';
