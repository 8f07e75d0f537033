"""Look-ups that wait together are one transaction; each is still answered and audited for itself."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from intake_harness.bodies import minimal
from intake_harness.waiting import eventually

WAITING = 12
ONE_THREAD = {"executor.count": 1}


def in_flight(intake):
    text = requests.get(f"{intake.base}/metrics", timeout=10).text
    return int(re.search(r"^intake_http_requests_in_flight (\d+)$", text, re.MULTILINE)[1])


def together(intake, look_ups):
    """Runs the functions so that all but the first wait for the executor at the same time; their results."""
    with intake.database.connect("postgres") as connection, ThreadPoolExecutor(len(look_ups)) as pool:
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE staff_tokens IN ACCESS EXCLUSIVE MODE")
        futures = [pool.submit(look_up) for look_up in look_ups]
        # The request for the metrics counts itself.
        eventually(lambda: in_flight(intake) == len(look_ups) + 1, 20, "all of them wait")
        connection.execute("COMMIT")
        return [future.result() for future in futures]


def reads(intake):
    return intake.database.query("SELECT booking_uid, actor, request_id, xmin::text AS transaction FROM audit_log"
                                 " WHERE action = 'submission.read'")


@pytest.fixture
def stored(start_intake):
    """A service with one executor thread, and its bookings."""
    intake = start_intake(ONE_THREAD)
    bodies = [minimal() for _ in range(WAITING)]
    for body in bodies:
        assert intake.client().submit(body).status_code == 201
    return intake, [body["booking_uid"] for body in bodies]


def test_look_ups_that_wait_share_a_commit_and_are_audited_one_by_one(stored, staff_token):
    intake, bookings = stored
    replies = together(intake, [lambda uid=uid: intake.client(staff_token).look_up(uid) for uid in bookings])
    assert [reply.json()["booking_uid"] for reply in replies] == bookings
    rows = reads(intake)
    assert sorted((row["booking_uid"], row["request_id"]) for row in rows) == sorted(
        (uid, reply.headers["X-Request-Id"]) for uid, reply in zip(bookings, replies))
    assert len({row["transaction"] for row in rows}) <= 3


def test_who_may_not_is_refused_among_those_who_may(stored, tokens):
    intake, bookings = stored
    callers = ["staff", "intake", None, "staff", "wrong", "admin"] * 2
    held = {**tokens, "wrong": "0" * 64, None: None}
    replies = together(intake, [lambda uid=uid, who=who: intake.client(held[who]).look_up(uid)
                                for uid, who in zip(bookings, callers) if who is not None])
    expected = {"staff": 200, "admin": 200, "intake": 403, "wrong": 401}
    assert [reply.status_code for reply in replies] == [expected[who] for who in callers if who is not None]
    seen = [uid for uid, who in zip(bookings, callers) if who in ("staff", "admin")]
    assert sorted(row["booking_uid"] for row in reads(intake)) == sorted(seen)


def test_one_whose_row_cannot_be_written_fails_alone(stored, staff_token):
    intake, bookings = stored
    with intake.database.connect("postgres") as connection:
        connection.execute("""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$""")
        connection.execute(f"""
            CREATE TRIGGER refuse BEFORE INSERT ON audit_log FOR EACH ROW
            WHEN (NEW.booking_uid = '{bookings[5]}' AND NEW.action = 'submission.read') EXECUTE FUNCTION refuse()""")
    replies = together(intake, [lambda uid=uid: intake.client(staff_token).look_up(uid) for uid in bookings])
    assert [reply.status_code for reply in replies] == [500 if uid == bookings[5] else 200 for uid in bookings]
    assert bookings[5] not in replies[5].text
    assert sorted(row["booking_uid"] for row in reads(intake)) == sorted(set(bookings) - {bookings[5]})


def test_a_database_that_goes_away_in_between_is_503_and_then_all_is_well(stored, staff_token):
    intake, bookings = stored

    def look_up(uid):
        return intake.client(staff_token).look_up(uid)

    with intake.database.connect("postgres") as connection, ThreadPoolExecutor(WAITING) as pool:
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE audit_log IN ACCESS EXCLUSIVE MODE")
        futures = [pool.submit(look_up, uid) for uid in bookings]
        eventually(lambda: in_flight(intake) == WAITING + 1, 20, "all of them wait")
        with intake.database.connect("postgres") as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                          " WHERE application_name = 'intake executor' AND datname = current_database()")
        connection.execute("COMMIT")
        statuses = [future.result().status_code for future in futures]
    assert set(statuses) <= {200, 503} and statuses.count(503) <= 1
    assert len(reads(intake)) >= statuses.count(200)
    assert look_up(bookings[0]).status_code == 200
