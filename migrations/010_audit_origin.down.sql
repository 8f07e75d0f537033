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

-- Most of them while others write; the rest in the transaction that drops the columns.
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
DROP FUNCTION IF EXISTS audit_refuse_change();
DO $$
BEGIN
    IF intake_archive.has_column('audit_log', 'reason') THEN
        INSERT INTO intake_archive.audit_log_010
        SELECT id, client_address, reason FROM audit_log AS live
        WHERE (client_address IS NOT NULL OR reason IS NOT NULL)
          AND NOT EXISTS (SELECT FROM intake_archive.audit_log_010 AS parked WHERE parked.id = live.id);
    END IF;
END
$$;
ALTER TABLE audit_log DROP COLUMN IF EXISTS client_address, DROP COLUMN IF EXISTS reason;
COMMIT;
