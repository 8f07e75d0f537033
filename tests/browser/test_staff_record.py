"""The record on the staff's page: what staff do with a submission, and that what patients wrote is only text."""

import json

import pytest

from intake_harness.bodies import fresh_booking, full, minimal
from intake_harness.waiting import eventually
from staff_page import StaffPage

HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(2)>"\'\u202etxt.exe'


@pytest.fixture
def page(intake, browser, staff_token):
    return StaffPage(browser(), intake).sign_in(staff_token)


def post(intake, body):
    reply = intake.client().submit(body)
    assert reply.status_code in (200, 201), reply.text
    intake.wait_processed(body["booking_uid"])
    return body["booking_uid"]


def failed_submission(database):
    """One that no more attempts are made for, because it answers a questionnaire that is not there."""
    body = full(fresh_booking())
    database.query("""
        WITH u AS (INSERT INTO users (email, name) VALUES (%(email)s, 'B') RETURNING id),
             p AS (INSERT INTO patient_profiles (user_id, name, email) SELECT id, 'B', %(email)s FROM u
                   RETURNING id)
        INSERT INTO medical_questionnaire_submissions
               (booking_uid, patient_profile_id, submission_data, questionnaire_id, status, failure_reason, attempts)
        SELECT %(uid)s, id, %(data)s, 'no-such-questionnaire', 'failed', 'The questionnaire is not known.', 3 FROM p""",
                   {"email": body["attendee_email"], "uid": body["booking_uid"], "data": json.dumps(body)})
    return body["booking_uid"]


def choose_state(page, state):
    page.all(f'#review-form input[value="{state}"]')[0].click()


def test_a_review_is_saved_with_its_comment_and_who(page):
    uid = post(page.intake, full())
    page.show(uid)
    choose_state(page, "has_issues")
    page.by_id("comment").send_keys("Which medication?")
    page.press("Save the review").wait_text("The review is saved.")
    card = page.text("#review-card")
    assert "Which medication?" in card and "test-staff" in card
    assert page.intake.database.submission(uid)["review_state"] == "has_issues"
    eventually(lambda: "Has issues" in page.text(f'#list li[data-booking="{uid}"]'), what="the line tells of it")


def test_a_review_of_old_answers_is_not_saved_and_the_comment_stays(page):
    body = full()
    uid = post(page.intake, body)
    page.show(uid)
    page.by_id("comment").send_keys("Looks fine.")
    choose_state(page, "approved")
    post(page.intake, {**body, "allergies": "yes", "allergies_details": "Penicillin"})
    page.press("Save the review").wait_text("The patient has sent other answers since you opened this.")
    assert page.by_id("comment").get_attribute("value") == "Looks fine."
    assert page.intake.database.submission(uid)["review_state"] == "received"
    page.wait_text("Penicillin", ".changes")
    page.press("Save the review").wait_text("The review is saved.")
    assert page.intake.database.submission(uid)["review_state"] == "approved"


def test_a_session_that_ends_does_not_lose_the_comment(page, staff_token):
    uid = post(page.intake, full())
    page.show(uid)
    page.by_id("comment").send_keys("Half a thought")
    page.lose_session("Save the review")
    page.type_token(staff_token)
    page.wait_record(uid)
    assert page.by_id("comment").get_attribute("value") == "Half a thought"


def test_a_failure_tells_its_reason_and_is_tried_again(page):
    uid = failed_submission(page.intake.database)
    page.show(uid).wait_text("The questionnaire is not known.", "#failure")
    page.press("Try again")
    eventually(lambda: page.intake.database.submission(uid)["status"] == "submitted", what="it is in the queue again")
    page.wait_text("Started again")
    page.wait_text("by test-staff")


@pytest.mark.parametrize("button,resolved,stored", [
    ("Take from this submission: Name", "take", "Ayşe Yılmaz"), ("Keep what is on record: Name", "keep", "Maria")])
def test_a_contradiction_is_decided_after_a_question(page, button, resolved, stored):
    database = page.intake.database
    database.query("""
        WITH u AS (INSERT INTO users (phone_number, name) VALUES ('+905321110001', 'Maria') RETURNING id)
        INSERT INTO patient_profiles (user_id, name, phone, email, source_channel)
        SELECT id, 'Maria', '+905321110001', 'maria@example.com', 'whatsapp' FROM u""")
    uid = post(page.intake, full(attendee_phone="+905321110001", attendee_name="Ayşe Yılmaz"))
    page.show(uid)
    page.press(button)
    eventually(lambda: page.by_id("confirm").is_displayed(), what="the question")
    page.press("Cancel", "#confirm")
    assert database.value("SELECT count(*) FROM contradiction_resolutions") == 0
    page.press(button).press(button.split(":")[0], "#confirm")
    eventually(lambda: database.value("SELECT count(*) FROM contradiction_resolutions") == 1, what="the decision")
    assert database.value("SELECT decision FROM contradiction_resolutions") == resolved
    assert database.profile(uid)["name"] == stored
    page.wait_text("test-staff", "#attention")


def test_what_a_patient_wrote_is_only_text(page):
    uid = post(page.intake, minimal(attendee_name="<b>Jane</b>", current_medications="yes",
                                    current_medications_details=HOSTILE))
    page.show(uid).wait_text("<b>Jane</b>", "#record-heading").wait_text(HOSTILE)
    answer = '[data-question="current_medications_details"] dd'
    assert page.script("return document.querySelector(arguments[0]).dir", answer) == "auto"
    assert not page.all("#record script") and not page.all("#record img") and not page.all("#record b")


def test_paper_has_the_record_and_no_navigation(page):
    uid = post(page.intake, full())
    page.show(uid)
    assert page.driver.print_page(), "a PDF"
    page.driver.intake.command("Emulation.setEmulatedMedia", media="print")
    hidden = page.script("""return [".bar", ".list-pane", "#review-form", ".skip", ".record-head .row"].filter(
        name => document.querySelector(name).checkVisibility())""")
    assert hidden == []
    assert "Finasteride 1 mg since 2021" in page.text() and f"Booking {uid} · printed " in page.text(".print-only")
    colour = page.script("return getComputedStyle(document.body).color + getComputedStyle(document.body).backgroundColor")
    assert colour == "rgb(0, 0, 0)rgb(255, 255, 255)"


def test_the_export_of_the_filters_and_the_record_are_downloaded(page, tmp_path):
    first = post(page.intake, full(attendee_name="Ayşe Yılmaz"))
    post(page.intake, full(attendee_name="Jane Doe"))
    page.wait_list()
    page.driver.intake.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.by_id("q").send_keys("Yılmaz")
    page.wait_list([first])
    page.all("#export summary")[0].click()
    page.press("NDJSON")
    file, = eventually(lambda: list(tmp_path.glob("*.ndjson")), what="the export")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [row["booking_uid"] for row in rows] == [first]
    page.show(first).press("Download JSON")
    file, = eventually(lambda: list(tmp_path.glob(f"submission-{first}.json")), what="the record")
    told = json.loads(file.read_text(encoding="utf-8"))
    assert told["submission"]["booking_uid"] == first and told["history"]["revisions"][0]["revision"] == 1
