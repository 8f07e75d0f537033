"""The patient's page in a real browser: filled, lost, resumed, corrected, by whoever uses it how."""

import pytest
from selenium.webdriver.common.keys import Keys

from intake_harness.bodies import full, minimal
from intake_harness.links import Drafts, link_token
from intake_harness.waiting import eventually
from patient_page import PHONE, THANKS, PatientPage

@pytest.fixture
def page(patient_page):
    return patient_page


def stored(served, booking_uid):
    return served.database.submission(booking_uid)


def send_the_least(page):
    page.open()
    page.fill_contact()
    page.to_review()
    page.consent_and_send()
    page.wait_heading(THANKS)


def correct_the_age(page):
    """As far as the consent."""
    page.press("Correct my answers")
    page.press("Continue")
    page.choose("age_range", "46 to 55")
    for _ in range(3):
        page.press("Continue")


def test_a_patient_fills_the_form_on_a_phone(page, served, booking_uid, axe, screenshot):
    page.open()
    assert page.heading == "Your contact details"
    axe(page.driver)
    screenshot(page.driver, "patient-contact")
    page.fill_contact()
    page.fill("attendee_phone", "+90 532 123 45 67")
    page.press("Continue")
    page.choose("age_range", "36 to 45")
    axe(page.driver)
    page.press("Continue")
    assert not page.is_asked("allergies_details")
    page.choose("allergies", "Yes")
    assert page.is_asked("allergies_details")
    page.fill("allergies_details", "Penicillin")
    page.choose("previous_surgeries", "None")
    axe(page.driver)
    screenshot(page.driver, "patient-section")
    page.press("Continue")
    page.fill("hair_loss_pattern-0-", "Crown")
    page.press("Add another")
    page.keys("Hairline")
    axe(page.driver)
    page.press("Continue")
    assert page.heading == "Check your answers"
    for words in ("36 to 45", "Penicillin", "Crown", "Hairline", "Not answered"):
        assert words in page.text
    axe(page.driver)
    page.press("Send my answers")
    assert page.driver.find_element("id", "consent-error").is_displayed()
    assert page.focused.get_attribute("id") == "consent"
    axe(page.driver)
    screenshot(page.driver, "patient-review")
    page.consent_and_send()
    page.wait_heading(THANKS)
    axe(page.driver)
    screenshot(page.driver, "patient-done")
    assert stored(served, booking_uid)["submission_data"] == {
        "booking_uid": booking_uid, "questionnaire": "hair-transplant|1.0.0",
        "attendee_name": "Ayşe Yılmaz", "attendee_email": "ayse.yilmaz@example.com",
        "attendee_phone": "+90 532 123 45 67", "age_range": "36-45", "allergies": "yes",
        "allergies_details": "Penicillin", "previous_surgeries": "none",
        "hair_loss_pattern": ["Crown", "Hairline"], "consent_version": "2026-11.en"}
    assert Drafts(served.client(), booking_uid).get().status_code == 404


def test_what_disappears_is_not_sent(page, served, booking_uid):
    page.open()
    page.fill_contact()
    page.press("Continue")
    page.press("Continue")
    page.choose("allergies", "Yes")
    page.fill("allergies_details", "Penicillin")
    page.choose("allergies", "None")
    assert not page.is_asked("allergies_details")
    page.press("Continue")
    page.press("Continue")
    page.consent_and_send()
    page.wait_heading(THANKS)
    data = stored(served, booking_uid)["submission_data"]
    assert data["allergies"] == "none" and "allergies_details" not in data


def test_errors_stand_at_their_fields_in_the_servers_words(page, served, booking_uid, axe, screenshot):
    page.open()
    page.fill("attendee_email", "nobody")
    page.fill("attendee_phone", "5321234567")
    page.press("Continue")
    body = {"booking_uid": booking_uid, "attendee_email": "nobody", "attendee_phone": "5321234567"}
    for error in served.client().submit(body).json()["errors"]:
        assert page.error(error["field"]).endswith(error["message"])
        assert page.field(error["field"]).get_attribute("aria-invalid") == "true"
    assert page.focused.get_attribute("id") == "summary" and len(page.summary()) == 3
    axe(page.driver)
    screenshot(page.driver, "patient-errors")
    page.driver.find_elements("css selector", "#summary a")[1].click()
    assert page.focused == page.field("attendee_email")
    page.fill_contact()
    page.fill("attendee_phone", "")
    page.press("Continue")
    page.press("Continue")
    page.choose("allergies", "Yes")
    page.press("Continue")
    errors = served.client().submit(minimal(allergies="yes")).json()["errors"]
    assert page.error("allergies_details").endswith(errors[0]["message"])


