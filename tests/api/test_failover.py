"""Several hosts, and servers that are frozen or not the primary: whoever posts need not know."""

import concurrent.futures
import contextlib
import os
import shutil
import signal
import socket
import tempfile
import threading
import time

import pytest

from intake_harness.bodies import full
from intake_harness.daemon import run_command
from intake_harness.postgres import Cluster, in_memory
from intake_harness.waiting import eventually
from proof.proxy import Proxy

READ_ONLY_FAILURES = 'intake_lane_failures_total{kind="unavailable"}'


@pytest.fixture
def silent_host():
    """A host that takes connections and never answers, as a frozen server's does."""
    path = tempfile.mkdtemp(prefix="intake-sh-", dir="/tmp")
    os.chmod(path, 0o755)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.join(path, ".s.PGSQL.5432"))
        os.chmod(os.path.join(path, ".s.PGSQL.5432"), 0o777)
        listener.listen(64)
        yield path
    shutil.rmtree(path)


@pytest.fixture
def proxies(postgres):
    """Two ways to the same PostgreSQL."""
    pair = [Proxy(postgres.directory), Proxy(postgres.directory)]
    yield pair
    for proxy in pair:
        proxy.close()


@pytest.fixture
def replaced(binary, database):
    """A database like that one on another server, whose commits wait for a standby in vain."""
    with contextlib.closing(Cluster(parent=in_memory())) as cluster:
        with cluster.connect("postgres") as admin:
            admin.execute(f"CREATE DATABASE {database.name} OWNER intake")
        conninfo = cluster.conninfo(database.name, "intake")
        for command in (["migrate", "up"], ["migrate", "grant", "--role", "intake_daemon"]):
            assert run_command(binary, *command, conninfo=conninfo).returncode == 0
        cluster.restart(settings="synchronous_standby_names = 'nobody'\n")
        yield cluster


def waits_for_a_standby(cluster):
    with cluster.connect("postgres") as admin:
        return admin.execute("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'").fetchone() is not None


def several_hosts(database, first):
    """That host before the one that answers."""
    return (database.daemon_conninfo.replace("host=", f"host={first},")
            + " port=5432,5432 target_session_attrs=read-write")


