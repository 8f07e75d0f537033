"""The proofs in their short form, and that they would notice."""

import collections
import os
import subprocess
import sys

import pytest

from intake_harness.daemon import ROOT, scrubbed_environment
from proof import prove, soak
from proof.ledger import Ledger, compare


# Of the submission whose id is the statement's parameter.
SUBMISSION = "medical_questionnaire_submissions WHERE id = %s::uuid"
BOOKING, PROFILE = f"(SELECT booking_uid FROM {SUBMISSION})", f"(SELECT patient_profile_id FROM {SUBMISSION})"
USER = f"(SELECT user_id FROM patient_profiles WHERE id = {PROFILE})"
FIGURES_OF_TIME = ("claims", "poison", "burst", "soak")


@pytest.mark.parametrize("proof", [pytest.param(name, marks=[pytest.mark.alone] if name in FIGURES_OF_TIME else [])
                                   for name in prove.SHORT])
def test_the_short_form_finds_nothing(proof):
    """With the release build, whose memory is the program's own."""
    done = subprocess.run([sys.executable, os.path.join(ROOT, "tests", "proof", "prove.py"), "--short", proof],
                          cwd=ROOT, env=scrubbed_environment(), text=True, capture_output=True, timeout=600, check=False)
    print(done.stdout)
    missed = [line for line in done.stdout.splitlines() if line.rstrip(" |").endswith("MISSED")]
    assert done.returncode == 0, "\n".join([*missed, done.stderr])


def test_the_ledger_notices_what_is_missing_altered_doubled_foreign_or_given_up(intake, database):
    book = Ledger([intake.port], clients=2).start()
    book.wait_for_more(150)
    book.stop()
    intake.wait_processed(*(booking.uid for booking in book.bookings))
    assert compare(book, database) == []
    revised = next(booking for booking in book.bookings if len(booking.acknowledged) > 1)
    persons = collections.Counter(booking.person for booking in book.bookings)
    others = [booking for booking in book.bookings
              if len(booking.acknowledged) == 1 and persons[booking.person] == 1][:13]
    harm = (
        ("DELETE FROM submission_revisions WHERE submission_id = %s::uuid AND revision = 1", revised),
        ("DELETE FROM medical_questionnaire_submissions WHERE id = %s::uuid AND revision = 1", others[0]),
        ("UPDATE medical_questionnaire_submissions SET submission_data = '{}' WHERE id = %s::uuid", others[1]),
        ("UPDATE medical_questionnaire_submissions SET booking_uid = 'x' WHERE id = %s::uuid", others[2]),
        (f"UPDATE patient_profiles SET email = 'x' WHERE id = {PROFILE}", others[3]),
        (f"UPDATE patient_profiles SET name = 'x' WHERE id = {PROFILE}", others[4]),
        (f"UPDATE users SET name = 'x' WHERE id = {USER}", others[5]),
        ("UPDATE medical_questionnaire_submissions SET status = 'failed' WHERE id = %s::uuid", others[6]),
        ("UPDATE medical_questionnaire_submissions SET id = gen_random_uuid() WHERE id = %s::uuid", others[7]),
        (f"UPDATE patient_profiles SET phone = NULL WHERE id = {PROFILE}", others[8]),
        (f"UPDATE users SET phone_number = NULL WHERE id = {USER}", others[9]),
        (f"UPDATE medical_backgrounds SET medical_data = '{{}}' WHERE patient_profile_id = {PROFILE}", others[10]),
        (f"DELETE FROM audit_log WHERE action LIKE 'submission.%%' AND booking_uid = {BOOKING}", others[11]),
        (f"UPDATE patient_profiles SET booking_uid = 'x' WHERE id = {PROFILE}", others[12]),
    )
    found = 0
    for statement, booking in harm:
        with database.connect("postgres") as connection:
            for table in ("submission_revisions", "medical_questionnaire_submissions", "audit_log"):
                connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
            connection.execute(statement, (booking.id,))
        before, found = found, len(compare(book, database))
        assert found > before, statement


def test_the_soak_notices_replies_that_are_lost_foreign_or_all_of_one_kind():
    said = "  Socket errors: connect 0, read 3, write 0, timeout 2\nRequests/sec:   1234.50\nStatuses: 200=60 201=30 {}\n"
    rate, statuses, lost = soak.outcome(said.format("400=3 404=3 422=4"))
    assert (rate, lost, soak.misfits(statuses)) == (1234.5, 5, (0, []))
    assert soak.misfits(soak.outcome(said.format("400=3 404=3 422=4 503=2"))[1])[0] == 2
    assert soak.misfits({401: 100}) == (100, list(soak.SHARES))
    assert soak.outcome("Requests/sec: 1.0\nStatuses: 200=1\n")[2] == 0


def breaks_off(binary, table, short):
    table.add("half of it", "done", "all", None)
    raise AssertionError("a|b\nc")


def says_nothing(binary, table, short):
    pass


def ends_the_process(binary, table, short):
    sys.exit("not ready")


def misses(binary, table, short):
    table.add("a", "1", "1", True)
    table.add("  of it", "2", "1", False)


FAKES = {"kept": lambda binary, table, short: table.add("a", "1", "1", True), "missed": misses,
         "told": lambda binary, table, short: table.add("a", "3", "as it is", None),
         "skipped": lambda binary, table, short: table.skip("a", "no disk", "with one"),
         "broken": breaks_off, "silent": says_nothing, "ending": ends_the_process}


def run_fakes(monkeypatch, capsys, *names):
    monkeypatch.setattr(prove, "PROOFS", FAKES)
    monkeypatch.setattr(sys, "argv", ["prove", *names])
    with pytest.raises(SystemExit) as end:
        prove.main()
    *_, table, end_of_it = capsys.readouterr().out.split("\n\n")
    rows = [tuple(cell.strip() for cell in line.split(" | ")) for line in table.splitlines()[2:]]
    return end.value.code, rows, end_of_it


def test_every_proof_has_its_figures_and_verdicts_in_one_table(monkeypatch, capsys):
    code, rows, end = run_fakes(monkeypatch, capsys)
    assert code == 1
    assert [(row[0].strip("| "), row[-1].strip("| ")) for row in rows] == [
        ("kept", "kept"), ("missed", "kept"), ("missed", "MISSED"), ("told", "not judged"), ("skipped", "NOT DONE"), ("broken", "not judged"),
        ("broken", "MISSED"), ("silent", "MISSED"), ("ending", "MISSED")]
    assert all(len(row) == 5 and all(row) for row in rows)
    assert "1 NOT DONE\n  skipped: a\n" in end and "4 MISSED\n  missed: a: of it\n" in end


@pytest.mark.parametrize("name", FAKES)
def test_what_is_missed_or_broken_off_alone_makes_it_fail(monkeypatch, capsys, name):
    assert run_fakes(monkeypatch, capsys, name)[0] == (1 if name in ("missed", "broken", "silent", "ending") else 0)
