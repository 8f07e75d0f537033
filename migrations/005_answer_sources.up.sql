-- intake: no-transaction
-- Which booking wrote which answer of a medical background, so that a later revision may change
-- what its own booking wrote, and nothing else.
SET lock_timeout = '15ms';

BEGIN;
SELECT intake_archive.prepare_to_alter('medical_backgrounds');
SELECT intake_archive.discard_unfinished_parking('medical_backgrounds', 'medical_backgrounds_005');
ALTER TABLE medical_backgrounds ADD COLUMN IF NOT EXISTS answer_sources jsonb NOT NULL DEFAULT '{}';
COMMIT;

BEGIN;
SELECT intake_archive.prepare_to_alter('medical_backgrounds');
COMMENT ON COLUMN medical_backgrounds.answer_sources IS
    'What each booking wrote into medical_data: {booking_uid: {linkId: value}}';
COMMIT;

CALL intake_archive.restore_columns('medical_backgrounds', 'medical_backgrounds_005', '{answer_sources}',
    $$live.answer_sources = '{}'$$);
DROP TABLE IF EXISTS intake_archive.medical_backgrounds_005;
