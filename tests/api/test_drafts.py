"""/v1/drafts/{booking_uid}: what was begun is kept whatever it is, and nobody's writing is lost."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from intake_harness.bodies import fresh_booking, full, minimal
from intake_harness.links import OPTIONS, Drafts
from intake_harness.waiting import eventually


WITH_LINKS = {**OPTIONS, "worker.poll_ms": 50}


def fresh_draft(client):
    """The draft of a fresh booking."""
    booking_uid = fresh_booking()
    held = Drafts(client, booking_uid)
    held.booking_uid = booking_uid
    return held


@pytest.fixture(scope="module")
def shared_intake(module_intake):
    return module_intake(WITH_LINKS)


@pytest.fixture
def drafts(shared_client):
    return fresh_draft(shared_client)


@pytest.fixture
def intake(start_intake):
    """For tests that look at all of the database, or end the daemon."""
    return start_intake(WITH_LINKS)


def codes(reply):
    return {(error["field"], error["code"]) for error in reply.json()["errors"]}


def test_a_draft_comes_back_as_it_was_written(drafts):
    body = full(drafts.booking_uid)
    drafts.client.patient_texts |= {body["attendee_name"], body["current_medications_details"]}
    written = drafts.put(body)
    assert written.status_code == 201
    assert written.headers["ETag"] == f'"{written.json()["version"]}"'
    assert written.json()["errors"] == []
    found = drafts.get()
    assert found.status_code == 200 and found.headers["ETag"] == written.headers["ETag"]
    assert found.headers["Cache-Control"] == "no-store"
    assert found.json() == {**written.json(), "answers": body}
    assert set(found.json()) == {"booking_uid", "version", "created_at", "updated_at", "expires_at",
                                 "answers", "errors"}


@pytest.mark.parametrize("text", [
    '{}', '{"zzz": [1, {"b": null}], "age_range": 7}', '{"allergies":"a\\u0000b"}',
    '{ "attendee_name" :"<b>",\n "n":12345678901234567890.5000, "a":1e2 }',
    '{"attendee_name": "{name}", "booking_uid": "{bookingUid}", "questionnaire": 5}'])
def test_any_object_is_kept_byte_by_byte(drafts, text):
    reply = drafts.put(text.encode())
    assert reply.status_code == 201 and reply.json()["errors"]
    assert text in drafts.get().text


@pytest.mark.parametrize("text", ["", "[]", "null", '"text"', '{"a":1,"a":2}', '{"a":', "\xff"])
def test_what_is_no_object_is_not_kept(drafts, text):
    assert drafts.put(text.encode("latin-1")).status_code == 400
    assert drafts.get().status_code == 404


def test_a_draft_is_told_what_is_still_wrong(drafts):
    reply = drafts.put({"allergies": "yes", "age_range": "old", "attendee_email": "nobody"})
    assert reply.status_code == 201
    assert codes(reply) == {
        ("attendee_name", "required"), ("attendee_email", "format"),
        ("allergies_details", "required"), ("age_range", "invalidAnswerOption")}
    assert codes(drafts.get()) == codes(reply)


def test_the_errors_are_those_of_a_submission(drafts):
    body = {"booking_uid": drafts.booking_uid, "allergies": "yes", "nothing": 1, "attendee_phone": "1"}
    errors = drafts.put(body).json()["errors"]
    assert errors and errors == drafts.client.submit(body).json()["errors"]


def test_the_booking_of_the_body_is_optional_but_must_not_be_another(drafts):
    body = minimal(drafts.booking_uid)
    assert codes(drafts.put({**body, "booking_uid": "another"})) == {("booking_uid", "mismatch")}
    del body["booking_uid"]
    assert codes(drafts.put(body, If_Match="*")) == set()


def test_a_draft_answers_the_questionnaire_that_it_names(drafts):
    reply = drafts.put({**minimal(drafts.booking_uid), "questionnaire": "phq-9"})
    assert ("sleep", "required") in codes(reply)


def test_too_large_a_draft_is_refused(start_intake):
    client = start_intake({**OPTIONS, "http.body_max_bytes": 1024}).client()
    assert Drafts(client, "bk").put({"a": "x" * 2000}).status_code == 413


def test_a_draft_must_be_json(drafts):
    assert drafts.put({}, Content_Type="text/plain").status_code == 415


def test_a_writer_says_which_draft_is_written_over(drafts):
    first = drafts.put({"allergies": "none"})
    assert drafts.put({"allergies": "yes"}).status_code == 428
    second = drafts.put({"allergies": "yes"}, If_Match=first.headers["ETag"])
    assert second.status_code == 200 and second.headers["ETag"] != first.headers["ETag"]
    assert second.json()["created_at"] == first.json()["created_at"]
    assert drafts.put({"age_range": "65+"}, If_Match=first.headers["ETag"]).status_code == 412
    assert drafts.get().json()["answers"] == {"allergies": "yes"}
    tags = f'"x", W/{first.headers["ETag"]}, {second.headers["ETag"]}'
    assert drafts.put({"age_range": "65+"}, If_Match=tags).status_code == 200
    assert drafts.put({"age_range": "18-25"}, If_Match="*").status_code == 200


@pytest.mark.parametrize("tag", ['"1"', "*", '""', "nonsense", '"01900000-0000-7000-8000-000000000000"'])
def test_if_match_never_begins_a_draft(drafts, tag):
    assert drafts.put({}, If_Match=tag).status_code == 412
    assert drafts.get().status_code == 404


def test_a_weak_tag_is_no_condition_to_write_by(drafts):
    tag = drafts.put({}).headers["ETag"]
    assert drafts.put({"a": 1}, If_Match=f"W/{tag}").status_code == 412


def test_if_none_match_begins_a_draft_and_no_more(drafts):
    assert drafts.put({"a": 1}, If_None_Match="*").status_code == 201
    assert drafts.put({"a": 2}, If_None_Match="*").status_code == 412
    assert drafts.put({"a": 2}, If_None_Match='"x"').status_code == 400
    assert drafts.put({"a": 2}, If_None_Match="*", If_Match="*").status_code == 400
    assert drafts.get().json()["answers"] == {"a": 1}


def test_the_same_content_again_is_no_conflict(drafts):
    """A writer that did not hear the answer writes again, and nothing is lost by that."""
    first = drafts.put({"a": 1})
    second = drafts.put({"a": 2}, If_Match=first.headers["ETag"])
    for headers in ({"If_Match": first.headers["ETag"]}, {}, {"If_None_Match": "*"}):
        again = drafts.put({"a": 2}, **headers)
        assert again.status_code == 200 and again.headers["ETag"] == second.headers["ETag"]
        assert again.json()["updated_at"] == second.json()["updated_at"]


def test_a_tag_is_not_used_again_for_a_draft_begun_anew(drafts):
    first = drafts.put({"a": 1}).headers["ETag"]
    assert drafts.delete(If_Match=first).status_code == 204
    assert drafts.put({"a": 1}).headers["ETag"] != first
    assert drafts.put({"a": 2}, If_Match=first).status_code == 412


@pytest.mark.threaded
def test_of_many_writers_at_once_one_wins_and_all_know(drafts):
    def race(bodies, **headers):
        with ThreadPoolExecutor(len(bodies)) as pool:
            return list(pool.map(lambda body: drafts.put(body, **headers), bodies))
    for _ in range(5):
        replies = race([{"writer": n} for n in range(8)])
        winner, = [reply for reply in replies if reply.status_code == 201]
        assert sorted(reply.status_code for reply in replies) == [201] + [428] * 7
        replies = race([{"second": n} for n in range(8)], If_Match=winner.headers["ETag"])
        winner, = [reply for reply in replies if reply.status_code == 200]
        assert sorted(reply.status_code for reply in replies) == [200] + [412] * 7
        assert drafts.get().json()["answers"] == {"second": replies.index(winner)}
        assert drafts.delete(If_Match=winner.headers["ETag"]).status_code == 204


def test_a_draft_is_deleted_by_who_knows_it(drafts):
    tag = drafts.put({"a": 1}).headers["ETag"]
    assert drafts.delete().status_code == 428
    assert drafts.delete(If_Match='"1"').status_code == 412
    assert drafts.delete(If_Match=tag).status_code == 204
    assert drafts.get().status_code == 404
    assert drafts.delete(If_Match="*").status_code == 412


def test_a_submission_completes_the_draft(drafts):
    body = minimal(drafts.booking_uid, allergies="none")
    other = Drafts(drafts.client, fresh_booking())
    other.put({"allergies": "none"})
    for code in (201, 200, 200):  # the first, the next revision, the same again
        assert drafts.put({"allergies": "yes"}).status_code == 201
        assert drafts.client.submit(body).status_code == code
        assert drafts.get().status_code == 404
        body["age_range"] = "18-25"
    assert other.get().status_code == 200, "the draft of another booking is gone"


def test_a_draft_after_the_submission_is_a_new_one(drafts):
    drafts.client.submit(minimal(drafts.booking_uid))
    assert drafts.put({"allergies": "none"}).status_code == 201
    assert drafts.get().json()["answers"] == {"allergies": "none"}


def test_a_submission_that_is_refused_leaves_the_draft(shared_intake, drafts):
    drafts.put({"a": 1})
    assert drafts.client.submit({"booking_uid": drafts.booking_uid}).status_code == 422
    assert drafts.get().status_code == 200
    body = minimal(drafts.booking_uid)
    drafts.client.submit(body)
    drafts.put({"a": 1})
    shared_intake.database.query("UPDATE medical_questionnaire_submissions SET deleted = true WHERE booking_uid = %s",
                                 (drafts.booking_uid,))
    assert drafts.client.submit({**body, "allergies": "none"}).status_code == 409
    assert drafts.get().status_code == 200


def test_a_submission_of_a_known_person_completes_the_draft_too(drafts):
    first = minimal()
    drafts.client.submit(first)
    drafts.put({"a": 1})
    body = minimal(drafts.booking_uid, attendee_email=first["attendee_email"])
    assert drafts.client.submit(body).status_code == 201
    assert drafts.get().status_code == 404


def test_drafts_expire(intake):
    drafts = fresh_draft(intake.client())
    reply = drafts.put({"a": 1})
    days = intake.database.value("SELECT expires_at - updated_at FROM submission_drafts").days
    assert days == 30
    first = reply.headers["ETag"]
    intake.database.query("UPDATE submission_drafts SET expires_at = now()")
    assert drafts.get().status_code == 404
    assert drafts.put({"a": 1}, If_Match=first).status_code == 412
    eventually(lambda: intake.database.value("SELECT count(*) FROM submission_drafts") == 0)


def test_an_expired_draft_that_is_not_deleted_yet_is_not_there(start_intake):
    intake = start_intake({**OPTIONS, "worker.enabled": "false", "drafts.days": 7})
    drafts = fresh_draft(intake.client())
    first = drafts.put({"a": 1})
    intake.database.query("UPDATE submission_drafts SET expires_at = now(), created_at = '2020-01-01'")
    assert drafts.get().status_code == 404
    assert drafts.delete(If_Match="*").status_code == 412
    assert drafts.put({"a": 2}, If_Match="*").status_code == 412
    second = drafts.put({"a": 2})
    assert second.status_code == 201 and second.headers["ETag"] != first.headers["ETag"]
    assert second.json()["created_at"] == second.json()["updated_at"]
    assert intake.database.value("SELECT expires_at - updated_at FROM submission_drafts").days == 7


def test_many_expired_drafts_are_deleted_in_pages(intake):
    intake.database.query("""
        INSERT INTO submission_drafts (booking_uid, version, draft_data, expires_at)
        SELECT 'old' || n, gen_random_uuid(), json '{}', now() FROM generate_series(1, 1700) AS n
        UNION ALL SELECT 'live', gen_random_uuid(), json '{}', now() + interval '1 day'""")
    eventually(lambda: intake.database.value("SELECT count(*) FROM submission_drafts") == 1)


def test_who_read_or_deleted_a_draft_is_in_the_audit_log(intake):
    drafts = fresh_draft(intake.client())
    drafts.get()
    tag = drafts.put({"a": 1}).headers["ETag"]
    read = drafts.get()
    gone = drafts.delete(If_Match=tag)
    rows = intake.database.query("SELECT token_id, actor, action, booking_uid, request_id"
                                 "  FROM audit_log WHERE left(actor, 4) <> 'cli:' ORDER BY id")
    assert rows == [
        {"token_id": None, "actor": "link", "action": action, "booking_uid": drafts.booking_uid,
         "request_id": reply.headers["X-Request-Id"]}
        for action, reply in (("draft.read", read), ("draft.delete", gone))]


def test_a_draft_survives_the_daemon(intake, start_intake):
    drafts = fresh_draft(intake.client())
    drafts.put({"a": 1})
    intake.kill()
    again = Drafts(start_intake(OPTIONS).client(), drafts.booking_uid)
    assert again.get().json()["answers"] == {"a": 1}


def test_a_draft_survives_the_database_whatever_its_settings(start_intake, postgres, database):
    """An acknowledged draft is on disk, even where commits need not be."""
    database.query(f"ALTER ROLE intake IN DATABASE {database.name} SET synchronous_commit = off")
    with postgres.connect("postgres") as server:
        server.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        server.execute("SELECT pg_reload_conf()")
    client = start_intake({**OPTIONS, "worker.enabled": "false"}).client()
    drafts = Drafts(client, fresh_booking())
    try:
        assert drafts.put({"a": 1}).status_code == 201
        body = minimal()
        assert client.submit(body).status_code == 201
        last = Drafts(client, fresh_booking())
        assert last.put({"a": 2}).status_code == 201
        postgres.kill()
    finally:
        postgres.start()
        with postgres.connect("postgres") as server:
            server.execute("ALTER SYSTEM RESET wal_writer_delay")
            server.execute("SELECT pg_reload_conf()")
    assert database.value("SELECT count(*) FROM submission_drafts") == 2
    assert database.submission(body["booking_uid"])


def test_a_draft_is_json_to_the_letter(drafts):
    drafts.put({"attendee_name": "Gülşen \"Ö\" \\ \u2028 😀"})
    assert json.loads(drafts.get().text)["answers"] == {"attendee_name": "Gülşen \"Ö\" \\ \u2028 😀"}
