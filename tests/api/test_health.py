"""Health, metrics and version: what monitoring sees."""

import re

import pytest

from intake_harness.bodies import full, minimal
from intake_harness.waiting import eventually

SERIES = re.compile(r'^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_]\w*="([^"\\\n]|\\.)*",?)*\})? '
                    r'([+-]?(\d+(\.\d+)?([eE][+-]?\d+)?|Inf)|NaN)$')


def test_health_says_what_it_looked_at(shared_client):
    for path in ("/health", "/health/ready"):
        reply = shared_client.get(path)
        assert reply.status_code == 200
        assert reply.headers["Content-Type"].split(";")[0] == "application/health+json"
        body = reply.json()
        assert body["status"] == "pass" and body["version"]
        assert {"database", "schema", "worker", "queue"} <= set(body["checks"])
        for entries in body["checks"].values():
            assert entries and all(entry["status"] in ("pass", "warn", "fail") for entry in entries)


def test_live_needs_no_database(start_intake, postgres):
    intake = start_intake()
    postgres.stop()
    try:
        reply = intake.client().get("/health/live")
        assert reply.status_code == 200 and reply.json()["status"] == "pass"
    finally:
        postgres.start()


def test_ready_follows_the_database(start_intake, postgres):
    intake = start_intake()
    client = intake.client()
    postgres.stop()
    try:
        eventually(lambda: client.get("/health/ready").status_code == 503)
        body = client.get("/health/ready").json()
        assert body["status"] == "fail"
        assert "fail" in {entry["status"] for entry in body["checks"]["database"]}
    finally:
        postgres.start()
    eventually(lambda: client.get("/health/ready").status_code == 200)


def test_counting_that_takes_long_tells_nothing_of_the_database(start_intake, database):
    """As beside a transaction that is held open for hours; here a lock keeps it from an end."""
    client = start_intake().client()
    statuses = set()

    def monitors(condition):
        statuses.add(client.get("/health/ready").status_code)
        return database.query(f"SELECT pid FROM pg_stat_activity WHERE application_name = 'intake monitor'"
                              f" AND datname = current_database() AND {condition}")

    with database.connect() as locker, locker.transaction():
        locker.execute("LOCK TABLE medical_questionnaire_submissions")
        counting = eventually(lambda: monitors("wait_event_type = 'Lock'"), what="a count that waits")
        looking = eventually(lambda: monitors("state = 'idle' AND query ~ 'intake_migrations'"),
                             what="the count to be given up, and a look at the database after it")
        assert looking == counting, "one that counts keeps its connection"
    assert statuses == {200}


def test_a_question_of_the_schema_that_is_not_answered_changes_nothing(start_intake, database):
    client = start_intake().client()
    statuses, asked = set(), set()

    def asked_again():
        statuses.add(client.get("/health/ready").status_code)
        asked.update(row["at"] for row in database.query(
            "SELECT query_start AS at FROM pg_stat_activity WHERE application_name = 'intake monitor'"
            " AND datname = current_database() AND wait_event_type = 'Lock'"))
        return len(asked) > 1

    with database.connect() as locker, locker.transaction():
        locker.execute("LOCK TABLE intake_migrations")
        eventually(asked_again, what="another question after one that was given up")
    assert statuses == {200}


def test_a_schema_that_fits_no_more_is_noticed(start_intake, database):
    client = start_intake().client()
    begun = "UPDATE intake_migrations SET applied_at = %s WHERE number = (SELECT max(number) FROM intake_migrations)"
    database.query(begun, (None,))
    eventually(lambda: client.get("/health/ready").status_code == 503, 10)
    assert {entry["status"] for entry in client.get("/health/ready").json()["checks"]["schema"]} == {"fail"}
    database.query(begun, ("2026-01-01",))
    eventually(lambda: client.get("/health/ready").status_code == 200, 10)


def test_version(shared_client):
    body = shared_client.get("/version").json()
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", body["version"])
    assert "schema" in body


def test_metrics_are_well_formed(shared_client):
    shared_client.submit(full())
    reply = shared_client.get("/metrics")
    assert reply.status_code == 200
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    seen, types = set(), {}
    for line in reply.text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert name not in types, f"{name} twice"
            types[name] = kind
        elif not line.startswith("#"):
            assert SERIES.match(line), line
            series = line.rsplit(" ", 1)[0]
            assert series not in seen, f"{series} twice"
            seen.add(series)
            family = re.sub(r"_(bucket|sum|count)$", "", re.match(r"[\w:]+", series).group())
            assert family in types or re.match(r"[\w:]+", series).group() in types, series
    assert "histogram" in types.values()


def test_metrics_cover_what_monitoring_asks_for(shared_intake, shared_client):
    body = full()
    shared_client.submit(body)
    shared_intake.wait_processed(body["booking_uid"])
    text = shared_client.get("/metrics").text
    for words in (("request", "route=", "method=", "status="), ("duration", "_bucket"), ("batch",),
                  ("queue",), ("submission",), ("worker",), ("oldest",), ("database",)):
        assert any(all(word in line for word in words) for line in text.splitlines()), words


@pytest.mark.parametrize("attempts", [0, 1])
def test_the_age_of_the_oldest_is_told_whether_or_not_it_was_tried(start_intake, attempts, tokens):
    intake = start_intake({"worker.enabled": "false"})
    intake.client().submit(full())
    intake.database.query("UPDATE medical_questionnaire_submissions SET attempts = %s,"
                          " next_attempt_at = now() - interval '1 hour'", (attempts,))
    client = intake.client(tokens["metrics"])
    eventually(lambda: client.metric("intake_oldest_unprocessed_seconds") >= 3600, what="the age in the metrics")


def requests_counted(client):
    """Requests by (method, route, status)."""
    counted = {}
    for line in client.get("/metrics").text.splitlines():
        if re.match(r"\w*requests_total\{", line):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            counted[labels["method"], labels["route"], labels["status"]] = float(line.rsplit(" ", 1)[1])
    return counted


def test_requests_are_counted_by_route_and_never_by_path(intake, client, staff):
    body = full()
    for _ in range(3):
        client.submit(body)
    client.submit(minimal(age_range="x"))
    staff.look_up(body["booking_uid"])
    staff.look_up("nobody")
    client.get("/no/such/path")
    counted = eventually(lambda: (found := requests_counted(client)) and sum(
        found.values()) >= 7 and found)
    posts = {status: count for (method, route, status), count in counted.items()
             if method == "POST" and route == "/v1/submissions"}
    assert {status: count for status, count in posts.items() if count} == {"200": 2, "201": 1, "422": 1}
    routes = {route for _, route, _ in counted}
    assert not any(body["booking_uid"] in route or "nobody" in route or "no/such" in route for route in routes)


def test_metrics_hold_no_patient_data(shared_intake, shared_client, shared_staff):
    body = full()
    shared_client.submit(body)
    shared_staff.look_up(body["booking_uid"])
    text = shared_client.get("/metrics").text
    for value in (body["booking_uid"], body["attendee_name"], body["attendee_email"]):
        assert value not in text


def test_readiness_is_not_for_the_rate_limit(start_intake):
    """A monitoring that asks often still learns the truth about us, or is at least told when to ask."""
    intake = start_intake({"http.rate_per_second": 1, "http.rate_burst": 1})
    client = intake.client()
    replies = [client.get("/health/ready") for _ in range(5)]
    for reply in replies:
        assert reply.status_code == 200 or "Retry-After" in reply.headers
