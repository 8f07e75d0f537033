-- Parks the table, without its foreign key: it must not forbid anybody to delete a submission.
SELECT intake_archive.prepare_to_alter('medical_questionnaire_submissions', '10ms');
ALTER TABLE IF EXISTS submission_revisions DROP CONSTRAINT IF EXISTS submission_revisions_submission_id_fkey;
ALTER TABLE IF EXISTS submission_revisions SET SCHEMA intake_archive;
