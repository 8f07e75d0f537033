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


def person(database, booking_uid, name, posted_name=None, phone=None, posted_email=None, contradicts=False):
    """A submission whose patient is stored with `name`, at the time of now."""
    database.query("""
        WITH u AS (INSERT INTO users (email, name) VALUES (%(uid)s || '@Example.com', %(name)s) RETURNING id),
        p AS (INSERT INTO patient_profiles (user_id, name, email, phone)
              SELECT id, %(name)s, %(uid)s || '@Example.com', %(phone)s FROM u RETURNING id)
        INSERT INTO medical_questionnaire_submissions (booking_uid, patient_profile_id, submission_data, status,
               contradictions)
        SELECT %(uid)s, id, jsonb_build_object('attendee_name', %(posted)s::text, 'attendee_email', %(email)s::text,
                   'attendee_phone', '+49 (30) 1234-567'),
               'processed', %(contradictions)s::jsonb FROM p""",
        {"uid": booking_uid, "name": name, "posted": posted_name or name, "phone": phone,
         "email": posted_email or f"{booking_uid}@Example.com",
         "contradictions": '[{"field": "attendee_name", "stored": "a", "posted": "b"}]' if contradicts else "[]"})


@pytest.fixture(scope="module")
def people(module_intake, staff_token):
    """A client of a daemon that knows a few persons with names that are hard to search."""
    intake = module_intake()
    database = intake.database
    database.query("DELETE FROM medical_questionnaire_submissions")
    person(database, "turkish", "İBRAHİM IŞIK", phone="+905321234567")
    person(database, "dotless", "Işıl Kaya")
    person(database, "arabic", "محمد الأحمد")
    person(database, "percent", "100% Real_Name \\o/")
    person(database, "posted", "Stored Name", "Posted Other", posted_email="Posted@Example.com", contradicts=True)
    person(database, "short", "Jo Li")
    return intake.client(staff_token), database


@pytest.mark.parametrize("text,found", [
    ("ibrahim ışık", {"turkish"}), ("İbrahim", {"turkish"}), ("IŞIK", {"turkish"}), ("ışık", {"turkish"}),
    ("isik", set()), ("Işıl", {"dotless"}), ("IŞIL", {"dotless"}), ("işıl", {"dotless"}),
    ("محمد", {"arabic"}), ("الأحمد", {"arabic"}), ("مح", {"arabic"}), ("حم", set()),
    ("100%", {"percent"}), ("%", set()), ("0%", set()), ("%%%", set()), ("real_name", {"percent"}), ("rea__name", set()),
    ("\\o/", {"percent"}), ("\\\\\\", set()), ("al_n", {"percent"}), ("alxn", set()), ("' OR true --", set()),
    ("stored name", {"posted"}), ("other", {"posted"}), ("posted@example.COM", {"posted"}),
    ("posted@Example.com", {"posted"}), ("+49301234567", {"posted"}), ("0049 30 1234567", {"posted"}),
    ("+905321234567", {"turkish"}), ("905321234567", {"turkish"}), ("+90 532 123 45 67", {"turkish"}),
    ("532123", set()), ("TURKISH@example.com", {"turkish"}), ("turkish@example", set()), ("turkish", {"turkish"}),
    ("urkis", set()), ("jo", {"short"}), ("Li", {"short"}), ("jo li", {"short"}), ("o l", {"short"}), ("o", {"posted"}),
    ("  jo  ", {"short"}), ("j", {"short"}), ("x" * 254, set())])
def test_what_a_text_finds(people, text, found):
    assert {line["booking_uid"] for line in walk(people[0], q=text)} == found


def test_a_patient_who_is_deleted_is_found_as_posted(intake, staff):
    person(intake.database, "gone", "Known Before", "Posted Then")
    intake.database.query("UPDATE patient_profiles SET deleted = true")
    assert walk(staff, q="known before") == []
    intake.database.query("""UPDATE medical_questionnaire_submissions SET patient_profile_id = NULL""")
    assert [line["patient_name"] for line in walk(staff, q="posted then")] == ["Posted Then"]


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
                                  "'", '"', "{}", "{a,b}", "$1", "%' --", "\u0307", "ı̇", "a" * 255, "\\", "_", "@", "+",
                                  "+000", "0" * 200, "\u202e", "\t\n"])
@pytest.mark.parametrize("name", ["q", "flag", "questionnaire"])
def test_no_text_breaks_the_list(people, name, text):
    reply = people[0].list(**{name: text})
    assert reply.status_code in (200, 400), reply.text


def test_pages_meet_while_submissions_come(intake, staff):
    rows = fill(intake.database, 60)
    seen, cursor, number = [], None, 0
    while True:
        page = staff.list(limit=7, review="approved", **({"cursor": cursor} if cursor else {})).json()
        seen += [line["booking_uid"] for line in page["submissions"]]
        person(intake.database, f"late{number}", "Late Comer")
        intake.database.query("UPDATE medical_questionnaire_submissions SET review_state = 'approved'"
                              " WHERE booking_uid = %s", (f"late{number}",))
        number += 1
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert number > 2
    assert len(seen) == len(set(seen)) and set(seen) == left(rows, review="approved")


