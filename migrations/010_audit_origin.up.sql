-- intake: no-transaction
-- From where a patient's data was accessed and why; and rows that nobody changes any more.
SET lock_timeout = '20ms';

BEGIN;
SELECT intake_archive.prepare_to_alter('audit_log');
ALTER TABLE audit_log
    ADD COLUMN IF NOT EXISTS client_address inet,
    ADD COLUMN IF NOT EXISTS reason text;
COMMENT ON COLUMN audit_log.client_address IS 'Where the request came from; NULL for a command on the server';
COMMENT ON COLUMN audit_log.reason IS 'Why, in the words of who did it, where given';
COMMIT;

-- One statement, so that nothing is put back twice: the triggers below come after it.
DO $$
BEGIN
    IF to_regclass('intake_archive.audit_log_010') IS NOT NULL THEN
        UPDATE audit_log AS live
        SET client_address = parked.client_address, reason = parked.reason
        FROM intake_archive.audit_log_010 AS parked
        WHERE live.id = parked.id;
        DROP TABLE intake_archive.audit_log_010;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION audit_refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed and never removed', TG_TABLE_NAME USING ERRCODE = 'ITK02';
END
$$;
COMMENT ON FUNCTION audit_refuse_change() IS
    'Keeps the audit append-only, for its owner too, who would have to disable the trigger first';

-- ALWAYS: session_replication_role does not switch them off.
BEGIN;
SELECT intake_archive.prepare_to_alter('audit_log');
DROP TRIGGER IF EXISTS audit_log_is_append_only ON audit_log;
CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_is_append_only;
COMMIT;
