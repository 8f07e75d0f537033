"""GET /v1/events: open pages are told of what is submitted, by whichever instance."""

import threading
import time

import pytest

from intake_harness.bodies import minimal
from intake_harness.daemon import run_command
from intake_harness.waiting import eventually
from proof.proxy import Proxy


@pytest.mark.threaded
def test_what_is_submitted_and_revised_is_told_once(intake, client, listen):
    listeners = [listen(intake) for _ in range(3)]
    assert listeners[0].headers["Content-Type"] == "text/event-stream"
    body = minimal()
    client.submit(body)
    for listener in listeners:
        listener.wait(body["booking_uid"])
    client.submit(body)
    client.submit(body | {"allergies": "none"})
    last = minimal()
    client.submit(last)
    for listener in listeners:
        listener.wait(last["booking_uid"])
        assert [(event["booking_uid"], event["revised"]) for event in listener.events] == [
            (body["booking_uid"], False), (body["booking_uid"], True), (last["booking_uid"], False)]
        assert {event["event"] for event in listener.events} == {"submission"}
        assert body["attendee_name"] not in str(listener.events)


def test_what_another_instance_took_is_told(start_intake, listen):
    one, other = start_intake(), start_intake()
    listener, body = listen(one), minimal()
    assert other.client().submit(body).status_code == 201
    listener.wait(body["booking_uid"])


def test_who_was_cut_off_learns_what_was_missed(intake, client, listen):
    first, missed = minimal(), minimal()
    listener = listen(intake)
    client.submit(first)
    listener.wait(first["booking_uid"])
    seen = listener.events[-1]["id"]
    listener.close()
    client.submit(missed)
    again = listen(intake, last_id=seen)
    again.wait(missed["booking_uid"])
    assert again.bookings() == [missed["booking_uid"]]


def test_who_begins_is_not_told_what_was_before(intake, client, listen):
    client.submit(minimal())
    listener, body = listen(intake), minimal()
    client.submit(body)
    listener.wait(body["booking_uid"])
    assert listener.bookings() == [body["booking_uid"]]


def test_watching_is_for_staff_and_audited(intake, tokens, listen):
    for role, status in (("intake", 403), ("metrics", 403)):
        assert intake.client(tokens[role]).get("/v1/events").status_code == status
    assert intake.client().get("/v1/events").status_code == 401
    listener = listen(intake)
    (row,) = intake.database.query("SELECT actor, request_id FROM audit_log WHERE action = 'submission.watch'")
    assert row == {"actor": "test-staff", "request_id": listener.headers["X-Request-Id"]}


@pytest.mark.threaded
def test_a_stop_ends_the_streams_at_once_and_whole(intake, listen):
    listeners = [listen(intake) for _ in range(5)]
    intake.stop(timeout=10)
    for listener in listeners:
        assert listener.ended.wait(10) and listener.complete


def test_there_are_only_so_many_streams(start_intake, listen):
    """Whoever left is noticed when something is sent, and that is at least the sign of life."""
    intake = start_intake({"http.streams_max": 2, "http.events_heartbeat_ms": 1000})
    first, _ = listen(intake), listen(intake)
    refused = listen(intake)
    assert refused.status == 503 and int(refused.headers["Retry-After"]) >= 1
    first.close()
    eventually(lambda: listen(intake).status == 200, 40)


def test_a_silent_stream_shows_that_it_is_there(start_intake, listen):
    intake = start_intake({"http.events_heartbeat_ms": 1000})
    quick = listen(intake)
    eventually(lambda: quick.raw.count(b":\n\n") == 2, what="two signs of life")
    body = minimal()
    assert intake.client().submit(body).status_code == 201
    quick.wait(body["booking_uid"])
    assert quick.bookings() == [body["booking_uid"]]


def test_a_stream_shows_that_it_is_there_no_sooner_than_configured(start_intake, listen):
    quick, slow = start_intake({"http.events_heartbeat_ms": 1000}), start_intake({"http.events_heartbeat_ms": 60000})
    listeners = [listen(quick), listen(slow)]
    eventually(lambda: b":\n\n" in listeners[0].raw)
    body = minimal()
    assert quick.client().submit(body).status_code == 201
    listeners[1].wait(body["booking_uid"])
    assert b":\n\n" not in listeners[1].raw


def test_a_stream_ends_whole_and_the_next_goes_on(start_intake, listen):
    intake = start_intake({"http.events_lifetime_ms": 1000})
    client, first, missed = intake.client(), minimal(), minimal()
    listener = listen(intake)
    assert client.submit(first).status_code == 201
    listener.wait(first["booking_uid"])
    assert listener.ended.wait(20) and listener.complete
    assert client.submit(missed).status_code == 201
    again = listen(intake, last_id=listener.events[-1]["id"])
    again.wait(missed["booking_uid"])
    assert again.bookings() == [missed["booking_uid"]]
    assert client.metric("intake_http_requests_in_flight") <= 2, "the one that ended is not counted any more"


def test_who_lost_the_right_to_listen_is_told_no_more_after_the_end(start_intake, binary, database, listen):
    def token(*arguments):
        done = run_command(binary, "token", *arguments, conninfo=database.conninfo)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    intake = start_intake({"http.events_lifetime_ms": 1000})
    leaving = token("create", "--role", "staff", "--name", "leaving")
    listener = listen(intake, token=leaving)
    token("revoke", "leaving")
    assert listener.status == 200 and listener.ended.wait(20) and listener.complete
    assert listen(intake, token=leaving).status == 401


@pytest.mark.threaded
def test_a_flood_of_events_reaches_everybody(intake, listen):
    """More than one look at the audit reads; and nobody is left behind, however many there are."""
    listeners = [listen(intake) for _ in range(4)]
    bodies = [minimal() for _ in range(1300)]

    def post(client, part):
        for body in part:
            client.submit(body)

    threads = [threading.Thread(target=post, args=(intake.client(), bodies[i::6])) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    posted = time.monotonic()
    for listener in listeners:
        listener.wait(*(body["booking_uid"] for body in bodies))
        assert len(listener.bookings()) == len(bodies)
    assert time.monotonic() - posted < 5
    told = sorted(listeners[0].events, key=lambda event: event["id"])
    listen(intake, last_id=told[0]["id"]).wait(*(event["booking_uid"] for event in told[1:]))


def test_what_is_told_while_somebody_joins_reaches_that_one_too(start_intake, database, listen):
    """The others heard of it, before the new one was one of them, and after it had looked at what there is."""
    proxy = Proxy(database.cluster.directory)
    try:
        intake = start_intake({"database.conninfo": proxy.conninfo(database.daemon_conninfo)})
        first, joined, body = listen(intake), [], minimal()
        proxy.hold_reply("audit_watch")
        joining = threading.Thread(target=lambda: joined.append(listen(intake)))
        joining.start()
        eventually(proxy.holds)
        assert intake.client().submit(body).status_code == 201
        first.wait(body["booking_uid"])
        proxy.release()
        joining.join()
        joined[0].wait(body["booking_uid"])
        later = minimal()
        assert intake.client().submit(later).status_code == 201
        for listener in (first, joined[0]):  # a look after the one that brought the first of them
            listener.wait(later["booking_uid"])
            assert listener.bookings() == [body["booking_uid"], later["booking_uid"]]
    finally:
        proxy.close()
