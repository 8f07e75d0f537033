"""GET /v1/submissions beside a list that Python narrows by itself, over data and questions at random."""

import datetime
import json
import random

import pytest

from test_list import walk

BEGIN = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)
DAYS = 500
WORDS = ("Ayşe", "IŞIL", "İnci", "Müller", "O'Neil", "Ana", "Anna", "Ann-Mari", "Li", "محمد", "Öz", "ba_ba", "100%", "Zyx")
FLAGS = ("Diabetes", "Keloid scars", "Takes blood thinners")
STATUSES = ("processed",) * 8 + ("failed", "submitted")
REVIEWS = ("received", "has_issues", "approved", "rejected")
QUESTIONNAIRES = ("hair-transplant", "phq-9", None)


def fold(text):
    return " " + text.lower().replace("\u0131", "i").replace("\u0307", "")


def some_time(chance):
    return BEGIN + datetime.timedelta(days=chance.randrange(DAYS), seconds=chance.choice((0, 43200, 86399)))


def some_name(chance):
    return " ".join(chance.choice(WORDS) for _ in range(chance.choice((1, 2, 2, 3))))


def patients_at_random(chance, count):
    return [{"id": n, "name": some_name(chance), "deleted": chance.random() < 0.05, "created": some_time(chance)}
            for n in range(count)]


def submissions_at_random(chance, patients, count):
    rows = []
    for n in range(count):
        # Most have one submission; some have many, on other days than their own.
        patient = chance.choice(patients) if chance.random() < 0.5 else patients[n % len(patients)]
        status = chance.choice(STATUSES)
        contradicts = chance.random() < 0.1
        rows.append({
            "uid": f"row{n}", "patient": None if chance.random() < 0.03 else patient["id"],
            "created": patient["created"] if chance.random() < 0.5 else some_time(chance),
            "posted": some_name(chance) if contradicts else patient["name"], "contradicts": contradicts,
            "status": status, "review": chance.choice(REVIEWS), "questionnaire": chance.choice(QUESTIONNAIRES),
            "flags": [f for k, f in enumerate(FLAGS) if status == "processed" and chance.random() < 0.3 / 6 ** k],
            "deleted": chance.random() < 0.03})
    return rows


def store(database, patients, rows):
    texts = json.dumps(patients, default=str), json.dumps(rows, default=str)
    database.query("""
        WITH patient AS (SELECT * FROM jsonb_to_recordset(%s) AS r (id int, name text, deleted boolean, created timestamptz)),
        u AS (INSERT INTO users (email, name) SELECT 'p' || id || '@example.com', id::text FROM patient RETURNING id, name)
        INSERT INTO patient_profiles (id, user_id, name, email, deleted, created_at)
        SELECT lpad(patient.id::text, 32, '0')::uuid, u.id, patient.name, 'p' || patient.id || '@example.com', deleted, created
        FROM patient JOIN u ON u.name = patient.id::text""", texts[:1])
    database.query("""
        INSERT INTO medical_questionnaire_submissions (booking_uid, patient_profile_id, submission_data, status,
               review_state, questionnaire_id, evaluation, contradictions, next_attempt_at, created_at, deleted)
        SELECT uid, lpad(patient::text, 32, '0')::uuid, jsonb_build_object('attendee_name', posted), status, review,
               questionnaire,
               CASE WHEN flags <> '[]' THEN jsonb_build_object('scores', '[]'::jsonb, 'flags',
                   (SELECT jsonb_agg(jsonb_build_object('link_id', 'x', 'text', f)) FROM jsonb_array_elements(flags) AS f))
               END,
               CASE WHEN contradicts THEN '[{"field": "attendee_name", "stored": "a", "posted": "b"}]' ELSE '[]' END::jsonb,
               now() + interval '1 day', created, deleted
          FROM jsonb_to_recordset(%s) AS r (uid text, patient int, created timestamptz, posted text, contradicts boolean,
               status text, review text, questionnaire text, flags jsonb, deleted boolean)""", texts[1:])


