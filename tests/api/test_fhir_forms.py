"""Answers between the flat form and FHIR: there and back, without loss."""

import copy
import json

import pytest

from intake_harness.bodies import fresh_booking, full, minimal, sample_bytes, samples
from intake_harness.fhir import BOOKING, found, post, search

PRE_OPERATIVE = {
    "questionnaire": "pre-operative-history",
    "date_of_birth": "1984-05-03",
    "height": {"value": 171.0, "unit": "cm", "system": "http://unitsofmeasure.org", "code": "cm"},
    "blood_group": "unknown", "had_operations": True,
    "operations": [{"operation_name": "Appendectomy", "operation_year": "2001", "operation_complications": False},
                   {"operation_name": "Knee", "operation_complications": True,
                    "operation_complications_details": "Swelling\nfor a week"}],
    "anaesthesia": {"anaesthesia_problems": True, "anaesthesia_problems_kind": ["My own words, \"quoted\""],
                    "dental": False},
    "heart": {"stairs": 0},
    "bleeding": {"blood_thinners": False},
    "takes_medication": True,
    "medications": [{"medication_name": "Metformin", "medication_dose": {
        "value": 0.50, "unit": "g", "system": "http://unitsofmeasure.org", "code": "g"}}],
    "has_allergies": False, "alcohol_units_per_week": 2.5,
    "documents": [{"contentType": "application/pdf", "title": "Letter", "url": "https://example.com/l.pdf"}],
}


def answered(body):
    """A flat body as it comes back: without what says nothing."""
    return {field: value for field, value in body.items()
            if value not in (None, [], {}) and (not isinstance(value, str) or value.strip())}


def there_and_back(shared_intake, client, staff, body):
    """Posts a flat body, reads it as FHIR, posts that for another booking; the flat form of that."""
    reply = client.submit(json.dumps(body).encode())
    assert reply.status_code == 201, reply.text
    read = found(staff, body["booking_uid"])
    assert read["id"] == reply.json()["id"]
    assert read["identifier"] == {"system": BOOKING, "value": body["booking_uid"]}
    other = fresh_booking()
    again = {**copy.deepcopy(read), "identifier": {"system": BOOKING, "value": other}}
    assert post(client, again).status_code == 201
    stored = shared_intake.database.submission(other)
    mine = shared_intake.database.submission(body["booking_uid"])
    for column in ("questionnaire_id", "questionnaire_version"):
        assert stored[column] == mine[column]
    assert stored["submission_data"].pop("questionnaire") == stored["questionnaire_id"]
    assert stored["submission_data"].pop("booking_uid") == other
    return stored["submission_data"]


@pytest.mark.parametrize("name", samples("form-*.json"))
def test_every_sample_survives_fhir_and_back(shared_intake, shared_client, shared_staff, name):
    body = json.loads(sample_bytes(name))
    body["booking_uid"] = fresh_booking()
    back = there_and_back(shared_intake, shared_client, shared_staff, body)
    assert back == {field: value for field, value in answered(body).items() if field != "booking_uid"}


@pytest.mark.parametrize("answers", [
    full(), minimal(), minimal(attendee_phone="+90 532 123 45 67"), PRE_OPERATIVE,
    {"questionnaire": "pre-operative-history", "date_of_birth": "1984-05-03", "had_operations": False,
     "anaesthesia": {"anaesthesia_problems": False}, "bleeding": {"blood_thinners": True},
     "takes_medication": False, "has_allergies": True,
     "allergy_list": [{"allergy_substance": "Latex", "allergy_severity": "severe"},
                      {"allergy_substance": "Kiwi"}]},
    {"questionnaire": "phq-9", "_all": 3},
], ids=["hair", "least", "phone", "pre-operative", "pre-operative-other", "phq-9"])
def test_every_shipped_definition_survives_fhir_and_back(shared_intake, shared_client, shared_staff, answers):
    if "_all" in answers:
        definition = shared_client.get("/v1/questionnaires/phq-9").json()
        answers = {"questionnaire": "phq-9", **all_answers(definition["item"])}
    body = {**minimal(), **answers}
    back = there_and_back(shared_intake, shared_client, shared_staff, body)
    assert back == {field: value for field, value in body.items() if field not in ("booking_uid", "questionnaire")}


def all_answers(items):
    """The last option of every choice of a definition."""
    answers = {}
    for item in items:
        if item["type"] == "choice":
            answers[item["linkId"]] = item["answerOption"][-1]["valueCoding"]["code"]
        answers.update(all_answers(item.get("item", [])))
    return answers


def test_decimals_keep_every_digit(shared_intake, shared_client, shared_staff):
    flat = {**minimal(), **PRE_OPERATIVE}
    written = json.dumps(flat).replace('"alcohol_units_per_week": 2.5', '"alcohol_units_per_week": 2.0')
    assert shared_client.submit(written.encode()).status_code == 201
    reply = search(shared_staff, flat["booking_uid"])
    assert '{"valueDecimal":2.0}' in reply.text and '"value":171.0,' in reply.text
    again = reply.text[reply.text.index('"resource":') + 11:reply.text.rindex(',"search"')]
    assert post(shared_client, again.encode()).status_code == 200
    (stored,) = shared_intake.database.one(
        "SELECT submission_data->>'alcohol_units_per_week' AS v FROM medical_questionnaire_submissions"
        " WHERE booking_uid = %s", (flat["booking_uid"],)).values()
    assert stored == "2.0"
