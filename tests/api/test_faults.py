"""Faults: PostgreSQL goes and comes back, the daemon is killed. What was acknowledged is there."""

import threading

import pytest
import requests

from intake_harness.bodies import full, minimal
from intake_harness.waiting import eventually

FAST = {"worker.poll_ms": 50, "worker.lease_ms": 1000}


class Load:
    """Clients that post one new booking after the other, and remember what was acknowledged."""

    def __init__(self, intake, clients=6):
        self.acknowledged, self.unavailable, self.lost_connections = [], 0, 0
        self._intake, self._stop, self._lock = intake, threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._post) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _post(self):
        client = self._intake.client()
        while not self._stop.is_set():
            body = full()
            try:
                reply = client.submit(body)
            except requests.RequestException:
                with self._lock:
                    self.lost_connections += 1
                self._stop.wait(0.01)
                continue
            with self._lock:
                if reply.status_code == 201:
                    self.acknowledged.append(body["booking_uid"])
                else:
                    assert reply.status_code == 503 and int(reply.headers["Retry-After"]) >= 1
                    self.unavailable += 1

    def wait_for_more(self, count=30):
        goal = len(self.acknowledged) + count
        eventually(lambda: len(self.acknowledged) >= goal, 60, f"{count} more acknowledged")

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self.acknowledged


def all_processed(database, booking_uids, timeout=60.0):
    """Nothing acknowledged is lost, and nothing is stuck."""
    stored = {row["booking_uid"] for row in database.query(
        "SELECT booking_uid FROM medical_questionnaire_submissions")}
    assert set(booking_uids) <= stored
    eventually(lambda: database.value(
        "SELECT count(*) FROM medical_questionnaire_submissions WHERE status = 'submitted'") == 0,
               timeout, "everything processed")
    assert database.value("SELECT count(*) FROM medical_questionnaire_submissions"
                          " WHERE status = 'failed'") == 0


def consistent(database):
    """Every submission has its own patient, and no booking is there twice."""
    assert database.value("""
        SELECT count(*) FROM medical_questionnaire_submissions s
          LEFT JOIN patient_profiles p ON p.id = s.patient_profile_id
         WHERE p.email IS DISTINCT FROM s.submission_data->>'attendee_email'""") == 0


@pytest.mark.threaded
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_postgresql_restarts_under_load(start_intake, postgres, database, mode):
    intake = start_intake(FAST)
    load = Load(intake)
    for _ in range(2):
        load.wait_for_more()
        postgres.restart(mode)
    load.wait_for_more()
    all_processed(database, load.stop())
    consistent(database)
    eventually(lambda: intake.client().get("/health/ready").status_code == 200)


@pytest.mark.threaded
def test_killed_connections_are_made_anew(start_intake, database):
    intake = start_intake(FAST)
    load = Load(intake)
    with database.connect("postgres") as admin:
        for _ in range(10):
            load.wait_for_more(10)
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                          " WHERE datname = current_database() AND usename = 'intake_daemon'")
    load.wait_for_more()
    all_processed(database, load.stop())
    consistent(database)


def test_while_postgresql_is_away_posts_are_503(start_intake, postgres, staff_token):
    intake = start_intake({"lane.deadline_ms": 500, "executor.deadline_ms": 500,
                           "database.connect_timeout_s": 2})
    client, staff = intake.client(), intake.client(staff_token)
    body = full()
    postgres.stop()
    try:
        for reply in (client.submit(body), staff.look_up("x"), staff.list(), client.submit(minimal())):
            assert reply.status_code == 503 and int(reply.headers["Retry-After"]) >= 1
            assert reply.headers["Content-Type"].split(";")[0] == "application/problem+json"
        assert client.submit(minimal(age_range="x")).status_code == 422, "needs no database"
    finally:
        postgres.start()
    eventually(lambda: client.submit(body).status_code in (200, 201))
    eventually(lambda: staff.look_up(body["booking_uid"]).status_code == 200)


def test_the_first_look_up_after_a_restart_of_postgresql_is_answered(start_intake, postgres, staff_token):
    intake = start_intake({"executor.count": 1})
    body, staff = full(), intake.client(staff_token)
    assert intake.client().submit(body).status_code == 201
    for mode in ("fast", "immediate"):
        assert staff.look_up(body["booking_uid"]).status_code == 200
        postgres.restart(mode)
        assert staff.look_up(body["booking_uid"]).status_code == 200, mode


@pytest.mark.threaded
def test_kill_9_under_load_loses_nothing_acknowledged(start_intake, database):
    intake = start_intake(FAST)
    load = Load(intake)
    for _ in range(3):
        load.wait_for_more()
        intake.kill()
        intake.start()
    load.wait_for_more()
    all_processed(database, load.stop())
    consistent(database)
    assert load.lost_connections > 0, "the kills were noticed"


def test_a_repeat_after_a_lost_answer_is_the_same_submission(start_intake):
    """The client could not know whether it was stored: it posts again and learns."""
    intake = start_intake()
    body = full()
    first = intake.client().submit(body).json()
    intake.kill()
    intake.start()
    again = intake.client().submit(body)
    assert again.status_code == 200
    assert (again.json()["id"], again.json()["revision"]) == (first["id"], 1)


def test_a_read_only_database_is_503_and_not_a_success(start_intake, database):
    intake = start_intake()
    with database.connect("postgres") as admin:
        admin.execute(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                      " WHERE datname = current_database() AND usename = 'intake_daemon'")
        client = intake.client()
        reply = client.submit(full())
        assert reply.status_code in (500, 503)
        assert admin.execute("SELECT count(*) AS n FROM medical_questionnaire_submissions").fetchone()["n"] == 0
        admin.execute(f"ALTER DATABASE {database.name} RESET default_transaction_read_only")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                      " WHERE datname = current_database() AND usename = 'intake_daemon'")
    eventually(lambda: client.submit(full()).status_code == 201)


@pytest.mark.threaded
def test_a_stopped_postgresql_process_does_not_hang_clients(start_intake, postgres):
    """The server's processes are frozen: connections stay open and nothing answers."""
    import os
    import signal
    intake = start_intake({"lane.deadline_ms": 1000, "executor.deadline_ms": 1000})
    client = intake.client()
    assert client.submit(full()).status_code == 201
    backends = [row["pid"] for row in intake.database.query(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename = 'intake_daemon'"
        " AND pid <> pg_backend_pid()")]
    for pid in backends:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert client.submit(full(), timeout=20).status_code == 503
        assert client.get("/health/live", timeout=5).status_code == 200
    finally:
        for pid in backends:
            os.kill(pid, signal.SIGCONT)
    eventually(lambda: client.submit(full()).status_code == 201, 30)
