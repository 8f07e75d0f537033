"""The FHIR interface: what it takes, what staff read of it, and its errors."""

import pytest

from intake_harness.bodies import fresh_booking, full
from intake_harness.fhir import (BOOKING, HAIR, code, codes, found, hair, outcome, post, response, search, text)

ANSWER = "QuestionnaireResponse.item[0].item[0].answer[0]"


def test_a_response_is_stored_as_the_flat_form_that_staff_and_worker_know(intake, client, staff):
    booking = fresh_booking()
    sent = response(booking, authored="2026-11-20T10:00:00+03:00", item=hair(
        age_range=code("36-45"), allergies=code("yes"), allergies_details=text("Latex"),
        hair_loss_pattern=[text("crown"), text("mine")]))
    reply = post(client, sent)
    if reply.status_code != 201:
        pytest.fail(reply.text)
    stored = reply.json()
    assert reply.headers["Content-Type"] == "application/fhir+json"
    assert reply.headers["Location"] == f"/fhir/QuestionnaireResponse/{stored['id']}"
    assert reply.headers["ETag"] == 'W/"1"'
    assert stored["meta"]["versionId"] == "1" and stored["status"] == "completed"
    assert stored["authored"] == stored["meta"]["lastUpdated"]
    intake.wait_processed(booking)
    row = intake.database.submission(booking)
    assert row["submission_data"] == {
        "booking_uid": booking, "attendee_name": f"Patient {booking}", "attendee_email": f"{booking}@example.com",
        "questionnaire": "hair-transplant", "age_range": "36-45", "allergies": "yes",
        "allergies_details": "Latex", "hair_loss_pattern": ["crown", "mine"]}
    assert str(row["id"]) == stored["id"]
    looked_up = staff.look_up(booking).json()
    assert looked_up["answers"]["allergies_details"] == "Latex"
    assert looked_up["patient"]["email"] == f"{booking}@example.com"
    assert intake.database.background(booking)["allergies"]
    by_id = staff.get(reply.headers["Location"])
    assert by_id.status_code == 200 and by_id.headers["ETag"] == 'W/"1"'
    assert by_id.json() == stored == found(staff, booking)


def test_the_same_response_again_changes_nothing_and_another_is_the_next_version(client, staff):
    booking = fresh_booking()
    first = post(client, response(booking)).json()
    again = post(client, response(booking, status="amended"))
    assert again.status_code == 200 and "Location" not in again.headers
    assert again.json() == first
    changed = response(booking, item=hair(age_range=code("65+")))
    reply = post(client, changed)
    assert reply.status_code == 200 and reply.headers["ETag"] == 'W/"2"'
    assert reply.json()["id"] == first["id"]
    assert reply.json()["meta"]["versionId"] == "2" and reply.json()["status"] == "amended"
    assert found(staff, booking) == reply.json()


def test_the_patient_may_be_the_source_and_have_names_of_any_form(shared_client, shared_staff):
    sent = response()
    del sent["subject"]
    sent["contained"] = [
        {"resourceType": "Patient", "id": "other", "name": [{"text": "Somebody Else"}]},
        {"resourceType": "Patient", "id": "me", "name": [{"family": "Öztürk", "given": ["Gülşen", "Ay"]}],
         "telecom": [{"system": "phone", "value": "+90 532 123 45 67"},
                     {"system": "email", "value": f"{sent['identifier']['value']}@example.com"}]}]
    sent["source"] = {"reference": "#me"}
    assert post(shared_client, sent).status_code == 201
    contact = shared_staff.look_up(sent["identifier"]["value"]).json()["contact"]
    assert contact["name"] == "Gülşen Ay Öztürk" and contact["phone"] == "+90 532 123 45 67"


@pytest.mark.parametrize("content_type", ["application/fhir+json", "application/json",
                                          "application/fhir+json; charset=utf-8"])
def test_both_media_types_are_taken(shared_client, content_type):
    assert post(shared_client, response(), content_type).status_code == 201


