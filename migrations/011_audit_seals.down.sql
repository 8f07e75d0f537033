-- Parks the table. Its trigger's function goes with the next step back, and comes with the step up.
SET LOCAL lock_timeout = '20ms';
DROP TRIGGER audit_seals_is_append_only ON audit_seals;
ALTER TABLE audit_seals SET SCHEMA intake_archive;
