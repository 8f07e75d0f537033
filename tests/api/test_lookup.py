"""GET /v1/submissions/{booking_uid} and the list: what staff see, and in which order."""

import datetime

import pytest

from intake_harness.bodies import answers_of, fresh_booking, full, minimal


def test_a_look_up_shows_everything_about_the_booking(intake, client, staff):
    body = full(attendee_phone="+1-555-123-4567")
    created = client.submit(body).json()
    intake.wait_processed(body["booking_uid"])
    reply = staff.look_up(body["booking_uid"])
    assert reply.status_code == 200
    assert reply.headers["Cache-Control"] == "no-store"
    found = reply.json()
    assert found["id"] == created["id"]
    assert found["patient_deleted"] is False
    assert found["booking_uid"] == body["booking_uid"]
    assert (found["status"], found["revision"], found["attempts"]) == ("processed", 1, 1)
    assert found["created_at"] == created["created_at"]
    assert found["processed_at"] >= found["created_at"]
    assert found["failure_reason"] is None
    assert found["questionnaire"]["id"] == "hair-transplant" and found["questionnaire"]["version"]
    assert found["contact"] == {"name": body["attendee_name"], "email": body["attendee_email"],
                                "phone": "+1-555-123-4567"}
    profile = intake.database.profile(body["booking_uid"])
    assert found["patient"] == {
        "id": str(profile["id"]), "name": body["attendee_name"], "email": body["attendee_email"],
        "phone": "+15551234567", "user_type": "medical_questionnaire", "age": profile["age"],
        "gender": None, "location": None, "source_channel": "medical_questionnaire"}
    assert found["answers"] == answers_of(body)
    assert found["contradictions"] == []
    assert found["medical_background"] == intake.database.background(body["booking_uid"])


def test_a_look_up_of_a_booking_that_is_not_there_is_404(shared_staff):
    for uid in (fresh_booking(), "x" * 128):
        assert shared_staff.look_up(uid).status_code == 404


@pytest.mark.parametrize("uid", ["x" * 129, "a.b", "%7Bbooking%7D", "a%20b", "a%00b", "a%2Fb", "%"])
def test_what_cannot_be_a_booking_uid_is_4xx(shared_staff, uid):
    assert shared_staff.look_up(uid).status_code in (400, 404, 422)


def test_an_older_revision_is_not_shown(shared_intake, shared_client, shared_staff):
    body = full()
    shared_client.submit(body)
    shared_client.submit({**body, "age_range": "65+"})
    found = shared_staff.look_up(body["booking_uid"]).json()
    assert found["revision"] == 2 and found["answers"]["age_range"] == "65+"


def fill(database, count):
    """Submissions of one person at known times, the oldest first; their booking UIDs."""
    profile = database.value("""
        WITH u AS (INSERT INTO users (email, name) VALUES ('list@example.com', 'Lista Perez') RETURNING id)
        INSERT INTO patient_profiles (user_id, name, email) SELECT id, 'Lista Perez', 'list@example.com'
          FROM u RETURNING id""")
    database.query("""
        INSERT INTO medical_questionnaire_submissions
               (booking_uid, patient_profile_id, submission_data, status, created_at, updated_at)
        SELECT 'list' || n, %s, '{}', CASE n %% 3 WHEN 0 THEN 'failed' ELSE 'processed' END,
               timestamptz '2026-01-01T00:00:00Z' + (n / 2) * interval '1 minute', now()
          FROM generate_series(1, %s) AS n""", (profile, count))
    return [f"list{n}" for n in range(1, count + 1)]