def test_a_rule_that_only_the_server_checks_comes_back_to_its_field(page, served, booking_uid, axe):
    page.open()
    page.fill_contact()
    # What the server answers where the page knew of no rule.
    page.driver.execute_script("""
        const real = window.fetch;
        window.fetch = (path, options) => path === "/v1/submissions"
            ? real(path, {...options, body: JSON.stringify({...JSON.parse(options.body), age_range: "old"})})
            : real(path, options);""")
    page.to_review()
    page.consent_and_send()
    page.wait_text("Please look at these answers again: 1")
    assert page.heading == "Check your answers"
    assert page.summary() == ["How old are you? – Please choose one of the answers given."]
    assert page.focused.get_attribute("id") == "summary"
    axe(page.driver)
    page.driver.find_element("css selector", "#summary a").click()
    assert page.heading == "About you"
    assert "Please choose one of the answers given." in page.error("age_range")
    assert served.database.query("SELECT 1 FROM medical_questionnaire_submissions WHERE booking_uid = %s",
                                 (booking_uid,)) == []


def test_a_draft_goes_on_in_another_browser(page, browser, served, booking_uid, axe):
    page.open()
    page.fill_contact()
    page.press("Continue")
    page.choose("age_range", "26 to 35")
    page.wait_status("Saved")
    other = PatientPage(browser(), served, booking_uid).open()
    assert "Welcome back" in other.text
    assert other.field("attendee_name").get_attribute("value") == "Ayşe Yılmaz"
    axe(other.driver)
    other.press("Continue")
    assert other.field("age_range-1").is_selected()


def test_two_devices_at_once_lose_nothing(page, browser, served, booking_uid):
    page.open()
    page.fill_contact()
    page.wait_status("Saved")
    other = PatientPage(browser(), served, booking_uid).open()
    other.press("Continue")
    other.choose("age_range", "26 to 35")
    other.wait_status("Saved")
    page.fill("attendee_phone", "+905321234567")
    page.wait_text("Newer answers from another device were taken over.")
    page.wait_status("Saved")
    answers = Drafts(served.client(), booking_uid).get().json()["answers"]
    assert answers["age_range"] == "26-35" and answers["attendee_phone"] == "+905321234567"


def test_the_network_is_lost_while_typing(page, served, booking_uid):
    page.open()
    page.fill_contact()
    page.wait_status("Saved")
    page.driver.intake.offline()
    page.fill("attendee_name", "Ayşe Demir")
    page.wait_status("Not connected. Your answers are kept on this device.")
    page.driver.intake.offline(False)
    page.wait_status("Saved")
    assert Drafts(served.client(), booking_uid).get().json()["answers"]["attendee_name"] == "Ayşe Demir"
    assert page.driver.execute_script("return Object.keys(localStorage).filter(key => key.startsWith('intake.draft'))") == []


def test_what_was_typed_offline_survives_the_page(page, served, booking_uid):
    page.open()
    page.fill_contact()
    page.wait_status("Saved")
    page.driver.intake.offline()
    page.fill("attendee_name", "Ayşe Demir")
    page.wait_status("Not connected. Your answers are kept on this device.")
    page.driver.get("about:blank")
    page.driver.intake.offline(False)
    page.open()
    assert page.field("attendee_name").get_attribute("value") == "Ayşe Demir"
    drafts = Drafts(served.client(), booking_uid)
    eventually(lambda: drafts.get().json()["answers"]["attendee_name"] == "Ayşe Demir", what="it is saved")


def test_a_submission_without_network_is_sent_later_and_once(page, served, booking_uid, axe, screenshot):
    page.open()
    page.fill_contact()
    page.to_review()
    page.driver.intake.offline()
    page.consent_and_send()
    page.wait_heading("Your answers are not sent yet")
    axe(page.driver)
    screenshot(page.driver, "patient-waiting")
    page.driver.get("about:blank")
    page.driver.intake.offline(False)
    page.open()
    page.wait_heading(THANKS)
    assert stored(served, booking_uid)["revision"] == 1
    page.open()
    page.wait_heading(THANKS)
    assert stored(served, booking_uid)["revision"] == 1


def test_an_answer_that_was_lost_on_its_way_makes_no_second_revision(page, served, booking_uid):
    page.open()
    page.fill_contact()
    page.to_review()
    page.driver.execute_script("""
        const real = window.fetch;
        let lost = false;
        window.fetch = async (path, options) => {
            const reply = await real(path, options);
            if (path === "/v1/submissions" && !lost) {
                lost = true;
                throw new TypeError("the connection was lost");
            }
            return reply;
        };""")
    page.consent_and_send()
    page.wait_heading(THANKS)
    assert stored(served, booking_uid)["revision"] == 1
    assert len(page.driver.intake.requests("POST", "/v1/submissions")) == 2


def test_what_another_device_sent_is_not_overwritten_unasked(page, served, booking_uid, axe):
    page.open()
    page.fill_contact()
    page.to_review()
    page.driver.intake.offline()
    page.consent_and_send()
    page.wait_heading("Your answers are not sent yet")
    assert served.client().submit(full(booking_uid, attendee_name="Sent elsewhere")).status_code == 201
    page.driver.intake.offline(False)
    page.wait_heading("Check your answers")
    assert "sent from another device" in page.text and "Ayşe Yılmaz" in page.text
    axe(page.driver)
    assert stored(served, booking_uid)["submission_data"]["attendee_name"] == "Sent elsewhere"


