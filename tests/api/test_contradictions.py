"""PUT /v1/submissions/{booking_uid}/contradictions/{field}: staff keep the stored value, or take the posted one."""

import json
import re
import threading

import pytest

from intake_harness.bodies import fresh_booking, full
from intake_harness.waiting import eventually

PHONES = iter(range(10 ** 7))


def fresh_phone():
    return f"+90532{next(PHONES):07}"


def decide(client, booking_uid, field, decision="take", revision=1):
    return client.request("PUT", f"/v1/submissions/{booking_uid}/contradictions/{field}",
                          json={"decision": decision, "revision": revision})


def submit(intake, body):
    reply = intake.client().submit(body)
    assert reply.status_code in (200, 201), reply.text
    intake.wait_processed(body["booking_uid"])


def contradictions(client, booking_uid):
    return {entry["field"]: entry for entry in client.look_up(booking_uid).json()["contradictions"]}


def known_patient(database, phone=None, medical_data=None, name="Maria", email=None):
    """A patient of the WhatsApp assistant; phone and e-mail."""
    phone, email = phone or fresh_phone(), email or f"{fresh_booking()}@example.com"
    profile = database.value("""
        WITH u AS (INSERT INTO users (phone_number, name) VALUES (%(phone)s, %(name)s) RETURNING id)
        INSERT INTO patient_profiles (user_id, name, phone, email, source_channel)
        SELECT id, %(name)s, %(phone)s, %(email)s, 'whatsapp' FROM u
        RETURNING id""", {"phone": phone, "name": name, "email": email})
    if medical_data is not None:
        database.query("INSERT INTO medical_backgrounds (patient_profile_id, medical_data) VALUES (%s, %s)",
                       (profile, json.dumps(medical_data)))
    return phone, email


@pytest.fixture
def contradicting(shared_intake):
    """A booking whose post contradicts the name, the e-mail and two answers of a known patient."""
    phone, _ = known_patient(shared_intake.database, medical_data={"allergies": "yes", "hair_loss_duration": "1-2-years"})
    body = full(attendee_phone=phone)
    submit(shared_intake, body)
    return body


def test_a_contradiction_waits_for_a_decision(shared_staff, contradicting):
    found = contradictions(shared_staff, contradicting["booking_uid"])
    assert set(found) == {"attendee_name", "attendee_email", "allergies", "hair_loss_duration"}
    assert found["allergies"] == {"field": "allergies", "stored": "yes", "posted": "none", "resolution": None}
    assert {entry["resolution"] for entry in found.values()} == {None}


def test_what_is_kept_changes_nothing_but_is_decided(shared_intake, shared_staff, contradicting):
    uid = contradicting["booking_uid"]
    before = shared_intake.database.profile(uid), shared_intake.database.background(uid)
    for field in ("attendee_email", "allergies"):
        reply = decide(shared_staff, uid, field, "keep")
        assert reply.status_code == 200, reply.text
        told = reply.json()
        assert told == contradictions(shared_staff, uid)[field]
        assert (told["resolution"]["decision"], told["resolution"]["actor"]) == ("keep", "test-staff")
        assert told["resolution"]["at"]
    assert (shared_intake.database.profile(uid), shared_intake.database.background(uid)) == before
    assert contradictions(shared_staff, uid)["attendee_name"]["resolution"] is None


@pytest.mark.parametrize("field,column,user_column", [
    ("attendee_name", "name", "user_name"), ("attendee_email", "email", "user_email")])
def test_a_contact_field_is_taken(shared_intake, shared_staff, contradicting, field, column, user_column):
    uid = contradicting["booking_uid"]
    before = shared_intake.database.profile(uid)
    reply = decide(shared_staff, uid, field)
    assert reply.status_code == 200 and reply.json()["resolution"]["decision"] == "take"
    after = shared_intake.database.profile(uid)
    assert after[column] == after[user_column] == contradicting[field]
    changed = {key for key in after if after[key] != before[key]}
    assert changed <= {column, user_column, "updated_at"}
    assert contradictions(shared_staff, uid)[field]["resolution"]["decision"] == "take"


def test_a_phone_is_taken(shared_intake, shared_staff):
    first = full(attendee_phone=fresh_phone())
    submit(shared_intake, first)
    other = full(attendee_email=first["attendee_email"], attendee_name=first["attendee_name"],
                 attendee_phone=fresh_phone())
    submit(shared_intake, other)
    assert decide(shared_staff, other["booking_uid"], "attendee_phone").status_code == 200
    profile = shared_intake.database.profile(first["booking_uid"])
    assert profile["phone"] == profile["phone_number"] == other["attendee_phone"]


