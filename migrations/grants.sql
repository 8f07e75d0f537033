-- What the role of the daemon may do, and nothing more: neither change the schema, nor change or
-- remove a row of the audit. `intake migrate grant --role NAME` runs this file, and remembers the
-- role; every `intake migrate up` from then on runs it again for all that are remembered. By hand:
--   PGOPTIONS='-c intake.role=NAME' psql -1 -f migrations/grants.sql
-- after the migrations, as the owner of the tables.
-- Whoever adds a table of ours adds it here, too.

CREATE TABLE IF NOT EXISTS intake_archive.granted_roles (name name PRIMARY KEY);
COMMENT ON TABLE intake_archive.granted_roles IS
    'The roles that intake migrate grant was run for, and intake migrate up grants what is new';

DO $$
DECLARE
    asked text := nullif(current_setting('intake.role', true), '');
    grantee name;
    wanted record;
BEGIN
    IF asked IS NOT NULL THEN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = asked) THEN
            RAISE EXCEPTION 'there is no role "%": CREATE ROLE makes one', asked USING ERRCODE = 'ITK03';
        END IF;
        IF to_regclass('audit_seals') IS NULL THEN
            RAISE EXCEPTION 'the schema is not there yet: run intake migrate up first' USING ERRCODE = 'ITK03';
        END IF;
        INSERT INTO intake_archive.granted_roles (name) VALUES (asked) ON CONFLICT DO NOTHING;
    END IF;

    FOR grantee IN SELECT rolname FROM pg_roles JOIN intake_archive.granted_roles ON name = rolname LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), grantee);
        FOR wanted IN
            SELECT to_regclass(relation) AS relation, privileges
            FROM (VALUES
                -- Persons, shared with other programs.
                ('users', 'SELECT, INSERT, UPDATE'),
                ('patient_profiles', 'SELECT, INSERT, UPDATE'),
                ('medical_backgrounds', 'SELECT, INSERT, UPDATE'),
                -- What they have sent and begun.
                ('medical_questionnaire_submissions', 'SELECT, INSERT, UPDATE'),
                ('submission_revisions', 'SELECT, INSERT'),
                ('submission_drafts', 'SELECT, INSERT, UPDATE, DELETE'),
                -- What came of it, and what staff decided.
                ('processing_failures', 'SELECT, INSERT'),
                ('submission_reviews', 'SELECT, INSERT'),
                ('contradiction_resolutions', 'SELECT, INSERT'),
                -- Who may call; tokens are made with a command, as the owner.
                ('staff_tokens', 'SELECT'),
                ('staff_sessions', 'SELECT, INSERT, UPDATE, DELETE'),
                -- Who has seen what: only ever added to.
                ('audit_log', 'SELECT, INSERT'),
                ('audit_seals', 'SELECT, INSERT'),
                -- Whether the schema is the one that the program needs.
                ('intake_migrations', 'SELECT')
            ) AS grants (relation, privileges)
            WHERE to_regclass(relation) IS NOT NULL
        LOOP
            EXECUTE format('REVOKE ALL ON %s FROM %I', wanted.relation, grantee);
            EXECUTE format('GRANT %s ON %s TO %I', wanted.privileges, wanted.relation, grantee);
        END LOOP;

        -- What would make all of it pointless.
        IF has_schema_privilege(grantee, current_schema(), 'CREATE')
           OR has_database_privilege(grantee, current_database(), 'CREATE') THEN
            RAISE EXCEPTION 'the role "%" could change the schema: REVOKE CREATE ON SCHEMA % and ON DATABASE % from PUBLIC and the role',
                grantee, current_schema(), current_database() USING ERRCODE = 'ITK03';
        END IF;
        IF EXISTS (
            SELECT FROM pg_class
            WHERE oid IN (to_regclass('audit_log'), to_regclass('audit_seals'))
              AND (pg_has_role(grantee, relowner, 'MEMBER')
                   OR has_table_privilege(grantee, oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER'))
        ) THEN
            RAISE EXCEPTION 'the role "%" could change the audit: it is a superuser, or a member of a role that may',
                grantee USING ERRCODE = 'ITK03';
        END IF;
    END LOOP;
END
$$;
