"""The configuration: errors that name file, line and key; --check; SIGHUP; secrets from files."""

import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from intake_harness.bodies import full, minimal
from intake_harness.daemon import ROOT, ini, run_command
from intake_harness.waiting import eventually


@pytest.fixture
def check(binary, database, directory):
    """check("[http]\\nport = 1\\n") runs `intake serve --check` with that file."""
    def run(text, **environment):
        path = os.path.join(directory, "check.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = run_command(binary, "serve", "--check", "--config", path, environment=environment)
        return path, done
    run.good = ini({"database.conninfo": database.conninfo, "http.port": 0})
    return run


def test_check_accepts_a_good_file_and_exits(check):
    _, done = check(check.good)
    assert done.returncode == 0, done.stderr


def test_check_accepts_the_shipped_file(binary, database):
    done = run_command(binary, "serve", "--check", "--config", os.path.join(ROOT, "config/intake.conf"),
                       conninfo=database.conninfo)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line,words", [
    ("[http]\nprot = 8080", ["prot"]),
    ("[htpp]\nport = 8080", ["htpp"]),
    ("[http]\nport = eighty", ["port", "eighty"]),
    ("[http]\nport = 70000", ["port", "65535"]),
    ("[http]\nport = -1", ["port"]),
    ("[http]\nport =", ["port"]),
    ("[http]\nsubmissions_require_token = perhaps", ["submissions_require_token"]),
    ("[link]\nsubmissions = yes", ["submissions", "yes"]),
    ("[log]\nlevel = loud", ["level", "loud"]),
    ("[http]\nport", ["6"]),
    ("nonsense", ["5"]),
])
def test_a_fault_names_file_line_and_key(check, line, words):
    path, done = check(f"# first\n# second\n# third\n# fourth\n{line}\n")
    assert done.returncode != 0
    number = 6 if line.startswith("[") else 5
    assert f"{path}:{number}" in done.stderr
    for word in words:
        assert word in done.stderr


def test_a_file_that_is_not_there_is_named(binary, directory):
    path = os.path.join(directory, "none.conf")
    done = run_command(binary, "serve", "--check", "--config", path)
    assert done.returncode != 0 and path in done.stderr


@pytest.mark.parametrize("name,value", [("INTAKE_HTTP_PRT", "1"), ("INTAKE_HTTP_PORT", "x"),
                                        ("INTAKE_LANE_BATCH_MAX", "0")])
def test_a_fault_in_the_environment_names_the_variable(check, name, value):
    _, done = check(check.good, **{name: value})
    assert done.returncode != 0 and name in done.stderr


@pytest.mark.parametrize("option,value", [
    ("http.address", "not an address"), ("http.trusted_proxies", "10.0.0.1, elsewhere"),
    ("questionnaires.directory", "/no/such/directory"), ("questionnaires.default_id", "no-such-questionnaire")])
def test_check_looks_at_what_the_values_mean(check, option, value):
    _, done = check(check.good + ini({option: value}))
    assert done.returncode != 0 and value.rsplit(",", maxsplit=1)[-1].strip() in done.stderr


def test_check_refuses_a_link_secret_that_is_short_or_missing_and_does_not_quote_it(check):
    _, done = check(check.good + ini({"link.secret": "Tr0ub4dor&3"}))
    assert done.returncode != 0 and "secret" in done.stderr and "Tr0ub4dor" not in done.stderr
    _, done = check(check.good + ini({"link.submissions": "required"}))
    assert done.returncode != 0 and "secret" in done.stderr
    _, done = check(check.good + ini({"link.submissions": "required", "link.secret": "s" * 32}))
    assert done.returncode == 0, done.stderr


def test_the_environment_wins_over_the_file(start_intake, binary, database, directory):
    intake = start_intake.prepare({"http.rate_per_second": 1, "http.rate_burst": 1})
    intake.launch({"INTAKE_HTTP_RATE_PER_SECOND": "0"}).wait_notification("READY=1")
    assert {intake.client().submit(minimal()).status_code for _ in range(5)} == {201}


def test_the_connection_string_comes_from_a_credential(start_intake, database, directory):
    credentials = os.path.join(directory, "credentials")
    os.mkdir(credentials)
    with open(os.path.join(credentials, "database.conninfo"), "w", encoding="utf-8") as file:
        file.write(database.daemon_conninfo + "\n")
    intake = start_intake.prepare({"database.conninfo": "host=/nowhere dbname=none"})
    intake.launch({"CREDENTIALS_DIRECTORY": credentials}).wait_notification("READY=1")
    assert intake.client().submit(minimal()).status_code == 201


