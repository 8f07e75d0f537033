"""What becomes of a submission: the medical background, the age, failures and new attempts."""

import json

import pytest

from intake_harness.bodies import answers_of, fresh_booking, full, minimal
from intake_harness.waiting import eventually

FAST = {"worker.poll_ms": 50, "worker.backoff_ms": 10, "worker.backoff_max_ms": 20,
        "worker.attempts_max": 3}


def legacy_patient(database, phone, medical_data, age=None):
    """A patient of the WhatsApp assistant, with what it has learnt."""
    profile = database.value("""
        WITH u AS (INSERT INTO users (phone_number, name) VALUES (%(phone)s, 'Maria') RETURNING id)
        INSERT INTO patient_profiles (user_id, name, phone, email, age, source_channel)
        SELECT id, 'Maria', %(phone)s, id || '@example.com', %(age)s, 'whatsapp' FROM u
        RETURNING id""", {"phone": phone, "age": age})
    database.query("INSERT INTO medical_backgrounds (patient_profile_id, medical_data) VALUES (%s, %s)",
                   (profile, json.dumps(medical_data)))
    return profile


def submit_and_wait(intake, client, body):
    reply = client.submit(body)
    assert reply.status_code in (200, 201), reply.text
    intake.wait_processed(body["booking_uid"])
    return intake.database.submission(body["booking_uid"])


def broken_row(database, attempts=0):
    """A submission that cannot be processed, because it answers a questionnaire that is not there."""
    uid = fresh_booking()
    body = full(uid)
    database.query("""
        WITH u AS (INSERT INTO users (email, name) VALUES (%(email)s, 'B') RETURNING id),
             p AS (INSERT INTO patient_profiles (user_id, name, email) SELECT id, 'B', %(email)s FROM u
                   RETURNING id)
        INSERT INTO medical_questionnaire_submissions
               (booking_uid, patient_profile_id, submission_data, questionnaire_id, attempts)
        SELECT %(uid)s, id, %(data)s, 'no-such-questionnaire', %(attempts)s FROM p""",
                   {"email": body["attendee_email"], "uid": uid, "data": json.dumps(body),
                    "attempts": attempts})
    return uid


def test_answers_become_the_medical_background(shared_intake, shared_client, shared_staff):
    body = full()
    row = submit_and_wait(shared_intake, shared_client, body)
    assert row["status"] == "processed" and row["processed_at"] >= row["created_at"]
    assert row["attempts"] == 1 and row["failure_reason"] is None
    background = shared_intake.database.background(body["booking_uid"])
    for field, value in answers_of(body).items():
        assert background[field] == value
    assert shared_staff.look_up(body["booking_uid"]).json()["medical_background"] == background


def test_unanswered_questions_leave_no_trace(shared_intake, shared_client):
    body = minimal(allergies="none", age_range=None, hair_loss_pattern=[], family_history=None)
    submit_and_wait(shared_intake, shared_client, body)
    background = shared_intake.database.background(body["booking_uid"])
    assert {"age_range", "hair_loss_pattern", "family_history"}.isdisjoint(background)


@pytest.mark.parametrize("age_range,low,high", [
    ("18-25", 21, 22), ("26-35", 30, 31), ("36-45", 40, 41), ("46-55", 50, 51), ("56-65", 60, 61),
    ("65+", 65, 120)])
def test_the_age_is_the_middle_of_its_range(shared_intake, shared_client, age_range, low, high):
    body = full(age_range=age_range)
    submit_and_wait(shared_intake, shared_client, body)
    assert low <= shared_intake.database.profile(body["booking_uid"])["age"] <= high


def test_an_age_that_is_known_stays(shared_intake, shared_client):
    legacy_patient(shared_intake.database, "+905321110001", {}, age=29)
    body = full(attendee_phone="+905321110001", age_range="56-65")
    submit_and_wait(shared_intake, shared_client, body)
    assert shared_intake.database.profile(body["booking_uid"])["age"] == 29


def test_no_age_range_derives_no_age(shared_intake, shared_client):
    body = minimal(allergies="none")
    submit_and_wait(shared_intake, shared_client, body)
    assert shared_intake.database.profile(body["booking_uid"])["age"] is None


