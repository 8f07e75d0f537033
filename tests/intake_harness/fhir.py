"""The FHIR interface: how to talk to it, and responses to send."""

import json
import os

from .bodies import fresh_booking
from .daemon import ROOT

BOOKING = "urn:intake:booking-uid"
HAIR = "urn:intake:questionnaire:hair-transplant"

with open(os.path.join(ROOT, "config", "questionnaires", "hair-transplant.json"), encoding="utf-8") as definition:
    HAIR_ITEMS = json.load(definition)["item"]


def code(value):
    return {"valueCoding": {"system": "urn:intake:code", "code": value}}


def text(value):
    return {"valueString": value}


def hair(items=None, **answers):
    """The items of a response to the hair-transplant form, with the answers by linkId."""
    found = []
    for item in items or HAIR_ITEMS:
        below = hair(item["item"], **answers) if item["type"] == "group" else []
        if below:
            found.append({"linkId": item["linkId"], "item": below})
        if item["linkId"] in answers:
            values = answers[item["linkId"]]
            found.append({"linkId": item["linkId"], "answer": values if isinstance(values, list) else [values]})
    return found


def post(client, response, content_type="application/fhir+json", path="/fhir/QuestionnaireResponse", **headers):
    data = response if isinstance(response, bytes) else json.dumps(response).encode()
    return client.request("POST", path, data=data, headers={"Content-Type": content_type, **headers})


def search(staff, booking_uid):
    return staff.get("/fhir/QuestionnaireResponse", params={"identifier": f"{BOOKING}|{booking_uid}"})


def found(staff, booking_uid):
    (entry,) = search(staff, booking_uid).json()["entry"]
    return entry["resource"]


def response(booking_uid=None, item=None, **changes):
    """A QuestionnaireResponse that is accepted; every call is another booking and another person."""
    booking_uid = booking_uid or fresh_booking()
    return {
        "resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": HAIR,
        "identifier": {"system": BOOKING, "value": booking_uid},
        "contained": [{"resourceType": "Patient", "id": "p", "name": [{"text": f"Patient {booking_uid}"}],
                       "telecom": [{"system": "email", "value": f"{booking_uid}@example.com"}]}],
        "subject": {"reference": "#p"},
        "item": item if item is not None else hair(age_range=code("36-45")),
        **changes}


def outcome(reply, status):
    """The issues of an error reply, of the form that all of them have below /fhir."""
    assert reply.status_code == status, reply.text
    assert reply.headers["Content-Type"] == "application/fhir+json"
    body = reply.json()
    assert body["resourceType"] == "OperationOutcome" and body["issue"]
    assert all(issue["severity"] in ("fatal", "error", "warning", "information") and issue["code"]
               for issue in body["issue"])
    return body["issue"]


def codes(issues):
    return {issue["details"]["coding"][0]["code"] for issue in issues}
