"""A real browser: Debian's Chromium, and what it must never do on our pages."""

import collections
import itertools
import os
import tempfile

import pytest

from browser_harness import AXE, Browser, violations
from intake_harness.bodies import fresh_booking
from intake_harness.links import OPTIONS
from patient_page import PHONE, PatientPage

SIZE = {"width": 1280, "height": 900}


@pytest.fixture(scope="session")
def screenshots():
    """The folder of the screenshots: INTAKE_SCREENSHOTS, or one that pytest's output names."""
    folder = os.environ.get("INTAKE_SCREENSHOTS") or tempfile.mkdtemp(prefix="intake-screenshots-")
    os.makedirs(folder, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def browsers():
    """Those that no test uses now, by language: to start one takes longer than most tests."""
    idle = collections.defaultdict(list)
    yield idle
    for each in itertools.chain(*idle.values()):
        each.close()


@pytest.fixture
def browser(browsers):
    """
    browser(width=…, height=…, lang="ar") is a Chromium with no storage of another test's. At the end
    it must have met no violation of our content policy, no script error, no foreign host.
    """
    used = []

    def open_browser(width=SIZE["width"], height=SIZE["height"], lang="en"):
        each = browsers[lang].pop() if browsers[lang] else Browser(lang)
        used.append((lang, each))
        each.begin(width, height)
        return each.driver

    yield open_browser
    faults = []
    for lang, each in used:
        faults += each.faults()
        each.forget()
        browsers[lang].append(each)
    assert not faults, "\n".join(faults)


@pytest.fixture
def axe():
    """axe(driver): the page as it stands breaks no rule of WCAG 2.2 AA, neither light nor dark."""
    if not os.path.exists(AXE):
        pytest.skip("axe-core is not there: npm ci --prefix tests/browser")

    def check(driver):
        found = [line for scheme in ("light", "dark") for line in violations(driver, scheme)]
        assert not found, "\n".join(found)

    return check


@pytest.fixture
def screenshot(screenshots):
    """screenshot(driver, "patient-phone") saves what is to be seen; the path."""
    def save(driver, name):
        path = os.path.join(screenshots, f"{name}.png")
        assert driver.save_screenshot(path), f"cannot write {path}"
        return path

    return save


@pytest.fixture(scope="module")
def served(module_intake):
    """A service with links to bookings."""
    return module_intake(OPTIONS)


@pytest.fixture
def booking_uid():
    return fresh_booking()


@pytest.fixture
def patient_page(browser, served, booking_uid):
    """The page of a fresh booking on a phone, in English."""
    return PatientPage(browser(**PHONE), served, booking_uid)
