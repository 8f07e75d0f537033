"""The staff's page: signing in, finding a submission, the list that stays up to date, and how it looks."""

import pytest
from selenium.webdriver.common.keys import Keys

from intake_harness.bodies import full, minimal
from intake_harness.waiting import eventually
from staff_page import StaffPage


def submit(intake, *bodies):
    client = intake.client()
    for body in bodies:
        assert client.submit(body).status_code == 201
        intake.wait_processed(body["booking_uid"])
    return [body["booking_uid"] for body in bodies]


@pytest.fixture
def page(intake, browser):
    return StaffPage(browser(), intake)


@pytest.fixture
def signed_in(page, staff_token):
    return page.sign_in(staff_token)


def test_signing_in_says_what_is_wrong_with_a_token(page, tokens):
    page.open()
    assert page.focused == "token"
    page.type_token("no-such-token")
    page.wait_text("This token is not known, or it has ended.", "#token-error")
    page.by_id("token").clear()
    page.type_token(tokens["metrics"])
    page.wait_text("This token is not for staff.", "#token-error")
    page.by_id("token").clear()
    page.type_token(tokens["staff"])
    page.wait_text("test-staff", "#who")
    assert page.focused == "booking", "the first thing is the box for the booking UID"


def test_the_token_is_kept_nowhere_in_the_browser(signed_in, staff_token):
    kept = signed_in.script("""return JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage},
        location.href, document.getElementById("token").value])""")
    assert kept == f'["",{{}},{{}},"{signed_in.intake.base}/staff",""]' and staff_token not in kept


def test_a_pasted_uid_opens_the_submission(signed_in):
    body = full(attendee_phone="+905321234567")
    uid, = submit(signed_in.intake, body)
    signed_in.paste(f" {uid} ").wait_record(uid).wait_text("5 to 10 years")
    text = signed_in.text()
    assert body["attendee_name"] in text and "Finasteride 1 mg since 2021" in text
    assert "10-years" not in text, "in the definition's words, not in its codes"
    assert text.index("Flags and contradictions") < text.index("Finasteride")
    assert signed_in.all('a[href="tel:+905321234567"]') and signed_in.all('a[href^="mailto:"]')
    assert signed_in.focused == "record-heading"
    assert body["attendee_name"] not in signed_in.driver.title


def test_what_is_no_booking_is_said_so(signed_in):
    signed_in.paste("no such thing!").wait_text("This is no booking UID.", "#booking-error")
    signed_in.by_id("booking").clear()
    signed_in.paste("bk-unknown").wait_text("There is no such submission")


def test_an_address_opens_its_submission_and_back_leads_back(signed_in):
    first, second = submit(signed_in.intake, full(), full())
    signed_in.show(first).show(second)
    signed_in.driver.back()
    signed_in.wait_record(first)
    signed_in.driver.refresh()
    signed_in.wait_record(first)


def test_the_list_is_searched_and_filtered(signed_in):
    flagged = full(attendee_name="Ayşe Yılmaz")
    plain = minimal(attendee_name="Jane Doe")
    uids = submit(signed_in.intake, plain, flagged)
    signed_in.wait_list(uids[::-1])
    signed_in.keys(Keys.TAB)  # off the field, so that "/" is a key of the page
    signed_in.keys("/")
    assert signed_in.focused == "q"
    signed_in.keys("jane")
    signed_in.wait_list([uids[0]])
    signed_in.by_id("q").clear()
    signed_in.by_id("q").send_keys(Keys.ENTER)
    signed_in.wait_list(uids[::-1])
    signed_in.choose("review", "approved").wait_list([])
    signed_in.wait_text("Nothing fits these filters.", "#list-state")
    signed_in.choose("review", "received").choose("status", "processed").wait_list(uids[::-1])
    signed_in.by_id("flag").send_keys("Takes medication: check for blood thinners")
    signed_in.wait_list([uids[1]])
    signed_in.press("Clear all filters").wait_list(uids[::-1])


def test_more_of_the_list_follows_on_demand(page, staff_token):
    uids = submit(page.intake, *[minimal() for _ in range(35)])[::-1]
    page.sign_in(staff_token).wait_list(uids[:30])
    page.press("Show more").wait_list(uids)
    page.wait_text("That is all.", "#list-state")


def test_a_search_that_takes_long_goes_on_by_itself(page, staff_token):
    """Pages that the service cuts short, for a text that no index serves, are put together."""
    page.intake.database.query("""
        INSERT INTO medical_questionnaire_submissions (booking_uid, submission_data, status, created_at)
        SELECT 'long' || n, jsonb_build_object('attendee_name', CASE WHEN n > 5990 THEN '%%%%%%' ELSE 'Jane' END),
               'processed', now() - n * interval '1 minute' FROM generate_series(1, 6000) AS n""")
    page.sign_in(staff_token).wait_list([f"long{n}" for n in range(1, 31)])
    page.by_id("q").send_keys("%%%")
    page.wait_list([f"long{n}" for n in range(5991, 6001)])
    page.wait_text("That is all.", "#list-state")


