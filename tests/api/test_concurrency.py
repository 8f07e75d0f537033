"""Many clients at once: the same booking, the same person, everybody their own."""

import concurrent.futures
import itertools

import pytest

from intake_harness.bodies import full, minimal

pytestmark = pytest.mark.threaded


def submit_all(intake, bodies, clients=16):
    """Posts all of them from so many connections; the replies in the bodies' order."""
    pool = [intake.client() for _ in range(clients)]
    chunks = [bodies[index::clients] for index in range(clients)]

    def post(pair):
        client, chunk = pair
        return [client.submit(body) for body in chunk]

    with concurrent.futures.ThreadPoolExecutor(clients) as executor:
        replies = list(executor.map(post, zip(pool, chunks)))
    return [reply for row in itertools.zip_longest(*replies) for reply in row if reply is not None]


def test_the_same_booking_from_many_clients_is_one_row(intake):
    body = full()
    replies = submit_all(intake, [body] * 200)
    codes = [reply.status_code for reply in replies]
    assert codes.count(201) == 1 and codes.count(200) == 199
    assert len({reply.json()["id"] for reply in replies}) == 1
    assert {reply.json()["revision"] for reply in replies} == {1}
    assert intake.database.value("SELECT count(*) FROM users") == 1
    assert intake.database.value("SELECT count(*) FROM submission_revisions") == 0


def test_different_contents_of_one_booking_are_consecutive_revisions(intake):
    body = full()
    bodies = [{**body, "allergies": "yes", "allergies_details": f"Pollen {number}"} for number in range(100)]
    replies = submit_all(intake, bodies)
    assert sorted(reply.json()["revision"] for reply in replies) == list(range(1, 101))
    assert sorted(reply.status_code for reply in replies) == [200] * 99 + [201]
    kept = intake.database.query("SELECT revision, submission_data FROM submission_revisions ORDER BY revision")
    assert [row["revision"] for row in kept] == list(range(1, 100))
    by_revision = {reply.json()["revision"]: body for reply, body in zip(replies, bodies)}
    for row in kept:
        assert row["submission_data"] == by_revision[row["revision"]]
    last = intake.database.submission(body["booking_uid"])
    assert (last["revision"], last["submission_data"]) == (100, by_revision[100])
    intake.wait_processed(body["booking_uid"])


def test_bookings_of_one_person_share_one_profile(intake):
    email = "many-bookings@example.com"
    bodies = [full(attendee_email=email if number % 2 else email.upper(), attendee_name="One Person")
              for number in range(100)]
    replies = submit_all(intake, bodies)
    assert [reply.status_code for reply in replies] == [201] * 100
    assert intake.database.value("SELECT count(*) FROM users") == 1
    assert intake.database.value("SELECT count(*) FROM patient_profiles") == 1
    assert intake.database.value("SELECT count(DISTINCT patient_profile_id)"
                                 " FROM medical_questionnaire_submissions") == 1
    intake.wait_processed(*(body["booking_uid"] for body in bodies))


def test_everybody_gets_their_own(intake):
    bodies = [full() for _ in range(400)]
    replies = submit_all(intake, bodies)
    assert [reply.status_code for reply in replies] == [201] * 400
    assert [reply.json()["booking_uid"] for reply in replies] == [body["booking_uid"] for body in bodies]
    rows = intake.database.query("""
        SELECT s.booking_uid, p.email, s.submission_data
          FROM medical_questionnaire_submissions s JOIN patient_profiles p ON p.id = s.patient_profile_id""")
    assert {row["booking_uid"]: row["email"] for row in rows} == {
        body["booking_uid"]: body["attendee_email"] for body in bodies}
    assert all(row["submission_data"]["attendee_email"] == row["email"] for row in rows)
    intake.wait_processed(*(body["booking_uid"] for body in bodies))


def test_the_bad_among_the_good_get_their_own_errors(intake):
    bodies = [minimal(age_range="x") if number % 3 == 0 else minimal() for number in range(150)]
    replies = submit_all(intake, bodies)
    for body, reply in zip(bodies, replies):
        assert reply.status_code == (422 if "age_range" in body else 201)


def test_one_bad_row_of_a_batch_does_not_fail_its_neighbours(intake):
    """The database itself refuses one: by a constraint that only this test knows."""
    with intake.database.connect("postgres") as admin:
        admin.execute("ALTER TABLE patient_profiles ADD CONSTRAINT refuse CHECK (name <> 'Refused')")
    bodies = [full(attendee_name="Refused") if number % 10 == 0 else full() for number in range(200)]
    replies = submit_all(intake, bodies)
    for body, reply in zip(bodies, replies):
        assert (reply.status_code == 201) == (body["attendee_name"] != "Refused"), reply.text
        assert reply.status_code in (201, 500) and "PostgreSQL" not in reply.text
    assert intake.database.value("SELECT count(*) FROM medical_questionnaire_submissions") == 180


def test_two_instances_and_many_lanes_agree(start_intake, database):
    instances = [start_intake({"lane.count": 3}), start_intake({"lane.count": 3})]
    shared = [full() for _ in range(20)]
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        results = list(executor.map(lambda instance: submit_all(instance, shared * 5, 8), instances))
    codes = [reply.status_code for replies in results for reply in replies]
    assert set(codes) == {200, 201} and codes.count(201) == 20
    assert database.value("SELECT count(*) FROM medical_questionnaire_submissions") == 20
    assert database.value("SELECT count(*) FROM users") == 20
    instances[0].wait_processed(*(body["booking_uid"] for body in shared))


def test_look_ups_beside_posts(intake, staff_token):
    bodies = [full() for _ in range(100)]
    submit_all(intake, bodies[:50])
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        posting = executor.submit(submit_all, intake, bodies[50:], 8)
        staff = intake.client(staff_token)
        for body in bodies[:50]:
            assert staff.look_up(body["booking_uid"]).json()["patient"]["email"] == body["attendee_email"]
            assert staff.list(limit=5).status_code == 200
        assert {reply.status_code for reply in posting.result()} == {201}
