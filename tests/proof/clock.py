"""A clock that jumps under the daemon: what is timed goes by the database's clock, or by one that cannot jump."""

import glob
import json
import os
import time
import urllib.error
import urllib.request

from intake_harness.daemon import run_command
from intake_harness.links import OPTIONS as LINKS
from intake_harness.links import link_header

from .faults import among, prove_resources, report_processing, wait_processed, warm_up
from .ledger import Ledger, compare
from .stage import OPTIONS, Stage

LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"  # of Debian's package libfaketime
HOUR, DAY, YEAR = 3600, 86400, 31556952
# (name, seconds from the true time)
JUMPS = (("an hour forward", HOUR + 60), ("back", 0), ("an hour back", -HOUR), ("to 1999", None), ("ten years on", 10 * YEAR),
         ("right", 0))


class Clock:
    """What the daemon believes the time to be; CLOCK_MONOTONIC is left alone, as a real jump leaves it."""

    def __init__(self, path, library):
        self._path = path
        self.environment = {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": self._path, "FAKETIME_NO_CACHE": "1",
                            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
        self.jump(0)

    def jump(self, seconds):
        self.offset = offset = seconds if seconds is not None else -int(time.time() - 29.5 * YEAR)  # the middle of 1999
        with open(self._path + ".new", "w", encoding="ascii") as file:
            file.write(f"{offset:+d}")
        os.replace(self._path + ".new", self._path)


def status_of(daemon, path, headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(daemon.base + path, headers=headers), timeout=20) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code


def clock_of(daemon):
    """As it tells itself, in seconds since 1970: the date of its answers."""
    with urllib.request.urlopen(daemon.base + "/version", timeout=20) as reply:
        return time.mktime(time.strptime(reply.headers["Date"], "%a, %d %b %Y %H:%M:%S %Z")) - time.timezone


def open_session(stage, daemon):
    """The cookie of a staff session."""
    made = run_command(stage.binary, "token", "create", "--role", "staff", "--name", "clock", conninfo=stage.database.conninfo)
    assert made.returncode == 0, made.stderr
    request = urllib.request.Request(daemon.base + "/v1/session", json.dumps({"token": made.stdout.strip()}).encode(),
                                     {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin",
                                      "Origin": daemon.base})
    with urllib.request.urlopen(request, timeout=20) as reply:
        return {"Cookie": reply.headers["Set-Cookie"].split(";")[0]}


def prove(binary, table, short):
    library = next(iter(glob.glob(LIBRARY)), None)
    if library is None:
        table.skip("a clock that jumps", "libfaketime is not installed", "with libfaketime")
        return
    # How many daemons there are, and the clocks of how many of them jump.
    for instances, jumping in ((2, 1),) if short else ((1, 1), (2, 1), (2, 2)):
        prove_jumps(binary, table, library, 1 if short else 20, instances, jumping)


def start(stage, library, instances):
    # One look-up at a time, so that the first makes all the connections that there will be.
    daemons = [stage.prepare({**OPTIONS, **LINKS, "executor.count": 1}) for _ in range(instances)]
    for daemon in daemons:
        daemon.clock = Clock(daemon.config_path + ".clock", library)
        daemon.start(daemon.clock.environment)
    return daemons


def prove_jumps(binary, table, library, rounds, instances, jumping):
    with Stage(binary) as stage:
        daemons = start(stage, library, instances)
        began = stage.database.value("SELECT now()")
        session, link = open_session(stage, daemons[0]), link_header("clock", expires=int(time.time()) + HOUR)
        assert not [what for daemon in daemons for what in find_odd(daemon, session, link)], "before anything jumped"
        book = Ledger([daemon.port for daemon in daemons])
        before = warm_up(stage, book, daemons)
        book.start()
        odd = []
        for name, seconds in JUMPS * rounds:
            for daemon in daemons[:jumping]:
                daemon.clock.jump(seconds)
            book.wait_for_more(100)
            for daemon in daemons:
                odd += [f"{name}: {what}" for what in find_odd(daemon, session, link)]
        book.stop()
        report(table, stage, book, began, f"{len(JUMPS) * rounds} times{among(instances)}"
               + (", of one alone" if jumping < instances else ""), odd)
        prove_resources(table, daemons, before)
        for daemon in daemons:
            daemon.stop()


def find_odd(daemon, session, link):
    """What does not go by the clock that it should."""
    if abs(clock_of(daemon) - time.time() - daemon.clock.offset) > 60:
        yield "its clock is not what it was made"
    # A link is good until the daemon's clock says otherwise; 404: there is no draft yet.
    status = status_of(daemon, "/v1/drafts/clock", link)
    if status != (403 if daemon.clock.offset > HOUR else 404):
        yield f"the link is {status}"
    if status_of(daemon, "/v1/session", session) != 200:
        yield "the session ended"


def report(table, stage, book, began, how, odd):
    count = "SELECT count(*) FROM medical_questionnaire_submissions WHERE "
    wait_processed(stage)
    wrong = compare(book, stage.database)
    for line in wrong[:5] + odd[:5]:
        print(f"    {line}")
    elsewhere = stage.database.value(count + "NOT (created_at BETWEEN %s AND now())", (began,))
    again = stage.database.value(count + "attempts > 1 OR status = 'failed'")
    table.add(f"a clock that jumps by an hour, to 1999 and by ten years, {how}",
              f"{book.acknowledged()} acknowledged, {len(wrong)} missing, doubled or wrong", "0", not wrong)
    table.add("  refused for a deadline that was none", str(book.outcomes["503"]), "0", book.outcomes["503"] == 0)
    table.add("  processed twice, or given up", str(again), "0", again == 0)
    table.add("  stored under another time than the database's", str(elsewhere), "0", elsewhere == 0)
    table.add("  sessions and links that ended or lived on wrongly", str(len(odd)), "0", not odd)
    report_processing(table, stage)
