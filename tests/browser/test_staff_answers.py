"""One submission on the staff's page, as it is read: the form's own words, scores, changes, and exports of many."""

import csv
import io
import json
import os
import tempfile

import pytest
from selenium.webdriver.common.keys import Keys

from intake_harness.bodies import fresh_booking, full, minimal
from intake_harness.waiting import eventually
from staff_page import StaffPage

PHQ_9 = ("little_interest", "feeling_down", "sleep", "energy", "appetite", "self_esteem", "concentration",
         "movement", "self_harm")


@pytest.fixture
def page(intake, browser, staff_token):
    """Staff, signed in."""
    return StaffPage(browser(), intake).sign_in(staff_token)


def submit(intake, *bodies):
    for body in bodies:
        assert intake.client().submit(body).status_code in (200, 201)
        intake.wait_processed(body["booking_uid"])
    return bodies[-1]["booking_uid"]


def answer(page, link_id):
    return page.text(f'[data-question="{link_id}"] dd')


def test_the_answers_read_like_the_form(page, intake):
    page.show(submit(intake, full()))
    assert answer(page, "age_range") == "36 to 45"
    assert answer(page, "current_medications_details") == "Finasteride 1 mg since 2021"
    assert answer(page, "family_history").split("\n") == ["father", "maternal-grandfather"]
    assert answer(page, "allergies_details") == "Not asked"
    assert "Your medical history" in page.text()
    page.show(submit(intake, minimal(age_range="36-45")))
    assert answer(page, "allergies") == "Not answered"


def ucum(value, code):
    return {"value": value, "unit": code, "code": code, "system": "http://unitsofmeasure.org"}


OPERATION = {
    "date_of_birth": "1980-05-06", "height": ucum(178, "cm"), "blood_thinners": False, "takes_medication": True,
    "medications": [{"medication_name": "Metformin", "medication_dose": ucum(500, "mg"), "medication_since": "2021-03"},
                    {"medication_name": "Aspirin"}],
    "gone_question": {"a": [1, True]},
}


def test_measures_dates_and_rows_are_written_out(page, intake):
    """Straight into the table: the page shows what is there, whatever the form demands today."""
    uid = fresh_booking()
    intake.database.query("""
        INSERT INTO medical_questionnaire_submissions
               (booking_uid, submission_data, status, questionnaire_id, questionnaire_version)
        VALUES (%s, %s, 'processed', 'pre-operative-history', '1.0.0')""", (uid, json.dumps(OPERATION)))
    page.show(uid)
    assert answer(page, "date_of_birth") == "6 May 1980"
    assert answer(page, "height") == "178 cm"
    assert (answer(page, "blood_thinners"), answer(page, "takes_medication")) == ("No", "Yes")
    rows = page.all('[data-question="medications"] .occurrences > li')
    assert [row.text.split("\n")[:2] for row in rows] == [["Name", "Metformin"], ["Name", "Aspirin"]]
    assert "500 mg" in rows[0].text and "2021-03" in rows[0].text and "Not answered" in rows[1].text
    assert answer(page, "operations") == "Not asked"
    assert "Other answers" in page.text() and answer(page, "gone_question") == "a: 1, Yes"


def test_a_score_comes_with_its_band(page, intake):
    half_the_days = dict.fromkeys(PHQ_9, "LA6570-1")
    page.show(submit(intake, minimal(questionnaire="phq-9", **half_the_days)))
    assert page.text(".score") == "18" and "severe" in page.text(".scores").lower()
    assert "9 of 9 questions answered" in page.text(".scores")


def test_somebody_else_who_signs_in_sees_no_comment(page, intake, tokens):
    uid = submit(intake, full())
    page.show(uid).by_id("comment").send_keys("Mine alone.")
    page.lose_session("Save the review")
    page.type_token(tokens["admin"])
    page.wait_record(uid)
    assert page.by_id("comment").get_attribute("value") == ""


@pytest.fixture
def contradicting(intake):
    """A booking of a patient who was known by another name and with other allergies."""
    known = full(attendee_name="Jane Doe", attendee_phone="+905321234567")
    body = full(attendee_name="Jane D. Doe", attendee_phone="+905321234567", attendee_email=known["attendee_email"],
                allergies="yes", allergies_details="Peanuts")
    submit(intake, known, body)
    return body


