"""GET /fhir/AuditEvent: who has seen a booking, as FHIR R4 resources, for admins."""

import re

import pytest

from intake_harness.bodies import minimal

BOOKING_SYSTEM = "urn:intake:booking-uid"


@pytest.fixture
def intake(shared_intake):
    """Each test asks for its own bookings alone."""
    return shared_intake


@pytest.fixture
def admin(intake, tokens):
    return intake.client(tokens["admin"])


def search(client, entity, **parameters):
    return client.get("/fhir/AuditEvent", params={"entity": entity, **parameters})


def events(reply):
    assert reply.status_code == 200, reply.text
    assert reply.headers["Content-Type"] == "application/fhir+json"
    bundle = reply.json()
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "searchset")
    for entry in bundle.get("entry", []):
        assert entry["search"] == {"mode": "match"}
        assert re.fullmatch(r"urn:uuid:0{8}-0000-8000-8000-[0-9a-f]{12}", entry["fullUrl"])
    return [entry["resource"] for entry in bundle.get("entry", [])]


def link(reply, relation):
    return {each["relation"]: each["url"] for each in reply.json()["link"]}.get(relation)


def actions(resources):
    return [resource["subtype"][0]["code"] for resource in resources]


@pytest.fixture
def booking(client):
    body = minimal()
    assert client.submit(body).status_code == 201
    return body["booking_uid"]


def test_each_access_is_an_event_the_newest_first(client, staff, admin, booking):
    assert client.submit(minimal(booking_uid=booking, allergies="none")).status_code == 200
    assert staff.look_up(booking).status_code == 200
    found = events(search(admin, booking))
    assert actions(found) == ["submission.read", "submission.revise", "submission.create"]
    assert [event["action"] for event in found] == ["R", "U", "C"]
    assert found[0]["recorded"] >= found[1]["recorded"] >= found[2]["recorded"]