def test_a_password_is_never_logged(start_intake, database):
    intake = start_intake({"database.conninfo": database.daemon_conninfo + " password=Tr0ub4dor",
                           "log.level": "debug"})
    intake.client().submit(minimal())
    intake.stop()
    assert "Tr0ub4dor" not in intake.log()


def test_sighup_takes_what_can_change(start_intake):
    intake = start_intake({"http.rate_per_second": 0, "http.cors_origins": ""})
    client = intake.client()
    origin = {"Origin": "https://new.example.com"}
    assert "Access-Control-Allow-Origin" not in client.submit(minimal(), headers=origin).headers
    intake.write_config(http__cors_origins="https://new.example.com")
    intake.reload()
    eventually(lambda: "Access-Control-Allow-Origin" in client.submit(minimal(), headers=origin).headers)
    intake.write_config(http__rate_per_second=1, http__rate_burst=1)
    intake.reload()
    eventually(lambda: client.submit(minimal()).status_code == 429)


def test_sighup_takes_another_directory_of_questionnaires(start_intake, directory):
    intake = start_intake()
    folder = os.path.join(directory, "others")
    shutil.copytree(os.path.join(ROOT, "config/questionnaires"), folder)
    os.unlink(os.path.join(folder, "phq-9.json"))
    assert intake.client().get("/v1/questionnaires/phq-9").status_code == 200
    intake.write_config(questionnaires__directory=folder)
    intake.reload()
    eventually(lambda: intake.client().get("/v1/questionnaires/phq-9").status_code == 404)
    assert "at the next restart" not in intake.log()


@pytest.mark.threaded
def test_sighup_again_and_again_while_patients_post_and_staff_read(start_intake, staff_token):
    """Who began with the questionnaires of before goes on with them."""
    intake = start_intake()
    csv = {"format": "csv", "questionnaire": "hair-transplant"}
    stop = threading.Event()

    def work(number):
        client, staff = intake.client(), intake.client(staff_token)
        while not stop.is_set():
            body = full()
            assert client.submit(body).status_code == 201
            assert staff.get(f"/v1/submissions/{body['booking_uid']}").status_code == 200
            assert staff.get("/v1/export", params=csv).status_code == 200
        return number

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(work, number) for number in range(4)]
        for _ in range(30):
            intake.reload()
            intake.wait_notification("READY=1")
        stop.set()
        assert [worker.result() for worker in workers] == list(range(4))


def test_sighup_with_a_fault_keeps_what_was(start_intake):
    intake = start_intake({"http.cors_origins": "https://old.example.com"})
    intake.write_config(http__cors_origins="https://new.example.com", http__rate_burst="many")
    intake.reload()
    intake.wait_log("rate_burst")
    reply = intake.client().submit(minimal(), headers={"Origin": "https://old.example.com"})
    assert reply.status_code == 201
    assert reply.headers["Access-Control-Allow-Origin"] == "https://old.example.com"


def test_sighup_says_which_key_needs_a_restart(start_intake):
    intake = start_intake()
    intake.write_config(lane__batch_max=7)
    intake.reload()
    intake.wait_log("batch_max")
    assert intake.client().submit(minimal()).status_code == 201


def test_the_shipped_file_documents_every_key_with_its_default(binary):
    """`intake config` prints the one table that drives the parser, too."""
    done = run_command(binary, "config")
    assert done.returncode == 0
    with open(os.path.join(ROOT, "config/intake.conf"), encoding="utf-8") as file:
        assert file.read() == done.stdout


COMMANDS = ("serve", "migrate", "questionnaire", "token", "audit", "patient", "retention", "link")


@pytest.mark.parametrize("arguments", [[], ["help-me"], ["serve", "--port", "1"], ["serve", "extra"],
                                       ["migrate"], ["migrate", "sideways"], ["migrate", "down"], ["audit", "list"],
                                       ["token", "create", "--role", "staff"], ["token", "revoke"],
                                       ["audit", "verify", "--head", "12"], ["link", "--days", "0", "b1"],
                                       *([command, "--round"] for command in COMMANDS)])
def test_a_wrong_command_line_says_how_it_is_right(binary, arguments):
    done = run_command(binary, *arguments)
    assert done.returncode != 0 and "usage" in done.stderr.lower() and not done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_printed_for_who_asks(binary, command):
    done = run_command(binary, command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: intake {command}")


def test_help_and_version(binary):
    for arguments in (["--help"], ["--version"]):
        done = run_command(binary, *arguments)
        assert done.returncode == 0 and done.stdout and not done.stderr