def change(chance, database, patients, rows):
    """What other programs, and staff, do to names, times and owners afterwards."""
    present = [patient for patient in patients if not patient["deleted"]]
    renamed = chance.sample(present, 200)
    moved = chance.sample(patients, 200)
    for patient in renamed:
        patient["name"] = some_name(chance)
    for patient in moved:
        patient["created"] = some_time(chance)
    owned, dated = chance.sample(rows, 400), chance.sample(rows, 400)
    for row in owned:
        row["patient"] = chance.choice(present)["id"]
    for row in dated:
        row["created"] = some_time(chance)
    for table, key, column, value, changed in (
            ("patient_profiles", "id = lpad(r.id::text, 32, '0')::uuid", "name", "r.name", renamed),
            ("patient_profiles", "id = lpad(r.id::text, 32, '0')::uuid", "created_at", "r.created", moved),
            ("medical_questionnaire_submissions", "booking_uid = r.uid", "patient_profile_id",
             "lpad(r.patient::text, 32, '0')::uuid", owned),
            ("medical_questionnaire_submissions", "booking_uid = r.uid", "created_at", "r.created", dated)):
        database.query(f"""
            UPDATE {table} AS t SET {column} = {value}
              FROM jsonb_to_recordset(%s) AS r (id int, name text, uid text, patient int, created timestamptz)
             WHERE t.{key}""", (json.dumps(changed, default=str),))


def is_named(row, patients, text):
    """Whether one of the names that staff see of a row, or that differ from it, has the text."""
    part = fold(text) if len(text) < 3 else fold(text)[1:]
    patient = None if row["patient"] is None else patients[row["patient"]]
    names = [] if patient is None or patient["deleted"] else [patient["name"]]
    if row["contradicts"] or not names:
        names.append(row["posted"])
    return any(part in fold(name) for name in names)


def expected(rows, patients, asked):
    tests = {
        "status": lambda row, value: row["status"] == value,
        "review": lambda row, value: row["review"] == value,
        "questionnaire": lambda row, value: row["questionnaire"] == value,
        "flag": lambda row, value: value in row["flags"],
        "since": lambda row, value: row["created"] >= datetime.datetime.fromisoformat(value),
        "until": lambda row, value: row["created"] < datetime.datetime.fromisoformat(value),
        "q": lambda row, value: is_named(row, patients, value),
    }
    return {row["uid"] for row in rows
            if not row["deleted"] and all(tests[name](row, value) for name, value in asked.items())}


def question_at_random(chance):
    word = chance.choice(WORDS)
    begin = chance.randrange(len(word))
    values = {
        "status": chance.choice(STATUSES), "review": chance.choice(REVIEWS), "questionnaire": "phq-9",
        "flag": chance.choice(FLAGS), "since": some_time(chance).isoformat(), "until": some_time(chance).isoformat(),
        "q": chance.choice((word, some_name(chance), word[begin:begin + chance.randint(1, 4)])),
    }
    names = chance.sample(sorted(values), chance.choice((0, 1, 1, 1, 2, 2, 3)))
    return {name: values[name] for name in names if values[name].strip() == values[name] != ""}


@pytest.fixture(scope="module")
def stored(module_intake, staff_token):
    """(a client, patients, submissions, the database) as they are in the end."""
    intake = module_intake()
    chance = random.Random(15)
    patients = patients_at_random(chance, 1500)
    rows = submissions_at_random(chance, patients, 3000)
    store(intake.database, patients, rows)
    change(chance, intake.database, patients, rows)
    return intake.client(staff_token), patients, rows, intake.database


def test_the_week_of_every_submission_is_known_to_its_patient(stored):
    assert stored[3].query("""
        SELECT s.booking_uid FROM medical_questionnaire_submissions AS s
          JOIN patient_profiles AS p ON p.id = s.patient_profile_id
         WHERE date_trunc('week', s.created_at AT TIME ZONE 'UTC')::date
               <> ALL (date_trunc('week', p.created_at AT TIME ZONE 'UTC')::date || p.submission_weeks)""") == []


@pytest.mark.parametrize("seed", range(5))
def test_what_any_filters_leave(stored, seed):
    staff, patients, rows, _ = stored
    chance = random.Random(seed)
    for _ in range(12):
        asked = question_at_random(chance)
        lines = walk(staff, limit=chance.choice((50, 200)), **asked)
        found = [line["booking_uid"] for line in lines]
        assert len(found) == len(set(found)), f"{asked}: a line came twice"
        assert set(found) == expected(rows, patients, asked), asked
        keys = [(line["created_at"], line["id"]) for line in lines]
        assert keys == sorted(keys, reverse=True), asked
