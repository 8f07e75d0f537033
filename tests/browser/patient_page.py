"""The patient's page, as the tests drive it: by what a patient sees, its labels and buttons."""

from intake_harness.links import link_token
from intake_harness.waiting import eventually
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

THANKS = "Thank you, we have your answers"
PHONE = {"width": 390, "height": 844}


class PatientPage:
    """One browser on one booking's page."""

    def __init__(self, driver, intake, booking_uid):
        self.driver = driver
        self.intake = intake
        self.booking_uid = booking_uid

    def open(self, lang=None, token=None, **query):
        token = link_token(self.booking_uid) if token is None else token
        parts = [f"{name}={value}" for name, value in {"t": token, "lang": lang, **query}.items() if value]
        self.driver.get(f"{self.intake.base}/q/{self.booking_uid}" + ("?" + "&".join(parts) if parts else ""))
        return self.wait_ready()

    def wait_ready(self):
        eventually(lambda: self.driver.execute_script("return document.documentElement.dataset.ready"),
                   what="the page is ready")
        return self

    @property
    def heading(self):
        return self.driver.execute_script("return document.querySelector('h1').textContent")

    @property
    def text(self):
        return self.driver.execute_script("return document.getElementById('main').innerText")

    @property
    def focused(self):
        return self.driver.switch_to.active_element

    def wait_heading(self, text):
        eventually(lambda: self.heading == text, what=f"the heading {text!r}, not {self.heading!r}")

    def wait_text(self, text):
        eventually(lambda: text in self.text, what=f"{text!r} on the page")

    def wait_status(self, text):
        status = self.driver.find_element(By.ID, "status")
        try:
            eventually(lambda: status.text == text)
        except AssertionError:
            raise AssertionError(f"the status is {status.text!r} and not {text!r}") from None

    def field(self, path):
        return self.driver.find_element(By.ID, f"q-{path}")

    def fill(self, path, text):
        self.field(path).send_keys(Keys.CONTROL, "a", Keys.DELETE, Keys.NULL, text)

    def choose(self, path, label):
        """The radio button or check box of a question that has this label."""
        marks = self.field(path).find_elements(By.XPATH, f".//label[@class='mark'][normalize-space() = '{label}']")
        assert marks, f"no answer {label!r} to {path}"
        marks[0].click()

    def press(self, label):
        for button in self.driver.find_elements(By.XPATH, f"id('main')//button[normalize-space() = '{label}']"):
            if button.is_displayed():
                button.click()
                return
        raise AssertionError(f"no button {label!r}")

    def is_asked(self, path):
        return self.field(path).is_displayed()

    def error(self, path):
        return self.driver.find_element(By.ID, f"q-{path}-error").text

    def summary(self):
        return [link.text for link in self.driver.find_elements(By.CSS_SELECTOR, "#summary a")]

    def keys(self, *keys):
        for key in keys:
            self.focused.send_keys(key)

    def tab_to(self, matches, limit=60):
        """Presses Tab until the focused element fits."""
        for _ in range(limit):
            if matches(self.focused):
                return self.focused
            self.focused.send_keys(Keys.TAB)
        raise AssertionError("Tab does not lead there")

    def fill_contact(self):
        self.fill("attendee_name", "Ayşe Yılmaz")
        self.fill("attendee_email", "ayse.yilmaz@example.com")

    def to_review(self, next_label="Continue"):
        """From the contact on, with nothing else answered."""
        for _ in range(4):
            self.press(next_label)

    def consent_and_send(self, send="Send my answers"):
        self.driver.find_element(By.ID, "consent").click()
        self.press(send)