@pytest.mark.parametrize("changes, expected, expression", [
    ({"status": "in-progress"}, "notCompleted", "QuestionnaireResponse.status"),
    ({"status": "stopped"}, "notCompleted", "QuestionnaireResponse.status"),
    ({"status": "entered-in-error"}, "notCompleted", "QuestionnaireResponse.status"),
    ({"status": "done"}, "format", "QuestionnaireResponse.status"),
    ({"status": None}, "required", "QuestionnaireResponse.status"),
    ({"identifier": None}, "required", "QuestionnaireResponse.identifier.value"),
    ({"identifier": {"system": BOOKING}}, "required", "QuestionnaireResponse.identifier.value"),
    ({"identifier": {"system": BOOKING, "value": "{bookingUid}"}}, "placeholder",
     "QuestionnaireResponse.identifier.value"),
    ({"identifier": {"system": "urn:other", "value": "b1"}}, "format", "QuestionnaireResponse.identifier.system"),
    ({"contained": []}, "required", "QuestionnaireResponse.contained.name"),
    ({"subject": {"reference": "#q"}}, "required", "QuestionnaireResponse.contained.name"),
    ({"questionnaire": "urn:nothing"}, "questionnaireNotFound", "QuestionnaireResponse.questionnaire"),
    ({"questionnaire": f"{HAIR}|0.0.1"}, "questionnaireNotFound", "QuestionnaireResponse.questionnaire"),
    ({"questionnaire": "hair-transplant"}, "questionnaireNotFound", "QuestionnaireResponse.questionnaire"),
    ({"questionnaire": "Questionnaire/nothing"}, "questionnaireNotFound", "QuestionnaireResponse.questionnaire"),
    ({"questionnaire": 7}, "questionnaireNotFound", "QuestionnaireResponse.questionnaire"),
    ({"authored": "yesterday"}, "format", "QuestionnaireResponse.authored"),
    ({"modifierExtension": [{"url": "urn:not", "valueBoolean": True}]}, "notSupported", "QuestionnaireResponse"),
    ({"item": [{**hair(age_range=code("65+"))[0], "modifierExtension": [{"url": "urn:not"}]}]}, "notSupported",
     "QuestionnaireResponse"),
    ({"implicitRules": "urn:rules"}, "notSupported", "QuestionnaireResponse"),
    ({"item": [{"linkId": "norwood"}]}, "invalidLinkId", "QuestionnaireResponse.item[0]"),
    ({"item": hair(age_range=code("7"))}, "invalidAnswerOption", ANSWER),
    ({"item": hair(age_range={"valueInteger": 7})}, "invalidAnswerType", ANSWER),
    ({"item": hair(allergies=code("yes"))}, "required", None),
    ({"item": hair(allergies_details=text("x"))}, "notEnabled", "QuestionnaireResponse.item[0].item[0]"),
    ({"item": hair(hair_loss_pattern=text("a\u0000b"))}, "invalidCharacter", ANSWER),
    ({"item": hair(age_range={"valueCoding": {**code("65+")["valueCoding"], "extension": [
        {"url": "urn:x", "valueString": "a\u0000b"}]}})}, "invalidCharacter", ANSWER),
])
def test_a_response_that_breaks_a_rule_is_422(shared_intake, shared_client, changes, expected, expression):
    before = shared_intake.database.value("SELECT count(*) FROM medical_questionnaire_submissions")
    sent = {key: value for key, value in response(**changes).items() if value is not None}
    issues = outcome(post(shared_client, sent), 422)
    match = [issue for issue in issues if issue["details"]["coding"][0]["code"] == expected]
    assert match, issues
    if expression is not None:
        assert expression in [place for issue in match for place in issue.get("expression", [])]
    assert shared_intake.database.value("SELECT count(*) FROM medical_questionnaire_submissions") == before


def test_all_issues_come_at_once(shared_client):
    sent = response(contained=[], status="stopped", item=[
        *hair(age_range=code("7"), allergies=code("yes")), {"linkId": "norwood", "answer": [text("x")]}])
    assert codes(outcome(post(shared_client, sent), 422)) >= {
        "notCompleted", "required", "invalidAnswerOption", "invalidLinkId"}


@pytest.mark.parametrize("name", [HAIR, f"{HAIR}|1.0.0", "Questionnaire/hair-transplant",
                                  "Questionnaire/hair-transplant|1.0.0", None])
def test_a_response_names_its_questionnaire_or_answers_the_default(shared_client, name):
    sent = response(questionnaire=name)
    if name is None:
        del sent["questionnaire"]
    reply = post(shared_client, sent)
    assert reply.status_code == 201, reply.text
    assert reply.json()["questionnaire"] == f"{HAIR}|1.0.0"


def test_contact_is_looked_at_whatever_is_answered(shared_client):
    issues = outcome(post(shared_client, response(contained=[], questionnaire="urn:nothing")), 422)
    assert [issue["expression"][0] for issue in issues] == [
        "QuestionnaireResponse.questionnaire", "QuestionnaireResponse.contained.name",
        "QuestionnaireResponse.contained.telecom.where(system='email').value"]


def test_an_error_quotes_nothing_of_what_was_posted(shared_client):
    secret = "Hydroxychloroquine-Secret"
    sent = response(item=hair(age_range=code(secret)))
    sent["contained"][0]["telecom"][0]["value"] = secret
    reply = post(shared_client, sent)
    assert reply.status_code == 422 and secret not in reply.text


