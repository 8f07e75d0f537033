-- Parks the table with its rows and its counter.
SET LOCAL lock_timeout = '15ms';
ALTER TABLE audit_log SET SCHEMA intake_archive;
