"""The page's rules against the cases of the server's: what is asked, and what is wrong with answers."""

import glob
import json
import os

import pytest

from intake_harness.bodies import CASES, cases, minimal
from intake_harness.links import OPTIONS

# What no control of the page can give, or what is left to the server.
SERVERS_OWN = {
    "invalidLinkId", "invalidAnswerType", "notEnabled", "repeats", "invalidCharacter", "invalidNewLine",
    "invalidUrlValue", "readOnly", "invalidType", "displayAnswer", "groupShouldNotHaveAnswers",
    "invalidCoding", "invalidUnit", "invalidUnitValueSet", "minValueIncompatUnits", "maxValueIncompatUnits",
    "attachmentSizeInconsistent", "invalidRefValue", "invalidRefResourceType",
    "invalidRefResourceTypeRestriction", "notSupported"}
# What cannot come from the page: answers of another shape than the form's.
MISSHAPEN = {"invalidLinkId", "invalidAnswerType", "invalidCharacter"}
# Where the server tells numbers apart that are one for a browser, or knows more units, or is told
# a regex that a browser might never be done with.
DIGITS = {"bounds.json", "decimals.json", "quantities.json", "regex.json"}
RUN = """
const [cases, done] = arguments;
const base = document.querySelector("script").src.replace("patient.js", "");
Promise.all(["definition", "enable", "validate"].map(name => import(`${base}${name}.js`)))
  .then(([{compile}, {Scope, read, print}, {check}]) => done(cases.map(({definition, answers}) => {
    const form = compile(definition);
    const scope = new Scope(form.top);
    read(answers, scope);
    const issues = form.top.children.flatMap(item => check(form, item, scope));
    return {issues: issues.map(({item, code}) => `${item.linkId} ${code.split(".")[0]}`), body: print(form, scope)};
  })), error => done(String(error.stack)));
"""


def flat_cases():
    """(name, definition, answers, issues) of every case that is in the flat form."""
    found = []
    for path in sorted(glob.glob(os.path.join(CASES, "questionnaire", "**", "*.json"), recursive=True)):
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        definition = content.get("questionnaire") or {"resourceType": "Questionnaire", "item": content.get("items")}
        for case in content.get("cases", []):
            if "answers" in case and not content.get("definition_issues"):
                name = f"{os.path.basename(path)}: {case.get('about', '')}"
                issues = [issue for issue in case["issues"] if not issue.endswith("(warning)")]
                found.append((name, definition, case["answers"], issues))
    return found


@pytest.fixture(scope="module")
def served(module_intake):
    return module_intake(OPTIONS)


def test_the_page_finds_what_the_server_finds(browser, served):
    known = flat_cases()
    assert len(known) > 100
    driver = browser()
    driver.get(f"{served.base}/q/rules")
    results = driver.execute_async_script(
        RUN, [{"definition": definition, "answers": answers} for _, definition, answers, _ in known])
    assert isinstance(results, list), results
    wrong = []
    for (name, _, answers, expected), found in zip(known, results):
        own = [issue for issue in expected if issue.split()[1] not in SERVERS_OWN]
        misshapen = any(issue.split()[1] in MISSHAPEN for issue in expected)
        invented = set() if misshapen else set(found["issues"]) - set(expected)
        exact = name.split(":")[0] not in DIGITS and len(own) == len(expected)
        missed = set(own) - set(found["issues"]) if exact else set()
        if invented or missed:
            wrong.append(f"{name}: {json.dumps(answers)[:200]}: invents {sorted(invented)}, misses {sorted(missed)}")
    assert not wrong, "\n".join(wrong)


CONTACT = """
const [definition, bodies, done] = arguments;
const base = document.querySelector("script").src.replace("patient.js", "");
Promise.all(["contact", "definition", "enable", "validate"].map(name => import(`${base}${name}.js`)))
  .then(([{addContact}, {compile}, {Scope, read}, {check}]) => done(bodies.map(body => {
    const form = compile(definition);
    addContact(form);
    const scope = new Scope(form.top);
    read(body, scope);
    const issues = form.top.children.flatMap(item => check(form, item, scope));
    return issues.map(({item, code}) => `${item.linkId} ${code.split(".")[0]}`);
  })), error => done(String(error.stack)));
"""


def test_the_contact_is_checked_as_the_server_checks_it(browser, served):
    definition = served.client().get("/v1/questionnaires/hair-transplant").json()
    bodies, expected = [], []
    for kind in ("accepted", "refused"):
        for _, case in cases(kind):
            body = {**minimal(), **case.get("set", {})}
            for name in case.get("remove", []):
                body.pop(name)
            errors = served.client().request("POST", "/v1/submissions", json=body).json().get("errors", [])
            if not any(error["code"] in SERVERS_OWN or error["field"] == "booking_uid" for error in errors):
                bodies.append(body)
                expected.append(sorted(f"{error['field']} {error['code']}" for error in errors))
    assert len([errors for errors in expected if errors]) > 20
    driver = browser()
    driver.get(f"{served.base}/q/rules")
    found = driver.execute_async_script(CONTACT, definition, bodies)
    wrong = [f"{json.dumps(body)[:300]}: {sorted(own)}, not {wanted}"
             for body, own, wanted in zip(bodies, found, expected) if sorted(own) != wanted]
    assert not wrong, "\n".join(wrong)