def test_what_the_assistant_learnt_stays_and_what_is_empty_is_filled(shared_intake, shared_client):
    legacy_patient(shared_intake.database, "+905321110002",
                   {"blood_type": "0+", "notes": {"lang": "tr"}, "allergies": ""})
    body = full(attendee_phone="+905321110002")
    submit_and_wait(shared_intake, shared_client, body)
    background = shared_intake.database.background(body["booking_uid"])
    assert background["blood_type"] == "0+" and background["notes"] == {"lang": "tr"}
    assert background["allergies"] == "none"
    assert background["hair_loss_duration"] == "5-10-years"


def test_a_contradicting_answer_is_flagged_and_changes_nothing(shared_intake, shared_client, shared_staff):
    legacy_patient(shared_intake.database, "+905321110003", {"allergies": "yes", "age_range": "26-35"})
    body = full(attendee_phone="+905321110003", age_range="36-45")
    row = submit_and_wait(shared_intake, shared_client, body)
    assert row["status"] == "processed"
    background = shared_intake.database.background(body["booking_uid"])
    assert (background["allergies"], background["age_range"]) == ("yes", "26-35")
    flagged = {entry["field"]: (entry["stored"], entry["posted"])
               for entry in shared_staff.look_up(body["booking_uid"]).json()["contradictions"]}
    assert flagged["allergies"] == ("yes", "none")
    assert flagged["age_range"] == ("26-35", "36-45")


def test_a_revision_changes_what_its_own_booking_wrote(shared_intake, shared_client):
    body = full()
    submit_and_wait(shared_intake, shared_client, body)
    revised = {**body, "allergies": "yes", "allergies_details": "Penicillin", "age_range": "46-55"}
    row = submit_and_wait(shared_intake, shared_client, revised)
    background = shared_intake.database.background(body["booking_uid"])
    assert (background["allergies"], background["allergies_details"]) == ("yes", "Penicillin")
    assert background["age_range"] == "46-55"
    assert row["contradictions"] == []


def test_another_booking_of_the_same_person_does_not_overwrite(shared_intake, shared_client):
    first = full()
    submit_and_wait(shared_intake, shared_client, first)
    second = full(attendee_email=first["attendee_email"], attendee_name=first["attendee_name"],
                  hair_loss_duration="1-2-years")
    row = submit_and_wait(shared_intake, shared_client, second)
    assert shared_intake.database.background(first["booking_uid"])["hair_loss_duration"] == "5-10-years"
    assert {"field": "hair_loss_duration", "stored": "5-10-years", "posted": "1-2-years"} in row["contradictions"]


def test_what_cannot_be_processed_ends_failed_with_a_reason(start_intake, staff_token):
    intake = start_intake(FAST)
    uid = broken_row(intake.database)
    intake.wait_processed(uid)
    row = intake.database.submission(uid)
    assert row["status"] == "failed" and row["failure_reason"] and row["attempts"] <= 3
    found = intake.client(staff_token).look_up(uid).json()
    assert found["status"] == "failed" and found["failure_reason"] == row["failure_reason"]


def test_a_failed_one_is_submitted_again(start_intake, staff_token):
    intake = start_intake(FAST)
    staff = intake.client(staff_token)
    uid = broken_row(intake.database)
    intake.wait_processed(uid)
    intake.database.query("UPDATE medical_questionnaire_submissions SET questionnaire_id = NULL"
                          " WHERE booking_uid = %s", (uid,))
    reply = staff.retry(uid)
    assert reply.status_code == 200
    assert (reply.json()["booking_uid"], reply.json()["status"]) == (uid, "submitted")
    intake.wait_processed(uid)
    row = intake.database.submission(uid)
    assert row["status"] == "processed" and row["failure_reason"] is None


def test_only_a_failed_one_can_be_submitted_again(shared_intake, shared_client, shared_staff):
    body = full()
    submit_and_wait(shared_intake, shared_client, body)
    assert shared_staff.retry(body["booking_uid"]).status_code == 409
    assert shared_staff.retry(fresh_booking()).status_code == 404