@pytest.mark.parametrize("data", [b"", b"x", b"[]", b"null", b"{}", b'{"resourceType":"Patient"}',
                                  b'{"resourceType":"QuestionnaireResponse","resourceType":"x"}'])
def test_what_is_no_response_is_400(shared_client, data):
    for path in ("/fhir/QuestionnaireResponse", "/fhir/Questionnaire/$validate-response"):
        outcome(post(shared_client, data, path=path), 400)


def test_every_error_below_fhir_is_an_outcome(shared_client, shared_staff, tokens, shared_intake):
    assert outcome(shared_client.get("/fhir"), 404)[0]["code"] == "not-found"
    assert outcome(shared_client.get("/fhir/Patient/1"), 404)[0]["code"] == "not-found"
    assert outcome(shared_client.get("/fhir/Questionnaire/nothing"), 404)[0]["code"] == "not-found"
    reply = shared_client.request("DELETE", "/fhir/QuestionnaireResponse/1")
    assert outcome(reply, 405)[0]["code"] == "not-supported" and "GET" in reply.headers["Allow"]
    reply = shared_client.get("/fhir/QuestionnaireResponse/1")
    assert outcome(reply, 401)[0]["code"] == "login" and reply.headers["WWW-Authenticate"].startswith("Bearer")
    reply = shared_intake.client(tokens["metrics"]).get("/fhir/QuestionnaireResponse/1")
    assert outcome(reply, 403)[0]["code"] == "forbidden"
    outcome(post(shared_client, response(), "application/fhir+xml"), 415)
    outcome(post(shared_client, b" " * 3000000), 413)
    (issue,) = outcome(shared_staff.get("/fhir/QuestionnaireResponse?identifier=a&_format=json"), 400)
    assert issue["expression"] == ["http._format"] and "diagnostics" not in issue
    outcome(shared_staff.get("/fhir/QuestionnaireResponse"), 400)
    outcome(shared_client.get("/fhir/Questionnaire"), 400)


def test_a_deleted_booking_takes_no_response_and_is_not_found(intake, client, staff):
    booking = fresh_booking()
    location = post(client, response(booking)).headers["Location"]
    intake.database.query("UPDATE medical_questionnaire_submissions SET deleted = true")
    assert outcome(post(client, response(booking, item=[])), 409)[0]["code"] == "conflict"
    outcome(staff.get(location), 404)
    assert search(staff, booking).json()["total"] == 0


def test_a_search_finds_the_booking_by_its_identifier_and_nothing_else(shared_client, shared_staff):
    body = full()
    shared_client.submit(body)
    booking = body["booking_uid"]
    for token in (booking, f"{BOOKING}|{booking}"):
        bundle = shared_staff.get("/fhir/QuestionnaireResponse", params={"identifier": token}).json()
        assert (bundle["resourceType"], bundle["type"], bundle["total"]) == ("Bundle", "searchset", 1)
        (entry,) = bundle["entry"]
        assert entry["fullUrl"] == f"urn:uuid:{entry['resource']['id']}"
        assert entry["search"] == {"mode": "match"}
    for token in (fresh_booking(), f"|{booking}", f"urn:other|{booking}", f"{BOOKING[:-1]}x|{booking}", f"{BOOKING}|", "", f"{booking},{booking}",
                  '"<{}>&\\%'):
        bundle = shared_staff.get("/fhir/QuestionnaireResponse", params={"identifier": token}).json()
        assert bundle["total"] == 0 and "entry" not in bundle, token


def test_reading_is_for_staff_and_audited_like_a_look_up(intake, client, staff, tokens):
    body = full()
    location = f"/fhir/QuestionnaireResponse/{client.submit(body).json()['id']}"
    for role, status in (("staff", 200), ("admin", 200), ("intake", 403), ("metrics", 403)):
        assert intake.client(tokens[role]).get(location).status_code == status
        assert search(intake.client(tokens[role]), body["booking_uid"]).status_code == status
    assert client.get(location).status_code == 401 and search(client, body["booking_uid"]).status_code == 401
    read = staff.get(location)
    searched = search(staff, body["booking_uid"])
    search(staff, fresh_booking())
    rows = intake.database.query("SELECT actor, action, booking_uid, request_id"
                                 "  FROM audit_log WHERE action = 'submission.read' ORDER BY id")
    assert rows[-2:] == [
        {"actor": "test-staff", "action": "submission.read", "booking_uid": body["booking_uid"],
         "request_id": reply.headers["X-Request-Id"]} for reply in (read, searched)]
    assert len(rows) == 6
    assert read.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["1", "x" * 36, "01a20384-fe70-7917-870d-ea8ea550a995", "%27"])