@contextlib.contextmanager
def read_only(database):
    """No primary: whoever is connected is cut off, and who connects anew may only read."""
    end = ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
           " WHERE datname = current_database() AND usename = 'intake_daemon'")
    with database.connect("postgres") as admin:
        admin.execute(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
        admin.execute(end)
        try:
            yield
        finally:
            admin.execute(f"ALTER DATABASE {database.name} RESET default_transaction_read_only")


@contextlib.contextmanager
def frozen(database):
    """Every process that serves the daemon stands still, and its connections stay open."""
    backends = [row["pid"] for row in database.query(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename = 'intake_daemon'")]
    for pid in backends:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in backends:
            os.kill(pid, signal.SIGCONT)


def test_a_host_that_is_silent_keeps_nobody_waiting(start_intake, database, silent_host):
    intake = start_intake({"database.conninfo": several_hosts(database, silent_host),
                           "database.connect_timeout_s": 30, "lane.deadline_ms": 10000})
    begun = time.monotonic()
    assert intake.client().submit(full()).status_code == 201
    assert time.monotonic() - begun < 10


def test_the_new_primary_is_found_while_another_host_is_silent(start_intake, database, silent_host):
    """Those that are not the primary yet are asked again, however long the silent one is waited for."""
    intake = start_intake({"database.conninfo": several_hosts(database, silent_host),
                           "database.connect_timeout_s": 60})
    client = intake.client()
    with read_only(database):
        eventually(lambda: client.get("/health/ready").status_code == 503)
    eventually(lambda: client.get("/health/ready").status_code == 200, 10)
    assert client.submit(full()).status_code == 201


def test_a_host_that_took_the_connection_and_did_not_answer_is_not_the_next(start_intake, database, proxies):
    """A primary that was replaced and does not know it: it says that it takes writes, and none ever ends."""
    hung, other = proxies
    other.delay_s = 0.02  # so that the hung one is the first to offer itself, each time
    intake = start_intake({"database.conninfo": several_hosts(database, hung.directory).replace(
        f",{database.cluster.directory}", f",{other.directory}"), "lane.deadline_ms": 2000, "lane.count": 4})
    client = intake.client()
    assert client.submit(full()).status_code == 201
    hung.deaf = True
    begun = time.monotonic()
    eventually(lambda: client.submit(full()).status_code == 201)
    assert time.monotonic() - begun < 3.5, "one deadline is waited for, and not one for each lane"


def test_a_commit_that_waits_at_a_replaced_primary_is_repeated_at_the_new_one(start_intake, database, replaced):
    """As soon as that takes writes, and not only when the patience ends."""
    database.cluster.promote()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        with read_only(database):
            intake = start_intake({"database.conninfo": several_hosts(database, replaced.directory),
                                   "lane.deadline_ms": 30000})
            reply = pool.submit(intake.client().submit, full(), timeout=60)
            eventually(lambda: waits_for_a_standby(replaced))
        assert reply.result(timeout=5).status_code == 201


def test_who_meets_the_own_commit_at_a_replaced_primary_goes_to_the_new_one(start_intake, database, replaced):
    """It holds its locks there and does not end: that is no conflict to wait for."""
    database.cluster.promote()
    with read_only(database):
        intake = start_intake({"database.conninfo": several_hosts(database, replaced.directory),
                               "lane.deadline_ms": 2000})
        client, body = intake.client(), full()
        assert client.submit(body).status_code == 503
        assert client.submit(body).status_code == 503
    begun = time.monotonic()
    eventually(lambda: client.submit(body).status_code == 201)
    assert time.monotonic() - begun < 3
    intake.wait_processed(body["booking_uid"])  # by a worker that met nothing there, and so no end of its patience


def test_a_post_that_meets_a_server_that_may_not_write_waits_for_the_primary(start_intake, database):
    """25006 is neither an error to the patient nor a reason to ask as often as one can."""
    intake = start_intake({"lane.count": 1, "lane.deadline_ms": 20000})
    client = intake.client()
    replies = []
    poster = threading.Thread(target=lambda: replies.append(intake.client().submit(full(), timeout=30)))
    with read_only(database):
        poster.start()
        eventually(lambda: client.metric(READ_ONLY_FAILURES) >= 2)
        begun, before = time.monotonic(), client.metric(READ_ONLY_FAILURES)
        eventually(lambda: client.metric(READ_ONLY_FAILURES) >= before + 20)
        assert time.monotonic() - begun > 0.9, "it pauses between the attempts"
    poster.join()
    assert replies[0].status_code == 201


def test_a_frozen_server_holds_up_neither_look_ups_nor_the_worker(start_intake, database, staff_token):
    """Their statements have an end on our side, too, when the server does not keep its own time-out."""
    intake = start_intake({"executor.count": 1, "database.statement_timeout_ms": 300, "lane.deadline_ms": 1000,
                           "worker.poll_ms": 50, "worker.lease_ms": 1000})
    client, staff = intake.client(), intake.client(staff_token)
    body = full()
    assert client.submit(body).status_code == 201
    assert staff.look_up(body["booking_uid"]).status_code == 200
    with frozen(database):
        assert staff.look_up(body["booking_uid"], timeout=20).status_code == 503
        eventually(lambda: staff.look_up(body["booking_uid"], timeout=20).status_code == 200)
        later = full()
        eventually(lambda: client.submit(later, timeout=20).status_code in (200, 201))
        intake.wait_processed(later["booking_uid"])


def test_a_batch_that_fills_the_sockets_has_its_deadline_too(start_intake, database, proxies):
    """A frozen server reads nothing: who sends more than the kernel keeps would wait for it without end."""
    proxy = proxies[0]
    intake = start_intake({"database.conninfo": proxy.conninfo(database.daemon_conninfo), "lane.deadline_ms": 4000,
                           "lane.count": 1, "lane.batch_max": 256, "database.connect_timeout_s": 2})
    proxy.hold_reply("submission_write_new")
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        first = pool.submit(intake.client().submit, full())
        eventually(proxy.holds)
        large = [full(allergies="yes", allergies_details="x" * 4000, current_medications_details="y" * 4000)
                 for _ in range(150)]
        others = [pool.submit(intake.client().submit, body, timeout=20) for body in large]
        eventually(lambda: intake.client().metric("intake_lane_queue_depth") >= len(large))
        proxy.stall()
        proxy.release()
        assert first.result().status_code == 201
        assert {reply.result().status_code for reply in others} == {503}
    proxy.heal()
    eventually(lambda: intake.client().submit(full()).status_code == 201)


def test_after_one_lane_lost_its_server_no_other_tries_it(start_intake, database):
    """An idle lane's connection is no better: who posts next would wait for it until the deadline, too."""
    intake = start_intake({"lane.count": 4, "lane.deadline_ms": 2000})
    eventually(lambda: database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                                      " AND application_name = 'intake lane'") == 4)
    with frozen(database):
        begun = time.monotonic()
        eventually(lambda: intake.client().submit(full()).status_code == 201)
        assert time.monotonic() - begun < 3.5, "one deadline is waited for, and not one for each lane"


def test_after_one_look_up_lost_its_server_no_other_tries_it(start_intake, database, staff_token):
    """The same of staff's: with four connections, one look-up is refused and not four."""
    intake = start_intake({"executor.count": 4, "database.statement_timeout_ms": 1000})
    client, staff = intake.client(), intake.client(staff_token)
    body = full()
    client.submit(body)

    def all_connected():
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(staff.look_up, [body["booking_uid"]] * 16))
        return database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                              " AND application_name = 'intake executor'") == 4

    eventually(all_connected)
    with frozen(database):
        assert staff.look_up(body["booking_uid"], timeout=20).status_code == 503
        for _ in range(4):
            assert staff.look_up(body["booking_uid"], timeout=20).status_code == 200