def test_a_failed_one_does_not_stop_its_neighbours(start_intake):
    intake = start_intake(FAST)
    client = intake.client()
    bad = broken_row(intake.database)
    bodies = [full() for _ in range(5)]
    for body in bodies:
        client.submit(body)
    intake.wait_processed(bad, *(body["booking_uid"] for body in bodies))
    for body in bodies:
        assert intake.database.submission(body["booking_uid"])["status"] == "processed"


def test_what_another_instance_left_is_processed(start_intake):
    """Claimed by a worker that died: after its lease somebody else takes it."""
    left = start_intake({"worker.enabled": "false"})
    body = full()
    left.client().submit(body)
    left.database.query("UPDATE medical_questionnaire_submissions SET attempts = 1,"
                        " next_attempt_at = now() + interval '1 second'")
    other = start_intake(FAST)
    other.wait_processed(body["booking_uid"])
    row = other.database.submission(body["booking_uid"])
    assert (row["status"], row["attempts"]) == ("processed", 2)
    assert row["processed_at"] >= row["next_attempt_at"] or row["attempts"] == 2


def leave_unprocessed(start_intake, count):
    """The bookings of so many submissions that an instance without a worker has taken."""
    left = start_intake({"worker.enabled": "false"})
    client, bodies = left.client(), [full() for _ in range(count)]
    for body in bodies:
        assert client.submit(body).status_code == 201
    left.stop()
    return [body["booking_uid"] for body in bodies]


def slow_down_updates(admin, when):
    """A disk that needs its time: each such row takes 20 ms."""
    admin.execute(f"""
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_sleep(0.02);
            RETURN NEW;
        END $$;
        CREATE TRIGGER slow BEFORE UPDATE ON medical_questionnaire_submissions
            FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION slow()""")


def test_many_that_another_instance_left_are_processed_without_rests(start_intake, database):
    """As many as one that died had claimed, one by one; on a disk that needs its time for each commit."""
    bookings = leave_unprocessed(start_intake, 150)
    with database.connect("postgres") as admin:
        admin.execute("UPDATE medical_questionnaire_submissions SET attempts = 1, next_attempt_at = now()")
        slow_down_updates(admin, "NEW.attempts > OLD.attempts")
    start_intake(FAST).wait_processed(*bookings)


def test_what_is_due_again_is_not_kept_waiting_by_what_is_new(start_intake, database):
    """Each kind gets as much time as the other, however much there is of it."""
    bookings = leave_unprocessed(start_intake, 120)
    again = bookings[::2]
    with database.connect("postgres") as admin:
        admin.execute("UPDATE medical_questionnaire_submissions SET attempts = 1, next_attempt_at = now()"
                      " WHERE booking_uid = ANY (%s)", (again,))
        slow_down_updates(admin, "OLD.attempts = 0")
    start_intake({**FAST, "worker.count": 1, "worker.batch_max": 20}).wait_processed(*bookings)
    in_time = database.value("SELECT count(*) FROM medical_questionnaire_submissions WHERE booking_uid = ANY (%s)"
                             " AND processed_at < (SELECT max(processed_at) FROM medical_questionnaire_submissions"
                             "                     WHERE attempts = 1)", (again,))
    assert in_time >= 30


def test_a_row_that_ends_the_process_each_time_runs_out_of_attempts(start_intake):
    """It was claimed as often as allowed and never came back: it is not claimed for ever."""
    intake = start_intake(FAST)
    uid = broken_row(intake.database, attempts=3)
    intake.wait_processed(uid)
    row = intake.database.submission(uid)
    assert row["status"] == "failed" and row["failure_reason"]


