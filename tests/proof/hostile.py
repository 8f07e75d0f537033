"""Hostile input: clients that are as slow as they are let, and texts that programs stumble over."""

import resource
import subprocess
import sys
import threading
import time
import urllib.request

from intake_harness.daemon import ROOT, run_command, scrubbed_environment
from intake_harness.links import OPTIONS as LINK_OPTIONS
from intake_harness.logfmt import errors, records
from intake_harness.naughty import HAIR, PRE_OPERATIVE, Crossing, EnvelopeCrossing, strings

from .poison import Neighbours
from .stage import Stage, resources, seconds_until

KINDS = ("headers", "bodies", "readers")
# What slow readers ask for: more than the kernel keeps for them, most of it without a token.
READ = ["/openapi.json", "/v1/submissions?limit=200", "/v1/questionnaires/pre-operative-history",
        "/v1/export?format=ndjson"]
PHASES = ("header", "body", "response", "idle")  # the last: what fits into the kernel counts as sent
DEADLINES_MS = dict(zip(PHASES, (10000, 15000, 30000, 60000)))
SHORT_DEADLINES_MS = dict(zip(PHASES, (1000, 1500, 3000, 3000)))
FACTOR = 2.0


class Crowd:
    """So many slow clients in a process of their own; each that is cut comes again until the end."""

    def __init__(self, kind, port, count, token):
        command = [sys.executable, "-m", "proof.slow", kind, str(port), str(count), *READ, "--token", token]
        self._process = subprocess.Popen(command, cwd=f"{ROOT}/tests", env=scrubbed_environment(), text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout.readline() == "ready\n"

    def finish(self):
        """Waits until the last one was cut; how many were in all."""
        begun = time.monotonic()
        out, _ = self._process.communicate("no more\n")
        return int(out), time.monotonic() - begun


def connections(daemon):
    with urllib.request.urlopen(f"{daemon.base}/metrics", timeout=20) as reply:
        for line in reply.read().decode().splitlines():
            if line.startswith("intake_http_connections "):
                return int(line.split()[1])
    raise AssertionError("no such metric")


class Peak:
    """The most memory and descriptors that the daemon had meanwhile."""

    def __init__(self, daemon):
        self._daemon, self.most, self._stop = daemon, (0, 0), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(0.1):
            self.most = tuple(map(max, self.most, resources(self._daemon)))

    def finish(self):
        self._stop.set()
        self._thread.join()
        return self.most


def prove_slow(table, daemon, token, kind, count, seconds, judged):
    alone = Neighbours(daemon.port, seconds).p99()
    before, open_before = resources(daemon), connections(daemon)
    peak = Peak(daemon)
    crowd = Crowd(kind, daemon.port, count, token)
    among = Neighbours(daemon.port, seconds)
    held = connections(daemon)
    with_crowd = among.p99()
    cuts, lasted = crowd.finish()
    most = peak.finish()
    gone = seconds_until(lambda: connections(daemon) <= open_before, 20)
    after = resources(daemon)
    table.add(f"{count} slow {kind}: p99 of an honest client, with them and without",
              f"{with_crowd:.1f} / {alone:.1f} ms, {with_crowd / alone:.2f} times",
              f"at most {FACTOR:.0f}", with_crowd / alone <= FACTOR if judged else None)
    limit = max(daemon.options[f"http.{phase}_timeout_ms"] for phase in PHASES) / 1000 + 4  # two rounds, and the looks at the deadlines
    table.add("  held at once, cut in all, the last after", f"{held}, {cuts}, {lasted:.1f} s", f"{limit:.0f} s",
              held >= count * 0.9 and cuts >= count and lasted <= limit and gone < 20)
    table.add("  resident MiB before, at most, after", f"{before[0]:.0f}, {most[0]:.0f}, {after[0]:.0f}",
              "at most 16 more after", after[0] - before[0] < 16)
    table.add("  descriptors before, at most, after", f"{before[1]}, {most[1]}, {after[1]}", "at most 2 more",
              after[1] <= before[1] + 2)


def prove_texts(table, daemon, token, short):
    texts = strings()
    if short:
        texts = texts[::10]
    for name, crossing in (("hair-transplant", Crossing(daemon, HAIR, token)),
                           ("pre-operative-history", Crossing(daemon, PRE_OPERATIVE, token))):
        crossing.run(texts, every_field=True, with_drafts=not short).read_exports().read_earlier()
        kept = sum(len(one) for one in crossing.stored.values())
        table.add(f"{len(texts)} texts in {len(crossing.form.names)} fields of {name}, flat and FHIR",
                  f"{kept} kept, {len(crossing.refused)} refused by a rule, {len(crossing.wrong)} lost or altered", "0",
                  not crossing.wrong)
    envelope = EnvelopeCrossing(daemon, token).run(texts, every_field=True).read_exports().read_earlier(texts)
    table.add(f"{len(texts)} texts in {len(envelope.FIELDS)} fields of the envelope, flat and FHIR",
              f"{len(envelope.taken)} posts, {len(envelope.names)} names kept, {len(envelope.wrong)} lost or altered",
              "0; names: all that the rule allows", not envelope.wrong and len(envelope.names) > len(texts) / 2)


def prove(binary, table, short):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count, seconds = (100, 2) if short else (1000, 30)
    deadlines = {f"http.{phase}_timeout_ms": value
                 for phase, value in (SHORT_DEADLINES_MS if short else DEADLINES_MS).items()}
    with Stage(binary) as stage:
        done = run_command(binary, "token", "create", "--role", "staff", "--name", "prove",
                           conninfo=stage.database.conninfo)
        token = done.stdout.strip()
        (daemon,) = stage.start({**LINK_OPTIONS, **deadlines, "worker.poll_ms": 1000, "log.level": "info"})
        prove_texts(table, daemon, token, short)
        for kind in KINDS:
            prove_slow(table, daemon, token, kind, count, seconds, judged=not short)
        log = daemon.log()
        table.add("  errors of the service, each line of its log a record", f"{len(errors(log))} in {len(records(log))} lines",
                  "0", not errors(log) and records(log))
