-- intake: no-transaction
-- Parks the sources of those answers that have one.
SET lock_timeout = '15ms';

CALL intake_archive.park_columns('medical_backgrounds', 'medical_backgrounds_005', '{answer_sources}',
    $$answer_sources <> '{}'$$);

BEGIN;
SELECT intake_archive.prepare_to_alter('medical_backgrounds');
SELECT intake_archive.end_parking('medical_backgrounds', 'medical_backgrounds_005');
ALTER TABLE medical_backgrounds DROP COLUMN IF EXISTS answer_sources;
COMMIT;