def test_an_answer_is_taken(shared_intake, shared_staff, contradicting):
    uid = contradicting["booking_uid"]
    before = shared_intake.database.background(uid)
    assert decide(shared_staff, uid, "allergies").status_code == 200
    assert shared_intake.database.background(uid) == {**before, "allergies": "none"}
    assert shared_staff.look_up(uid).json()["medical_background"]["allergies"] == "none"


def test_what_was_taken_belongs_to_the_booking(shared_intake, shared_staff, contradicting):
    """Its next revision changes it, as it changes what it wrote itself."""
    uid = contradicting["booking_uid"]
    decide(shared_staff, uid, "allergies")
    submit(shared_intake, {**contradicting, "allergies": "yes", "allergies_details": "Pollen"})
    assert shared_intake.database.background(uid)["allergies_details"] == "Pollen"
    assert "allergies" not in contradictions(shared_staff, uid)


def test_a_revision_that_says_the_same_stays_decided(shared_intake, shared_staff, contradicting):
    uid = contradicting["booking_uid"]
    for field in ("attendee_name", "hair_loss_duration"):
        decide(shared_staff, uid, field, "keep")
    decide(shared_staff, uid, "attendee_email")
    submit(shared_intake, {**contradicting, "previous_surgeries": "yes", "previous_surgeries_details": "Knee"})
    found = contradictions(shared_staff, uid)
    assert set(found) == {"attendee_name", "allergies", "hair_loss_duration"}, "the e-mail is no contradiction now"
    assert found["attendee_name"]["resolution"]["decision"] == "keep"
    assert found["hair_loss_duration"]["resolution"]["decision"] == "keep"
    assert found["allergies"]["resolution"] is None


def test_a_revision_that_says_something_else_is_undecided(shared_intake, shared_staff, contradicting):
    uid = contradicting["booking_uid"]
    decide(shared_staff, uid, "hair_loss_duration", "keep")
    submit(shared_intake, {**contradicting, "hair_loss_duration": "2-5-years"})
    found = contradictions(shared_staff, uid)["hair_loss_duration"]
    assert (found["posted"], found["resolution"]) == ("2-5-years", None)


def test_what_was_taken_and_changed_back_by_others_is_undecided(shared_intake, shared_staff, contradicting):
    uid = contradicting["booking_uid"]
    decide(shared_staff, uid, "allergies")
    shared_intake.database.query("""
        UPDATE medical_backgrounds AS b SET medical_data = medical_data || '{"allergies": "yes"}'
          FROM medical_questionnaire_submissions AS s
         WHERE s.patient_profile_id = b.patient_profile_id AND s.booking_uid = %s""", (uid,))
    submit(shared_intake, {**contradicting, "previous_surgeries": "yes", "previous_surgeries_details": "Knee"})
    assert contradictions(shared_staff, uid)["allergies"]["resolution"] is None


def test_a_mind_is_changed_from_keep_to_take_and_not_back(shared_intake, shared_staff, tokens, contradicting):
    uid = contradicting["booking_uid"]
    assert decide(shared_staff, uid, "allergies", "keep").status_code == 200
    first = decide(shared_staff, uid, "allergies").json()
    assert first["resolution"]["decision"] == "take"
    again = decide(shared_intake.client(tokens["admin"]), uid, "allergies")
    assert again.status_code == 200 and again.json() == first, "the first one has decided it"
    assert decide(shared_staff, uid, "allergies", "keep").status_code == 409
    assert contradictions(shared_staff, uid)["allergies"] == first


def test_an_e_mail_of_somebody_else_is_never_moved(shared_intake, shared_staff, contradicting):
    uid, email = contradicting["booking_uid"], contradicting["attendee_email"]
    database = shared_intake.database
    # The post has given it to the patient's user, who had none.
    database.query("UPDATE users SET email = NULL WHERE lower(email) = %s", (email,))
    before = database.profile(uid)
    database.query("INSERT INTO users (email, name) VALUES (upper(%s), 'Other')", (email,))
    reply = decide(shared_staff, uid, "attendee_email")
    assert reply.status_code == 409 and email not in reply.text
    database.query("DELETE FROM users WHERE name = 'Other'")
    known_patient(database, email=email.title())  # its user has no e-mail, like all of the assistant's
    assert decide(shared_staff, uid, "attendee_email").status_code == 409
    assert database.profile(uid) == before
    assert contradictions(shared_staff, uid)["attendee_email"]["resolution"] is None
    assert decide(shared_staff, uid, "attendee_email", "keep").status_code == 200


