"""A run that was broken off, by a signal or by a fault, is finished or taken back by the next one."""

import os

import pytest

from intake_harness.daemon import run_command
from intake_harness.migrating import break_off, invalid_indexes, waiting_index_build
from intake_harness.schema import content, use

# Of the faults that a run can meet, each so many-th strikes; with INTAKE_TEST_LONG all of them do.
STRIDE = 1 if os.environ.get("INTAKE_TEST_LONG") else 7


@pytest.mark.parametrize("victim", ["program", "backend"])
def test_an_index_build_that_was_killed_is_finished_by_the_next_run(
        migrate, start_migrate, legacy, victim):
    migrate(legacy, "up", "--to", "0")
    with legacy.connect("legacy") as idle:
        with idle.transaction():
            idle.execute("INSERT INTO conversations DEFAULT VALUES")
            idle.execute("DECLARE c CURSOR FOR SELECT FROM messages")  # an old snapshot
            idle.execute("FETCH 1 FROM c")
            process = start_migrate(legacy, "up")
            waiting_index_build(legacy)
            break_off(legacy, process, (victim,))
    assert invalid_indexes(legacy) == ["idx_patient_profiles_booking_uid"]
    assert "001_medical_questionnaire was begun" in migrate(legacy, "check", code=1).stderr
    migrate(legacy, "up")
    migrate(legacy, "check")
    assert invalid_indexes(legacy) == []


def fail_at(database, number):
    """Makes the number-th change of the schema from now fail (0: none); a counter survives that."""
    with database.connect("postgres") as connection:
        connection.execute("DROP EVENT TRIGGER IF EXISTS fault")
        connection.execute("""
            CREATE SCHEMA IF NOT EXISTS fault;
            GRANT ALL ON SCHEMA fault TO PUBLIC;
            DROP SEQUENCE IF EXISTS fault.counter;
            CREATE SEQUENCE fault.counter;
            GRANT ALL ON SEQUENCE fault.counter TO PUBLIC""")
        if number > 0:
            connection.execute(f"""
                CREATE OR REPLACE FUNCTION fault.strike() RETURNS event_trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF nextval('fault.counter') = {number} THEN
                        RAISE EXCEPTION 'fault';
                    END IF;
                END $$;
                CREATE EVENT TRIGGER fault ON ddl_command_end
                    WHEN TAG IN ('ALTER TABLE', 'CREATE TABLE', 'DROP TABLE', 'CREATE INDEX', 'DROP INDEX',
                                 'CREATE TRIGGER', 'DROP TRIGGER', 'CREATE TABLE AS')
                    EXECUTE FUNCTION fault.strike()""")


@pytest.mark.parametrize("then", ["up", "down"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_run_that_breaks_off_anywhere_can_go_on_or_back(
        binary, migrate, empty_database, direction, then):
    database = empty_database
    back = ["down", "--to", "0"]
    migrate(database, "up")
    use(database)
    before = content(database)
    strike = len(direction + then) % STRIDE + 1  # not the same ones in all four tests
    while True:
        migrate(database, *(back if direction == "up" else ["up"]))
        fail_at(database, strike)
        done = run_command(binary, "migrate", *(["up"] if direction == "up" else back),
                           conninfo=database.conninfo)
        fail_at(database, 0)
        if done.returncode == 0:
            break
        assert "P0001" in done.stderr, done.stderr  # raise_exception
        migrate(database, *(["up"] if then == "up" else back))
        migrate(database, "up")
        assert content(database) == before, f"after a fault at change {strike}"
        strike += STRIDE
    assert strike > 30, "the fault never struck"
