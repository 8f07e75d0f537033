-- Parks the table, without its foreign key.
SET LOCAL lock_timeout = '20ms';
ALTER TABLE staff_sessions DROP CONSTRAINT IF EXISTS staff_sessions_token_id_fkey;
ALTER TABLE staff_sessions SET SCHEMA intake_archive;
