-- Parks the table.
SET LOCAL lock_timeout = '20ms';
ALTER TABLE submission_drafts SET SCHEMA intake_archive;
