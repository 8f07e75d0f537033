-- Browsers that staff have signed in with.
SET LOCAL lock_timeout = '20ms';
SELECT intake_archive.restore_table('staff_sessions');
CREATE TABLE IF NOT EXISTS staff_sessions (
    session_hash bytea PRIMARY KEY,
    token_id     uuid NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    ended_at     timestamptz
);
-- The tokens may have been parked, too: a session whose token is gone is none.
DELETE FROM staff_sessions AS s
WHERE NOT EXISTS (SELECT FROM staff_tokens AS t WHERE t.id = s.token_id);
ALTER TABLE staff_sessions DROP CONSTRAINT IF EXISTS staff_sessions_token_id_fkey;
ALTER TABLE staff_sessions
    ADD CONSTRAINT staff_sessions_token_id_fkey FOREIGN KEY (token_id) REFERENCES staff_tokens (id);
COMMENT ON TABLE staff_sessions IS
    'Sessions of the staff page: each is a token that was exchanged for a cookie, and ends with it';
COMMENT ON COLUMN staff_sessions.session_hash IS 'SHA-256 of the cookie, which itself is not stored';
COMMENT ON COLUMN staff_sessions.last_seen_at IS
    'The last use, written at most once a minute; the session ends when it is too long ago';
COMMENT ON COLUMN staff_sessions.expires_at IS 'Not accepted from then on, however much it is used';
COMMENT ON COLUMN staff_sessions.ended_at IS 'When somebody signed out; NULL: nobody did';