def walk(staff, **parameters):
    """Every booking of every page, and the sizes of the pages."""
    bookings, sizes, cursor = [], [], None
    while True:
        reply = staff.list(**parameters, **({"cursor": cursor} if cursor else {}))
        assert reply.status_code == 200, reply.text
        page = reply.json()
        sizes.append(len(page["submissions"]))
        bookings += [entry["booking_uid"] for entry in page["submissions"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return bookings, sizes


def test_the_list_is_newest_first_and_pages_meet_without_gap(intake, staff):
    everything = fill(intake.database, 25)
    bookings, sizes = walk(staff, limit=10)
    assert sizes == [10, 10, 5]
    assert sorted(bookings) == sorted(everything), "each exactly once, although times are equal"
    times = [int(uid.removeprefix("list")) // 2 for uid in bookings]
    assert times == sorted(times, reverse=True)


def test_a_page_is_not_moved_by_new_submissions(intake, client, staff):
    fill(intake.database, 4)
    first = staff.list(limit=2).json()
    client.submit(minimal())
    second = staff.list(limit=2, cursor=first["next_cursor"]).json()
    bookings = [entry["booking_uid"] for entry in first["submissions"] + second["submissions"]]
    assert sorted(bookings) == ["list1", "list2", "list3", "list4"]


def test_an_entry_of_the_list(intake, client, staff):
    body = full()
    created = client.submit(body).json()
    intake.wait_processed(body["booking_uid"])
    (entry,) = staff.list().json()["submissions"]
    assert set(entry) == {"id", "booking_uid", "status", "revision", "created_at", "updated_at",
                          "patient_name", "patient_email", "review_state", "questionnaire", "flags",
                          "contradictions"}
    assert entry["id"] == created["id"] and entry["status"] == "processed"
    assert entry["patient_name"] == body["attendee_name"]
    assert entry["patient_email"] == body["attendee_email"]


def test_an_empty_list(intake, staff):
    assert staff.list().json() == {"submissions": [], "next_cursor": None}


def test_filter_by_status(intake, staff):
    fill(intake.database, 9)
    assert sorted(walk(staff, status="failed", limit=2)[0]) == ["list3", "list6", "list9"]
    assert walk(staff, status="submitted")[0] == []


def test_filter_by_time_takes_its_start_and_leaves_its_end(intake, staff):
    fill(intake.database, 9)
    since, until = "2026-01-01T00:01:00Z", "2026-01-01T00:03:00Z"
    assert sorted(walk(staff, since=since, until=until)[0]) == ["list2", "list3", "list4", "list5"]
    assert sorted(walk(staff, since="2026-01-01T03:04:00+03:00")[0]) == ["list8", "list9"]


def test_filter_by_text_finds_booking_name_and_e_mail(intake, client, staff):
    fill(intake.database, 3)
    body = minimal(attendee_name="Gülşen Öztürk")
    client.submit(body)
    for text in (body["booking_uid"], body["attendee_email"], "Gülşen Öztürk", "gülşen"):
        assert walk(staff, q=text)[0] == [body["booking_uid"]], text
    assert len(walk(staff, q="lista")[0]) == 3
    assert walk(staff, q="nobody")[0] == []


def test_a_wildcard_in_the_text_is_a_character(intake, staff):
    fill(intake.database, 3)
    for text in ("%", "_ist", "list%", "\\"):
        assert walk(staff, q=text)[0] == [], text


def test_deleted_submissions_are_not_listed(intake, staff):
    fill(intake.database, 3)
    intake.database.query("UPDATE medical_questionnaire_submissions SET deleted = true"
                          " WHERE booking_uid = 'list2'")
    assert sorted(walk(staff)[0]) == ["list1", "list3"]


@pytest.mark.parametrize("parameters", [
    {"status": "done"}, {"limit": "0"}, {"limit": "x"}, {"limit": "-1"}, {"limit": "1000000"},
    {"since": "yesterday"}, {"until": "2026-13-01T00:00:00Z"}, {"cursor": "nonsense"},
    {"cursor": "AAAA"}, {"page": "2"}])
def test_a_bad_parameter_is_refused(shared_staff, parameters):
    reply = shared_staff.list(**parameters)
    assert reply.status_code in (400, 422)
    assert next(iter(parameters)) in reply.text


def test_times_are_of_the_database_s_clock(intake, client, staff):
    body = minimal()
    created = client.submit(body).json()["created_at"]
    stored = intake.database.submission(body["booking_uid"])["created_at"]
    assert datetime.datetime.fromisoformat(created.replace("Z", "+00:00")) == stored


def test_the_last_page_says_so_when_it_is_full(intake, client, staff):
    for _ in range(4):
        client.submit(minimal())
    first = staff.list(limit=2).json()
    last = staff.list(limit=2, cursor=first["next_cursor"]).json()
    assert len(last["submissions"]) == 2 and last["next_cursor"] is None
    seen = intake.database.query("SELECT booking_uid FROM audit_log WHERE action = 'submission.list'")
    assert len(seen) == 4


@pytest.mark.parametrize("parameters,found", [
    ({"since": "0001-01-01T00:00:00+14:00"}, True), ({"until": "0001-01-01T00:00:00+14:00"}, False),
    ({"until": "1970-01-01"}, False), ({"since": "1970-01-01"}, True),
    ({"until": "9999-12-31T23:59:59-14:00"}, True), ({"since": "9999-12-31T23:59:59-14:00"}, False)])
def test_the_ends_of_the_calendar_are_times_too(shared_client, shared_staff, parameters, found):
    shared_client.submit(minimal())
    reply = shared_staff.list(**parameters)
    assert reply.status_code == 200, reply.text
    assert (reply.json()["submissions"] != []) == found