def test_a_phone_of_somebody_else_is_never_moved(shared_intake, shared_staff):
    taken, _ = known_patient(shared_intake.database)
    first = full()
    submit(shared_intake, first)
    other = full(attendee_email=first["attendee_email"], attendee_name=first["attendee_name"], attendee_phone=taken)
    submit(shared_intake, other)
    uid = other["booking_uid"]
    assert contradictions(shared_staff, uid)["attendee_phone"]["stored"] is None
    assert decide(shared_staff, uid, "attendee_phone").status_code == 409
    assert shared_intake.database.profile(uid)["phone"] is None
    assert shared_intake.database.value("SELECT name FROM users WHERE phone_number = %s", (taken,)) == "Maria"


def test_a_value_that_was_changed_meanwhile_is_shown_before_it_is_decided(shared_intake, shared_staff, contradicting):
    uid = contradicting["booking_uid"]
    database = shared_intake.database
    database.query("UPDATE patient_profiles SET name = 'Marie' WHERE id = %s", (database.profile(uid)["id"],))
    database.query("UPDATE medical_backgrounds SET medical_data = medical_data || '{\"allergies\": \"unknown\"}'"
                   " WHERE patient_profile_id = %s", (database.profile(uid)["id"],))
    for field, stored in (("attendee_name", "Marie"), ("allergies", "unknown")):
        assert decide(shared_staff, uid, field).status_code == 409, field
        assert contradictions(shared_staff, uid)[field]["stored"] == stored
        assert decide(shared_staff, uid, field).status_code == 200, field
    assert database.profile(uid)["name"] == contradicting["attendee_name"]
    assert database.background(uid)["allergies"] == "none"


def test_without_a_patient_there_is_nothing_to_write_to(shared_intake, shared_staff, contradicting):
    uid = contradicting["booking_uid"]
    shared_intake.database.query("UPDATE patient_profiles SET deleted = true WHERE id = %s",
                                 (shared_intake.database.profile(uid)["id"],))
    for field in ("attendee_name", "allergies"):
        assert decide(shared_staff, uid, field).status_code == 409
        assert decide(shared_staff, uid, field, "keep").status_code == 200


@pytest.mark.parametrize("decision", ["keep", "take"])
def test_who_has_read_another_revision_cannot_decide(shared_intake, shared_staff, contradicting, decision):
    uid = contradicting["booking_uid"]
    submit(shared_intake, {**contradicting, "previous_surgeries": "yes", "previous_surgeries_details": "Knee"})
    before = shared_intake.database.profile(uid), shared_intake.database.background(uid)
    for field in ("attendee_name", "allergies"):
        reply = decide(shared_staff, uid, field, decision)
        assert reply.status_code == 409 and "2" in reply.json()["detail"]
    assert (shared_intake.database.profile(uid), shared_intake.database.background(uid)) == before
    assert decide(shared_staff, uid, "allergies", decision, revision=2).status_code == 200


