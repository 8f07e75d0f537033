"""Measures GET /v1/submissions over millions of submissions, through HTTP, and prints a table.

Usage: list_million.py ROWS [KEPT] - with KEPT, a conninfo, in a database that an earlier run, or
somebody, has filled already.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import psycopg

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from intake_harness.daemon import ROOT, Intake, run_command  # noqa: E402
from intake_harness.postgres import Cluster  # noqa: E402

LIMIT_MS = 50
REQUESTS = 60
SERVER_SETTINGS = """
shared_buffers = 6GB
max_wal_size = 20GB
checkpoint_timeout = 30min
full_page_writes = off
"""
BINARY = os.path.join(ROOT, "build", "intake")


class Filled:
    """A database as the harness's daemon wants it."""

    def __init__(self, conninfo):
        self.conninfo = self.daemon_conninfo = conninfo
        self.connection = psycopg.connect(conninfo, autocommit=True)

    def column(self, sql):
        return [row[0] for row in self.connection.execute(sql).fetchall()]


def sample(database, expression, condition="true"):
    """Values of 60 rows from all over the table."""
    return database.column(f"""
        SELECT {expression} FROM (
            SELECT s.*, p.name, p.email, p.phone
              FROM generate_series(1, 80) AS k
              CROSS JOIN LATERAL (
                  SELECT * FROM medical_questionnaire_submissions AS m
                   WHERE m.created_at >= now() - k * interval '13 days' AND {condition}
                   ORDER BY m.created_at, m.id LIMIT 1) AS s
              JOIN patient_profiles AS p ON p.id = s.patient_profile_id) AS r LIMIT 60""")


def queries(database):
    """(what is asked, a list of parameters to ask in turn)."""
    names = sample(database, "name")
    words = [name.split()[-1] for name in names]
    contradicted = "contradictions <> '[]'"
    flags = ("Blood thinners", "Diabetes", "Allergy to local anaesthetics", "Keloid scars", "no such flag")
    yield "no filter", [{}]
    yield "no filter, 200 lines", [{"limit": 200}]
    for status in ("processed", "failed", "submitted"):
        yield f"status={status}", [{"status": status}]
    for review in ("received", "has_issues", "approved", "rejected"):
        yield f"review={review}", [{"review": review}]
    for questionnaire in ("hair-transplant", "pre-operative-history", "unknown"):
        yield f"questionnaire={questionnaire}", [{"questionnaire": questionnaire}]
    for flag in flags:
        yield f"flag={flag}", [{"flag": flag}]
    times = [f"{day}T12:00:00Z" for day in sample(database, "created_at::date")]
    yield "since", [{"since": day} for day in times]
    yield "until", [{"until": day} for day in times]
    yield "since, until: one hour", [{"since": day, "until": day.replace("12:00", "13:00")} for day in times]
    yield "since: in the future", [{"since": "2999-01-01"}]
    yield "q: first and last name", [{"q": name} for name in names]
    yield "q: last name", [{"q": word} for word in words]
    yield "q: middle of a name", [{"q": word[1:]} for word in words if len(word) > 3]
    yield "q: common (mehmet)", [{"q": "mehmet"}]
    yield "q: of middling frequency", [{"q": name} for name in ("Íñigo", "Yağmur", "Çiğdem Gil", "Volkan Kaya", "Björn", "ströme")]
    yield "q: Arabic", [{"q": name} for name in ("محمد", "الأحمد", "خالد السيد")]
    yield "q: no hit", [{"q": name} for name in ("Xylophonqq", "Mehmet Zzyzx", "qwrtzp")]
    yield "q: two letters", [{"q": word[:2]} for word in words]
    yield "q: two letters, no hit", [{"q": text} for text in ("qz", "xx", "ẞẞ")]
    yield "q: one letter", [{"q": text} for text in "aİzx"]
    yield "q: no letters", [{"q": text} for text in ("%%%", "---", "_ _")]
    yield "q: booking", [{"q": uid} for uid in sample(database, "booking_uid")]
    yield "q: e-mail", [{"q": email.upper()} for email in sample(database, "email")]
    yield "q: e-mail, no hit", [{"q": "nobody@example.com"}]
    yield "q: phone", [{"q": phone} for phone in sample(database, "phone")]
    yield "q: e-mail as posted", [{"q": email} for email in sample(
        database, "submission_data ->> 'attendee_email'", contradicted)]
    yield "q: name as posted", [{"q": name} for name in sample(
        database, "submission_data ->> 'attendee_name'", contradicted)]
    yield "status, review", [{"status": s, "review": r} for s in ("processed", "failed", "submitted")
                             for r in ("received", "rejected")]
    yield "questionnaire, review", [{"questionnaire": q, "review": r} for q in ("phq-9", "pre-operative-history")
                                    for r in ("received", "rejected")]
    yield "review, since, until", [{"review": "rejected", "since": "2024-06-01", "until": day} for day in times]
    yield "review, flag", [{"review": r, "flag": f} for r in ("received", "rejected") for f in flags]
    yield "questionnaire, flag", [{"questionnaire": "pre-operative-history", "flag": f} for f in flags]
    yield "status, q", [{"status": s, "q": word} for s in ("processed", "failed") for word in words]
    yield "review, q", [{"review": r, "q": word} for r in ("received", "rejected") for word in words]
    yield "flag, q", [{"flag": f, "q": word} for f in flags for word in words[::4]]
    yield "status=failed, q: common", [{"status": "failed", "q": "mehmet"}]
    yield "review=rejected, q: common", [{"review": "rejected", "q": "mehmet"}]
    yield "until, q", [{"until": day, "q": word} for day, word in zip(times, words)]