def test_answers_are_corrected_after_sending(page, served, booking_uid):
    send_the_least(page)
    page.open()
    page.wait_heading(THANKS)
    correct_the_age(page)
    page.consent_and_send()
    page.wait_heading(THANKS)
    row = stored(served, booking_uid)
    assert row["revision"] == 2 and row["submission_data"]["age_range"] == "46-55"


def test_a_correction_of_what_is_gone_is_stored_all_the_same(page, served, booking_uid):
    """Thanks are only said for what is there."""
    send_the_least(page)
    correct_the_age(page)
    served.wait_processed(booking_uid)
    served.database.query("DELETE FROM medical_questionnaire_submissions WHERE booking_uid = %s", (booking_uid,))
    page.consent_and_send()
    page.wait_heading(THANKS)
    assert stored(served, booking_uid)["submission_data"]["age_range"] == "46-55"


def test_a_keyboard_is_enough(page, served, booking_uid):
    page.open()
    page.tab_to(lambda focused: focused.get_attribute("id") == "q-attendee_name")
    page.keys("Ayşe Yılmaz", Keys.TAB, "ayse.yilmaz@example.com", Keys.ENTER)
    page.wait_heading("About you")
    assert page.focused.tag_name == "h1"
    page.tab_to(lambda focused: focused.get_attribute("type") == "radio")
    page.keys(Keys.SPACE, Keys.ARROW_DOWN)
    assert page.field("age_range-1").is_selected()
    for _ in range(3):
        page.tab_to(lambda focused: focused.text == "Continue")
        page.keys(Keys.ENTER)
    page.wait_heading("Check your answers")
    page.tab_to(lambda focused: focused.get_attribute("id") == "consent")
    page.keys(Keys.SPACE)
    page.tab_to(lambda focused: focused.text == "Send my answers")
    page.keys(Keys.ENTER)
    page.wait_heading(THANKS)
    assert stored(served, booking_uid)["submission_data"]["age_range"] == "26-35"


def test_arabic_is_written_from_right_to_left(browser, served, booking_uid, axe, screenshot):
    page = PatientPage(browser(**PHONE, lang="ar"), served, booking_uid).open()
    root = page.driver.find_element("css selector", "html")
    assert (root.get_attribute("lang"), root.get_attribute("dir")) == ("ar", "rtl")
    assert page.heading == "بيانات الاتصال الخاصة بك"
    page.fill_contact()
    page.press("متابعة")
    page.choose("age_range", "من 36 إلى 45")
    axe(page.driver)
    screenshot(page.driver, "patient-arabic")
    for _ in range(3):
        page.press("متابعة")
    page.consent_and_send("إرسال إجاباتي")
    page.wait_heading("شكرًا لك، وصلتنا إجاباتك")
    data = stored(served, booking_uid)["submission_data"]
    assert data["age_range"] == "36-45" and data["consent_version"] == "2026-11.ar"


@pytest.mark.parametrize("lang, heading, title", [
    ("tr", "İletişim bilgileriniz", "Saç ekimi görüşmenizden önce"),
    ("de", "Ihre Kontaktdaten", "Vor Ihrem Beratungsgespräch zur Haartransplantation"),
    ("es", "Sus datos de contacto", "Antes de su consulta de trasplante capilar")])
def test_the_address_chooses_a_language(page, axe, lang, heading, title):
    page.open(lang=lang)
    assert page.heading == heading
    assert page.driver.find_element("id", "name").text == title
    axe(page.driver)


def test_a_language_is_switched_and_remembered(page):
    page.open()
    page.fill("attendee_name", "Ayşe Yılmaz")
    page.driver.find_element("css selector", "#language option[value=de]").click()
    page.wait_heading("Ihre Kontaktdaten")
    assert page.field("attendee_name").get_attribute("value") == "Ayşe Yılmaz"
    page.wait_status("Gespeichert")
    page.open()
    assert page.heading == "Ihre Kontaktdaten"


def test_every_language_has_every_word(page):
    page.open()
    words = page.driver.execute_async_script("""
        const done = arguments[0];
        const base = document.querySelector("script").src.replace("patient.js", "lang-");
        Promise.all(["en", "tr", "de", "es", "ar"].map(code => import(`${base}${code}.js`)))
            .then(modules => done(modules.map(one => one.default)));""")
    for other in words[1:]:
        assert set(other) == set(words[0])
        for key, text in other.items():
            assert sorted(part.split("}")[0] for part in text.split("{")[1:]) == \
                sorted(part.split("}")[0] for part in words[0][key].split("{")[1:]), key


@pytest.mark.parametrize("token, heading", [
    ("", "This link is not complete"), ("1.x", "This link has expired"),
    ("9999999999.x", "This link does not fit"), ("{token}", "This link does not fit")])
def test_a_link_that_is_no_good_says_so(page, axe, token, heading):
    page.open(token=token)
    page.wait_heading(heading)
    axe(page.driver)


def test_an_expired_link_says_so(page, booking_uid):
    page.open(token=link_token(booking_uid, expires=1))
    page.wait_heading("This link has expired")
