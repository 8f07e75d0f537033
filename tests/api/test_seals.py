"""The audit's hash chain: whatever is altered or removed behind its back is found and named."""

import re

import pytest

from intake_harness.bodies import minimal
from intake_harness.daemon import run_command
from intake_harness.waiting import eventually

ROW = "INSERT INTO audit_log (actor, action, booking_uid, request_id, client_address, reason) VALUES"


def auditing(binary, database):
    def run(*arguments, code=0):
        done = run_command(binary, "audit", *arguments, conninfo=database.conninfo)
        assert done.returncode == code, done.stdout + done.stderr
        return done
    return run


@pytest.fixture
def audit(binary, database):
    """audit("verify") runs it to its end."""
    return auditing(binary, database)


def add(database, count=1):
    database.query(f"{ROW} " + ", ".join(
        f"('nurse', 'submission.read', 'booking{number}', 'r', '192.0.2.1', NULL)" for number in range(count)))


def tamper(database, *statements):
    """What somebody does who owns the tables and knows of the triggers."""
    with database.connect() as owner, owner.transaction():
        for table in ("audit_log", "audit_seals"):
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_is_append_only")
        for statement in statements:
            owner.execute(statement)
        for table in ("audit_log", "audit_seals"):
            owner.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_is_append_only")


@pytest.fixture(scope="module")
def three_seals(binary, postgres, template):
    """A database to copy, with nine rows of ours under the last three of four seals, and the first one's id."""
    database = postgres.create_database(template[0])
    audit = auditing(binary, database)
    audit("seal")
    first = database.value("SELECT max(id) FROM audit_log") + 1
    for _ in range(3):
        add(database, 3)
        audit("seal")
    audit("verify")
    assert database.value("SELECT max(number) FROM audit_seals") == 4
    database.close()
    yield database.name, first
    database.drop()


@pytest.fixture
def sealed(postgres, three_seals):
    copy = postgres.create_database(three_seals[0])
    yield copy
    copy.drop()


@pytest.fixture
def audit_sealed(binary, sealed):
    return auditing(binary, sealed)


def test_the_daemon_seals_what_it_writes(intake, client, staff, audit):
    body = minimal()
    client.submit(body)
    assert staff.look_up(body["booking_uid"]).status_code == 200
    assert staff.list().status_code == 200
    eventually(lambda: "every row is sealed" in audit("verify").stdout, 10)
    rows = intake.database.value("SELECT count(*) FROM audit_log")
    assert f"{rows} rows under" in audit("verify").stdout
    assert staff.metric("intake_audit_sealed_rows_total") == rows


def test_it_seals_the_last_rows_before_it_ends(intake, client, staff, audit):
    body = minimal()
    client.submit(body)
    staff.look_up(body["booking_uid"])
    intake.stop()
    assert "every row is sealed" in audit("verify").stdout


def test_a_stop_does_not_wait_for_all_that_is_not_sealed(intake, database, audit):
    """A hundred and twenty seals of a fifth of a second each."""
    with database.connect("postgres") as admin:
        admin.execute("""
            CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM pg_sleep(0.2);
                RETURN NEW;
            END $$;
            CREATE TRIGGER slow BEFORE INSERT ON audit_seals FOR EACH ROW EXECUTE FUNCTION slow()""")
        database.query("INSERT INTO audit_log (actor, action, request_id)"
                       " SELECT 'a', 'b', 'c' FROM generate_series(1, 30000)")
        intake.stop(timeout=15)
    assert "rows are not sealed yet" in audit("verify").stdout


def test_the_log_has_a_seal_to_compare_with(intake, audit):
    found = eventually(lambda: re.search(r"the audit is sealed.*seal=\"?(\d+)\"? hash=\"?([0-9a-f]{64})", intake.log()),
                       10, "a seal in the log")
    audit("verify", "--head", f"{found[1]}:{found[2]}")


def test_two_instances_seal_one_chain(start_intake, staff_token, audit):
    both = [start_intake(), start_intake()]
    body = minimal()
    both[0].client().submit(body)
    for _ in range(30):
        for intake in both:
            assert intake.client(staff_token).look_up(body["booking_uid"]).status_code == 200
    eventually(lambda: "every row is sealed" in audit("verify").stdout, 10)


