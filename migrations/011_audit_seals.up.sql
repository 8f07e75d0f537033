-- Seals: each covers rows of audit_log that were committed since the one before, and is chained to
-- it by hash. What they prove and what not stands in include/intake/db/store_seal.h.
SET LOCAL lock_timeout = '20ms';
SELECT intake_archive.restore_table('audit_seals');
CREATE TABLE IF NOT EXISTS audit_seals (
    number        bigint PRIMARY KEY,
    sealed_at     timestamptz NOT NULL,
    last_id       bigint NOT NULL,
    members       int8multirange NOT NULL,
    gaps          int8multirange NOT NULL,
    row_hashes    bytea[] NOT NULL,
    previous_hash bytea NOT NULL,
    hash          bytea NOT NULL
);
-- Hashes do not compress.
ALTER TABLE audit_seals ALTER COLUMN row_hashes SET STORAGE EXTERNAL;
CREATE INDEX IF NOT EXISTS idx_audit_seals_sealed_at ON audit_seals (sealed_at);
COMMENT ON TABLE audit_seals IS 'The hash chain over audit_log, by which an altered or removed row is found';
COMMENT ON COLUMN audit_seals.last_id IS 'The greatest audit_log.id under this seal or an earlier one';
COMMENT ON COLUMN audit_seals.members IS 'The ids of the rows under this seal';
COMMENT ON COLUMN audit_seals.gaps IS
    'Ids up to last_id that no row had yet: what commits under one of them within an hour goes under a later seal';
COMMENT ON COLUMN audit_seals.row_hashes IS 'SHA-256 of each member, in the order of ids';
COMMENT ON COLUMN audit_seals.hash IS 'SHA-256 of all the other columns; the next seal holds it as previous_hash';
CREATE OR REPLACE TRIGGER audit_seals_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
ALTER TABLE audit_seals ENABLE ALWAYS TRIGGER audit_seals_is_append_only;
