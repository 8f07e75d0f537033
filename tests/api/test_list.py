"""GET /v1/submissions: what its filters leave, alone and in pairs, and how its pages meet."""

import json

import pytest

FLAGS = ("Takes blood thinners", "Diabetes", "Keloid scars")
STATUSES = ("processed", "failed", "processed", "processed", "submitted")
REVIEWS = ("received", "approved", "has_issues", "rejected", "approved", "received", "received")
QUESTIONNAIRES = ("hair-transplant", "phq-9", None)


def expected(count):
    """Rows as fill() writes them, the oldest first: dictionaries of what a filter may ask for."""
    rows = []
    for n in range(count):
        status = STATUSES[n % len(STATUSES)]
        rows.append({
            "uid": f"row{n}", "minute": n // 3, "status": status,
            "review": REVIEWS[n % len(REVIEWS)], "questionnaire": QUESTIONNAIRES[n % 4 % 3],
            "flag": [flag for k, flag in enumerate(FLAGS) if status == "processed" and n % (3 + 4 * k) == 0],
            "name": ("Ayşe Yılmaz", "John Smith", "Anna Müller", "محمد الأحمد")[n % 11 % 4]})
    return rows


def fill(database, count):
    """Submissions of as many persons, three of them at each time; what is expected of them."""
    rows = expected(count)
    database.query("""
        WITH row AS (SELECT * FROM jsonb_to_recordset(%s) AS r (uid text, minute int, status text,
                         review text, questionnaire text, flag jsonb, name text)),
        u AS (INSERT INTO users (email, name) SELECT uid || '@example.com', uid FROM row RETURNING id, name),
        p AS (INSERT INTO patient_profiles (user_id, name, email)
              SELECT u.id, row.name, uid || '@example.com' FROM u JOIN row ON uid = u.name RETURNING id, email)
        INSERT INTO medical_questionnaire_submissions (booking_uid, patient_profile_id, submission_data, status,
               review_state, questionnaire_id, evaluation, next_attempt_at, created_at)
        SELECT uid, p.id, jsonb_build_object('attendee_name', name, 'attendee_email', uid || '@example.com'), status,
               review, questionnaire,
               CASE WHEN flag <> '[]' THEN jsonb_build_object('scores', '[]'::jsonb, 'flags',
                   (SELECT jsonb_agg(jsonb_build_object('link_id', 'x', 'text', f)) FROM jsonb_array_elements(flag) AS f))
               END,
               now() + interval '1 day', timestamptz '2026-01-01T00:00:00Z' + minute * interval '1 minute'
          FROM row JOIN p ON p.email = uid || '@example.com'""", (json.dumps(rows),))
    return rows


def walk(staff, **parameters):
    """The lines of all pages."""
    lines, cursor = [], None
    while True:
        reply = staff.list(**parameters, **({"cursor": cursor} if cursor else {}))
        assert reply.status_code == 200, reply.text
        page = reply.json()
        lines += page["submissions"]
        cursor = page["next_cursor"]
        if cursor is None:
            return lines


def left(rows, **parameters):
    """The booking UIDs that the filters leave, as a set."""
    def passes(row):
        return all(
            value in row["flag"] if name == "flag" else
            value.lower() in row["name"].lower() if name == "q" else
            row["minute"] >= int(value[14:16]) if name == "since" else
            row["minute"] < int(value[14:16]) if name == "until" else
            row[name] == value
            for name, value in parameters.items())
    return {row["uid"] for row in rows if passes(row)}


FILTERS = {
    "status": ("processed", "failed", "submitted"),
    "review": ("received", "has_issues", "approved", "rejected"),
    "questionnaire": ("hair-transplant", "phq-9", "unknown"),
    "flag": FLAGS + ("Diabete", "no such flag"),
    "since": ("2026-01-01T00:20:00Z",),
    "until": ("2026-01-01T00:30:00Z",),
    "q": ("smith", "yıl", "المد", "nobody"),
}
SINGLES = [{name: value} for name, values in FILTERS.items() for value in values]
PAIRS = [{name: values[0], other: others[-1]} for name, values in FILTERS.items()
         for other, others in FILTERS.items() if name != other]


@pytest.fixture(scope="module")
def filled(module_intake, staff_token):
    """(a client, what is in the database): 180 submissions that nothing changes."""
    intake = module_intake()
    return intake.client(staff_token), fill(intake.database, 180)


@pytest.mark.parametrize("parameters", SINGLES + PAIRS, ids=lambda p: "-".join(f"{k}={v}" for k, v in p.items()))
def test_what_the_filters_leave(filled, parameters):
    staff, rows = filled
    lines = walk(staff, limit=7, **parameters)
    found = [line["booking_uid"] for line in lines]
    assert len(found) == len(set(found)), "a line came twice"
    assert set(found) == left(rows, **parameters)
    keys = [(line["created_at"], line["id"]) for line in lines]
    assert keys == sorted(keys, reverse=True)


def test_what_a_line_tells(filled):
    staff, rows = filled
    for line in walk(staff, limit=200):
        row = rows[int(line["booking_uid"].removeprefix("row"))]
        assert (line["status"], line["review_state"]) == (row["status"], row["review"])
        assert line["questionnaire"] == {"id": row["questionnaire"], "version": None}
        assert [flag["text"] for flag in line["flags"]] == row["flag"]
        assert line["contradictions"] == 0
        assert line["patient_name"] == row["name"]


def test_a_line_counts_the_contradictions_that_are_not_decided(intake, staff):
    fill(intake.database, 1)
    intake.database.query("""
        UPDATE medical_questionnaire_submissions SET contradictions =
            '[{"field": "attendee_name", "stored": "A", "posted": "B"},
              {"field": "attendee_phone", "stored": null, "posted": "+905321234567"}]'""")
    assert walk(staff)[0]["contradictions"] == 2
    intake.database.query("""
        INSERT INTO contradiction_resolutions (submission_id, revision, field, stored, posted, decision, actor)
        SELECT id, 1, 'attendee_name', '"A"', '"B"', 'keep', 'x' FROM medical_questionnaire_submissions""")
    assert walk(staff)[0]["contradictions"] == 1


@pytest.mark.parametrize("parameters", [
    {"review": "maybe"}, {"review": ""}, {"status": "received"}, {"reviews": "approved"}])
def test_a_filter_that_does_not_exist_is_refused(filled, parameters):
    reply = filled[0].list(**parameters)
    assert reply.status_code == 400 and next(iter(parameters)) in reply.text