def test_many_rows_go_under_several_seals(database, audit):
    database.query(f"{ROW} ('a', 'b', 'c', 'd', NULL, NULL)")
    database.query("INSERT INTO audit_log (actor, action, request_id)"
                   " SELECT 'a', 'b', 'c' FROM generate_series(1, 2500)")
    assert "2505 rows" in audit("seal").stdout
    assert "2505 rows under 11 seals" in audit("verify").stdout
    assert "0 rows" in audit("seal").stdout
    tamper(database, "DELETE FROM audit_log WHERE id IN (1700, 2400)")
    assert "row 1700 of audit_log was removed" in audit("verify", code=1).stderr


@pytest.mark.parametrize("change", [
    "occurred_at = occurred_at + interval '1 microsecond'", "token_id = gen_random_uuid()", "actor = 'nobody'",
    "action = 'other'", "booking_uid = 'other'", "booking_uid = NULL", "request_id = ''", "detail = '{}'",
    "client_address = NULL", "client_address = '192.0.2.1/24'", "reason = ''", "id = id + 1000000"])
@pytest.mark.parametrize("nth", [0, 4, 8])
def test_an_altered_row_is_named(sealed, audit_sealed, three_seals, change, nth):
    row = three_seals[1] + nth
    override = change.startswith("id")
    identity = ["ALTER TABLE audit_log ALTER id DROP IDENTITY"] if override else []
    tamper(sealed, *identity, f"UPDATE audit_log SET {change} WHERE id = {row}")
    what = "removed" if override else "altered"
    assert f"row {row} of audit_log was {what}" in audit_sealed("verify", code=1).stderr


@pytest.mark.parametrize("nth", [0, 4, 8])
def test_a_removed_row_is_named(sealed, audit_sealed, three_seals, nth):
    row = three_seals[1] + nth
    tamper(sealed, f"DELETE FROM audit_log WHERE id = {row}")
    assert f"row {row} of audit_log was removed" in audit_sealed("verify", code=1).stderr


@pytest.mark.parametrize("change, named", [
    ("UPDATE audit_seals SET sealed_at = sealed_at - interval '1 hour' WHERE number = 3", 3),
    ("UPDATE audit_seals SET members = '{}', row_hashes = '{}' WHERE number = 3", 3),
    ("UPDATE audit_seals SET gaps = '{[1,9)}' WHERE number = 3", 3),
    ("UPDATE audit_seals SET last_id = 0 WHERE number = 3", 3),
    ("UPDATE audit_seals SET row_hashes[1] = sha256('') WHERE number = 3", 3),
    ("UPDATE audit_seals SET hash = sha256('') WHERE number = 3", 3),
    ("UPDATE audit_seals SET previous_hash = sha256('x') WHERE number = 1", 1),
    ("DELETE FROM audit_seals WHERE number = 1", 2),
    ("DELETE FROM audit_seals WHERE number = 3", 4)])
def test_a_seal_that_was_altered_or_removed_is_named(sealed, audit_sealed, change, named):
    assert sealed.value("SELECT max(number) FROM audit_seals") == 4
    tamper(sealed, change)
    assert f"seal {named} of audit_seals" in audit_sealed("verify", code=1).stderr


def test_a_cut_off_end_is_found_with_a_seal_that_was_noted(sealed, audit_sealed, three_seals):
    first = three_seals[1]
    head = re.search(r"head (\d+:[0-9a-f]{64})", audit_sealed("verify").stdout)[1]
    audit_sealed("verify", "--head", head)
    tamper(sealed, f"DELETE FROM audit_log WHERE id >= {first + 6}", "DELETE FROM audit_seals WHERE number = 4")
    audit_sealed("verify")
    assert "no seal 4 with that hash" in audit_sealed("verify", "--head", head, code=1).stderr


def test_a_row_that_is_slipped_in_is_named(sealed, audit_sealed):
    sealed.query("INSERT INTO audit_log (id, actor, action, request_id) OVERRIDING SYSTEM VALUE"
                   " VALUES (0, 'a', 'b', 'c')")
    audit_sealed("seal")
    assert "row 0 of audit_log is among sealed ones" in audit_sealed("verify", code=1).stderr


