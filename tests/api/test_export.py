"""GET /v1/export: any number of submissions, in constant memory, each with its audit row."""

import csv
import io
import json
import re
import time

import pytest
import requests

from intake_harness.bodies import full, minimal
from intake_harness.client import RawConnection
from intake_harness.waiting import eventually

HOSTILE = ["=cmd|' /C calc'!A0", "+1+2", "-2+3", "@SUM(1)", "\t=1", "\uff1d1", " =1", "a\n=b", 'say "=1"', "x,y;z"]


def export(client, form="csv", **parameters):
    return client.get("/v1/export", params={"format": form, **parameters})


def table(reply):
    assert reply.status_code == 200, reply.text
    assert reply.content.startswith("\ufeff".encode())
    return list(csv.DictReader(io.StringIO(reply.content.decode("utf-8-sig"), newline="")))


def exported(database):
    return [row["booking_uid"] for row in database.query(
        "SELECT booking_uid FROM audit_log WHERE action = 'submission.export' ORDER BY id")]


def fill(database, rows):
    """So many submissions, without patients, older than any that is posted."""
    database.query("""
        INSERT INTO medical_questionnaire_submissions (booking_uid, submission_data, status, created_at,
                                                       questionnaire_id, questionnaire_version)
        SELECT 'bulk-' || n, jsonb_build_object('booking_uid', 'bulk-' || n, 'attendee_name', 'N' || n,
                                                'attendee_email', n || '@example.com', 'allergies', 'yes',
                                                'allergies_details', repeat('nuts ', 100)),
               'processed', now() - interval '1 day' - n * interval '1 second', 'hair-transplant', '1.0.0'
          FROM generate_series(1, %s) AS n""", (rows,))


def test_a_csv_has_a_column_for_each_question(intake, client, staff):
    bodies = [full(), minimal(allergies="yes", allergies_details="nuts"), full()]
    for body in bodies:
        assert client.submit(body).status_code == 201
    reply = export(staff)
    rows = table(reply)
    assert [row["booking_uid"] for row in rows] == [body["booking_uid"] for body in reversed(bodies)]
    assert reply.headers["X-Total-Count"] == "3"
    assert re.fullmatch(r'attachment; filename="submissions-\d{4}-\d\d-\d\d\.csv"', reply.headers["Content-Disposition"])
    assert rows[1]["allergies_details"] == "nuts" and rows[1]["age_range"] == ""
    assert rows[0]["hair_loss_pattern"] == "crown; hairline"
    assert rows[0]["attendee_email"] == bodies[2]["attendee_email"]
    definition = client.get("/v1/questionnaires/hair-transplant").json()
    questions = [item["linkId"] for group in definition["item"] for item in group["item"]]
    assert list(rows[0])[-len(questions):] == questions


def test_a_csv_tells_the_state_of_review(client, staff):
    reviewed, other = full(), full()
    for body in (reviewed, other):
        assert client.submit(body).status_code == 201
    reply = staff.request("PUT", f"/v1/submissions/{reviewed['booking_uid']}/review",
                          json={"state": "approved", "comment": None, "revision": 1})
    assert reply.status_code == 200, reply.text
    assert {row["booking_uid"]: row["review_state"] for row in table(export(staff))} == {
        reviewed["booking_uid"]: "approved", other["booking_uid"]: "received"}


def test_the_columns_do_not_depend_on_the_rows(client, staff):
    empty = export(staff).content.decode("utf-8-sig")
    client.submit(full())
    assert export(staff).content.decode("utf-8-sig").splitlines()[0] + "\r\n" == empty


def test_a_spreadsheet_is_given_no_formula(client, staff):
    for text in HOSTILE:
        assert client.submit(minimal(allergies="yes", allergies_details=text)).status_code == 201
    cells = [row["allergies_details"] for row in table(export(staff))]
    for text, cell in zip(HOSTILE, reversed(cells)):
        harmless = text in ("a\n=b", 'say "=1"', "x,y;z")
        assert cell == (text if harmless else "'" + text)


def test_ndjson_is_what_a_look_up_gives(intake, client, staff):
    bodies = [full(), minimal()]
    for body in bodies:
        client.submit(body)
    intake.wait_processed(*(body["booking_uid"] for body in bodies))
    reply = export(staff, "ndjson")
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in reply.text.splitlines()]
    assert lines == [staff.look_up(body["booking_uid"]).json() for body in reversed(bodies)]


def test_fhir_is_what_the_fhir_interface_gives(client, staff):
    ids = [client.submit(full()).json()["id"] for _ in range(2)]
    reply = export(staff, "fhir")
    assert reply.headers["Content-Type"] == "application/fhir+ndjson"
    lines = [json.loads(line) for line in reply.text.splitlines()]
    assert lines == [staff.get(f"/fhir/QuestionnaireResponse/{one}").json() for one in reversed(ids)]


def test_the_filters_are_those_of_the_list(intake, client, staff):
    bodies = [full() for _ in range(3)]
    for body in bodies:
        client.submit(body)
    intake.wait_processed(*(body["booking_uid"] for body in bodies))
    wanted = bodies[1]["booking_uid"]
    intake.database.query("UPDATE medical_questionnaire_submissions SET status = 'failed' WHERE booking_uid = %s", (wanted,))
    for parameters in ({"status": "failed"}, {"q": bodies[1]["attendee_email"]}, {"q": wanted}):
        assert [row["booking_uid"] for row in table(export(staff, **parameters))] == [wanted]
    assert table(export(staff, until="2020-01-01")) == []
    assert table(export(staff, questionnaire="phq-9")) == []


