"""What answers come to: scores, bands and flags, stored by the worker and shown to staff."""

import pytest

from intake_harness.bodies import full, minimal

PHQ_9 = ("little_interest", "feeling_down", "sleep", "energy", "appetite", "self_esteem", "concentration",
         "movement", "self_harm")
NOT_AT_ALL, SEVERAL_DAYS, HALF_THE_DAYS, EVERY_DAY = "LA6568-5", "LA6569-3", "LA6570-1", "LA6571-9"


def phq_9(answers, **changes):
    return minimal(questionnaire="phq-9", **dict(zip(PHQ_9, answers)), **changes)


def evaluation(intake, client, staff, body):
    reply = client.submit(body)
    assert reply.status_code in (200, 201), reply.text
    intake.wait_processed(body["booking_uid"])
    found = staff.look_up(body["booking_uid"]).json()
    assert found["status"] == "processed", found
    assert found["evaluation"] == intake.database.submission(body["booking_uid"])["evaluation"]
    return found["evaluation"]


@pytest.mark.parametrize("answers,value,band", [
    ([NOT_AT_ALL] * 9, 0, "minimal"),
    ([SEVERAL_DAYS] * 4 + [NOT_AT_ALL] * 5, 4, "minimal"),
    ([SEVERAL_DAYS] * 5 + [NOT_AT_ALL] * 4, 5, "mild"),
    ([HALF_THE_DAYS] * 7 + [NOT_AT_ALL] * 2, 14, "moderate"),
    ([EVERY_DAY] * 9, 27, "severe")])
def test_the_score_and_its_band_are_stored(shared_intake, shared_client, shared_staff, answers, value, band):
    (score,) = evaluation(shared_intake, shared_client, shared_staff, phq_9(answers))["scores"]
    assert (score["link_id"], score["value"], score["questions"], score["answered"]) == ("", value, 9, 9)
    assert score["band"]["code"] == band and score["band"]["label"]


def test_flags_are_stored(shared_intake, shared_client, shared_staff):
    found = evaluation(shared_intake, shared_client, shared_staff, full())
    assert found["scores"] == []
    assert [flag["link_id"] for flag in found["flags"]] == ["current_medications", "medical_conditions"]
    assert all(flag["text"] for flag in found["flags"])
    assert set(found) == {"scores", "flags"}


def test_answers_that_come_to_nothing_have_no_evaluation(shared_intake, shared_client, shared_staff):
    assert evaluation(shared_intake, shared_client, shared_staff, minimal(allergies="none")) is None


def test_a_revision_is_evaluated_anew(shared_intake, shared_client, shared_staff):
    body = full()
    assert evaluation(shared_intake, shared_client, shared_staff, body)["flags"]
    body = minimal(body["booking_uid"], attendee_email=body["attendee_email"], allergies="none")
    assert evaluation(shared_intake, shared_client, shared_staff, body) is None


def test_a_revision_that_is_not_processed_yet_shows_nothing_of_the_one_before(start_intake, staff_token):
    intake = start_intake({"worker.enabled": "false"})
    client, staff = intake.client(), intake.client(staff_token)
    body = full()
    client.submit(body)
    intake.database.query("UPDATE medical_questionnaire_submissions SET evaluation = '{\"scores\": []}'")
    assert staff.look_up(body["booking_uid"]).json()["evaluation"] == {"scores": []}
    client.submit({**body, "allergies": "none"})
    client.submit({**body, "age_range": "65+"})
    assert staff.look_up(body["booking_uid"]).json()["evaluation"] is None
