"""What patients write, in every field and on every way in: no log, no metric and no error has it."""

import json
import os

import pytest
import requests

from intake_harness.bodies import fresh_booking
from intake_harness.canary import Refusal
from intake_harness.client import RawConnection
from intake_harness.fhir import code, found, hair, post, response, search, text
from intake_harness.links import OPTIONS, Drafts, link_token
from intake_harness.naughty import HAIR, PRE_OPERATIVE, filled
from intake_harness.waiting import eventually

EAGER = {**OPTIONS, "log.level": "debug", "worker.poll_ms": 50, "worker.attempts_max": 2, "worker.backoff_ms": 10,
         "worker.backoff_max_ms": 20, "http.token_failures_per_minute": 0}


def submissions(canary, client):
    """Good ones, and every way in which one is refused."""
    good = canary.body()
    assert canary.take(client.submit(good)).status_code == 201
    assert canary.take(client.submit({**good, "allergies_details": f"more {canary.word}"})).status_code == 200
    wrong = ({"attendee_email": f"{canary.word} at home"}, {"attendee_phone": canary.digits + "x"},
             {"attendee_name": "{" + canary.word + "}"}, {"attendee_name": canary.word + "\0"},
             {"age_range": canary.word}, {"consent_version": canary.word + "!"}, {"questionnaire": canary.word},
             {"allergies_details": canary.word * 1000}, {"allergies": canary.word}, {"hair_loss_pattern": canary.word},
             {"booking_uid": canary.word + " x"}, {"booking_uid": "{" + canary.word + "}"}, {"allergies": "none"})
    for change in wrong:
        assert canary.take(client.submit(json.dumps({**good, **change}).encode())).status_code == 422, change
    data = json.dumps(good).encode()
    for malformed in (data[:-1], data + b"x", data.replace(b'"', b"'"), b"[" + data + b"]", data[:-1] + b',"a":"\\ud800"}',
                      data[:-1] + b',"attendee_name":"' + canary.word.encode() + b'"}', data.decode().encode("utf-16")):
        assert canary.take(client.submit(malformed)).status_code == 400, malformed
    assert canary.take(client.submit(data + b" " * 70000)).status_code == 413
    assert canary.take(client.submit(data, headers={"Content-Type": "text/plain"})).status_code == 415


def in_every_field(canary, client, staff, form):
    """The form with nothing left empty, flat and as FHIR; then each field too long, and of another type."""
    booking = f"{canary.booking}-{form.names[0]}"
    good = canary.body(booking, form)
    assert canary.take(client.submit(good)).status_code == 201
    kept = found(staff, booking)
    del kept["id"], kept["meta"]
    kept["identifier"]["value"] = f"{booking}-fhir"
    assert canary.take(post(client, kept)).status_code == 201
    plain = {name: canary.word for name in form.names}
    refused = 0
    for name in form.names:
        for value in (canary.word * 1000, canary.word + "\0", [canary.word]):
            answers = filled(form.template, {**plain, name: value})
            refused += canary.take(client.submit({**good, **answers})).status_code == 422
            canary.take(Drafts(client, f"{booking}-{name}").put({**good, **answers}))
        for value in (f'"{canary.word * 1000}"', f'"{canary.word}\\u0000"', f'["{canary.word}"]'):
            data = json.dumps(kept).replace(json.dumps(f"{canary.word} {name}"), value)
            assert value in data
            refused += canary.take(post(client, data.encode())).status_code >= 400
    assert refused >= 4 * len(form.names)  # not every field has a limit of its own


def fhir(canary, client, staff):
    booking = fresh_booking()
    good = response(booking, item=hair(allergies=code("yes"), allergies_details=text(canary.word)))
    good["contained"][0]["name"][0]["text"] = canary.word
    assert canary.take(post(client, good)).status_code == 201
    for item in (hair(allergies=code(canary.word)), hair(allergies_details=text(canary.word)),
                 hair(allergies=text(canary.word)), hair(age_range={"valueInteger": canary.word}),
                 hair(allergies=code("yes"), allergies_details=text(canary.word * 1000))):
        canary.take(post(client, {**good, "item": item}))
        canary.take(post(client, {**good, "item": item}, path="/fhir/Questionnaire/$validate-response"))
    for change in ({"status": canary.word}, {"questionnaire": canary.word}, {"resourceType": canary.word},
                   {"subject": {"reference": canary.word}}, {"identifier": {"system": canary.word, "value": canary.word}},
                   {"contained": canary.word}, {"authored": canary.word}):
        canary.take(post(client, {**good, **change}))
    canary.take(search(staff, canary.word))
    canary.take(staff.get(f"/fhir/QuestionnaireResponse/{canary.word}"))


