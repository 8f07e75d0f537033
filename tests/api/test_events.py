"""GET /v1/events: open pages are told of what is submitted, by whichever instance."""

import threading

import pytest

from intake_harness.bodies import minimal
from intake_harness.waiting import eventually


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
    intake = start_intake({"http.streams_max": 2})
    first, _ = listen(intake), listen(intake)
    refused = listen(intake)
    assert refused.status == 503 and int(refused.headers["Retry-After"]) >= 1
    first.close()

    def admitted():
        listener = listen(intake)
        return listener.status == 200

    # Whoever left is noticed when the next event is sent.
    client = intake.client()
    eventually(lambda: client.submit(minimal()).status_code == 201 and admitted(), 40)


@pytest.mark.threaded
def test_a_flood_of_events_reaches_everybody(intake, listen):
    listeners = [listen(intake) for _ in range(4)]
    bodies = [minimal() for _ in range(300)]
    threads = [threading.Thread(target=lambda part=bodies[i::6]: [intake.client().submit(body) for body in part])
               for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for listener in listeners:
        listener.wait(*(body["booking_uid"] for body in bodies))
        assert len(listener.bookings()) == len(bodies)