def test_a_row_that_commits_late_is_sealed_late(database, audit):
    audit("seal")
    with database.connect() as slow:
        with slow.transaction():
            late = slow.execute(f"{ROW} ('a', 'b', 'late', 'd', NULL, NULL) RETURNING id").fetchone()["id"]
            add(database, 2)
            assert "2 rows" in audit("seal").stdout
            assert "every row is sealed" in audit("verify").stdout
    assert "1 rows are not sealed yet" in audit("verify").stdout
    assert "1 rows" in audit("seal").stdout
    assert "every row is sealed" in audit("verify").stdout
    tamper(database, f"UPDATE audit_log SET actor = 'x' WHERE id = {late}")
    assert f"row {late} of audit_log was altered" in audit("verify", code=1).stderr


def test_an_id_that_was_rolled_back_is_waited_for_no_longer_than_an_hour(database, audit):
    audit("seal")
    database.query("SELECT nextval(pg_get_serial_sequence('audit_log', 'id'))")
    gaps = "SELECT gaps::text FROM audit_seals ORDER BY number DESC LIMIT 1"
    for _ in range(2):
        add(database)
        audit("seal")
        assert database.value(gaps) != "{}"
    tamper(database, "UPDATE audit_seals SET sealed_at = sealed_at - interval '2 hours'")
    add(database)
    audit("seal")
    assert database.value(gaps) == "{}"


def test_a_step_back_and_forward_leaves_the_chain_whole(binary, sealed, audit_sealed):
    for arguments in (("down", "--to", "0"), ("up",)):
        assert run_command(binary, "migrate", *arguments, conninfo=sealed.conninfo).returncode == 0
    add(sealed)
    audit_sealed("seal")
    assert "every row is sealed" in audit_sealed("verify").stdout


@pytest.mark.parametrize("user", ["intake", "postgres"])
def test_no_seal_is_changed_or_removed(database, audit, user):
    audit("seal")
    with database.connect(user) as connection:
        for statement in ("UPDATE audit_seals SET number = 9", "DELETE FROM audit_seals", "TRUNCATE audit_seals"):
            with pytest.raises(Exception, match="never changed and never removed"):
                connection.execute(statement)


def test_who_has_seen_a_booking(intake, client, staff, audit):
    bodies = [minimal(), minimal()]
    for body in bodies:
        client.submit(body)
    reply = staff.look_up(bodies[0]["booking_uid"], headers={"X-Intake-Reason": "before the call"})
    staff.look_up(bodies[1]["booking_uid"])
    lines = audit("list", "--booking", bodies[0]["booking_uid"]).stdout.splitlines()[1:]
    assert len(lines) == 2 and "submission.create" in lines[0] and "public" in lines[0]
    for part in ("submission.read", "test-staff", "127.0.0.1", reply.headers["X-Request-Id"], "before the call"):
        assert part in lines[1]
    asked = audit("list", "--booking", bodies[0]["booking_uid"], "--reason", "he asked").stdout
    assert "audit.list" in asked and "he asked" not in asked
    assert "he asked" in audit("list", "--booking", bodies[0]["booking_uid"]).stdout
    none = audit("list", "--booking", bodies[0]["booking_uid"], "--until", "2020-01-01")
    assert len(none.stdout.splitlines()) == 1
    since = audit("list", "--booking", bodies[0]["booking_uid"], "--since", "2020-01-01", "--until", "2100-01-01")
    assert "submission.read" in since.stdout


@pytest.mark.parametrize("arguments", [
    (), ("forge",), ("list",), ("verify", "seal"), ("verify", "--head", "1"), ("verify", "--head", "1:abc"),
    ("verify", "--head", "x:" + "0" * 64), ("list", "--booking", "x", "--since", "soon")])
def test_what_makes_no_sense_is_refused(audit, arguments):
    assert audit(*arguments, code=2).stderr


def test_each_row_is_one_line_whatever_its_reason(audit):
    """A reason can have ends of lines, a terminal's escapes and what turns the text around."""
    booking = "bk-of-nobody"
    for reason in ("a\nb", "\x1b[2Jc", "\u009b31md", "\u202ee\u2028f"):
        assert audit("list", "--booking", booking, "--reason", reason).returncode == 0
    lines = audit("list", "--booking", booking).stdout.split("\n")[1:-1]
    assert [line.split()[-1] for line in lines] == [
        r"a\x0ab", r"\x1b[2Jc", r"\xc2\x9b31md", r"\xe2\x80\xaee\xe2\x80\xa8f"]