def later_pages(client, parameters):
    """The parameters of the pages behind the first, for as long as there are, at most ten."""
    found, cursor = [], None
    for _ in range(10):
        reply = client.list(**parameters, **({"cursor": cursor} if cursor else {}))
        cursor = reply.json()["next_cursor"]
        if cursor is None:
            break
        found.append({**parameters, "cursor": cursor})
    return found


def measure(client, asked):
    """Milliseconds of each request, in the second round: the first one warms the caches."""
    times, short = [], 0
    for warm in (False, True):
        for k in range(max(REQUESTS, len(asked))):
            parameters = asked[k % len(asked)]
            began = time.perf_counter()
            reply = client.list(**parameters)
            took = (time.perf_counter() - began) * 1000
            assert reply.status_code == 200, (parameters, reply.text)
            page = reply.json()
            if warm:
                times.append(took)
                short += page["next_cursor"] is not None and len(page["submissions"]) < parameters.get("limit", 50)
    return times, short


def report(client, database):
    print(f"{'GET /v1/submissions':40}{'p50 ms':>9}{'p95 ms':>9}{'max ms':>9}{'short pages':>13}")
    slow = 0
    asked = list(queries(database))
    asked.append(("pages 2 to 11, no filter", later_pages(client, {})))
    asked.append(("pages 2 to 11, review=rejected", later_pages(client, {"review": "rejected"})))
    asked.append(("pages 2 to 11, q: common", later_pages(client, {"q": "mehmet"})))
    for what, parameters in asked:
        if not parameters:
            continue
        times, short = measure(client, parameters)
        p95 = statistics.quantiles(times, n=20)[18]
        slow += p95 > LIMIT_MS
        print(f"{what:40}{statistics.median(times):9.1f}{p95:9.1f}{max(times):9.1f}"
              f"{f'{short}/{len(times)}' if short else '':>13}{'  SLOW' if p95 > LIMIT_MS else ''}", flush=True)
    return slow


def forget_free_space(cluster, database):
    """
    After the load, VACUUM has noted a little space in every page, and each of the next hundred thousand
    posts would fetch another page from the disk to fill it. Tables that grew by posts have no such pages.
    """
    with psycopg.connect(database) as connection:
        paths = [row[0] for row in connection.execute(
            "SELECT pg_relation_filepath(oid) FROM pg_class WHERE oid IN"
            " ('users'::regclass, 'patient_profiles'::regclass, 'medical_questionnaire_submissions'::regclass)")]
    cluster.stop()
    for path in paths:
        os.remove(os.path.join(cluster.data, f"{path}_fsm"))
    cluster.start()


def fill(cluster, rows):
    cluster.restart(settings=SERVER_SETTINGS)
    database = cluster.create_database()
    done = run_command(BINARY, "migrate", "up", conninfo=database.conninfo)
    assert done.returncode == 0, done.stderr
    conninfo = cluster.conninfo(database.name)
    print(f"filling a database with {rows} submissions", flush=True)
    subprocess.run(["psql", conninfo, "-Xq", "-v", "ON_ERROR_STOP=1", "-v", f"rows={rows}", "-f",
                    os.path.join(HERE, "list_load.sql")], check=True)
    forget_free_space(cluster, conninfo)
    return conninfo


def main():
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    cluster = None if len(sys.argv) > 2 else Cluster()
    directory = tempfile.mkdtemp(prefix="intake-list-", dir="/tmp")
    daemon = None
    try:
        database = Filled(sys.argv[2] if cluster is None else fill(cluster, rows))
        done = run_command(BINARY, "token", "create", "--role", "staff", "--name", "bench",
                           conninfo=database.conninfo)
        assert done.returncode == 0, done.stderr
        daemon = Intake(BINARY, database, directory)
        daemon.start()
        slow = report(daemon.client(done.stdout.strip()), database)
    finally:
        if daemon is not None:
            daemon.stop()
        if cluster is not None:
            cluster.close()
        shutil.rmtree(directory)
    sys.exit(f"{slow} above {LIMIT_MS} ms" if slow else 0)


if __name__ == "__main__":
    main()
