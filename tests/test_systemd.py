"""The units: accepted by systemd, sandboxed, and a restart through the socket refuses nobody."""

import os
import re
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from intake_harness.bodies import minimal
from intake_harness.client import RawConnection
from intake_harness.daemon import ROOT, scrubbed_environment
from intake_harness.units import EXPOSURE_MAX, SERVICES, UNITS, exposure, unit, verify
from intake_harness.waiting import eventually
from proof.booted import CannotBoot
from proof.stage import Table, default_binary
from proof.systemd import booted, prove_restarts, prove_sandbox, prove_start


@pytest.mark.parametrize("name", SERVICES)
def test_the_sandbox_is_tight(name):
    assert exposure(name) <= EXPOSURE_MAX


def test_systemd_accepts_the_units(binary, directory):
    assert verify(binary, directory) == (0, "")


@pytest.mark.parametrize("name", SERVICES)
def test_a_crash_leaves_nothing_of_the_patients_on_the_disk(name):
    with open(unit(name), encoding="utf-8") as file:
        assert "\nLimitCORE=0\n" in file.read()


def test_the_units_name_what_the_program_knows():
    with open(unit("intake.service"), encoding="utf-8") as file:
        service = file.read()
    assert "Type=notify\n" in service and re.search(r"^WatchdogSec=\d+$", service, re.MULTILINE)
    assert "LoadCredential=database.conninfo:" in service and "LoadCredential=link.secret\n" in service
    assert "intake.socket" in service and "intake-migrate.service" in service


def test_an_installation_is_complete(binary, directory):
    """Every path that a unit names is one that `meson install` filled."""
    subprocess.run(["meson", "install", "-C", os.path.dirname(binary), "--no-rebuild", "--quiet",
                    "--destdir", directory], check=True, stdout=subprocess.DEVNULL)
    assert os.path.exists(directory + "/etc/intake/intake.conf")
    units = [os.path.join(folder, name) for folder, _, names in os.walk(directory)
             for name in names if name in UNITS]
    assert sorted(os.path.basename(path) for path in units) == sorted(UNITS)
    for path in units:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for program in re.findall(r"^ExecStart=(\S+)", text, re.MULTILINE):
            assert os.access(directory + program, os.X_OK), program
        for work in re.findall(r"^WorkingDirectory=(\S+)", text, re.MULTILINE):
            assert os.path.exists(directory + work + "/config/questionnaires/hair-transplant.json")
        for document in re.findall(r"^Documentation=file://(\S+)", text, re.MULTILINE):
            assert os.path.exists(directory + document), document


@pytest.mark.alone
def test_a_real_systemd_starts_confines_and_restarts_it():
    """The release build: a sanitizer would need what the sandbox forbids."""
    table = Table()
    try:
        with booted(default_binary()) as (stage, machine):
            prove_start(table, machine)
            prove_sandbox(table, machine)
            prove_restarts(table, machine, stage, 6)
    except CannotBoot as reason:
        pytest.skip(str(reason))
    assert not table.failures()


def test_a_restart_through_the_socket_refuses_no_connection(start_intake, database):
    """We keep the socket as systemd does; the daemon behind it goes and comes while clients post."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        intake = start_intake.prepare({"http.farewell_ms": 1000}, port=listener.getsockname()[1])
        intake.start(listener=listener)
        stop, outcomes = threading.Event(), []

        def knock():
            while not stop.is_set():
                try:
                    with RawConnection(intake.port) as raw:
                        raw.send("GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                        outcomes.append(raw.reply().status)
                except OSError as error:
                    outcomes.append(error)

        threads = [threading.Thread(target=knock) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            goal = len(outcomes) + 50
            eventually(lambda: len(outcomes) >= goal)
            intake.stop()
            intake.start(listener=listener)
        goal = len(outcomes) + 50
        eventually(lambda: len(outcomes) >= goal)
        stop.set()
        for thread in threads:
            thread.join()
        assert set(outcomes) == {200}, [outcome for outcome in outcomes if outcome != 200][:5]


@pytest.mark.skipif(shutil.which("systemd-socket-activate") is None, reason="systemd is not installed")
def test_the_daemon_takes_the_socket_of_systemd(binary, start_intake):
    intake = start_intake.prepare()
    log = open(intake.log_path, "ab")
    process = subprocess.Popen(
        ["systemd-socket-activate", "-l", f"127.0.0.1:{intake.port}", binary, "serve", "--config", intake.config_path],
        cwd=ROOT, env=scrubbed_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        eventually(lambda: intake.client().submit(minimal()).status_code == 201 if accepts(intake.port) else False)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        log.close()


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