@pytest.mark.parametrize("query", ["format=xls", "status=x", "since=soon", "questionnaire=no-such", "limit=5", "cursor=1"])
def test_what_makes_no_sense_is_400(shared_staff, query):
    reply = shared_staff.get(f"/v1/export?{query}")
    assert reply.status_code == 400 and reply.json()["errors"]


@pytest.mark.threaded
def test_every_row_that_left_is_in_the_audit(intake, client, staff, tokens):
    fill(intake.database, 450)
    for form in ("csv", "ndjson"):
        before = len(exported(intake.database))
        lines = len(export(staff, form).text.splitlines()) - (form == "csv")
        assert lines == 450 and len(exported(intake.database)) - before == 450
    assert len(set(exported(intake.database))) == 450
    for role, status in (("intake", 403), ("metrics", 403), ("admin", 200)):
        assert export(intake.client(tokens[role])).status_code == status
    assert export(client).status_code == 401


def test_a_head_exports_nothing(intake, staff):
    fill(intake.database, 10)
    reply = staff.request("HEAD", "/v1/export")
    assert reply.status_code == 200 and reply.headers["X-Total-Count"] == "10"
    assert exported(intake.database) == []


def resident_kib(intake):
    with open(f"/proc/{intake.process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1])


def test_memory_does_not_grow_with_the_rows(start_intake, staff_token):
    # AddressSanitizer keeps what was freed for a while, and would be measured instead.
    intake = start_intake.prepare().start({"ASAN_OPTIONS": "exitcode=99:quarantine_size_mb=1"})
    staff = intake.client(staff_token)
    fill(intake.database, 20000)
    export(staff, "ndjson", since="2100-01-01")
    before = resident_kib(intake)
    with staff.get("/v1/export", params={"format": "ndjson"}, stream=True) as reply:
        size = sum(len(piece) for piece in reply.iter_content(65536))
    assert size > 20 * 2**20
    assert resident_kib(intake) - before < size / 1024 / 2


def begin(intake, token, query="format=ndjson"):
    connection = RawConnection(intake.port, timeout=60)
    connection.send(f"GET /v1/export?{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n")
    return connection


@pytest.mark.threaded
def test_a_client_that_leaves_ends_it(intake, staff, staff_token):
    fill(intake.database, 20000)
    with begin(intake, staff_token):
        eventually(lambda: exported(intake.database), what="the first page")
    intake.wait_log(r'request cut short.*route=/v1/export')
    assert len(exported(intake.database)) < 20000
    assert staff.get("/v1/submissions").status_code == 200


def test_a_client_that_stops_reading_is_given_up(start_intake, staff_token):
    intake = start_intake({"http.response_timeout_ms": 500})
    fill(intake.database, 20000)
    with begin(intake, staff_token):
        intake.wait_log(r'request cut short.*route=/v1/export')


def test_a_slow_reader_gets_all_of_it(start_intake, staff_token):
    """Slower than the time for a whole response; only a piece must fit into that."""
    intake = start_intake({"http.response_timeout_ms": 1500})
    fill(intake.database, 3000)
    begun, size = time.monotonic(), 0
    reply = requests.get(f"{intake.base}/v1/export?format=ndjson", timeout=60, stream=True,
                         headers={"Authorization": f"Bearer {staff_token}"})
    for piece in reply.iter_content(32768):
        size += piece.count(b"\n")
        if time.monotonic() - begun < 2.5:
            time.sleep(0.03)  # somebody who is busy
    assert size == 3000 and time.monotonic() - begun > 1.5


def test_a_database_that_goes_leaves_no_whole_export(intake, postgres, staff_token):
    fill(intake.database, 20000)
    with begin(intake, staff_token) as connection:
        eventually(lambda: exported(intake.database), what="the first page")
        postgres.stop()
        try:
            assert not connection.rest().endswith(b"0\r\n\r\n"), "the end of a chunked body"
        finally:
            postgres.start()
    intake.wait_log("export broken off")


def test_there_are_only_so_many_at_once(start_intake, staff_token):
    intake = start_intake({"http.streams_max": 1})
    fill(intake.database, 20000)
    with begin(intake, staff_token):
        eventually(lambda: exported(intake.database), what="the first page")
        reply = export(intake.client(staff_token))
        assert reply.status_code == 503 and int(reply.headers["Retry-After"]) >= 1
    eventually(lambda: export(intake.client(staff_token), since="2100-01-01").status_code == 200)


@pytest.mark.threaded
def test_a_stop_does_not_wait_for_a_reader_who_sleeps(start_intake, staff_token):
    """It waits for what the lanes and the executor still do, and not for http.response_timeout_ms, 30 s."""
    intake = start_intake({"lane.deadline_ms": 1000, "executor.deadline_ms": 1000})
    fill(intake.database, 20000)
    with begin(intake, staff_token):
        eventually(lambda: exported(intake.database), what="the first page")
        intake.stop(timeout=25)
