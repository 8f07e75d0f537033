-- What the steps are written with. `intake migrate` runs this file before every step, up or down;
-- by hand: psql -f migrations/support.sql first.
--
-- The rules that these helpers keep, because other programs write the same tables all the time:
-- - A lock that hinders writers is asked for with a short lock_timeout: whoever has to queue
--   behind the request waits no longer than that and the few milliseconds for which it is held
--   (so what needs no lock, comments for example, is done in other transactions). When it is not granted the step fails as a whole
--   with lock_not_available, and is asked for again (by `intake migrate`, or by hand).
-- - Rows are changed in pages, each a short transaction of its own.
-- - All of it can be broken off anywhere and begun again.

-- Not IF NOT EXISTS, which demands the right to create schemas even where this one was made before.
DO $$
BEGIN
    IF to_regnamespace('intake_archive') IS NULL THEN
        CREATE SCHEMA intake_archive;
    END IF;
END
$$;
COMMENT ON SCHEMA intake_archive IS
    'What a migration''s step back took out of the schema, until the next step up puts it back; and the helpers of the migrations';

-- To be called first in a transaction that alters `relation`. SHARE UPDATE EXCLUSIVE hinders no
-- reader and no writer, but makes an autovacuum of the table give way after deadlock_timeout,
-- which the short waits that follow never would.
CREATE OR REPLACE FUNCTION intake_archive.prepare_to_alter(relation text, lock_timeout text DEFAULT '15ms')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass(relation) IS NOT NULL THEN
        PERFORM set_config('lock_timeout', '5s', true);
        EXECUTE format('LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE', to_regclass(relation));
    END IF;
    PERFORM set_config('lock_timeout', lock_timeout, true);
END
$$;

CREATE OR REPLACE FUNCTION intake_archive.has_column(relation text, wanted text)
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = to_regclass(relation) AND attname = wanted AND NOT attisdropped
    )
$$;

CREATE OR REPLACE FUNCTION intake_archive.has_trigger(relation text, wanted text)
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM pg_trigger WHERE tgrelid = to_regclass(relation) AND tgname = wanted
    )
$$;

-- Runs `statement` for one page of `relation` after the other, in the order of `id`, and commits
-- after each. In it $1 is the page's first id and $2 the next page's, or NULL for the last:
-- "id >= $1 AND ($2 IS NULL OR id < $2)". A page has at most `page_rows`, and no more than the
-- machine does in 10 ms, because that is how long a writer of one of its rows waits; but 25. A page that meets
-- somebody's lock gives its own locks back, waits a little and is tried again, for as long as the
-- setting intake.wait_limit_ms says (30 s without it); then it fails with SQLSTATE ITK01, and a new
-- run goes on.
CREATE OR REPLACE PROCEDURE intake_archive.for_each_page(relation text, page_rows integer, statement text)
LANGUAGE plpgsql AS $$
DECLARE
    first_id uuid := '00000000-0000-0000-0000-000000000000';
    next_id uuid;
    wait_limit interval := coalesce(nullif(current_setting('intake.wait_limit_ms', true), ''), '30000')::bigint
                           * interval '1 millisecond';
    rows_now integer := least(page_rows, 25);
    page_began timestamptz;
    try_began timestamptz;
