"""Which questionnaires there are, their definitions, and which one a post answers."""

import gzip
import hashlib
import json
import os
import shutil

import pytest

from intake_harness.bodies import minimal
from intake_harness.daemon import ROOT

SHIPPED = os.path.join(ROOT, "config", "questionnaires")
NAMES = sorted(name.removesuffix(".json") for name in os.listdir(SHIPPED)
               if name.endswith(".json"))


def file_bytes(name):
    with open(os.path.join(SHIPPED, f"{name}.json"), "rb") as file:
        return file.read()


def definition(version, **changes):
    """A questionnaire of one question, whose linkId is its version's."""
    return {"resourceType": "Questionnaire", "id": "survey", "url": "https://example.com/q/survey",
            "version": version, "status": "active", "title": f"Survey {version}",
            "item": [{"linkId": f"q{version}", "type": "string"}], **changes}


def write_versions(folder):
    """Several versions of one questionnaire beside the shipped ones; the configuration that offers them."""
    shutil.copytree(SHIPPED, folder)
    for content in (definition("1", status="retired"), definition("2"), definition("10"),
                    definition("11", status="draft"),
                    definition("12", effectivePeriod={"end": "2001-02-03"}),
                    {**definition("1", status="retired"), "id": "gone", "url": "urn:gone"}):
        path = os.path.join(folder, f"{content['id']}-{content['version']}.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(content, file)
    return {"questionnaires.directory": folder}


@pytest.fixture(scope="module")
def versions(module_intake, tmp_path_factory):
    """A daemon with several versions."""
    return module_intake(write_versions(str(tmp_path_factory.mktemp("versions") / "questionnaires")))


@pytest.fixture
def changing_versions(start_intake, directory):
    """One whose files a test changes, in `questionnaires` of its directory."""
    return start_intake(write_versions(os.path.join(directory, "questionnaires")))


def test_the_offered_ones_are_listed(versions):
    listed = versions.client().get("/v1/questionnaires").json()["questionnaires"]
    assert [(entry["id"], entry["version"]) for entry in listed if entry["id"] in ("survey", "gone")] == [
        ("survey", "10"), ("survey", "2")]
    assert [entry["id"] for entry in listed if entry["default"]] == ["hair-transplant"]
    entry = next(entry for entry in listed if entry["version"] == "10")
    assert entry == {"id": "survey", "version": "10", "url": "https://example.com/q/survey",
                     "title": "Survey 10", "status": "active", "default": False}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("path", ["/v1/questionnaires/", "/fhir/Questionnaire/"])
def test_a_definition_is_its_file_byte_for_byte(shared_client, path, name):
    reply = shared_client.get(path + name, headers={"Accept-Encoding": "identity"})
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "application/fhir+json"
    assert reply.content == file_bytes(name)
    assert reply.headers["ETag"] == '"' + hashlib.sha256(reply.content).hexdigest() + '"'
    assert reply.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["/v1/questionnaires/phq-9", "/fhir/Questionnaire/phq-9"])
def test_who_has_the_definition_gets_304(shared_client, path):
    tag = shared_client.get(path).headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        reply = shared_client.get(path, headers={"If-None-Match": known})
        assert reply.status_code == 304 and not reply.content, known
        assert reply.headers["ETag"] == tag and reply.headers["Cache-Control"] == "no-cache"
    for unknown in ('"other"', tag.strip('"'), f'"{tag}', tag[:-2] + '"'):
        assert shared_client.get(path, headers={"If-None-Match": unknown}).status_code == 200, unknown


