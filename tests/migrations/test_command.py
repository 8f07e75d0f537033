"""What `intake migrate` says and refuses."""

import re

import pytest

from intake_harness.daemon import run_command
from intake_harness.schema import LATEST, names_in


def test_two_runs_at_once_do_it_once(migrate, start_migrate, legacy):
    both = [start_migrate(legacy, "up") for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    applied = [len(re.findall("applied in", out)) for out, _ in outputs]
    assert sorted(applied) == [0, LATEST + 1]
    migrate(legacy, "check")


def test_a_changed_migration_is_an_error_that_says_so(migrate, database):
    database.query("UPDATE intake_migrations SET checksum = repeat('0', 64) WHERE number = 3")
    for arguments, code in ((["check"], 1), (["up"], 2), (["down", "--to", "0"], 2)):
        done = migrate(database, *arguments, code=code)
        assert "003_processing was changed" in done.stderr and "checksum" in done.stderr
    assert "changed since" in migrate(database, "status").stdout
    assert "staff_tokens" in names_in(database, "public")


def test_a_database_newer_than_the_program_is_left_alone(migrate, database):
    database.query("INSERT INTO intake_migrations (number, name, checksum, applied_at)"
                   " VALUES (999, '999_later', 'x', now())")
    for arguments, code in ((["check"], 1), (["up"], 2), (["down", "--to", "0"], 2)):
        done = migrate(database, *arguments, code=code)
        assert "newer than this program" in done.stderr and "999_later" in done.stderr
    assert "999_later" in migrate(database, "status").stdout
    assert "staff_tokens" in names_in(database, "public")


def test_check_names_the_command_that_mends_it(migrate, empty_database):
    for arguments in (["status"], ["up", "--to", "0"], ["up", "--to", "4"]):
        assert "`intake migrate up`" in migrate(empty_database, "check", code=1).stderr
        migrate(empty_database, *arguments)
    assert "005_answer_sources is missing" in migrate(empty_database, "check", code=1).stderr
    migrate(empty_database, "up")
    assert migrate(empty_database, "check").stderr == ""
    assert migrate(empty_database, "up").stdout == ""


@pytest.mark.parametrize("arguments", [
    [], ["sideways"], ["down"], ["up", "--to", "x"], ["up", "--to", "-1"], ["up", "down"],
    ["up", "--to", str(LATEST + 1)], ["down", "--to", str(LATEST + 1)]])
def test_what_makes_no_sense_is_refused(migrate, database, arguments):
    done = migrate(database, *arguments, code=2)
    assert "usage:" in done.stderr or f"there is no migration {LATEST + 1}" in done.stderr


def test_without_a_database_the_key_is_named(binary):
    done = run_command(binary, "migrate", "up")
    assert done.returncode == 2 and "conninfo" in done.stderr
