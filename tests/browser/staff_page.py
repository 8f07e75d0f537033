"""The staff's page, as the tests drive it: by what staff see, its labels and buttons."""

from selenium.common.exceptions import ElementNotInteractableException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from intake_harness.waiting import eventually


class StaffPage:
    """One browser on the staff's page."""

    def __init__(self, driver, intake):
        self.driver = driver
        self.intake = intake

    def open(self, fragment=""):
        self.driver.get(f"{self.intake.base}/staff{fragment}")
        eventually(lambda: self.driver.execute_script("return document.documentElement.dataset.ready"),
                   what="the page is ready")
        return self

    def sign_in(self, token, fragment=""):
        self.open(fragment)
        self.type_token(token)
        eventually(lambda: self.by_id("app").is_displayed(), what="signed in")
        return self.wait_list()

    def type_token(self, token):
        self.by_id("token").send_keys(token, Keys.ENTER)

    def by_id(self, name):
        return self.driver.find_element(By.ID, name)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def text(self, selector="#record"):
        """What is to be seen there; "" while it is not there."""
        return self.script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    @property
    def focused(self):
        return self.script("return document.activeElement.id")

    @property
    def bookings(self):
        """The bookings in the list, in its order."""
        return self.script("return [...document.querySelectorAll('#list li')].map(row => row.dataset.booking)")

    def wait_list(self, bookings=None):
        eventually(lambda: self.by_id("list").get_attribute("aria-busy") == "false", what="the list is loaded")
        if bookings is not None:
            eventually(lambda: self.bookings == bookings, what=f"{bookings} in the list, not {self.bookings}")
        return self

    def wait_text(self, text, selector="#record"):
        eventually(lambda: text in self.text(selector), what=f"{text!r} in {self.text(selector)!r}")
        return self

    def wait_record(self, booking_uid):
        eventually(lambda: self.all(f'article[data-booking="{booking_uid}"]'), what=f"the record of {booking_uid}")
        return self

    def paste(self, text):
        self.by_id("booking").send_keys(text, Keys.ENTER)
        return self

    def show(self, booking_uid):
        """Opens a booking's record as staff do."""
        return self.paste(booking_uid).wait_record(booking_uid)

    def press(self, name, within="body"):
        """Presses the one button of this name that is to be seen; the page may be drawn anew just then."""
        eventually(lambda: self._press_now(name, within), what=f"a button {name!r} to press")
        return self

    def _press_now(self, name, within="body"):
        try:
            found = [one for one in self.all(f"{within} button") if one.is_displayed() and one.accessible_name == name]
            assert len(found) <= 1, f"{len(found)} buttons {name!r}"
            for one in found:
                self.script("arguments[0].scrollIntoView({block: 'center'})", one)
                one.click()
        except (StaleElementReferenceException, ElementNotInteractableException):
            return False
        return len(found) == 1

    def lose_session(self, button):
        """It ends behind the page's back, which learns of it by our pressing the button, or by itself before."""
        self.intake.database.query("UPDATE staff_sessions SET ended_at = now()")
        ended = "Your session has ended."
        eventually(lambda: ended in self.text("#sign-in-why") or self._press_now(button), what=f"{ended!r} or {button!r}")
        self.wait_text(ended, "#sign-in-why")

    def choose(self, name, value):
        """An option of a filter."""
        self.script("document.getElementById('more-filters').open = true")
        for option in self.by_id(name).find_elements(By.TAG_NAME, "option"):
            if option.get_attribute("value") == value:
                option.click()
                return self
        raise AssertionError(f"no {value!r} in {name}")

    def keys(self, *keys):
        self.driver.switch_to.active_element.send_keys(*keys)
        return self
