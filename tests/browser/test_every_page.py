"""Every page, as it is before anybody does anything."""

import pytest


@pytest.mark.parametrize("path", ["/staff", "/q/some-booking", "/docs"])
def test_a_page_opens_without_a_fault(shared_intake, browser, axe, path):
    driver = browser(390, 844)
    driver.get(shared_intake.base + path)
    assert driver.find_element("css selector", "h1").text
    axe(driver)
