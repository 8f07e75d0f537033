"""
Every allocation of the daemon refused in turn: the first that a request makes, then the second, and so on until
it makes no further one. Whoever asked is told the truth or nothing, and whatever was acknowledged is stored once.
"""

import json
import random

from intake_harness import logfmt

from . import turn_starts
from .faults import MORE_MIB
from .stage import Stage, resources, seconds_until
from .turn_steps import STEPS, check_ready
from .turn_world import World, plain

REST_S = 2.5  # so long that whoever looks once a second has rested meanwhile, and a stream that was left has ended
BACK_WITHIN_S = 20
MORE_PIECES = 100  # what a connection holds, to a client or to the database, differs by tens
CHANGING_HEADERS = ("date", "x-request-id", "content-length", "etag",
                    "x-total-count")  # which is left out where counting fails
POINTS = 2  # in the short form, of each step


def gist(reply, context, grows=False):
    """What of a reply has to be the same each time."""
    headers = {name: plain(value, context) for name, value in reply.headers
               if name not in CHANGING_HEADERS}
    text = reply.text()
    return reply.status, headers, str(sorted(json.loads(text))) if grows and text else plain(text, context)


def judge(replies, references, context, grows):
    """Fails when one of them is another than the right one, and does not say so."""
    for reply, right in zip(replies, references):
        if not reply.whole:
            continue  # the connection was closed
        status, headers, text = gist(reply, context, grows)
        if status >= 500:
            assert reply.text()[:1] in ("", "{"), f"{status} with {text[:200]}"
        elif status >= 400 and status == right[0] and text == "":
            continue  # right, and no memory to say why
        else:
            assert (status, headers, text) == right, f"{status} {headers} {text[:400]}, and not {str(right)[:600]}"


def perform(world, step, turn=None):
    """The step once, with that allocation refused; context, replies, and whether it came to that, or else the calls."""
    context = step.prepare(world)
    before = world.scarcity.calls()
    if turn is not None:
        world.scarcity.refuse_turn(turn)
    try:
        replies = step.act(world, context)
    finally:
        came = world.scarcity.calls() - before if turn is None else world.scarcity.end_turn()
    world.check_alive()
    if step.shows:
        world.shown |= {reply.header("x-request-id") for reply in replies if reply.status == 200 and reply.body}
    return context, replies, came


def references_of(world, step):
    """What is right; the number of allocations."""
    for _ in range(2):  # what is made once is made by the first
        context, replies, calls = perform(world, step)
        assert all(reply.whole for reply in replies), f"{step.name}: no answer without a refusal"
        step.verify(world, context, replies)
    return [gist(reply, context, step.grows) for reply in replies], calls


def exhaust(world, step, references, calls, short, wrong):
    """Refuses the step's allocations in turn; how many."""
    refused = 0
    for turn in turn_starts.turns_of(calls, short, POINTS):
        came = True
        try:
            context, replies, came = perform(world, step, turn)
            judge(replies, references, context, step.grows)
            step.verify(world, context, replies)
            context, replies, _ = perform(world, step)
            assert [gist(reply, context, step.grows) for reply in replies] == references, "wrong afterwards"
            step.verify(world, context, replies)
        except AssertionError as error:
            wrong.append(f"{step.name}, allocation {turn}: {error}")
            print(f"    {wrong[-1][:1500]}", flush=True)
            if not world.daemon.running():
                world.start()
        refused += came
        if not came and not short:
            break
    check_ready(world)
    return refused


def at_rest(world):
    """(resident MiB, descriptors, pieces of memory): the least of a while, as it looks after itself meanwhile."""
    seen = []
    seconds_until(lambda: seen.append((*resources(world.daemon), world.scarcity.held())), REST_S)
    return [min(values) for values in zip(*seen)]


def back_at_rest(world, before):
    """The same once it holds no more than before, or never comes to that."""
    seen = []

    def settled():
        seen.append(at_rest(world))
        return all(now <= then for now, then in zip(seen[-1][1:], before[1:]))

    seconds_until(settled, BACK_WITHIN_S)
    return seen[-1]


def unaudited(world):
    """How many of those who were shown somebody's data are not in the audit."""
    known = world.database.value("SELECT count(DISTINCT request_id) FROM audit_log WHERE request_id = ANY(%s)",
                                 (list(world.shown),))
    return len(world.shown) - known


def prove_daemon(world, table, short):
    steps = [step for step in STEPS if not (short and step.slow)]
    prepared = [(step, *references_of(world, step)) for step in steps]
    before, wrong = at_rest(world), []
    refused = sum(exhaust(world, step, references, calls, short, wrong) for step, references, calls in prepared)
    after = back_at_rest(world, before)
    table.add(f"allocations of {len(steps)} requests and jobs refused in turn", f"{refused:,} refused, {len(wrong)} wrong",
              "0", not wrong and refused > len(steps))
    missing = unaudited(world)
    table.add("  data shown without a line in the audit", f"{missing} of {len(world.shown):,}", "0", missing == 0)
    for name, number, more in (("resident MiB", 0, MORE_MIB), ("descriptors", 1, 0), ("pieces of memory", 2, MORE_PIECES)):
        table.add(f"  {name}, before and after", f"{before[number]:.0f} / {after[number]:.0f}", f"at most {more} more",
                  after[number] <= before[number] + more)
    world.daemon.stop()
    log = world.daemon.log()
    told = world.canary.found_in(log) or any(token in log for token in world.tokens.values())
    table.add("  lines of the log with a patient's texts or a token", f"{told:d} of {len(logfmt.records(log)):,}", "0", not told)


def prove(binary, table, short, scarcity):
    random.seed(0 if short else None)  # what tests/run tries is the same each time
    with Stage(binary) as stage:
        world = World(stage, scarcity)
        wrong = []
        starts, served = turn_starts.prove_starts(world, short, wrong)
        table.add("allocations of a start refused in turn",
                  f"{starts:,} starts, {served:,} served, {len(wrong)} neither served nor said why not", "0", not wrong)
        wrong = []
        runs = turn_starts.prove_commands(world, short, wrong)
        table.add(f"allocations of {len(turn_starts.COMMANDS)} commands refused in turn",
                  f"{runs:,} runs, {len(wrong)} wrong", "0", not wrong)
        prove_daemon(world, table, short)
