-- Fills a migrated database with patients and their submissions, as list_million.py says it:
--   psql -v rows=10000000 -f list_load.sql
-- Names of several languages, few of them frequent and most of them rare; 2 % of the posts contradict
-- what is stored of the person; the states are at random, the times three years up to now.
SET session_replication_role = replica;
SET synchronous_commit = off;

CREATE SCHEMA IF NOT EXISTS bench;

-- One value of the list; the k-th comes 1/k as often as the first.
CREATE OR REPLACE FUNCTION bench.pick(list text[], at double precision) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT list[floor(cardinality(list) ^ at)::int] $$;

-- A UUIDv7 of a time.
CREATE OR REPLACE FUNCTION bench.uuid7(at timestamptz, salt text) RETURNS uuid
LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(h, 1, 3)
            || '8' || substr(h, 4, 15))::uuid
    FROM md5(salt) AS h
$$;

CREATE OR REPLACE PROCEDURE bench.load(first bigint, last bigint, total bigint) LANGUAGE plpgsql AS $$
DECLARE
    firsts text[] := '{Mehmet,Maria,Mohammed,Ahmet,José,Anna,Fatma,John,Mustafa,Ayşe,David,Emine,Michael,Juan,Ali,Hatice,Carlos,Thomas,Hüseyin,Peter,Hasan,Laura,İbrahim,Zeynep,Andreas,محمد,أحمد,Elif,Daniel,Sarah,Murat,Luis,Stefan,İsmail,Carmen,علي,Meryem,Robert,Ömer,Antonio,Şerife,Paul,Julia,Sultan,Osman,Martin,فاطمة,James,Yusuf,Sofia,Kemal,Hans,Elena,Ramazan,Miguel,Jürgen,Işıl,Lucía,Klaus,عمر,Emily,Süleyman,William,Javier,Hacer,Wolfgang,Özlem,Chen,Olivia,Recep,Sven,خالد,Nurcan,Ursula,Fernando,Dilek,Wei,Çiğdem,Oliver,Raúl,Gülşen,Heike,يوسف,Burak,Marta,Jörg,Tuğba,Irina,Pablo,Deniz,Björn,حسن,Serkan,Inés,Dmitri,Ebru,Amélie,Volkan,Íñigo,Yağmur}';
    lasts text[] := '{Yılmaz,Smith,García,Müller,Kaya,Demir,Johnson,González,Schmidt,Şahin,Çelik,Williams,Rodríguez,Yıldız,Schneider,Brown,Fernández,Yıldırım,Öztürk,Fischer,Jones,López,Aydın,Weber,Özdemir,Martínez,Arslan,Meyer,Doğan,Davis,Sánchez,Kılıç,Wagner,Aslan,Pérez,Çetin,Becker,Kara,الأحمد,Miller,Koç,Gómez,Schulz,Kurt,Martín,Özkan,Hoffmann,Wilson,Şimşek,Jiménez,Polat,Koch,Ruiz,Özcan,Bauer,المصري,Korkmaz,Hernández,Richter,Çakır,Moore,Díaz,Erdoğan,Klein,Moreno,Yavuz,Wolf,Can,Álvarez,Acar,Schröder,Taylor,Muñoz,Aktaş,Neumann,Romero,السيد,Güler,Schwarz,Alonso,Yalçın,Zimmermann,Anderson,Gutiérrez,Taş,Braun,Navarro,Bozkurt,Krüger,Torres,Ünal,Hofmann,Domínguez,Hartmann,Vázquez,Işık,Lange,Ramos,O''Connor,Gil}';
    syllables text[] := '{ba,ki,ro,ven,der,mal,ost,ur,sen,ili,har,qu,tam,zé,lin,gor,pet,wan,dur,bel,ka,nov,ić,ter,mon,fa,ru,eck,ström,yan}';
    domains text[] := '{gmail.com,hotmail.com,outlook.com,web.de,icloud.com,yahoo.es,example.org,klinik-mail.example}';