def test_what_is_read_stays_until_the_new_answers_are_asked_for(page, intake):
    body = full()
    uid = submit(intake, body)
    page.show(uid).wait_text("Live", "#live")
    page.by_id("comment").send_keys("Half a thought")
    submit(intake, {**body, "age_range": "65+"})
    page.wait_text("The patient has just sent other answers.", "#changed")
    assert answer(page, "age_range") == "36 to 45"
    page.press("Show them")
    eventually(lambda: answer(page, "age_range") == "Over 65", what="the new answers")
    assert page.by_id("comment").get_attribute("value") == "Half a thought" and page.text("#changed") == ""


def test_a_decision_about_what_has_changed_is_refused_and_the_new_is_shown(page, intake, contradicting):
    page.show(contradicting["booking_uid"])
    submit(intake, {**contradicting, "age_range": "65+"})
    page.press("Keep what is on record: Name").press("Keep what is on record", "#confirm")
    eventually(lambda: answer(page, "age_range") == "Over 65", what="the new revision")
    assert page.all("#attention .notice.error")
    assert intake.database.value("SELECT count(*) FROM contradiction_resolutions") == 0


def test_revisions_say_what_changed_between_them(page, intake):
    body = full()
    uid = submit(intake, body, {**body, "age_range": "46-55"})
    page.show(uid)
    row, = page.all(".changes tbody tr")
    assert [cell.text for cell in row.find_elements("css selector", "th, td")] == ["How old are you?", "36 to 45", "46 to 55"]


def test_the_other_bookings_of_the_patient_are_links(page, intake, contradicting):
    other, = [row["booking_uid"] for row in intake.database.query(
        "SELECT booking_uid FROM medical_questionnaire_submissions WHERE booking_uid <> %s", (contradicting["booking_uid"],))]
    page.show(contradicting["booking_uid"])
    page.driver.find_element("link text", other).click()
    page.wait_record(other)
    page.driver.find_element("link text", contradicting["booking_uid"]).send_keys(Keys.ENTER)
    page.wait_record(contradicting["booking_uid"])


@pytest.fixture
def downloads(page):
    """The folder in which the browser keeps what it downloads."""
    with tempfile.TemporaryDirectory() as folder:
        page.driver.intake.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=folder)
        yield folder


def downloaded(folder, suffix):
    """The text of the one file that is there now, once it is there as a whole: empty, it only keeps the name taken."""
    path, = eventually(lambda: [entry.path for entry in os.scandir(folder)
                                if entry.name.endswith(suffix) and entry.stat().st_size], what=f"a file {suffix}")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    os.unlink(path)
    return text


def test_an_export_has_what_the_filters_leave(page, intake, downloads):
    wanted, other = full(), minimal(age_range="36-45")
    submit(intake, other, wanted)
    page.wait_list([wanted["booking_uid"], other["booking_uid"]])
    page.by_id("q").send_keys(wanted["booking_uid"])
    page.wait_list([wanted["booking_uid"]])
    for name, suffix, uids in (
            ("CSV, one questionnaire", ".csv", lambda text: [row["booking_uid"] for row in csv.DictReader(io.StringIO(text.lstrip("\ufeff")))]),
            ("NDJSON", ".ndjson", lambda text: [json.loads(line)["booking_uid"] for line in text.splitlines()]),
            ("FHIR, NDJSON", ".ndjson", lambda text: [json.loads(line)["identifier"]["value"] for line in text.splitlines()])):
        page.script("document.getElementById('export').open = true")
        page.press(name)
        assert uids(downloaded(downloads, suffix)) == [wanted["booking_uid"]], name


def test_a_stream_that_is_refused_ends_in_the_sign_in(page, intake):
    """As when the session ended while nobody did anything on the page."""
    body = full()
    page.show(submit(intake, body)).wait_text("Live", "#live")
    intake.database.query("UPDATE staff_sessions SET ended_at = now()")
    intake.restart()
    page.wait_text("Your session has ended.", "#sign-in-why")
    assert body["attendee_name"] not in page.script("return document.documentElement.textContent")