BEGIN
    LOOP
        EXECUTE format('SELECT id FROM %s WHERE id >= $1 ORDER BY id OFFSET %s LIMIT 1',
                       relation::regclass, rows_now)
            INTO next_id USING first_id;
        page_began := clock_timestamp();
        LOOP
            BEGIN
                PERFORM set_config('lock_timeout', '15ms', true);
                -- Along the indexes, whatever is known of the columns, which are new.
                PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
                        set_config('enable_mergejoin', 'off', true);
                try_began := clock_timestamp();
                EXECUTE statement USING first_id, next_id;
                EXIT;
            EXCEPTION WHEN lock_not_available OR deadlock_detected OR unique_violation THEN
                IF clock_timestamp() - page_began > wait_limit THEN
                    RAISE EXCEPTION '% gave way for %: %', relation, wait_limit, SQLERRM USING ERRCODE = 'ITK01';
                END IF;
            END;
            COMMIT;
            PERFORM pg_sleep(0.02 + random() * 0.08);
            COMMIT;
        END LOOP;
        COMMIT;
        EXIT WHEN next_id IS NULL;
        first_id := next_id;
        rows_now := CASE
            WHEN clock_timestamp() - try_began > interval '10 milliseconds' THEN greatest(rows_now / 2, least(page_rows, 25))
            WHEN clock_timestamp() - try_began < interval '5 milliseconds' THEN least(rows_now + rows_now / 4 + 1, page_rows)
            ELSE rows_now
        END;
    END LOOP;
END
$$;

-- Parks `columns` of `relation` in intake_archive.<archive>, by id, wherever `worth_keeping` is
-- true (what is not there has the value that the step up gives to every row). From the first
-- moment triggers carry every change over, so that nothing is lost while other programs write.
-- Until intake_archive.end_parking(), in the transaction that drops the columns, the copy is called
-- <archive>_unfinished, and the columns are the truth.
CREATE OR REPLACE PROCEDURE intake_archive.park_columns(relation text, archive text, columns text[], worth_keeping text)
LANGUAGE plpgsql AS $$
DECLARE
    copy text := archive || '_unfinished';
    keep text := 'intake_keep_' || archive;
    column_list text := (SELECT string_agg(quote_ident(c), ', ') FROM unnest(columns) AS c);
    new_list text := (SELECT string_agg('NEW.' || quote_ident(c), ', ') FROM unnest(columns) AS c);
    old_list text := (SELECT string_agg('OLD.' || quote_ident(c), ', ') FROM unnest(columns) AS c);
    set_list text := (SELECT string_agg(format('%1$I = EXCLUDED.%1$I', c), ', ') FROM unnest(columns) AS c);
BEGIN
    IF NOT intake_archive.has_column(relation, columns[1]) THEN
        RETURN; -- an earlier run came further
    END IF;
    -- A step up was broken off while it put these columns back: that comes first.
    CALL intake_archive.restore_columns(relation, archive, columns);
    EXECUTE format('CREATE TABLE IF NOT EXISTS intake_archive.%I AS SELECT id, %s FROM %s WITH NO DATA',
                   copy, column_list, relation);
    IF NOT EXISTS (SELECT FROM pg_index WHERE indrelid = to_regclass(format('intake_archive.%I', copy)) AND indisprimary) THEN
        EXECUTE format('ALTER TABLE intake_archive.%I ADD PRIMARY KEY (id)', copy);
        EXECUTE format('COMMENT ON TABLE intake_archive.%I IS %L', copy,
                       format('Columns of %s while a step back is in force', relation));
    END IF;
    -- With the rights of its owner, because a program that writes `relation` has none here.
    EXECUTE format($function$
        CREATE OR REPLACE FUNCTION intake_archive.%1$I() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
        BEGIN
            INSERT INTO intake_archive.%2$I (id, %3$s) VALUES (NEW.id, %4$s)
            ON CONFLICT (id) DO UPDATE SET %5$s;
            RETURN NULL;
        END
        $body$
        $function$, keep, copy, column_list, new_list, set_list);
    COMMIT;
    IF NOT intake_archive.has_trigger(relation, keep || '_update') THEN
        PERFORM intake_archive.prepare_to_alter(relation);
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %s FOR EACH ROW EXECUTE FUNCTION intake_archive.%I()',
                       keep || '_insert', relation, keep);
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %s FOR EACH ROW'
                       ' WHEN (ROW(%s) IS DISTINCT FROM ROW(%s)) EXECUTE FUNCTION intake_archive.%I()',
                       keep || '_update', relation, new_list, old_list, keep);
    END IF;
    COMMIT;
    CALL intake_archive.for_each_page(relation, 300, format(
        'INSERT INTO intake_archive.%I (id, %s) SELECT id, %s FROM %s AS live'
        ' WHERE id >= $1 AND ($2 IS NULL OR id < $2) AND (%s) ON CONFLICT (id) DO NOTHING',
        copy, column_list, column_list, relation, worth_keeping));
