-- Who has read or changed a patient's data, written in the transaction that did it.
SELECT intake_archive.restore_table('audit_log');
CREATE TABLE IF NOT EXISTS audit_log (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    occurred_at timestamptz NOT NULL DEFAULT now(),
    token_id    uuid,
    actor       text NOT NULL,
    action      text NOT NULL,
    booking_uid text,
    request_id  text NOT NULL,
    detail      jsonb
);
CREATE INDEX IF NOT EXISTS idx_audit_log_booking_uid ON audit_log (booking_uid, occurred_at);
COMMENT ON TABLE audit_log IS 'Every access to a patient''s data: who, what, which booking, when';
COMMENT ON COLUMN audit_log.token_id IS 'The staff token that was used; NULL for the program itself';
COMMENT ON COLUMN audit_log.actor IS 'The name of that token';
COMMENT ON COLUMN audit_log.action IS 'What was done, as verb and thing';
COMMENT ON COLUMN audit_log.request_id IS 'The X-Request-Id of the reply, which the log has too';
COMMENT ON COLUMN audit_log.detail IS 'What else is needed to understand the access; no answers';