def test_a_new_submission_appears_without_reloading(signed_in):
    signed_in.wait_text("Live", "#live")
    uid, = submit(signed_in.intake, full())
    signed_in.wait_list([uid]).wait_text("1 new submission.", "#announce")


def test_an_unattended_page_does_not_keep_its_session(signed_in):
    """Not even where every submission makes it fetch the list."""
    signed_in.wait_text("Live", "#live")
    database, seen = signed_in.intake.database, "SELECT last_seen_at FROM staff_sessions"
    database.query("UPDATE staff_sessions SET last_seen_at = now() - interval '20 minutes'")
    before = database.value(seen)
    uid, = submit(signed_in.intake, full())
    signed_in.wait_list([uid])
    assert database.value(seen) == before
    signed_in.script(f"location.hash = '#/submission/{uid}'")
    eventually(lambda: database.value(seen) > before, what="the record that was opened counts")


def test_what_arrives_does_not_move_what_is_read(page, staff_token):
    uids = submit(page.intake, *[minimal() for _ in range(20)])[::-1]
    page.sign_in(staff_token).wait_list(uids).wait_text("Live", "#live")
    page.script("document.getElementById('list-pane').scrollTop = 600")
    top = "return document.querySelectorAll('#list li')[10].getBoundingClientRect().top"
    before = page.script(top)
    uid, = submit(page.intake, full())
    page.wait_text("1 new", "#new-rows")
    assert page.bookings == uids and page.script(top) == before
    page.press("1 new").wait_list([uid, *uids])


def test_a_lost_connection_is_said_and_its_return(signed_in):
    signed_in.wait_text("Live", "#live")
    signed_in.intake.stop()
    signed_in.wait_text("The connection to Intake is lost.", "#connection")
    signed_in.intake.start()
    signed_in.wait_text("Live", "#live")
    uid, = submit(signed_in.intake, full())
    signed_in.wait_list([uid])


def test_after_signing_out_nothing_is_shown(signed_in):
    body = full()
    uid, = submit(signed_in.intake, body)
    signed_in.show(uid)
    signed_in.press("Sign out").wait_text("You are signed out.", "#sign-in-why")
    signed_in.driver.back()
    eventually(lambda: signed_in.script("return document.documentElement.dataset.ready"))
    eventually(lambda: signed_in.by_id("sign-in").is_displayed(), what="the view to sign in")
    assert body["attendee_name"] not in signed_in.script("return document.documentElement.textContent")
    assert signed_in.intake.database.value("SELECT count(*) FROM staff_sessions WHERE ended_at IS NULL") == 0


def test_a_keyboard_alone_is_enough(page, staff_token):
    uid, = submit(page.intake, full())
    page.open().keys(staff_token, Keys.ENTER)
    page.wait_list([uid])
    eventually(lambda: page.focused == "booking")
    page.keys(uid, Keys.ENTER)
    page.wait_record(uid)
    for _ in range(40):
        page.keys(Keys.TAB)
        if page.script("return document.activeElement.name") == "state":
            break
    page.keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    page.keys(Keys.TAB)
    page.keys("All good.", Keys.TAB)
    page.keys(Keys.ENTER)
    page.wait_text("The review is saved.")
    page.wait_text("Approved", "#review-card")


def test_no_view_breaks_a_rule_of_accessibility(page, staff_token, axe, screenshot):
    uids = submit(page.intake, full(attendee_name="Ayşe Yılmaz", attendee_phone="+905321234567"), minimal(attendee_name="Jane Doe"))
    axe(page.open().driver)
    page.type_token(staff_token)
    page.wait_list(uids[::-1])
    axe(page.driver)
    screenshot(page.driver, "staff-list")
    page.show(uids[0]).wait_text("5 to 10 years")
    axe(page.driver)
    screenshot(page.driver, "staff-record")


def test_it_fits_a_phone(intake, browser, staff_token, axe, screenshot):
    uid, = submit(intake, full())
    page = StaffPage(browser(width=390, height=844), intake).sign_in(staff_token).wait_list([uid])
    width = "return document.documentElement.scrollWidth <= innerWidth"
    assert page.script(width), "nothing is wider than the screen"
    page.show(uid)
    assert page.script(width) and not page.by_id("list").is_displayed()
    axe(page.driver)
    screenshot(page.driver, "staff-record-phone")
    page.all("a.back")[0].click()
    eventually(lambda: page.by_id("list").is_displayed(), what="the list")
