-- Parks the table, without its foreign key: it must not forbid anybody to delete a submission.
SELECT intake_archive.prepare_to_alter('medical_questionnaire_submissions', '10ms');
ALTER TABLE submission_revisions DROP CONSTRAINT submission_revisions_submission_id_fkey;
ALTER TABLE submission_revisions SET SCHEMA intake_archive;
