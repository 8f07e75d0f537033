"""What anybody wrote, wherever a page shows it, and what stands in a page's address: text, and never markup."""

import json
from urllib.parse import quote

from intake_harness.bodies import minimal
from intake_harness.daemon import run_command
from intake_harness.links import Drafts
from intake_harness.naughty import HAIR, filled
from intake_harness.waiting import eventually
from staff_page import StaffPage

PHONE = "+905321110001"


def marked(name):
    """A browser that took it for markup would have elements that none of our pages has, or run a script."""
    return f"{name}<img src=x onerror=alert(1)><script>alert(2)</script><b>\"'</b>\u202etxt.exe"


def assert_only_text(page, *names):
    """All of them are somewhere on the page, to the letter."""
    def missing():
        shown = page.script("return document.body.textContent + [...document.querySelectorAll('input, textarea')]"
                            ".map(field => field.value).join(' ')")
        return [name for name in names if marked(name) not in shown]

    eventually(lambda: not missing(), what=f"{missing()} on the page")
    assert page.script("return document.querySelectorAll('img, b, script:not([src]), [onerror]').length") == 0


def answers(name):
    return filled(HAIR.template, {field: marked(f"{name} {field}") for field in HAIR.names})


def test_a_record_and_the_list_show_only_text(start_intake, browser, binary, database):
    """Of patients, staff, the operator and other programs."""
    done = run_command(binary, "token", "create", "--role", "staff", "--name", marked("nurse"), conninfo=database.conninfo)
    token = done.stdout.strip()
    intake = start_intake()
    client, staff = intake.client(), intake.client(token)
    database.query("""
        WITH u AS (INSERT INTO users (phone_number, name) VALUES (%(phone)s, %(name)s) RETURNING id),
             p AS (INSERT INTO patient_profiles (user_id, name, phone, email, location, source_channel)
                   SELECT id, %(name)s, %(phone)s, 'o@example.com', %(place)s, 'whatsapp' FROM u RETURNING id)
        INSERT INTO medical_backgrounds (patient_profile_id, medical_data) SELECT id, %(data)s FROM p""",
                   {"phone": PHONE, "name": marked("stored"), "place": marked("place"),
                    "data": json.dumps({"allergies_details": marked("known"), "other": marked("elsewhere")})})
    body = minimal(attendee_name=marked("posted"), attendee_phone=PHONE)
    for name in ("first", "second"):
        assert client.submit({**body, **answers(name)}).status_code in (200, 201)
        intake.wait_processed(body["booking_uid"])
    path = f"/v1/submissions/{body['booking_uid']}"
    for state in ("has_issues", "approved"):
        review = {"state": state, "comment": marked(state), "revision": 2}
        assert staff.request("PUT", f"{path}/review", json=review).status_code == 200
    page = StaffPage(browser(), intake).sign_in(token)
    assert_only_text(page, "stored", "nurse")
    page.show(body["booking_uid"])
    assert_only_text(page, "posted", "stored", "nurse", "has_issues", "approved", "known", "elsewhere",
                     *(f"{name} {field}" for name in ("first", "second") for field in HAIR.names))
    page.press("Take from this submission: Name")
    assert_only_text(page, "posted", "stored")


def test_what_is_asked_of_the_staff_page_is_only_text(intake, browser, staff_token):
    page = StaffPage(browser(), intake).sign_in(staff_token, f"#/submission/{quote(marked('address'))}")
    assert_only_text(page)
    page.by_id("q").send_keys(marked("search"))
    eventually(lambda: page.script("return document.querySelectorAll('#list li').length") == 0, what="nothing is found")
    page.by_id("booking").clear()
    page.paste(marked("booking"))
    assert_only_text(page, "booking")


def test_a_patient_sees_only_text(patient_page, served, booking_uid):
    page = patient_page
    page.script = page.driver.execute_script
    body = {"attendee_name": marked("name"), "attendee_email": marked("mail"), "attendee_phone": marked("phone"),
            **answers("draft")}
    assert Drafts(served.client(), booking_uid).put(body).status_code == 201
    page.open(lang=quote(marked("language")), other=quote(marked("other")))
    assert_only_text(page, "name", "mail", "phone")
    page.fill("attendee_email", "ayse.yilmaz@example.com")
    page.fill("attendee_phone", PHONE)
    page.to_review()
    assert_only_text(page, "name", *(f"draft {field}" for field in HAIR.names))
    page.open(token=quote(marked("token")))
    assert_only_text(page)