END
$$;

CREATE OR REPLACE FUNCTION intake_archive.drop_keepers(relation text, archive text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    keep text := 'intake_keep_' || archive;
BEGIN
    IF intake_archive.has_trigger(relation, keep || '_update') THEN
        EXECUTE format('DROP TRIGGER %I ON %s', keep || '_insert', relation);
        EXECUTE format('DROP TRIGGER %I ON %s', keep || '_update', relation);
    END IF;
    EXECUTE format('DROP FUNCTION IF EXISTS intake_archive.%I()', keep);
END
$$;

-- Ends what park_columns() began; in the transaction that drops the columns.
CREATE OR REPLACE FUNCTION intake_archive.end_parking(relation text, archive text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- First, because it locks the table: a writer has that before its trigger locks the copy.
    PERFORM intake_archive.drop_keepers(relation, archive);
    IF to_regclass(format('intake_archive.%I', archive || '_unfinished')) IS NOT NULL THEN
        EXECUTE format('DROP TABLE IF EXISTS intake_archive.%I', archive);
        EXECUTE format('ALTER TABLE intake_archive.%I RENAME TO %I', archive || '_unfinished', archive);
    END IF;
END
$$;

-- To be called when a step up adds the columns: a step back may have been broken off before it
-- had dropped them.
CREATE OR REPLACE FUNCTION intake_archive.discard_unfinished_parking(relation text, archive text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM intake_archive.drop_keepers(relation, archive);
    EXECUTE format('DROP TABLE IF EXISTS intake_archive.%I', archive || '_unfinished');
END
$$;

-- Puts parked columns back where the rows still exist; rows that were deleted meanwhile stay
-- deleted. `condition` may refer to the row as `live` and to its values as `parked`. The archive
-- stays until the step drops it.
CREATE OR REPLACE PROCEDURE intake_archive.restore_columns(relation text, archive text, columns text[], condition text DEFAULT 'true')
LANGUAGE plpgsql AS $$
DECLARE
    set_list text := (SELECT string_agg(format('%1$I = parked.%1$I', c), ', ') FROM unnest(columns) AS c);
    live_list text := (SELECT string_agg(format('live.%I', c), ', ') FROM unnest(columns) AS c);
    parked_list text := (SELECT string_agg(format('parked.%I', c), ', ') FROM unnest(columns) AS c);
BEGIN
    IF to_regclass(format('intake_archive.%I', archive)) IS NULL THEN
        RETURN;
    END IF;
    CALL intake_archive.for_each_page(format('intake_archive.%I', archive), 200, format(
        'UPDATE %s AS live SET %s FROM intake_archive.%I AS parked'
        ' WHERE parked.id >= $1 AND ($2 IS NULL OR parked.id < $2) AND live.id = parked.id'
        ' AND ROW(%s) IS DISTINCT FROM ROW(%s) AND (%s)',
        relation, set_list, archive, live_list, parked_list, condition));
END
$$;

-- Makes a column that may be NULL one that must not be, as the legacy schema has it. A row
-- without a telephone keeps that fact as the placeholder 'intake:no-phone:<id of the user>', which
-- no real number can be and which is as unique as the user. First a trigger sees to it that no
-- new NULL comes (a writer never fails for it), then the old ones are filled, then a CHECK proves
-- it, so that SET NOT NULL in finish_forbidding_null() need not scan.
CREATE OR REPLACE PROCEDURE intake_archive.forbid_null_phone(relation text, phone_column text, user_id_column text)
LANGUAGE plpgsql AS $$
DECLARE
    fill text := format('intake_fill_%s', phone_column);
    proof text := format('intake_%s_present', phone_column);
BEGIN
    IF (SELECT attnotnull FROM pg_attribute WHERE attrelid = relation::regclass AND attname = phone_column) THEN
        RETURN; -- an earlier run came further
    END IF;
    EXECUTE format($function$
        CREATE OR REPLACE FUNCTION intake_archive.%1$I() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
        BEGIN
            NEW.%2$I := 'intake:no-phone:' || NEW.%3$I;
            RETURN NEW;
        END
        $body$
        $function$, fill, phone_column, user_id_column);
    COMMIT;
    PERFORM intake_archive.prepare_to_alter(relation);
    IF NOT intake_archive.has_trigger(relation, fill) THEN
        EXECUTE format('CREATE TRIGGER %I BEFORE INSERT OR UPDATE ON %s FOR EACH ROW WHEN (NEW.%I IS NULL) EXECUTE FUNCTION intake_archive.%I()',
                       fill, relation, phone_column, fill);
    END IF;
    COMMIT;
    CALL intake_archive.for_each_page(relation, 200, format(
        'UPDATE %1$s SET %2$I = ''intake:no-phone:'' || %3$I'
        ' WHERE id >= $1 AND ($2 IS NULL OR id < $2) AND %2$I IS NULL',
        relation, phone_column, user_id_column));
    PERFORM intake_archive.prepare_to_alter(relation);
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I', relation, proof);
    EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I CHECK (%I IS NOT NULL) NOT VALID', relation, proof, phone_column);
    COMMIT;
    PERFORM intake_archive.prepare_to_alter(relation);
    EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', relation, proof);
    COMMIT;
END
$$;

-- Ends what forbid_null_phone() began, in one short transaction.
CREATE OR REPLACE FUNCTION intake_archive.finish_forbidding_null(relation text, phone_column text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    fill text := format('intake_fill_%s', phone_column);
BEGIN
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', relation, phone_column);
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I', relation, format('intake_%s_present', phone_column));
    IF intake_archive.has_trigger(relation, fill) THEN
        EXECUTE format('DROP TRIGGER %I ON %s', fill, relation);
    END IF;
    EXECUTE format('DROP FUNCTION IF EXISTS intake_archive.%I()', fill);
END
$$;

-- The way back: NULL is allowed again, and placeholders become NULL.
CREATE OR REPLACE PROCEDURE intake_archive.allow_null_phone(relation text, phone_column text)
LANGUAGE plpgsql AS $$
DECLARE
    fill text := format('intake_fill_%s', phone_column);
    proof text := format('intake_%s_present', phone_column);
    placeholders boolean;
BEGIN
    PERFORM intake_archive.prepare_to_alter(relation);
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', relation, phone_column);
    IF EXISTS (SELECT FROM pg_constraint WHERE conrelid = relation::regclass AND conname = proof) THEN
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', relation, proof);
    END IF;
    IF intake_archive.has_trigger(relation, fill) THEN
        EXECUTE format('DROP TRIGGER %I ON %s', fill, relation);
    END IF;
    COMMIT;
    EXECUTE format('DROP FUNCTION IF EXISTS intake_archive.%I()', fill);
    COMMIT;
    EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE %I LIKE ''intake:no-phone:%%'')', relation, phone_column)
        INTO placeholders;
    COMMIT;
    IF placeholders THEN
        CALL intake_archive.for_each_page(relation, 200, format(
            'UPDATE %1$s SET %2$I = NULL'
            ' WHERE id >= $1 AND ($2 IS NULL OR id < $2) AND %2$I LIKE ''intake:no-phone:%%''',
            relation, phone_column));
    END IF;
END
$$;

-- Takes a parked table (ALTER TABLE … SET SCHEMA intake_archive) back into the schema where
-- this program's tables are.
CREATE OR REPLACE FUNCTION intake_archive.restore_table(name text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass(format('intake_archive.%I', name)) IS NOT NULL THEN
        EXECUTE format('ALTER TABLE intake_archive.%I SET SCHEMA %I', name, current_schema());
    END IF;
END
$$;