def test_an_event_says_who_what_why_when_and_from_where(intake, staff, admin, booking):
    read = staff.look_up(booking, headers={"X-Intake-Reason": 'Arzt "X"\\'.encode()})
    event = events(search(admin, booking))[0]
    (row,) = intake.database.query("SELECT * FROM audit_log WHERE action = 'submission.read' AND booking_uid = %s",
                                   (booking,))
    assert event == {
        "resourceType": "AuditEvent",
        "id": str(row["id"]),
        "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest",
                 "display": "RESTful Operation"},
        "subtype": [{"system": "urn:intake:audit-action", "code": "submission.read"}],
        "action": "R",
        "recorded": event["recorded"],
        "outcome": "0",
        "purposeOfEvent": [{"text": 'Arzt "X"\\'}],
        "agent": [{
            "who": {"identifier": {"system": "urn:intake:staff-token", "value": str(row["token_id"])},
                    "display": "test-staff"},
            "requestor": True,
            "network": {"address": "127.0.0.1", "type": "2"},
        }],
        "source": {"observer": {"display": "intake"}, "type": [{
            "system": "http://terminology.hl7.org/CodeSystem/security-source-type", "code": "4",
            "display": "Application Server"}]},
        "entity": [
            {"what": {"identifier": {"system": BOOKING_SYSTEM, "value": booking}},
             "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-entity-type", "code": "2",
                      "display": "System Object"}},
            {"what": {"identifier": {"value": read.headers["X-Request-Id"]}},
             "type": {"system": "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType",
                      "code": "XrequestId"}},
        ],
    }
    assert event["recorded"] == row["occurred_at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_what_is_not_known_is_not_there(client, admin, booking):
    """A post without a token has no identifier of one, and one without a reason has none."""
    assert client.submit(minimal(booking_uid=booking, allergies="none")).status_code == 200
    revised, created = events(search(admin, booking))
    for event in (revised, created):
        assert event["agent"][0]["who"] == {"display": "public"}
        assert "purposeOfEvent" not in event
    assert revised["entity"][0]["detail"] == [{"type": "revision", "valueString": "2"}]
    assert "detail" not in created["entity"][0]


def test_the_look_is_in_the_audit_itself(intake, admin, booking):
    first = search(admin, booking, _count=1)
    assert first.json()["total"] == 1
    again = events(search(admin, booking))
    assert actions(again) == ["audit.list", "submission.create"]
    assert again[0]["entity"][1]["what"]["identifier"]["value"] == first.headers["X-Request-Id"]
    assert again[0]["agent"][0]["who"]["display"] == "test-admin"


def test_no_answer_without_its_audit_row(start_intake, tokens):
    intake, body = start_intake(), minimal()
    assert intake.client().submit(body).status_code == 201
    with intake.database.connect("postgres") as connection:
        connection.execute("ALTER TABLE audit_log ADD CONSTRAINT nobody CHECK (action <> 'audit.list') NOT VALID")
    reply = search(intake.client(tokens["admin"]), body["booking_uid"])
    assert reply.status_code >= 500 and "entry" not in reply.json()


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_pages_follow_each_other_and_miss_nothing(intake, staff, admin, booking, count):
    """The looks at the pages are newer than what is on them, and so on none."""
    for _ in range(5):
        assert staff.look_up(booking).status_code == 200
    wanted = [str(row["id"]) for row in intake.database.query(
        "SELECT id FROM audit_log WHERE booking_uid = %s ORDER BY occurred_at DESC, id DESC", (booking,))]
    reply = search(admin, booking, _count=count)
    seen, pages = [], 0
    while True:
        page = [event["id"] for event in events(reply)]
        assert reply.json()["total"] == len(wanted) + pages
        seen, pages = seen + page, pages + 1
        following = link(reply, "next")
        if following is None:
            break
        assert len(page) == count
        reply = admin.get("/fhir/" + following)
    assert seen == wanted
    assert pages == -(-len(wanted) // count)


def test_the_link_self_says_how_it_was_understood(admin, booking):
    assert link(search(admin, f"{BOOKING_SYSTEM}|{booking}"), "self") == \
        f"AuditEvent?entity={BOOKING_SYSTEM}%7C{booking}&_count=50"


def test_other_bookings_stay_out(client, admin, booking):
    other = minimal()
    client.submit(other)
    found = events(search(admin, f"{BOOKING_SYSTEM}|{other['booking_uid']}"))
    assert len(found) == 1
    assert found[0]["entity"][0]["what"]["identifier"]["value"] == other["booking_uid"]
    (stranger,) = [event["id"] for event in found]
    assert events(search(admin, booking, cursor=stranger)) == [], "a row of another booking is no place in this one"


@pytest.mark.parametrize("entity", ["noSuchBooking", "urn:other|x", "a b", "' OR true --"])
def test_what_is_not_there_is_an_empty_bundle(admin, entity):
    reply = search(admin, entity)
    assert events(reply) == [] and reply.json()["total"] == 0
    assert "entry" not in reply.json() and link(reply, "next") is None


@pytest.mark.parametrize("query", ["", "entity=x&_count=0", "entity=x&_count=201", "entity=x&_count=a",
                                   "entity=x&cursor=0", "entity=x&cursor=-1", "entity=x&cursor=9223372036854775808",
                                   "entity=x&cursor=", "entity=x&date=2026"])
def test_a_query_that_makes_no_sense_is_400(admin, query):
    reply = admin.get(f"/fhir/AuditEvent?{query}")
    assert reply.status_code == 400 and reply.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("role, status", [("staff", 403), ("intake", 403), ("metrics", 403), (None, 401)])
def test_only_admins_may(intake, tokens, booking, role, status):
    client = intake.client(tokens[role]) if role else intake.client()
    reply = search(client, booking)
    assert reply.status_code == status and reply.json()["resourceType"] == "OperationOutcome"
    assert intake.database.value("SELECT count(*) FROM audit_log WHERE action = 'audit.list' AND booking_uid = %s",
                                 (booking,)) == 0