def test_the_newest_offered_version_is_shown_and_each_by_its_name(versions):
    client = versions.client()
    assert client.get("/v1/questionnaires/survey").json()["version"] == "10"
    for version in ("1", "2", "10", "11", "12"):
        reply = client.get("/v1/questionnaires/survey", params={"version": version})
        assert reply.json()["version"] == version
    assert client.get("/v1/questionnaires/survey?version=3").status_code == 404
    assert client.get("/v1/questionnaires/gone").status_code == 404
    assert client.get("/v1/questionnaires/gone?version=1").status_code == 200
    assert client.get("/v1/questionnaires/nothing").status_code == 404
    assert client.get("/fhir/Questionnaire/survey").json()["version"] == "10"
    assert client.get("/fhir/Questionnaire/gone").json()["version"] == "1"
    for name in ("nothing", "survey%7C2", "urn:gone"):
        assert client.get(f"/fhir/Questionnaire/{name}").status_code == 404, name


@pytest.mark.parametrize("url, expected", [
    ("https://example.com/q/survey", ["12", "11", "10", "2", "1"]),
    ("https://example.com/q/survey|2", ["2"]),
    ("https://example.com/q/survey|12", ["12"]),
    ("https://example.com/q/survey|3", []),
    ("https://example.com/q", []), ("survey", []), ("", [])])
def test_a_search_by_canonical_finds_every_version(versions, url, expected):
    reply = versions.client().get("/fhir/Questionnaire", params={"url": url})
    assert reply.status_code == 200 and reply.headers["Content-Type"] == "application/fhir+json"
    bundle = reply.json()
    assert (bundle["resourceType"], bundle["type"], bundle["total"]) == ("Bundle", "searchset", len(expected))
    entries = bundle.get("entry", [])
    assert [entry["resource"]["version"] for entry in entries] == expected
    assert len({entry["fullUrl"] for entry in entries}) == len(expected)
    assert bundle["link"][0]["relation"] == "self"


@pytest.mark.parametrize("name, question", [
    ("survey", "q10"), ("survey|2", "q2"), ("https://example.com/q/survey", "q10"),
    ("https://example.com/q/survey|2", "q2")])
def test_a_post_names_what_it_answers(versions, name, question):
    body = minimal(questionnaire=name, **{question: "yes"})
    assert versions.client().submit(body).status_code == 201
    row = versions.database.submission(body["booking_uid"])
    assert (row["questionnaire_id"], row["questionnaire_version"]) == ("survey", question[1:])
    wrong = versions.client().submit(minimal(questionnaire=name, q1="yes"))
    assert [error["field"] for error in wrong.json()["errors"]] == ["q1"]


@pytest.mark.parametrize("name", [None, "", "  "])
def test_a_post_that_names_none_answers_the_default(versions, name):
    body = minimal(questionnaire=name, age_range="36-45")
    assert versions.client().submit(body).status_code == 201
    assert versions.database.submission(body["booking_uid"])["questionnaire_id"] == "hair-transplant"


@pytest.mark.parametrize("name, code", [
    ("nothing", "questionnaireNotFound"), ("survey|3", "questionnaireNotFound"),
    ("survey|1", "questionnaireRetired"), ("gone", "questionnaireRetired"),
    ("https://example.com/q/survey|11", "questionnaireDraft"), ("survey|12", "questionnaireInactive"),
    ("survey\0", "invalidCharacter"), (7, "invalidAnswerType"), (["survey"], "invalidAnswerType"), (False, "invalidAnswerType")])
def test_what_cannot_be_answered_now_is_422(versions, name, code):
    reply = versions.client().submit(minimal(questionnaire=name))
    assert reply.status_code == 422
    (error,) = reply.json()["errors"]
    assert (error["field"], error["code"]) == ("questionnaire", code) and error["message"]


def test_when_the_default_is_not_offered_a_post_must_name_another(changing_versions, directory):
    path = os.path.join(directory, "questionnaires", "hair-transplant.json")
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**content, "status": "retired"}, file)
    changing_versions.stop()
    changing_versions.start()
    client = changing_versions.client()
    assert [error["field"] for error in client.submit(minimal()).json()["errors"]] == ["questionnaire"]
    assert client.submit(minimal(questionnaire="survey", q10="x")).status_code == 201
    listed = client.get("/v1/questionnaires").json()["questionnaires"]
    assert not any(entry["default"] for entry in listed)


