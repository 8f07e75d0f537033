"""Two writers on one row at one moment: another instance, the worker, another program."""

import concurrent.futures
import contextlib

from intake_harness.bodies import full
from intake_harness.waiting import eventually


def wait_blocked(database, count=1):
    """Waits until so many of the daemons' statements wait for somebody's lock."""
    eventually(lambda: database.value(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock' AND application_name ^@ 'intake'") >= count,
               10, f"{count} statements blocked")


@contextlib.contextmanager
def another_writer(database):
    """A connection in a transaction, which it commits at the end."""
    with database.connect() as connection:
        connection.execute("BEGIN")
        yield connection
        if connection.info.transaction_status.name != "IDLE":
            connection.execute("COMMIT")


def test_a_revision_waits_for_a_writer_of_the_same_row(start_intake):
    """Another instance, or the worker that marks the row: the revision comes after it."""
    intake = start_intake({"worker.enabled": "false"})
    body = full()
    client = intake.client()
    assert client.submit(body).status_code == 201
    other = intake.client()
    revised = {**body, "allergies": "yes", "allergies_details": "Pollen"}
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        with another_writer(intake.database) as writer:
            writer.execute("UPDATE medical_questionnaire_submissions SET status = 'processed', processed_at = now()"
                           " WHERE booking_uid = %s", (body["booking_uid"],))
            reply = executor.submit(other.submit, revised)
            wait_blocked(intake.database)
        assert reply.result().status_code == 200, reply.result().text
    assert reply.result().json()["revision"] == 2
    row = intake.database.submission(body["booking_uid"])
    assert (row["revision"], row["status"], row["submission_data"]) == (2, "submitted", revised)


def test_two_revisions_at_one_moment_are_two_revisions(start_intake):
    intake = start_intake({"worker.enabled": "false"})
    body = full()
    assert intake.client().submit(body).status_code == 201
    other = intake.client()
    revised = {**body, "allergies": "yes", "allergies_details": "Pollen"}
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        with another_writer(intake.database) as writer:
            writer.execute("""
                WITH old AS (INSERT INTO submission_revisions (submission_id, revision, submission_data)
                             SELECT id, revision, submission_data FROM medical_questionnaire_submissions
                              WHERE booking_uid = %s RETURNING submission_id)
                UPDATE medical_questionnaire_submissions SET revision = 2, submission_data = submission_data - 'allergies'
                 WHERE id IN (SELECT submission_id FROM old)""", (body["booking_uid"],))
            reply = executor.submit(other.submit, revised)
            wait_blocked(intake.database)
        assert reply.result().status_code == 200, reply.result().text
    assert reply.result().json()["revision"] == 3


def test_a_background_that_appears_while_processing_is_not_overwritten(start_intake):
    """Another program writes it between the worker's look at the backgrounds and its own write."""
    intake = start_intake({"worker.enabled": "false"})
    database = intake.database
    bodies = [full(allergies="none"), full(allergies="none")]
    for body in bodies:
        assert intake.client().submit(body).status_code == 201
    first, second = (database.profile(body["booking_uid"])["id"] for body in bodies)
    database.query("INSERT INTO medical_backgrounds (patient_profile_id) VALUES (%s)", (first,))
    intake.stop()
    with another_writer(database) as writer:
        writer.execute("SELECT FROM medical_backgrounds WHERE patient_profile_id = %s FOR UPDATE", (first,))
        intake.write_config(worker__enabled="true")
        intake.start()
        wait_blocked(database)
        writer.execute("INSERT INTO medical_backgrounds (patient_profile_id, medical_data)"
                       """ VALUES (%s, '{"allergies": "yes", "allergies_details": "Penicillin"}')""", (second,))
    intake.wait_processed(*(body["booking_uid"] for body in bodies))
    assert database.background(bodies[1]["booking_uid"])["allergies"] == "yes"
    assert database.submission(bodies[1]["booking_uid"])["contradictions"] == [
        {"field": "allergies", "stored": "yes", "posted": "none"}]


def test_a_profile_that_is_deleted_at_that_moment_does_not_refuse_the_patient(start_intake):
    intake = start_intake({"worker.enabled": "false"})
    first = full()
    assert intake.client().submit(first).status_code == 201
    second = full(attendee_email=first["attendee_email"])
    client = intake.client()
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        with another_writer(intake.database) as writer:
            writer.execute("DELETE FROM patient_profiles WHERE email = %s", (first["attendee_email"],))
            reply = executor.submit(client.submit, second)
            wait_blocked(intake.database)
        assert reply.result().status_code == 201, reply.result().text
    assert intake.database.profile(second["booking_uid"])["email"] == first["attendee_email"]


def test_a_row_that_is_always_in_the_way_fails_only_its_own_submission(start_intake):
    """A revision that is there already, by somebody's hand: no retry will ever write it."""
    intake = start_intake({"worker.enabled": "false", "lane.deadline_ms": 4000})
    stuck = full()
    assert intake.client().submit(stuck).status_code == 201
    intake.database.query("INSERT INTO submission_revisions (submission_id, revision, submission_data)"
                          " SELECT id, 1, '{}' FROM medical_questionnaire_submissions")
    clients, other = [intake.client() for _ in range(8)], intake.client()
    bodies = [full() for _ in clients]
    for client, body in zip(clients, bodies):
        assert client.submit(body).status_code == 201

    def repeat(client, body):
        return [client.submit(body) for _ in range(20)]

    with concurrent.futures.ThreadPoolExecutor(9) as executor:
        refused = executor.submit(other.submit, {**stuck, "allergies": "yes", "allergies_details": "Pollen"})
        replies = list(executor.map(repeat, clients, bodies))
    assert {reply.status_code for row in replies for reply in row} == {200}
    assert refused.result().status_code == 503


def test_a_locked_row_holds_up_nobody_else(start_intake):
    """Another program sits on a patient's row; the patient is told to try again, others see nothing."""
    intake = start_intake({"worker.enabled": "false"})
    locked = full()
    known = [full() for _ in range(8)]
    for body in (locked, *known):
        assert intake.client().submit(body).status_code == 201
    clients, other = [intake.client() for _ in known], intake.client()

    def repeat(client, body):
        return [client.submit(sent) for sent in (body, full(), body, full())]

    with concurrent.futures.ThreadPoolExecutor(9) as executor:
        with another_writer(intake.database) as writer:
            writer.execute("SELECT FROM medical_questionnaire_submissions WHERE booking_uid = %s FOR UPDATE",
                           (locked["booking_uid"],))
            refused = executor.submit(other.submit, locked)
            wait_blocked(intake.database)
            replies = [reply for row in executor.map(repeat, clients, known) for reply in row]
            assert [reply.status_code for reply in replies] == [200, 201] * 16
            assert refused.result().status_code == 503
    assert other.submit(locked).status_code == 200