def drafts(canary, client):
    held = Drafts(client, canary.booking)
    first = canary.take(held.put(canary.body(age_range=canary.word)))
    assert first.status_code == 201
    for headers in ({}, {"If_Match": f'"{canary.word}"'}, {"If_None_Match": "*"}, {"If_None_Match": canary.word}):
        assert canary.take(held.put(canary.body(), **headers)).status_code >= 400
    canary.take(held.put(canary.word.encode(), If_Match="*"))
    for token in (canary.word, f"1.{canary.word}", link_token(canary.word)):
        canary.take(client.get(f"/v1/bookings/{canary.booking}", headers={"X-Intake-Link": token}))
        canary.take(client.get(f"/q/{canary.booking}?t={token}"))


def staff_work(canary, staff):
    path = f"/v1/submissions/{canary.booking}"
    for read in (path, f"{path}/history", f"{path}x", f"/v1/submissions?q={canary.word}", "/v1/export?format=ndjson",
                 f"/v1/submissions?q={canary.word}@example.com", f"/v1/submissions?q=%2B90{canary.digits}",
                 f"/v1/submissions?q={canary.word * 20}", f"/v1/submissions?flag={canary.word}",
                 f"/v1/submissions?status={canary.word}", f"/v1/submissions?cursor={canary.word}",
                 f"/v1/submissions?since={canary.word}", f"/v1/submissions?limit={canary.word}",
                 f"/v1/export?format={canary.word}", f"/v1/export?questionnaire={canary.word}", f"/{canary.word}",
                 f"/v1/questionnaires/{canary.word}", f"/assets/{canary.word}/{canary.word}"):
        canary.take(staff.get(read, headers={"X-Intake-Reason": canary.word, "User-Agent": canary.word}))
    canary.take(staff.get(path, headers={"X-Intake-Reason": canary.word * 30}))
    for body in ({"state": "approved", "comment": canary.word, "revision": 2},
                 {"state": "approved", "comment": canary.word, "revision": 1},
                 {"state": canary.word, "comment": canary.word, "revision": canary.word},
                 {"state": "approved", "comment": canary.word * 1000, "revision": 2}):
        canary.take(staff.request("PUT", f"{path}/review", json=body))
        canary.take(staff.request("PUT", f"{path}/contradictions/{canary.word}", json=body))
    canary.take(staff.request("POST", f"{path}/retry"))
    canary.take(staff.request("POST", "/v1/session", json={"token": canary.word}))


