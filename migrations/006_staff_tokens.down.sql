-- Parks the table.
SET LOCAL lock_timeout = '15ms';
ALTER TABLE staff_tokens SET SCHEMA intake_archive;