def test_a_full_disk_uses_up_no_attempts(start_intake, database):
    """It is claimed, and then there is no room for what came of it, more often than there are attempts."""
    intake = start_intake({**FAST, "worker.lease_ms": 1000})
    with database.connect("postgres") as admin:
        admin.execute("""
            CREATE SEQUENCE refusals;
            GRANT USAGE ON SEQUENCE refusals TO PUBLIC;
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM nextval('refusals');
                RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'could not extend file';
            END $$;
            CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON medical_backgrounds
                FOR EACH ROW EXECUTE FUNCTION refuse()""")
        body = full()
        assert intake.client().submit(body).status_code == 201
        eventually(lambda: admin.execute("SELECT last_value FROM refusals").fetchone()["last_value"] >= 4, 30, "four refusals")
        assert database.submission(body["booking_uid"])["status"] == "submitted"
        admin.execute("DROP TRIGGER refuse ON medical_backgrounds")
    intake.wait_processed(body["booking_uid"])
    assert database.submission(body["booking_uid"])["status"] == "processed"


def test_whose_patient_is_held_by_another_program_waits_alone_and_is_not_given_up(start_intake, database):
    """However long that takes: the neighbours in its batch are processed, and it is, once it can be."""
    intake = start_intake({**FAST, "worker.lease_ms": 1000, "worker.attempts_max": 2})
    client, held = intake.client(), full()
    assert client.submit(held).status_code == 201
    intake.wait_processed(held["booking_uid"])
    with database.connect() as other:
        other.execute("BEGIN")
        other.execute("SELECT FROM medical_backgrounds FOR UPDATE")
        neighbours = [full() for _ in range(5)]
        for body in ({**held, "allergies": "yes", "allergies_details": "Penicillin"}, *neighbours):
            assert client.submit(body).status_code in (200, 201)
        intake.wait_processed(*(body["booking_uid"] for body in neighbours))
        tries = "SELECT count(*) FROM processing_failures WHERE position('lock timeout' IN reason) > 0 AND NOT final"
        eventually(lambda: database.value(tries) >= 4, 60, "more tries than attempts")
        assert database.submission(held["booking_uid"])["status"] == "submitted"
        other.execute("COMMIT")
    intake.wait_processed(held["booking_uid"])
    assert database.submission(held["booking_uid"])["status"] == "processed"


def test_what_conflicts_each_time_is_given_up(start_intake, database):
    """It is no race with another writer, and has its attempts like any other fault."""
    intake = start_intake(FAST)
    with database.connect("postgres") as admin:
        admin.execute("""
            CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE unique_violation; END $$;
            CREATE TRIGGER conflict BEFORE INSERT OR UPDATE ON medical_backgrounds
                FOR EACH ROW EXECUTE FUNCTION conflict()""")
    body = full()
    assert intake.client().submit(body).status_code == 201
    intake.wait_processed(body["booking_uid"])
    assert database.submission(body["booking_uid"])["status"] == "failed"


def test_a_disabled_worker_leaves_everything(start_intake):
    intake = start_intake({"worker.enabled": "false"})
    client = intake.client()
    body = full()
    client.submit(body)
    checks = client.get("/health/ready").json()["checks"]
    assert "queue" in checks
    assert intake.database.submission(body["booking_uid"])["status"] == "submitted"


@pytest.mark.threaded
def test_two_instances_process_each_submission_once(start_intake, database):
    first, second = start_intake(FAST), start_intake(FAST)
    bodies = [full() for _ in range(40)]
    clients = [first.client(), second.client()]
    for index, body in enumerate(bodies):
        assert clients[index % 2].submit(body).status_code == 201
    first.wait_processed(*(body["booking_uid"] for body in bodies))
    counts = database.query("SELECT DISTINCT status, attempts FROM medical_questionnaire_submissions")
    assert counts == [{"status": "processed", "attempts": 1}]


def test_a_deleted_submission_is_not_processed(start_intake):
    intake = start_intake(FAST)
    uid = broken_row(intake.database)
    intake.wait_processed(uid)
    intake.database.query("UPDATE medical_questionnaire_submissions SET status = 'submitted', attempts = 0,"
                          " next_attempt_at = now(), deleted = true WHERE booking_uid = %s", (uid,))
    body = full()
    intake.client().submit(body)
    intake.wait_processed(body["booking_uid"])
    eventually(lambda: intake.database.submission(body["booking_uid"])["status"] == "processed")
    assert intake.database.submission(uid)["status"] == "submitted"