def test_a_revision_that_comes_first_wins(shared_intake, shared_staff, contradicting):
    uid = contradicting["booking_uid"]
    before = shared_intake.database.profile(uid)
    replies = []
    with shared_intake.database.connect() as other, other.transaction():
        other.execute("UPDATE medical_questionnaire_submissions SET revision = 2 WHERE booking_uid = %s", (uid,))
        thread = threading.Thread(target=lambda: replies.append(decide(shared_staff, uid, "attendee_name")))
        thread.start()
        eventually(lambda: shared_intake.database.query(
            "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            " AND application_name = 'intake executor'"), 20, "an executor that waits for a lock")
    thread.join()
    assert replies[0].status_code == 409
    assert shared_intake.database.profile(uid) == before


@pytest.mark.threaded
def test_two_decide_at_once_and_one_has_decided(shared_intake, tokens, contradicting):
    uid = contradicting["booking_uid"]
    replies = []
    threads = [threading.Thread(target=lambda role=role, decision=decision: replies.append(
        decide(shared_intake.client(tokens[role]), uid, "allergies", decision)))
        for role, decision in (("staff", "take"), ("admin", "take"), ("staff", "keep"), ("admin", "keep"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {reply.status_code for reply in replies} <= {200, 409}
    rows = shared_intake.database.query("SELECT decision FROM contradiction_resolutions AS r"
                                        " JOIN medical_questionnaire_submissions AS s ON s.id = r.submission_id"
                                        " WHERE s.booking_uid = %s ORDER BY r.id", (uid,))
    assert [row["decision"] for row in rows] in (["take"], ["keep", "take"])
    assert shared_intake.database.background(uid)["allergies"] == "none"


@pytest.mark.threaded
def test_decisions_and_revisions_do_not_deadlock(shared_intake, shared_staff, contradicting):
    """Whatever the order, every reply is one of those that are documented."""
    uid = contradicting["booking_uid"]
    client = shared_intake.client()
    statuses = []

    def revise():
        for n in range(15):
            statuses.append(client.submit({**contradicting, "previous_surgeries": "yes",
                                           "previous_surgeries_details": f"Knee {n}"}).status_code)
    thread = threading.Thread(target=revise)
    thread.start()
    for n in range(30):
        field = ("attendee_name", "allergies", "attendee_email", "hair_loss_duration")[n % 4]
        revision = shared_intake.database.submission(uid)["revision"]
        statuses.append(decide(shared_staff, uid, field, revision=revision).status_code)
    thread.join()
    assert set(statuses) <= {200, 404, 409}


@pytest.mark.parametrize("body,field", [
    ({"revision": 1}, "decision"), ({"decision": "drop", "revision": 1}, "decision"),
    ({"decision": True, "revision": 1}, "decision"), ({"decision": "keep"}, "revision"),
    ({"decision": "keep", "revision": "1"}, "revision"), ({"decision": "keep", "revision": 1, "value": "x"}, "value")])
def test_a_decision_that_is_none_is_422(shared_staff, contradicting, body, field):
    reply = shared_staff.request("PUT", f"/v1/submissions/{contradicting['booking_uid']}/contradictions/allergies",
                                 json=body)
    assert reply.status_code == 422
    assert [error["field"] for error in reply.json()["errors"]] == [field]


def test_what_is_no_contradiction_is_404(shared_staff, contradicting):
    uid = contradicting["booking_uid"]
    for booking, field in ((uid, "age_range"), (uid, "attendee_phone"), (uid, "nonsense"), (uid, "a'b%22c"),
                           (fresh_booking(), "allergies"), ("a.b", "allergies")):
        for decision in ("keep", "take"):
            assert decide(shared_staff, booking, field, decision).status_code == 404, field


@pytest.mark.parametrize("role,status", [(None, 401), ("intake", 403), ("metrics", 403), ("staff", 200), ("admin", 200)])
def test_only_staff_decide_and_nobody_else_learns_what_is_there(shared_intake, tokens, contradicting, role, status):
    client = shared_intake.client(tokens.get(role))
    there = decide(client, contradicting["booking_uid"], "allergies")
    absent = decide(client, fresh_booking(), "allergies")
    assert there.status_code == status
    if status != 200:
        assert absent.status_code == status
        assert len({re.sub(r'"request_id":\s*"[^"]*"', "", reply.text) for reply in (there, absent)}) == 1


def test_a_decision_is_audited_or_not_made(intake, staff):
    phone, _ = known_patient(intake.database, medical_data={"allergies": "yes"})
    body = full(attendee_phone=phone)
    submit(intake, body)
    uid = body["booking_uid"]
    replies = [decide(staff, uid, "attendee_name", "keep"), decide(staff, uid, "allergies")]
    rows = intake.database.query("SELECT * FROM audit_log WHERE action LIKE 'contradiction.%%' ORDER BY id")
    assert [(row["action"], row["detail"]) for row in rows] == [
        ("contradiction.keep", {"field": "attendee_name", "revision": 1}),
        ("contradiction.take", {"field": "allergies", "revision": 1})]
    for row, reply in zip(rows, replies, strict=True):
        assert (row["booking_uid"], row["actor"]) == (uid, "test-staff")
        assert row["request_id"] == reply.headers["X-Request-Id"]
    before = intake.database.profile(uid)
    with intake.database.connect("postgres") as admin:
        admin.execute("ALTER TABLE audit_log ADD CONSTRAINT refuse CHECK (false) NOT VALID")
    assert decide(staff, uid, "attendee_email").status_code == 500
    assert intake.database.profile(uid) == before
    assert intake.database.value("SELECT count(*) FROM contradiction_resolutions") == 2
