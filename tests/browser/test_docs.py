"""The page of the API's documentation: everything of the document is there, to be found and copied."""

import json
import shlex
import subprocess

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from intake_harness.openapi import BY_ID, DOCUMENT, OPERATIONS


def open_docs(intake, driver, fragment=""):
    driver.get(f"{intake.base}/docs{fragment}")
    WebDriverWait(driver, 20).until(lambda each: each.execute_script(
        "return document.documentElement.dataset.ready") == "true")
    return driver


def unfold(driver, name):
    """Everything of one operation, and what is in there to unfold."""
    WebDriverWait(driver, 20).until(lambda each: each.execute_script("""
        const all = [...document.querySelectorAll(`#${arguments[0]} details`)];
        for (const each of all) { each.open = true; }
        return all.every((each) => each.children.length > 1);""", name))


def text_of(driver, element):
    """All of its text, folded parts too."""
    return driver.execute_script("return arguments[0].textContent", element)


def test_every_operation_is_there_with_its_answers(shared_intake, browser):
    driver = open_docs(shared_intake, browser())
    assert len(driver.find_elements(By.CSS_SELECTOR, "article")) == len(OPERATIONS)
    assert [each.text for each in driver.find_elements(By.CSS_SELECTOR, "nav h2")] == \
        [tag["name"] for tag in DOCUMENT["tags"]]
    unfold(driver, "getSubmission")
    text = text_of(driver, driver.find_element(By.ID, "getSubmission"))
    for member in DOCUMENT["components"]["schemas"]["Submission"]["properties"]:
        assert f'"{member}"' in text, f"{member} is not in the example"
    assert "Not always." in text, "the members of its members"
    assert "[object" not in text_of(driver, driver.find_element(By.ID, "main"))
    shared = text_of(driver, driver.find_element(By.CSS_SELECTOR, "main section"))
    for operation in OPERATIONS:
        text = text_of(driver, driver.find_element(By.ID, operation.id))
        assert operation.content["summary"] in text and operation.path in text
        for parameter in operation.parameters:
            assert parameter["name"] in text, (operation, parameter["name"])
        for status in operation.responses:
            assert str(status) in text or str(status) in shared, (operation, status)


@pytest.mark.parametrize(("width", "name"), [(1280, "docs-desktop"), (390, "docs-phone")])
def test_it_is_accessible_and_fits(shared_intake, browser, axe, screenshot, width, name):
    driver = open_docs(shared_intake, browser(width, 900))
    unfold(driver, "getSubmission")
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"
    axe(driver)
    screenshot(driver, name)


def test_an_operation_is_found_by_its_words_with_the_keyboard_alone(shared_intake, browser):
    driver = open_docs(shared_intake, browser())
    driver.find_element(By.ID, "filter").send_keys("retry submissions")
    links = [each for each in driver.find_elements(By.CSS_SELECTOR, "nav li a") if each.is_displayed()]
    assert [each.get_attribute("href").split("#")[1] for each in links] == ["retrySubmission"]
    assert driver.find_element(By.ID, "found").text == f"1 of {len(OPERATIONS)} operations"
    links[0].send_keys(Keys.ENTER)
    WebDriverWait(driver, 20).until(lambda each: each.execute_script(
        "const top = document.getElementById('retrySubmission').getBoundingClientRect().top;"
        "return top > -5 && top < innerHeight"))


def test_an_address_with_an_operation_leads_to_it(shared_intake, browser):
    driver = open_docs(shared_intake, browser(), "#getVersion")
    assert driver.execute_script("return document.getElementById('getVersion').getBoundingClientRect().top < innerHeight")
    assert driver.find_element(By.CSS_SELECTOR, "nav [aria-current]").get_attribute("href").endswith("#getVersion")


def copied_command(driver, name):
    """What the button beside the operation's command puts on the clipboard."""
    button = driver.find_element(By.ID, name).find_element(
        By.CSS_SELECTOR, f'[aria-label="Copy: Command: {BY_ID[name].content["summary"]}"]')
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    WebDriverWait(driver, 20).until(lambda _: button.text == "Copied")
    return driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")


def test_a_command_works_as_copied(shared_intake, browser, staff_token):
    driver = open_docs(shared_intake, browser())
    driver.intake.command("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    for name in ("postSubmission", "getSubmission", "getQuestionnaire", "searchQuestionnaires"):
        command = copied_command(driver, name)
        assert shlex.split(command)[0] == "curl"
        done = subprocess.run(["bash", "-c", command], env={"TOKEN": staff_token, "PATH": "/usr/bin:/bin"},
                              capture_output=True, text=True, timeout=30, check=True)
        assert done.stdout.split()[1] in ("200", "201"), done.stdout
        assert json.loads(done.stdout.split("\n\n", 1)[1])


def test_the_page_says_so_when_the_document_cannot_be_loaded(shared_intake, browser):
    driver = browser()
    driver.intake.command("Network.enable")
    driver.intake.command("Network.setBlockedURLs", urls=["*/openapi.json"])
    driver.get(f"{shared_intake.base}/docs")
    WebDriverWait(driver, 20).until(lambda each: "could not be loaded" in each.find_element(By.ID, "state").text)
