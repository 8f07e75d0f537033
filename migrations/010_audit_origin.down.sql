-- intake: no-transaction
-- Parks the columns of those rows that have something in them.
SET lock_timeout = '20ms';

-- First: a step up after a step back that broke off writes into the rows.
BEGIN;
SELECT intake_archive.prepare_to_alter('audit_log');
DROP TRIGGER IF EXISTS audit_log_is_append_only ON audit_log;
COMMIT;

CREATE TABLE IF NOT EXISTS intake_archive.audit_log_010 (
    id             bigint PRIMARY KEY,
    client_address inet,
    reason         text
);
COMMENT ON TABLE intake_archive.audit_log_010 IS 'Columns of audit_log while a step back is in force';

-- Whoever adds a row has its table locked before it takes the row's number. So once we have the lock,
-- what comes later has a higher number than all that there is: that much is to be looked at again.
BEGIN;
SELECT intake_archive.prepare_to_alter('audit_log');
LOCK TABLE audit_log IN SHARE ROW EXCLUSIVE MODE;
SELECT set_config('intake.audit_from', coalesce(max(id), 0)::text, false) FROM audit_log;
COMMIT;

-- Most of them while others write; then those that came meanwhile; and the few that came after
-- that in the transaction that drops the columns.
DO $$
BEGIN
    IF intake_archive.has_column('audit_log', 'reason') THEN
        INSERT INTO intake_archive.audit_log_010
        SELECT id, client_address, reason FROM audit_log
        WHERE client_address IS NOT NULL OR reason IS NOT NULL
        ON CONFLICT (id) DO NOTHING;
    END IF;
END
$$;

BEGIN;
SELECT intake_archive.prepare_to_alter('audit_log');
LOCK TABLE audit_log IN SHARE ROW EXCLUSIVE MODE;
SELECT set_config('intake.audit_again_from', coalesce(max(id), 0)::text, false) FROM audit_log;
COMMIT;

DO $$
BEGIN
    IF intake_archive.has_column('audit_log', 'reason') THEN
        INSERT INTO intake_archive.audit_log_010
        SELECT id, client_address, reason FROM audit_log
        WHERE id > current_setting('intake.audit_from')::bigint
          AND (client_address IS NOT NULL OR reason IS NOT NULL)
        ON CONFLICT (id) DO NOTHING;
    END IF;
END
$$;

BEGIN;
SELECT intake_archive.prepare_to_alter('audit_log');
LOCK TABLE audit_log IN ACCESS EXCLUSIVE MODE;
DROP FUNCTION IF EXISTS audit_refuse_change();
DO $$
BEGIN
    IF intake_archive.has_column('audit_log', 'reason') THEN
        INSERT INTO intake_archive.audit_log_010
        SELECT id, client_address, reason FROM audit_log
        WHERE id > current_setting('intake.audit_again_from')::bigint
          AND (client_address IS NOT NULL OR reason IS NOT NULL)
        ON CONFLICT (id) DO NOTHING;
    END IF;
END
$$;
ALTER TABLE audit_log DROP COLUMN IF EXISTS client_address, DROP COLUMN IF EXISTS reason;
COMMIT;