BEGIN
    WITH raw AS MATERIALIZED (
        SELECT n, now() - (total - n + 1) * (interval '3 years' / total) AS at, md5(n::text) AS h, md5('x' || n) AS h2,
               random() AS r1, random() AS r2, random() AS r3, random() AS r4, random() AS r5, random() AS r6,
               random() AS r7
        FROM generate_series(first, last) AS n
    ),
    person AS MATERIALIZED (
        SELECT n, at, h, h2, r4, r5, r6, r7, bench.uuid7(at, 'u' || n) AS user_id, bench.uuid7(at, 'p' || n) AS profile_id,
               bench.pick(firsts, r1) || ' '
               || CASE WHEN r3 < 0.7 THEN bench.pick(lasts, r2)
                       ELSE initcap(syllables[1 + floor(r2 * 30)::int] || syllables[1 + (get_byte(decode(h, 'hex'), 0) % 30)]
                                    || syllables[1 + (get_byte(decode(h, 'hex'), 1) % 30)]) END AS name,
               substr(h, 1, 6) || '.' || n || '@' || bench.pick(domains, r6) AS email,
               '+90' || (5000000000 + n) AS phone
        FROM raw
    ),
    new_users AS (
        INSERT INTO users (id, name, email, phone_number, user_type, created_at)
        SELECT user_id, name, email, phone, 'medical_questionnaire', at FROM person
    ),
    new_profiles AS (
        INSERT INTO patient_profiles (id, user_id, name, email, phone, booking_uid, age, created_at)
        SELECT profile_id, user_id, name, email, phone, 'bk' || substr(h, 1, 20), 18 + (n % 60)::int, at FROM person
    )
    INSERT INTO medical_questionnaire_submissions (id, booking_uid, patient_profile_id, submission_data, status,
        created_at, updated_at, next_attempt_at, processed_at, failure_reason, questionnaire_id,
        questionnaire_version, contradictions, evaluation, review_state, attempts)
    SELECT bench.uuid7(at, 's' || n), 'bk' || substr(h, 1, 20), profile_id,
           jsonb_build_object('booking_uid', 'bk' || substr(h, 1, 20),
               'attendee_name', CASE WHEN r7 < 0.02 THEN 'Married ' || name ELSE name END,
               'attendee_email', CASE WHEN r7 < 0.01 THEN 'new.' || email ELSE email END,
               'attendee_phone', phone, 'age_range', '36-45', 'current_medications', 'yes',
               'current_medications_details', 'Finasteride 1 mg since 2021, ' || h, 'allergies', 'none',
               'medical_conditions', 'yes', 'medical_conditions_details', 'Mild hypertension, controlled ' || h2,
               'previous_surgeries', 'none', 'hair_loss_duration', '5-10-years',
               'hair_loss_pattern', '["crown", "hairline"]'::jsonb,
               'family_history', '["father", "maternal-grandfather"]'::jsonb,
               'previous_treatments', '["minoxidil", "prp"]'::jsonb, 'consent_version', '2026-11'),
           status, at, at, CASE status WHEN 'submitted' THEN now() + interval '1 year' ELSE at END,
           CASE status WHEN 'processed' THEN at + interval '1 second' END,
           CASE status WHEN 'failed' THEN 'the questionnaire is not known any more' END,
           CASE WHEN r6 < 0.9 THEN 'hair-transplant' WHEN r6 < 0.999 THEN 'phq-9' ELSE 'pre-operative-history' END, '1.0.0',
           CASE WHEN r7 < 0.01 THEN jsonb_build_array(
                    jsonb_build_object('field', 'attendee_name', 'stored', name, 'posted', 'Married ' || name),
                    jsonb_build_object('field', 'attendee_email', 'stored', email, 'posted', 'new.' || email))
                WHEN r7 < 0.02 THEN jsonb_build_array(
                    jsonb_build_object('field', 'attendee_name', 'stored', name, 'posted', 'Married ' || name))
                ELSE '[]' END,
           CASE WHEN status <> 'processed' THEN NULL
                WHEN r5 < 0.00002 THEN '{"scores": [], "flags": [{"link_id": "scars", "text": "Keloid scars"}]}'::jsonb
                WHEN r5 < 0.001 THEN '{"scores": [], "flags": [{"link_id": "allergies", "text": "Allergy to local anaesthetics"}]}'
                WHEN r5 < 0.03 THEN '{"scores": [], "flags": [{"link_id": "medical_conditions", "text": "Diabetes"}]}'
                WHEN r5 < 0.15 THEN '{"scores": [], "flags": [{"link_id": "current_medications", "text": "Blood thinners"}, {"link_id": "age_range", "text": "Over 65"}]}'
                ELSE NULL END,
           CASE WHEN r5 < 0.4 THEN 'received' WHEN r5 < 0.9 THEN 'approved' WHEN r5 < 0.97 THEN 'has_issues' ELSE 'rejected' END, 1
    FROM (SELECT *, CASE WHEN r4 < 0.97 THEN 'processed' WHEN r4 < 0.98 THEN 'failed' ELSE 'submitted' END AS status
          FROM person) AS p;
END
$$;

-- Indexes that no constraint needs are built afterwards: that is faster.
CREATE TABLE IF NOT EXISTS bench.dropped (definition text);
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
                  FROM pg_index AS i
                  WHERE i.indrelid IN ('users'::regclass, 'patient_profiles'::regclass,
                                       'medical_questionnaire_submissions'::regclass)
                    AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid)
    LOOP
        INSERT INTO bench.dropped VALUES (wanted.definition);
        EXECUTE format('DROP INDEX %s', wanted.name);
    END LOOP;
END
$$;

SELECT set_config('bench.rows', :'rows', false);
DO $$
DECLARE
    total bigint := current_setting('bench.rows')::bigint;
    first bigint := 1;
BEGIN
    WHILE first <= total LOOP
        CALL bench.load(first, least(first + 99999, total), total);
        COMMIT;
        first := first + 100000;
    END LOOP;
END
$$;

SET maintenance_work_mem = '2GB';
SELECT definition FROM bench.dropped ORDER BY definition \gexec
DROP SCHEMA bench CASCADE;
VACUUM (ANALYZE) users;
VACUUM (ANALYZE) patient_profiles;
VACUUM (ANALYZE) medical_questionnaire_submissions;
VACUUM (ANALYZE) audit_log;