def test_decimals_of_a_flat_post_keep_their_digits(versions):
    """A double has no room for that many; the definition counts the places."""
    body = json.dumps(minimal(questionnaire="pre-operative-history", alcohol_units_per_week="?"))
    for number, refused in (("2.5", False), ("2.500000000000000000001", True)):
        reply = versions.client().submit(body.replace('"?"', number).encode())
        wrong = [error["code"] for error in reply.json()["errors"]
                 if error["field"] == "alcohol_units_per_week"]
        assert wrong == (["maxDecimalPlaces"] if refused else []), number


def test_answers_stay_readable_when_their_version_is_withdrawn(changing_versions, directory, staff_token):
    body = minimal(questionnaire="survey|10", q10="kept")
    assert changing_versions.client().submit(body).status_code == 201
    path = os.path.join(directory, "questionnaires", "survey-10.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(definition("10", status="retired"), file)
    changing_versions.stop()
    changing_versions.start()
    assert changing_versions.client().get("/v1/questionnaires/survey").json()["version"] == "2"
    staff = changing_versions.client(staff_token)
    assert staff.look_up(body["booking_uid"]).json()["questionnaire"] == {"id": "survey", "version": "10"}
    bundle = staff.get("/fhir/QuestionnaireResponse", params={"identifier": body["booking_uid"]}).json()
    resource = bundle["entry"][0]["resource"]
    assert resource["questionnaire"] == "https://example.com/q/survey|10"
    assert resource["item"] == [{"linkId": "q10", "answer": [{"valueString": "kept"}]}]
    again = changing_versions.client().request("POST", "/fhir/QuestionnaireResponse", json=resource)
    assert again.status_code == 422
    assert again.json()["issue"][0]["details"]["coding"][0]["code"] == "questionnaireRetired"
    check = changing_versions.client().request("POST", "/fhir/Questionnaire/$validate-response", json=resource)
    assert [issue["severity"] for issue in check.json()["issue"]] == ["warning"]


def test_a_questionnaire_without_url_is_named_by_its_id_in_fhir(start_intake, directory, staff_token):
    folder = os.path.join(directory, "questionnaires")
    shutil.copytree(SHIPPED, folder)
    content = definition("1")
    del content["url"]
    with open(os.path.join(folder, "survey.json"), "w", encoding="utf-8") as file:
        json.dump(content, file)
    intake = start_intake({"questionnaires.directory": folder})
    body = minimal(questionnaire="survey", q1="x")
    assert intake.client().submit(body).status_code == 201
    bundle = intake.client(staff_token).get(
        "/fhir/QuestionnaireResponse", params={"identifier": body["booking_uid"]}).json()
    resource = bundle["entry"][0]["resource"]
    assert resource["questionnaire"] == "Questionnaire/survey|1"
    again = intake.client().request("POST", "/fhir/QuestionnaireResponse", json=resource)
    assert again.status_code == 200 and again.json()["item"] == resource["item"]


def test_a_definition_is_compressed_for_who_takes_that(shared_client):
    path = "/v1/questionnaires/hair-transplant"
    plain = shared_client.get(path, headers={"Accept-Encoding": "identity"})
    packed = shared_client.get(path, headers={"Accept-Encoding": "gzip"}, stream=True)
    wire = packed.raw.read(decode_content=False)
    assert packed.headers["Content-Encoding"] == "gzip" and "Content-Encoding" not in plain.headers
    assert gzip.decompress(wire) == plain.content and len(wire) < len(plain.content) / 5
    assert packed.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["ETag"] != plain.headers["ETag"]
    for reply in (plain, packed):
        headers = {"If-None-Match": reply.headers["ETag"],
                   "Accept-Encoding": reply.headers.get("Content-Encoding", "identity")}
        assert shared_client.get(path, headers=headers).status_code == 304
