-- Parks the table.
SET LOCAL lock_timeout = '20ms';
ALTER TABLE staff_tokens SET SCHEMA intake_archive;
