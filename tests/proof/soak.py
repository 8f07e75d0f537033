"""Hours of an ordinary day: memory and descriptors stay where they were."""

import http.client
import os
import re
import statistics
import subprocess
import time

from intake_harness.daemon import ROOT, run_command
from intake_harness.links import OPTIONS, link_token

from .stage import Stage, resources

CONNECTIONS = 32
DRAFTS = 500
MORE_MIB = 4.0
SHORT_MORE_MIB = 8.0  # it has not met all kinds of requests at once yet; a kilobyte lost by each would be more
MORE_DESCRIPTORS = 4
SAMPLES = 50
# Of every hundred replies, by the turns of mix.lua: at least and at most. Any other status is wrong.
SHARES = {201: (25, 60), 200: (35, 70), 400: (1, 6), 404: (1, 6), 422: (2, 8)}


def begin_drafts(daemon, directory, seconds):
    """Some drafts, and a file with their bookings and links' tokens, valid until the end."""
    path, connection = os.path.join(directory, "links"), http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=20)
    with open(path, "w", encoding="ascii") as file:
        for number in range(DRAFTS):
            booking = f"draft_{number}"
            token = link_token(booking, int(time.time()) + seconds + 600)
            connection.request("PUT", f"/v1/drafts/{booking}", '{"allergies":"none"}',
                               {"Content-Type": "application/json", "X-Intake-Link": token})
            reply = connection.getresponse()
            assert reply.status == 201, reply.read()
            reply.read()
            file.write(f"{booking} {token}\n")
    connection.close()
    return path


def start_load(stage, daemon, token, seconds):
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", os.path.join(ROOT, "tests", "bench", "mix.lua"),
               daemon.base, "--", token, f"soak{os.getpid()}", begin_drafts(daemon, stage.directory, seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def watch(daemon, seconds, load):
    """(MiB, descriptors) at regular times until the load ends."""
    begun, found = time.monotonic(), []
    for number in range(1, SAMPLES):
        try:
            load.wait(max(0.0, begun + seconds * number / SAMPLES - time.monotonic()))
            break
        except subprocess.TimeoutExpired:
            found.append(resources(daemon))
    return found


def outcome(said):
    """What wrk says: (requests a second, {status: count}, connections that failed or replies that did not come)."""
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    statuses = re.search(r"Statuses:(.*)", said)[1]
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]),
            {int(status): int(count) for status, count in re.findall(r"(\d+)=(\d+)", statuses)},
            sum(map(int, errors.groups())) if errors else 0)


def misfits(statuses):
    """How many replies have a status that none should have, and which statuses are too few or too many."""
    total = max(1, sum(statuses.values()))
    shares = {status: 100 * statuses.get(status, 0) / total for status in SHARES}
    return (sum(count for status, count in statuses.items() if status not in SHARES),
            [status for status, (least, most) in SHARES.items() if not least <= shares[status] <= most])


def middle(samples):
    return statistics.median(sample[0] for sample in samples), statistics.median(sample[1] for sample in samples)


def prove(binary, table, short, seconds=None):
    seconds = seconds or (10 if short else 1800)
    with Stage(binary) as stage:
        done = run_command(binary, "token", "create", "--role", "staff", "--name", "soak", conninfo=stage.database.conninfo)
        assert done.returncode == 0, done.stderr
        (daemon,) = stage.start({**OPTIONS, "lane.deadline_ms": 5000, "executor.deadline_ms": 5000})
        load = start_load(stage, daemon, done.stdout.strip(), seconds)
        samples = watch(daemon, seconds, load)
        said = load.communicate()[0]
        rate, statuses, lost = outcome(said)
        unexpected, uneven = misfits(statuses)
        stored = stage.database.value("SELECT count(*) FROM medical_questionnaire_submissions")
    length = f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds} seconds"
    # Around a fifth of the time, and at its end: single samples have a request's buffers in them.
    (early_mib, early_fds), (late_mib, late_fds) = middle(samples[SAMPLES // 5 - 3:SAMPLES // 5 + 3]), middle(samples[-6:])
    table.add(f"{length} of posts, revisions, look-ups, lists, drafts, refusals",
              f"{rate:,.0f} a second, {stored:,} stored; {unexpected} unexpected replies, {lost} lost", "0 and 0",
              unexpected == 0 and lost == 0)
    table.add("  replies by status", ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items())),
              "each kind as often as asked", not uneven)
    more_mib = SHORT_MORE_MIB if short else MORE_MIB
    table.add("  resident MiB after a fifth and at the end", f"{early_mib:.1f} / {late_mib:.1f}",
              f"at most {more_mib:.0f} more", late_mib - early_mib <= more_mib)
    table.add("  descriptors after a fifth and at the end", f"{early_fds:.0f} / {late_fds:.0f}",
              f"at most {MORE_DESCRIPTORS} more", late_fds - early_fds <= MORE_DESCRIPTORS)
