"""Posts that say which revision they follow: what was given up, and arrives after a later one, changes nothing."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from intake_harness import fhir
from intake_harness.bodies import fresh_booking, minimal

NONE = {"If-None-Match": "*"}


def upon(revision, weak=""):
    return {"If-Match": f'{weak}"{revision}"'}


def answers(intake, booking_uid):
    return intake.database.value("SELECT submission_data ->> 'allergies_details' FROM medical_questionnaire_submissions"
                                 " WHERE booking_uid = %s", (booking_uid,))


@pytest.fixture
def intake(shared_intake):
    """Each test asks for its own bookings alone."""
    return shared_intake


@pytest.fixture
def booking_uid():
    return fresh_booking()


@pytest.fixture
def post(client, booking_uid):
    def submit(text, headers):
        body = minimal(booking_uid, allergies="yes", allergies_details=text)
        return client.submit(body, headers=headers)

    return submit


def test_each_follows_the_one_that_its_sender_knew(post, booking_uid, intake):
    first = post("a", NONE)
    assert (first.status_code, first.headers["ETag"]) == (201, '"1"')
    second = post("b", upon(1))
    assert (second.status_code, second.headers["ETag"]) == (200, '"2"')
    assert post("c", upon(2, "W/")).json()["revision"] == 3
    assert answers(intake, booking_uid) == "c"


@pytest.mark.parametrize("headers", [NONE, upon(1), upon(3), upon(2147483647)])
def test_what_follows_another_one_changes_nothing(post, booking_uid, intake, headers):
    post("a", NONE)
    post("b", upon(1))
    late = post("late", headers)
    assert late.status_code == 412 and late.json()["title"] == "Precondition Failed"
    assert answers(intake, booking_uid) == "b"
    assert intake.database.value("SELECT count(*) FROM audit_log WHERE booking_uid = %s", (booking_uid,)) == 2


def test_a_revision_of_what_is_not_there_is_not_made(post, booking_uid, intake):
    assert post("a", upon(1)).status_code == 412
    for table in ("medical_questionnaire_submissions", "patient_profiles"):
        assert intake.database.value(f"SELECT count(*) FROM {table} WHERE booking_uid = %s", (booking_uid,)) == 0


def test_the_same_again_is_no_conflict(post):
    """Whose answer was lost on the way sends it again as it was."""
    assert post("a", NONE).status_code == 201
    assert post("a", NONE).status_code == 200
    post("b", upon(1))
    again = post("b", upon(1))
    assert again.status_code == 200 and again.json()["revision"] == 2


def test_who_says_nothing_overwrites_as_before(post):
    post("a", NONE)
    assert post("b", {}).json()["revision"] == 2


@pytest.mark.parametrize("headers", [
    {"If-Match": "*"}, {"If-Match": "1"}, {"If-Match": '"0"'}, {"If-Match": '"x"'}, {"If-Match": '"1", "2"'},
    {"If-Match": '"1x"'}, {"If-Match": '"99999999999"'}, {"If-Match": ""}, {"If-None-Match": '"1"'},
    {"If-Match": '"1"', "If-None-Match": "*"}], ids=str)
def test_what_names_no_revision_is_400(post, headers):
    assert post("a", headers).status_code == 400


def test_of_many_at_once_one_is_the_first(intake, booking_uid):

    def submit(k):
        body = minimal(booking_uid, allergies="yes", allergies_details=f"version {k}")
        return intake.client().submit(body, headers=NONE).status_code

    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(submit, range(32))) == [201] + 31 * [412]
    assert intake.database.value("SELECT revision FROM medical_questionnaire_submissions WHERE booking_uid = %s",
                                 (booking_uid,)) == 1


def test_a_fhir_response_says_it_in_the_same_way(client, booking_uid):
    first = fhir.post(client, fhir.response(booking_uid), **NONE)
    assert (first.status_code, first.headers["ETag"]) == (201, 'W/"1"')
    changed = fhir.response(booking_uid, item=fhir.hair(age_range=fhir.code("65+")))
    late = fhir.post(client, changed, **NONE)
    assert late.status_code == 412 and late.json()["resourceType"] == "OperationOutcome"
    assert fhir.post(client, changed, **upon(1, "W/")).headers["ETag"] == 'W/"2"'