def test_a_statement_that_comes_late_does_not_undo_what_came_after(start_intake, database, proxies):
    """Nobody heard what became of it, and its patient has posted something newer meanwhile."""
    proxy = proxies[0]
    intake = start_intake({"database.conninfo": proxy.conninfo(database.daemon_conninfo), "lane.deadline_ms": 1000})
    client, body = intake.client(), full()
    client.submit(body)
    proxy.hold("submission_write_any")
    assert client.submit(body | {"allergies": "yes", "allergies_details": "Latex"}).status_code == 503
    assert proxy.holds()
    newest = body | {"allergies": "yes", "allergies_details": "Penicillin"}
    eventually(lambda: client.submit(newest).status_code == 200)
    proxy.release()
    time.sleep(1)
    stored = database.query("SELECT revision, submission_data->>'allergies_details' AS told"
                            " FROM medical_questionnaire_submissions")
    assert [tuple(row.values()) for row in stored] == [(2, "Penicillin")]


def test_nothing_newer_is_written_before_the_session_that_was_not_heard_is_ended(start_intake, database, proxies):
    """By whichever lane: the one whose session it was may be slow to come back to the database."""
    proxy = proxies[0]
    intake = start_intake({"database.conninfo": proxy.conninfo(database.daemon_conninfo), "lane.deadline_ms": 1000})
    client, body = intake.client(), full()
    client.submit(body)
    proxy.hold("submission_write_any")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(client.submit, body | {"allergies": "yes", "allergies_details": "Latex"})
        eventually(proxy.holds)
        proxy.hold("SELECT pg_terminate_backend")  # of the lane itself
        assert first.result().status_code == 503
    eventually(proxy.holds)
    newest = body | {"allergies": "yes", "allergies_details": "Penicillin"}
    eventually(lambda: intake.client().submit(newest).status_code == 200)
    proxy.release()
    eventually(lambda: not database.query("SELECT FROM pg_stat_activity WHERE datname = current_database()"
                                          " AND application_name = 'intake lane' AND state = 'active'"))
    time.sleep(1)  # for what must not happen
    stored = database.query("SELECT revision, submission_data->>'allergies_details' AS told"
                            " FROM medical_questionnaire_submissions")
    assert [tuple(row.values()) for row in stored] == [(2, "Penicillin")]


@pytest.mark.parametrize("broken_s", [0, 3.5], ids=["network-is-back", "network-is-away"])
def test_a_decision_that_comes_late_does_not_undo_what_came_after(start_intake, database, proxies, staff_token, broken_s):
    """The same of staff's decisions: whoever was told 503 decides anew, and that holds."""
    proxy = proxies[0]
    intake = start_intake({"database.conninfo": proxy.conninfo(database.daemon_conninfo),
                           "database.statement_timeout_ms": 300, "database.connect_timeout_s": 2})
    body = full()
    intake.client().submit(body)
    intake.wait_processed(body["booking_uid"])
    staff, path = intake.client(staff_token), f"/v1/submissions/{body['booking_uid']}/review"

    def decide(state):
        return staff.request("PUT", path, json={"state": state, "revision": 1}, timeout=20).status_code

    def sessions():
        return {row["pid"] for row in database.query(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'intake executor'")}

    proxy.hold("review_set")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(decide, "approved")
        eventually(proxy.holds)
        before = sessions()
        if broken_s:
            proxy.stall()
        assert first.result() == 503
    time.sleep(broken_s)  # so long is the network away: longer than an attempt to connect
    proxy.heal()
    eventually(lambda: before - sessions(), what="the session that was not heard is ended, without another request")
    eventually(lambda: decide("rejected") == 200)
    proxy.release()
    states = [row["state"] for row in database.query("SELECT state FROM submission_reviews ORDER BY id")]
    assert states == ["rejected"]