def many(database, count):
    """`count` submissions; every 50th is of a rare questionnaire, every 1000th of a Zoltan."""
    database.query("""
        WITH n AS (SELECT n, gen_random_uuid() AS u, gen_random_uuid() AS p FROM generate_series(1, %s) AS n),
        u AS (INSERT INTO users (id, email) SELECT u, 'm' || n || '@example.com' FROM n RETURNING id),
        p AS (INSERT INTO patient_profiles (id, user_id, name, email)
              SELECT p, u, CASE WHEN n %% 1000 = 0 THEN 'Zoltan ' ELSE 'Mehmet ' END || 'Yılmaz', 'm' || n || '@example.com'
              FROM n JOIN u ON u.id = n.u RETURNING id)
        INSERT INTO medical_questionnaire_submissions (booking_uid, patient_profile_id, submission_data, status,
               questionnaire_id, review_state, evaluation, created_at)
        SELECT 'many' || n, p, '{}', CASE WHEN n %% 100 = 0 THEN 'failed' ELSE 'processed' END,
               CASE WHEN n %% 50 = 0 THEN 'rare' ELSE 'usual' END, CASE WHEN n %% 7 = 0 THEN 'rejected' ELSE 'approved' END,
               CASE WHEN n %% 11 = 0 THEN '{"scores": [], "flags": [{"link_id": "x", "text": "Common"}]}'::jsonb END,
               now() - n * interval '1 minute'
        FROM n JOIN p ON p.id = n.p""", (count,))


@pytest.fixture(scope="module")
def large(module_intake, staff_token):
    """A daemon over 50,000 submissions, and its client; a test that stops it starts it again."""
    intake = module_intake()
    many(intake.database, 50_000)
    intake.database.query("ANALYZE")
    return intake, intake.client(staff_token)


def sequential_scans(database):
    return database.query("SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname IN"
                          " ('medical_questionnaire_submissions', 'patient_profiles', 'users') ORDER BY relname")


ASKED = ({}, {"status": "failed"}, {"status": "submitted"}, {"review": "rejected"}, {"review": "received"},
         {"questionnaire": "rare"}, {"questionnaire": "none"}, {"flag": "Common"}, {"flag": "none"},
         {"since": "2999-01-01"}, {"until": "1999-01-01"}, {"q": "zoltan"}, {"q": "mehmet"}, {"q": "nobody"},
         {"q": "zo"}, {"q": "zz"}, {"q": "%%%"}, {"q": "m77@example.com"}, {"q": "+4930123456"}, {"q": "many77"},
         {"q": "zoltan", "status": "failed"}, {"q": "zoltan", "flag": "Common"}, {"q": "mehmet", "flag": "none"},
         {"flag": "Common", "review": "rejected"}, {"questionnaire": "rare", "review": "rejected"})


def test_no_question_makes_the_database_read_a_whole_table(large):
    intake, staff = large
    intake.restart()  # what was counted until now is written down when its connections end
    before = sequential_scans(intake.database)
    for parameters in ASKED:
        for _ in range(8):  # a plan of its own at first, a general one later
            assert staff.list(**parameters).status_code == 200
    intake.restart()
    assert sequential_scans(intake.database) == before


def rows_read(database):
    return database.value("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables"
                          " WHERE relname = 'medical_questionnaire_submissions'")


def test_where_all_are_alike_no_more_is_read_than_a_page_needs(module_intake, staff_token):
    """The planner believes in few rows then, and may come to think that to read them all is quicker."""
    intake = module_intake()
    staff = intake.client(staff_token)
    count = 100_000
    intake.database.query("""
        WITH u AS (INSERT INTO users (email) SELECT 'a' || n || '@example.com' FROM generate_series(1, %s) AS n
                   RETURNING id, email),
        p AS (INSERT INTO patient_profiles (user_id, name, email) SELECT id, 'Mehmet', email FROM u RETURNING id, email)
        INSERT INTO medical_questionnaire_submissions (booking_uid, patient_profile_id, submission_data, status, created_at)
        SELECT split_part(email, '@', 1), id, '{}', 'processed', now() - row_number() OVER () * interval '1 second'
        FROM p""", (count,))
    intake.database.query("ANALYZE")
    intake.restart()
    before = rows_read(intake.database)
    for _ in range(8):
        assert len(staff.list(status="processed", limit=20).json()["submissions"]) == 20
    intake.restart()
    assert rows_read(intake.database) - before < count


@pytest.mark.parametrize("parameters,count", [
    ({"q": "zoltan"}, 50), ({"flag": "none"}, 0), ({"q": "zoltan", "status": "failed"}, 50),
    ({"flag": "Common", "q": "zoltan"}, 4), ({"questionnaire": "rare"}, 1000), ({"q": "zo"}, 50)])
def test_a_page_that_is_short_leads_on(large, parameters, count):
    lines = walk(large[1], limit=200, **parameters)
    assert len(lines) == len({line["id"] for line in lines}) == count


def test_a_search_that_no_index_serves_goes_on_page_by_page(large):
    page = large[1].list(q="%%%").json()
    assert page["submissions"] == [] and page["next_cursor"] is not None
    assert walk(large[1], q="%%%") == []
