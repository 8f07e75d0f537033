"""Who a submission belongs to: by booking, then e-mail, then phone; and what never moves."""

from intake_harness.bodies import fresh_booking, full, minimal


def legacy_user(database, phone_number, name="Ayşe", email=None, profile=True):
    """A patient of the WhatsApp assistant, written as it writes them."""
    user = database.value("INSERT INTO users (phone_number, name) VALUES (%s, %s) RETURNING id",
                          (phone_number, name))
    if profile:
        database.query("INSERT INTO patient_profiles (user_id, name, phone, email, source_channel)"
                       " VALUES (%s, %s, %s, %s, 'whatsapp')",
                       (user, name, phone_number, email or f"{user}@example.com"))
    return user


def test_the_same_e_mail_is_the_same_person(shared_intake, shared_client):
    first = full()
    second = full(attendee_email=first["attendee_email"].upper(), attendee_name=first["attendee_name"])
    assert shared_client.submit(first).status_code == 201
    assert shared_client.submit(second).status_code == 201
    profiles = [shared_intake.database.profile(body["booking_uid"]) for body in (first, second)]
    assert profiles[0]["id"] == profiles[1]["id"]
    assert profiles[1]["user_email"] == first["attendee_email"]


def test_other_people_s_bookings_stay_theirs(shared_client, shared_staff):
    """A look-up by booking UID once returned the first patient that it found."""
    bodies = [full() for _ in range(5)]
    for body in bodies:
        shared_client.submit(body)
    for body in bodies:
        assert shared_staff.look_up(body["booking_uid"]).json()["patient"]["email"] == body["attendee_email"]


def test_a_whatsapp_user_is_found_by_phone_and_stays_one(shared_intake, shared_client):
    database = shared_intake.database
    user = legacy_user(database, "+905320000001", profile=False)
    body = full(attendee_phone="+90 532 000 00 01")
    assert shared_client.submit(body).status_code == 201
    profile = database.profile(body["booking_uid"])
    assert profile["user_id"] == user
    assert profile["user_type"] == "whatsapp"
    assert profile["user_email"] == body["attendee_email"], "filled where it was empty"
    assert profile["user_name"] == "Ayşe", "and never overwritten"


def test_a_whatsapp_profile_is_found_by_its_e_mail(shared_intake, shared_client):
    database = shared_intake.database
    uid = fresh_booking()
    user = legacy_user(database, "+905320000002", email=f"Legacy-{uid}@Example.com")
    body = full(uid, attendee_email=f"legacy-{uid}@example.com", attendee_name="Ayşe")
    assert shared_client.submit(body).status_code == 201
    profile = database.profile(uid)
    assert profile["user_id"] == user
    assert profile["user_type"] == "whatsapp"
    assert profile["source_channel"] == "whatsapp"


def test_an_e_mail_that_two_profiles_share_is_nobody_s(shared_intake, shared_client):
    database = shared_intake.database
    uid = fresh_booking()
    users = {legacy_user(database, f"+90532{n}", email=f"shared-{uid}@example.com")
             for n in ("1000001", "1000002")}
    assert shared_client.submit(full(uid, attendee_email=f"shared-{uid}@example.com")).status_code == 201
    assert database.profile(uid)["user_id"] not in users


def test_the_booking_comes_before_the_e_mail(shared_intake, shared_client):
    """A correction of the address is another content of the same booking, not another person."""
    first = full()
    shared_client.submit(first)
    before = shared_intake.database.profile(first["booking_uid"])
    corrected = {**first, "attendee_email": "new-" + first["attendee_email"]}
    assert shared_client.submit(corrected).status_code == 200
    after = shared_intake.database.profile(first["booking_uid"])
    assert after["id"] == before["id"]
    assert after["email"] == first["attendee_email"], "contact data is not overwritten"


