"""`intake questionnaire check`: exit code, standard output and standard error, without a database."""

import json
import os

import pytest

from intake_harness.daemon import ROOT, run_command

SHIPPED = sorted(name for name in os.listdir(os.path.join(ROOT, "config/questionnaires"))
                 if name.endswith(".json"))
ITEMS = [{"linkId": "a", "type": "string", "required": True, "maxLength": 2},
         {"linkId": "d", "type": "decimal",
          "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/maxDecimalPlaces",
                         "valueInteger": 1}]}]


@pytest.fixture
def check(binary, tmp_path):
    """check(QUESTIONNAIRE, RESPONSE, "--flat") with texts or objects as the files."""
    def run(definition, response=None, *options):
        paths = []
        for name, content in (("definition.json", definition), ("response.json", response)):
            if content is not None:
                path = tmp_path / name
                path.write_text(content if isinstance(content, str) else json.dumps(content))
                paths.append(str(path))
        done = run_command(binary, "questionnaire", "check", *paths, *options)
        outcome = json.loads(done.stdout)
        assert outcome["resourceType"] == "OperationOutcome" and outcome["issue"]
        return done, outcome["issue"]
    return run


def questionnaire(items=None, **more):
    return {"resourceType": "Questionnaire", "url": "urn:q", "status": "active",
            "item": ITEMS if items is None else items, **more}


def response(*items, status="completed"):
    return {"resourceType": "QuestionnaireResponse", "status": status, "item": list(items)}


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_is_valid(binary, name):
    done = run_command(binary, "questionnaire", "check", os.path.join(ROOT, "config/questionnaires", name))
    assert done.returncode == 0, done.stdout
    assert [issue["severity"] for issue in json.loads(done.stdout)["issue"]] == ["information"]
    assert done.stderr == ""


def test_valid_answers_are_0(check):
    done, issues = check(questionnaire(), response({"linkId": "a", "answer": [{"valueString": "x"}]}))
    assert (done.returncode, done.stderr) == (0, "")
    assert [issue["severity"] for issue in issues] == ["information"]


def test_answers_that_are_not_valid_are_1_and_say_everything(check):
    done, issues = check(questionnaire(), response({"linkId": "a", "answer": [{"valueString": "xyz"}]},
                                                   {"linkId": "z", "answer": [{"valueString": "x"}]}))
    assert (done.returncode, done.stderr) == (1, "")
    assert [(issue["severity"], issue["details"]["coding"][0]["code"], issue["expression"],
             issue["diagnostics"]) for issue in issues] == [
        ("error", "maxLength", ["QuestionnaireResponse.item[0].answer[0]"], "linkId a"),
        ("fatal", "invalidLinkId", ["QuestionnaireResponse.item[1]"], "linkId z")]
    assert all(issue["details"]["text"] for issue in issues)


def test_answers_in_progress_are_0_with_warnings(check):
    done, issues = check(questionnaire(), response({"linkId": "a", "answer": [{"valueString": "xyz"}]},
                                                   status="in-progress"))
    assert done.returncode == 0
    assert [issue["severity"] for issue in issues] == ["warning"]


def test_decimals_keep_their_zeros(check):
    answers = json.dumps(response({"linkId": "a", "answer": [{"valueString": "x"}]},
                                  {"linkId": "d", "answer": [{"valueDecimal": 12345}]}))
    assert check(questionnaire(), answers.replace("12345", "1.5"))[0].returncode == 0
    done, issues = check(questionnaire(), answers.replace("12345", "1.50"))
    assert done.returncode == 1
    assert issues[0]["details"]["coding"][0]["code"] == "maxDecimalPlaces"


def test_flat_answers(check):
    assert check(questionnaire(), {"a": "x", "booking_uid": "b"}, "--flat")[0].returncode == 0
    done, issues = check(questionnaire(), {"d": "x"}, "--flat")
    assert done.returncode == 1
    assert [issue["details"]["coding"][0]["code"] for issue in issues] == ["required", "invalidAnswerType"]


def test_a_flat_path_says_which_occurrence(check):
    group = {"linkId": "g", "type": "group", "repeats": True,
             "item": [{"linkId": "b", "type": "string", "required": True},
                      {"linkId": "m", "type": "integer", "repeats": True}]}
    done, issues = check(questionnaire([group]), {"g": [{"b": "x"}, {"m": [1, "x"], "zz": 1}]}, "--flat")
    assert done.returncode == 1
    assert [issue["expression"] for issue in issues] == [["g[1].b"], ["g[1].m[1]"], ["g[1].zz"]]


def test_a_broken_definition_is_1_with_item_and_reason(check):
    done, issues = check(questionnaire([{"linkId": "a", "type": "string"}, {"linkId": "a", "type": "strin"}]))
    assert (done.returncode, done.stderr) == (1, "")
    assert [(issue["diagnostics"], issue["expression"]) for issue in issues] == [
        ("linkId a", ["Questionnaire.item[1]"])] * 2
    assert {issue["details"]["coding"][0]["code"] for issue in issues} == {"invalidType", "invalidLinkId"}


@pytest.mark.parametrize("definition,answers,words", [
    ("{", None, ["definition.json", "line 1"]),
    ('{"resourceType":"Patient"}', None, ["definition.json", "Questionnaire"]),
    ("[1]", None, ["definition.json"]),
    (questionnaire([{"type": "string"}]), response(), ["definition.json", "linkId"]),
    (questionnaire(), "{", ["response.json", "line 1"]),
    (questionnaire(), {"resourceType": "Patient"}, ["response.json", "QuestionnaireResponse"]),
    (questionnaire(), '{"item": 1, "item": 2}', ["response.json", "twice"]),
])
def test_what_cannot_be_used_is_2(check, definition, answers, words):
    done, issues = check(definition, answers)
    assert done.returncode == 2
    assert issues[0]["severity"] == "fatal"
    assert all(word in done.stderr and word in issues[0]["details"]["text"] for word in words)


def test_a_missing_file_is_2(binary, tmp_path):
    done = run_command(binary, "questionnaire", "check", str(tmp_path / "none.json"))
    assert done.returncode == 2
    assert "none.json" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["check"], ["chekc", "x.json"], ["check", "a", "b", "c"],
                                       ["check", "--flat", "a.json"], ["check", "--round", "a.json"]])
def test_wrong_arguments_show_the_usage(binary, arguments):
    done = run_command(binary, "questionnaire", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: intake questionnaire check" in done.stderr


def test_help(binary):
    done = run_command(binary, "questionnaire", "--help")
    assert done.returncode == 0
    assert "--flat" in done.stdout