def broken_requests(canary, port):
    """Whose line, target or headers have it; the library refuses some by itself."""
    word = canary.word
    for request in (f"GET /v1/submissions/{word} HTTP/1.1\r\nHost: x\r\nContent-Length: {word}\r\n\r\n",
                    f"GET /%zz{word} HTTP/1.1\r\nHost: x\r\n\r\n", f"{word} / HTTP/1.1\r\nHost: x\r\n\r\n",
                    f"GET /{word} {word}\r\n\r\n", f"GET / HTTP/1.1\r\nHost: x\r\n{word}\r\n\r\n",
                    f"GET / HTTP/1.1\r\nHost: {word}\r\nHost: {word}\r\nCookie: intake_session={word}\r\n\r\n",
                    f"GET /v1/submissions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {word}\r\nConnection: close\r\n\r\n",
                    f"POST /v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                    f"Transfer-Encoding: chunked\r\n\r\n{word}\r\n"):
        with RawConnection(port) as raw:
            raw.send(request).finish_sending()
            answer = raw.rest()
            assert b"HTTP/1.1 2" not in answer
            if canary.found_in(answer):
                canary.told.append((request, answer))


def server_log(postgres):
    with open(os.path.join(postgres.directory, "server.log"), encoding="utf-8", errors="replace") as file:
        return file.read()


def test_no_log_no_metric_and_no_error_tells_what_a_patient_wrote(start_intake, postgres, staff_token, canary):
    intake = start_intake(EAGER)
    client, staff = intake.client(), intake.client(staff_token)
    submissions(canary, client)
    intake.wait_processed(canary.booking)
    for form in (HAIR, PRE_OPERATIVE):
        in_every_field(canary, client, staff, form)
    fhir(canary, client, staff)
    drafts(canary, client)
    staff_work(canary, staff)
    broken_requests(canary, intake.port)
    assert canary.told == []
    assert not canary.found_in(client.get("/metrics").text)
    intake.stop()
    assert "level=debug" in intake.log() and not canary.found_in(intake.log())
    assert not canary.found_in(server_log(postgres))


def test_what_the_database_says_about_a_row_is_kept_from_the_log(start_intake, database, staff_token, canary):
    """Constraints and triggers of somebody else put the row into their messages."""
    intake = start_intake(EAGER)
    client, staff = intake.client(), intake.client(staff_token)
    database.query("""
        CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION USING MESSAGE = NEW::text, DETAIL = NEW::text, HINT = NEW::text; END $$;
        CREATE TRIGGER tell BEFORE INSERT OR UPDATE ON medical_backgrounds FOR EACH ROW EXECUTE FUNCTION tell()""")
    assert client.submit(canary.body()).status_code == 201
    eventually(lambda: database.submission(canary.booking)["status"] == "failed")
    database.query("ALTER TABLE users ADD CHECK (name !~ 'kanarya') NOT VALID")
    refused = canary.take(client.submit({**canary.body(fresh_booking()), "attendee_phone": None,
                                         "attendee_email": f"other-{canary.word}@example.com"}))
    assert refused.status_code >= 500
    for path in ("", "/history"):
        shown = staff.get(f"/v1/submissions/{canary.booking}{path}").json()
        reasons = json.dumps([shown.get("failure_reason"), [row["reason"] for row in shown.get("processing", [])]])
        assert not canary.found_in(reasons)
    assert canary.told == [] and not canary.found_in(client.get("/metrics").text)
    intake.stop()
    assert "PostgreSQL 23514" in intake.log() and not canary.found_in(intake.log())


def writers(canary, client, staff):
    """What writes beside posts, with the table that it writes to; each of it has the canary in it."""
    booking, other = canary.booking, f"{canary.booking}-other"
    for name in ("Ayse", "Fatma"):
        assert client.submit({**canary.body(booking), "attendee_name": f"{name} {canary.word}"}).status_code in (200, 201)
        eventually(lambda: staff.look_up(booking).json()["status"] == "processed")
    assert Drafts(client, booking).put(canary.body(booking)).status_code == 201
    path = f"/v1/submissions/{booking}"
    review = {"state": "has_issues", "comment": canary.word, "revision": 2}
    decide = {"decision": "take", "revision": 2}
    return (("submission_drafts", lambda: Drafts(client, other).put(canary.body(other))),
            ("submission_drafts", lambda: Drafts(client, booking).put(canary.body(booking, age_range=canary.word), If_Match="*")),
            ("submission_drafts", lambda: Drafts(client, booking).delete(If_Match="*")),
            ("submission_reviews", lambda: staff.request("PUT", f"{path}/review", json=review)),
            ("medical_questionnaire_submissions", lambda: staff.request("PUT", f"{path}/review", json=review)),
            ("contradiction_resolutions", lambda: staff.request("PUT", f"{path}/contradictions/attendee_name", json=decide)),
            ("patient_profiles", lambda: staff.request("PUT", f"{path}/contradictions/attendee_name", json=decide)),
            ("audit_log", lambda: Drafts(client, booking).get()),
            ("audit_log", lambda: staff.get(f"{path}/history", headers={"X-Intake-Reason": canary.word})),
            ("audit_log", lambda: staff.get("/v1/events", headers={"X-Intake-Reason": canary.word})))


@pytest.mark.parametrize("telling", [True, False])
def test_an_error_of_the_database_beside_posts_tells_nothing(start_intake, database, postgres, staff_token, canary, telling):
    intake = start_intake(EAGER)
    client, staff = intake.client(), intake.client(staff_token)
    refused = writers(canary, client, staff)
    refusal = Refusal(database, dict(refused), telling)
    intake.restart()  # the database's settings are those of a connection's beginning
    for table, write in refused:
        refusal.of(table)
        before = intake.log().count("P0001")
        assert canary.take(write()).status_code >= 500, table
        assert intake.log().count("P0001") > before, table
    with pytest.raises(requests.exceptions.ChunkedEncodingError):  # broken off, for it had begun
        staff.get("/v1/export", headers={"X-Intake-Reason": canary.word})
    assert canary.told == [] and not canary.found_in(client.get("/metrics").text)
    assert not canary.found_in(intake.log())
    assert telling or "refused-for-" in server_log(postgres) and not canary.found_in(server_log(postgres))


def test_an_error_takes_no_parameter_into_the_log_of_the_database(start_intake, database, postgres, canary):
    """However the server is set: `log_parameter_max_length_on_error` is the daemon's own."""
    with database.connect("postgres") as admin:
        admin.execute(f"ALTER DATABASE {database.name} SET log_parameter_max_length_on_error = -1")
        admin.execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                      " $$ BEGIN RAISE EXCEPTION 'refused-for-%', pg_backend_pid(); END $$;"
                      " CREATE TRIGGER refuse BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION refuse()")
    intake = start_intake(EAGER)
    assert canary.take(intake.client().submit(canary.body())).status_code >= 500
    assert "refused-for-" in server_log(postgres) and not canary.found_in(server_log(postgres))
