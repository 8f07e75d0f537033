"""Bodies of submissions: ours, and the shared samples where they are at hand."""

import glob
import json
import os
import uuid

from .daemon import ROOT

SAMPLES = os.path.join(os.path.dirname(ROOT), "shared", "samples")
CASES = os.path.join(ROOT, "tests", "cases")


def fresh_booking():
    """A booking UID that no other test uses, of the form that Cal.com's have."""
    return "bk" + uuid.uuid4().hex[:20]


def minimal(booking_uid=None, **changes):
    """The least that is accepted; every call is another booking and another person."""
    booking_uid = booking_uid or fresh_booking()
    return {"booking_uid": booking_uid, "attendee_name": f"Patient {booking_uid}",
            "attendee_email": f"{booking_uid[-60:].lower()}@example.com", **changes}


def full(booking_uid=None, **changes):
    """Every field of the questionnaire that can be answered together."""
    return minimal(booking_uid, **{
        "age_range": "36-45",
        "current_medications": "yes", "current_medications_details": "Finasteride 1 mg since 2021",
        "allergies": "none",
        "medical_conditions": "yes", "medical_conditions_details": "Mild hypertension, controlled",
        "previous_surgeries": "none",
        "hair_loss_duration": "5-10-years",
        "hair_loss_pattern": ["crown", "hairline"],
        "family_history": ["father", "maternal-grandfather"],
        "previous_treatments": ["minoxidil", "prp"], **changes})


def answers_of(body):
    """The answered questions of a flat body, without the envelope."""
    return {field: value for field, value in body.items()
            if field not in ("booking_uid", "attendee_name", "attendee_email", "attendee_phone")}


def cases(kind):
    """The case files tests/cases/KIND/*.json as (name, content)."""
    found = []
    for path in sorted(glob.glob(os.path.join(CASES, kind, "*.json"))):
        with open(path, encoding="utf-8") as file:
            found.append((os.path.basename(path).removesuffix(".json"), json.load(file)))
    return found


def samples(pattern):
    """Names of the shared samples that match; [] where the folder is not at hand."""
    return sorted(os.path.basename(path) for path in glob.glob(os.path.join(SAMPLES, pattern)))


def sample_bytes(name):
    with open(os.path.join(SAMPLES, name), "rb") as file:
        return file.read()