def test_the_e_mail_comes_before_the_phone(shared_intake, shared_client):
    database = shared_intake.database
    by_mail = full()
    shared_client.submit(by_mail)
    legacy_user(database, "+905320000003")
    body = full(attendee_email=by_mail["attendee_email"], attendee_name=by_mail["attendee_name"],
                attendee_phone="+905320000003")
    assert shared_client.submit(body).status_code == 201
    profile = database.profile(body["booking_uid"])
    assert profile["id"] == database.profile(by_mail["booking_uid"])["id"]
    assert profile["phone_number"] is None, "somebody else's phone never moves"
    assert database.value("SELECT name FROM users WHERE phone_number = '+905320000003'") == "Ayşe"


def test_an_empty_phone_is_filled_later(shared_intake, shared_client):
    first = minimal()
    shared_client.submit(first)
    shared_client.submit({**first, "attendee_phone": "+1 555 300 4567"})
    profile = shared_intake.database.profile(first["booking_uid"])
    assert profile["phone"] == profile["phone_number"] == "+15553004567"


def test_contradicting_contact_data_is_kept_and_flagged(shared_intake, shared_client, shared_staff):
    first = full(attendee_phone="+1 555 300 0001")
    shared_client.submit(first)
    second = full(attendee_email=first["attendee_email"], attendee_name="Somebody Else",
                  attendee_phone="+1 555 300 0002")
    shared_client.submit(second)
    found = shared_staff.look_up(second["booking_uid"]).json()
    assert found["patient"]["name"] == first["attendee_name"]
    assert found["patient"]["phone"] == "+15553000001"
    assert found["contact"] == {"name": "Somebody Else", "email": first["attendee_email"],
                                "phone": "+1 555 300 0002"}
    flagged = {entry["field"]: (entry["stored"], entry["posted"]) for entry in found["contradictions"]}
    assert flagged["attendee_name"] == (first["attendee_name"], "Somebody Else")
    assert flagged["attendee_phone"] == ("+15553000001", "+15553000002")
    assert shared_staff.look_up(first["booking_uid"]).json()["contradictions"] == []


def test_two_new_people_with_one_phone_are_found_as_one(shared_intake, shared_client):
    """Nobody has that e-mail yet, so the phone decides; the contradiction is flagged."""
    first, second = full(attendee_phone="+1 555 300 0003"), full(attendee_phone="+1 (555) 300-0003")
    shared_client.submit(first)
    shared_client.submit(second)
    database = shared_intake.database
    assert database.profile(first["booking_uid"])["id"] == database.profile(second["booking_uid"])["id"]
    fields = {entry["field"] for entry in database.submission(second["booking_uid"])["contradictions"]}
    assert {"attendee_name", "attendee_email"} <= fields


def test_nothing_of_a_deleted_profile_is_shown(shared_intake, shared_client, shared_staff):
    first = full(attendee_name="Old Name", allergies="none")
    shared_client.submit(first)
    shared_intake.wait_processed(first["booking_uid"])
    shared_intake.database.query("UPDATE patient_profiles SET deleted = true WHERE email = %s",
                                 (first["attendee_email"],))
    second = full(attendee_email=first["attendee_email"], attendee_name="New Name",
                  allergies="yes", allergies_details="Latex")
    assert shared_client.submit(second).status_code == 201
    shared_intake.database.query("UPDATE users SET name = NULL WHERE email = %s", (first["attendee_email"],))
    third = {**second, "booking_uid": fresh_booking()}
    assert shared_client.submit(third).status_code == 201
    shared_intake.wait_processed(second["booking_uid"], third["booking_uid"])
    found = shared_staff.look_up(third["booking_uid"]).json()
    assert (found["patient"], found["medical_background"], found["contradictions"]) == (None, None, [])
    assert found["patient_deleted"] is True, "staff see why there is no patient"
    flagged = shared_staff.look_up(second["booking_uid"]).json()["contradictions"]
    assert [entry["field"] for entry in flagged] == ["attendee_name"], "the user's, who is not deleted"
