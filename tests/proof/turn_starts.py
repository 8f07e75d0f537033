"""
Every allocation refused in turn from the program's first on: the daemon starts as it should or says why it does
not, and so does each command; none dies of it, and none says that it did what it did not.
"""

import json
import os
import random
import re
import subprocess

from intake_harness.daemon import ROOT, scrubbed_environment
from intake_harness.waiting import eventually

from .asking import WITHIN_S, Call, ask, request
from .turn_steps import first_posted
from .turn_world import OPTIONS, plain

POINTS = 3  # in the short form, of a start
PAST_END = 20  # so many in a row that it did not come to: no start makes more allocations, though they differ by some
COMMAND_POINTS = 1
FORM = os.path.join(ROOT, "config", "questionnaires", "hair-transplant.json")
COMMANDS = (
    ("serve", "--check"), ("migrate", "status"), ("migrate", "check"), ("questionnaire", "check", FORM), ("token", "list"),
    ("link", "{booking}"), ("audit", "verify"), ("audit", "list", "--booking", "{booking}"), ("retention", "run", "--dry-run"),
    ("patient", "export", "{booking}"), ("patient", "erase", "{booking}", "--yes"), ("config",), ("version",), ("--help",))


def turns_of(calls, short, points, denser=0):
    """
    Which allocations are refused: in the full form every one, until there is none any more; in the short form so many,
    and `denser` more of them in the last tenth, in which a start makes its threads.
    """
    if not short:
        return range(1, 1_000_000)
    few = [1 + (point * calls + random.randrange(calls)) // points for point in range(points if calls else 0)]
    return sorted(few + [calls - random.randrange(calls // 10) for _ in range(denser)])


def begin(world, daemon, turn):
    """Starts it with that allocation refused, 0: none; None once it serves, or else its exit code."""
    scarcity = world.make_scarcity(world.stage.binary, daemon.config_path + ".scarcity")
    scarcity.refuse_turn(turn)
    daemon.launch(scarcity.environment)
    try:
        daemon.wait_notification("READY=1", 2 * WITHIN_S)
    except AssertionError as error:
        if daemon.running():
            raise AssertionError(f"neither ready nor ended: {error}") from None
    came = scarcity.end_turn()
    return daemon.process.poll(), came, scarcity.calls()


def threads_of(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/task"))


def check_started(world, daemon, threads):
    """Also whether each thread that looks up has what it needs."""
    assert threads_of(daemon) == threads, f"{threads_of(daemon)} threads, and not {threads}"
    eventually(lambda: ask(daemon.port, request("GET", "/health/ready"))[0].status == 200, WITHIN_S, "ready")
    calls = [Call(daemon.port, request("GET", f"/v1/submissions/{world.booking}", world.as_staff)) for _ in range(4)]
    statuses = [reply.status for call in calls for reply in call.replies()]
    assert statuses == [200] * len(calls), statuses
    daemon.stop()


def start_once(world, daemon, turn, threads):
    """Whether it came to the refusal, and whether it served nevertheless."""
    told_before = len(daemon.log())
    code, came, _ = begin(world, daemon, turn)
    if code is None:
        check_started(world, daemon, threads)
        return came, True
    told = daemon.log()[told_before:]
    assert code == 2, f"ended with {code}"
    assert re.search("level=error|^intake: ", told, re.MULTILINE), f"ended with {code} and said {told!r}"
    return came, False


def prove_starts(world, short, wrong):
    """(how many starts with a refusal, how many of them served)."""
    daemon = world.stage.prepare({**OPTIONS, "lane.count": 2, "executor.count": 2, "worker.count": 2, "http.threads": 2})
    code, _, calls = begin(world, daemon, 0)
    assert code is None
    threads = threads_of(daemon)
    check_started(world, daemon, threads)
    starts = served = past = 0
    for turn in turns_of(calls, short, POINTS, 2 * POINTS):
        came = serves = True
        try:
            came, serves = start_once(world, daemon, turn, threads)
        except AssertionError as error:
            wrong.append(f"start, allocation {turn}: {error}")
            print(f"    {wrong[-1][:1500]}", flush=True)
            if daemon.running():
                daemon.kill()
        past = 0 if came else past + 1
        if past == PAST_END:
            break
        starts, served = starts + came, served + (came and serves)
    return starts, served


def run(world, command, turn):
    """The command with that allocation refused; what came of it, and whether it came to the refusal."""
    scarcity = world.make_scarcity(world.stage.binary, os.path.join(world.stage.directory, "command.scarcity"))
    scarcity.refuse_turn(turn)
    done = subprocess.run([world.stage.binary, *command], cwd=ROOT, text=True, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=3 * WITHIN_S, check=False, env=scrubbed_environment({
                              **scarcity.environment, "INTAKE_DATABASE_CONNINFO": world.database.conninfo,
                              "INTAKE_LINK_SECRET": OPTIONS["link.secret"]}))
    return done, scarcity.end_turn(), scarcity.calls()


def check_erased(world, context, done):
    """All, where it says so; else nothing, or all and it could not say so any more."""
    held, _, _ = run(world, ("patient", "export", context["booking"]), 0)
    told = world.canary.word in held.stdout
    assert held.returncode in (0, 1) and not (done.returncode == 0 and told), "not erased"


def command_once(world, words, turn, right):
    erases = "erase" in words
    context = first_posted(world) if erases else {"booking": world.booking}
    world.daemon.wait_processed(context["booking"])  # what there is to erase is the same each time
    done, came, calls = run(world, [word.format(**context) for word in words], turn)
    if done.returncode == 0:
        assert right is None or shape(words, done, context) == right, f"it says {done.stdout[:300]!r}"
    else:
        assert done.returncode in (1, 2), f"ended with {done.returncode}"
        assert done.stderr, f"ended with {done.returncode} and says nothing"
    if erases:
        check_erased(world, context, done)
    return came, done, context, calls


def shape(words, done, context):
    """What has to be the same each time; of the audit, to which each run adds, no more than what it is made of."""
    if "export" in words:
        return {key: value for key, value in json.loads(done.stdout).items() if key not in ("exported_at", "audit_log")}
    text = re.sub("t=[0-9]+.*", "<link>", plain(done.stdout, context))
    if words[0] != "audit":
        return text
    return sorted({re.sub("[ 0-9a-f-]+", " ", line) for line in text.splitlines() if "sealed" not in line})


def prove_commands(world, short, wrong):
    """How many runs of commands had a refusal."""
    refused = 0
    for words in COMMANDS:
        for _ in range(2):  # the first of its kind is in the audit of the second
            _, done, context, calls = command_once(world, words, 0, None)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        right = shape(words, done, context)
        for turn in turns_of(calls, short, COMMAND_POINTS):
            came = True
            try:
                came, *_ = command_once(world, words, turn, right)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                wrong.append(f"{' '.join(words)}, allocation {turn}: {error}")
                print(f"    {wrong[-1][:1500]}", flush=True)
            if not came:
                break
            refused += 1
    return refused
