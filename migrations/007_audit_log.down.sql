-- Parks the table with its rows and its counter.
SET LOCAL lock_timeout = '20ms';
ALTER TABLE audit_log SET SCHEMA intake_archive;