def test_an_id_that_is_not_there_is_404(shared_staff, name):
    outcome(shared_staff.get(f"/fhir/QuestionnaireResponse/{name}"), 404)


def test_a_row_of_another_program_reads_as_the_default_questionnaire(intake, client, staff):
    body = full()
    client.submit(body)
    intake.database.query("UPDATE medical_questionnaire_submissions"
                          " SET questionnaire_id = NULL, questionnaire_version = NULL")
    assert found(staff, body["booking_uid"])["questionnaire"].startswith(HAIR)
    intake.database.query("UPDATE medical_questionnaire_submissions SET questionnaire_id = 'burnt'")
    outcome(search(staff, body["booking_uid"]), 409)


@pytest.mark.parametrize("wrap", [
    lambda sent: sent,
    lambda sent: {"resourceType": "Parameters", "parameter": [
        {"name": "mode", "valueString": "x"}, {"name": "response", "resource": sent}]}])
def test_validate_response_answers_an_outcome_and_stores_nothing(intake, client, wrap):
    path = "/fhir/Questionnaire/$validate-response"
    (issue,) = outcome(post(client, wrap(response()), path=path), 200)
    assert issue["severity"] == "information"
    wrong = response(item=hair(age_range={"valueInteger": 7}))
    (issue,) = outcome(post(client, wrap(wrong), path=path), 200)
    assert issue["severity"] in ("fatal", "error") and issue["expression"] == [ANSWER]
    unknown = wrap(response(questionnaire="urn:nothing"))
    assert codes(outcome(post(client, unknown, path=path), 200)) == {"questionnaireNotFound"}
    draft = response(status="in-progress", item=hair(allergies=code("yes")))
    assert all(issue["severity"] in ("warning", "information")
               for issue in outcome(post(client, wrap(draft), path=path), 200))
    bare = {"resourceType": "QuestionnaireResponse", "status": "completed"}
    assert outcome(post(client, wrap(bare), path=path), 200)[0]["severity"] == "information"
    assert intake.database.value("SELECT count(*) FROM medical_questionnaire_submissions") == 0


def test_metadata_says_exactly_what_there_is(shared_client):
    reply = shared_client.get("/fhir/metadata")
    assert reply.status_code == 200 and reply.headers["Content-Type"] == "application/fhir+json"
    statement = reply.json()
    assert statement["resourceType"] == "CapabilityStatement" and statement["fhirVersion"] == "4.0.1"
    assert statement["software"] == {"name": "intake", "version": shared_client.get("/version").json()["version"]}
    (rest,) = statement["rest"]
    routes = set()
    for resource in rest["resource"]:
        path = f"/fhir/{resource['type']}"
        for interaction in resource["interaction"]:
            routes.add({"read": ("GET", path + "/x"), "search-type": ("GET", path),
                        "create": ("POST", path)}[interaction["code"]])
        for operation in resource.get("operation", []):
            routes.add(("POST", f"{path}/${operation['name']}"))
    for path in ("/fhir/Questionnaire", "/fhir/Questionnaire/x", "/fhir/QuestionnaireResponse",
                 "/fhir/QuestionnaireResponse/x", "/fhir/Questionnaire/$validate-response", "/fhir/AuditEvent",
                 "/fhir/AuditEvent/x", "/fhir/Patient", "/fhir/Patient/x"):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            if method == "GET" and path.endswith("$validate-response"):
                continue  # an id of that name, which there is not
            there = shared_client.request(method, path).status_code not in (404, 405) \
                or (method, path) == ("GET", "/fhir/Questionnaire/x")
            assert there == ((method, path) in routes), (method, path)


def test_submissions_in_both_forms_need_a_token_where_the_configuration_says_so(start_intake, tokens):
    intake = start_intake({"http.submissions_require_token": "true"})
    outcome(post(intake.client(), response()), 401)
    assert post(intake.client(tokens["intake"]), response()).status_code == 201
    assert post(intake.client(), response(), path="/fhir/Questionnaire/$validate-response").status_code == 200


def test_what_a_patient_wrote_is_in_no_log(intake, client, staff):
    sent = response(item=hair(hair_loss_pattern=text("Unsayable-Pattern")))
    location = post(client, sent).headers["Location"]
    booking = sent["identifier"]["value"]
    assert booking not in location
    staff.get(location)
    search(staff, booking)
    post(client, {**sent, "status": "stopped"})
    log = intake.log()
    assert "Unsayable-Pattern" not in log and f"{booking}@example.com" not in log and f"Patient {booking}" not in log
