"""What the daemon is asked to do while its allocations are refused in turn: every route, and every thread of it."""

import json
import re

from intake_harness import fhir, links
from intake_harness.bodies import fresh_booking, full
from intake_harness.naughty import HAIR, filled
from intake_harness.waiting import eventually

from .asking import WITHIN_S, Call, ask, request

JSON = {"Content-Type": "application/json"}
FHIR = {"Content-Type": "application/fhir+json"}
ASK_EVERY_SECOND = ["intake monitor", "intake sealer"]  # the names of their sessions


class Step:
    """
    prepare(world) makes what act(world, context) needs, a dict of texts that are different each time. Only during
    act(), which returns replies, is memory refused. verify(world, context, replies) fails when what is stored is wrong.
    """

    def __init__(self, name, act, prepare=lambda world: {}, verify=lambda world, context, replies: None, slow=False,
                 grows=False, shows=False):
        self.name, self.act, self.prepare, self.verify = name, act, prepare, verify
        self.slow = slow  # takes a second or more
        self.shows = shows  # somebody's data to staff, which the audit notes
        self.grows = grows  # what is right has more to it each time


def submission(world, context=None, **changes):
    """A body with something of everybody's own in every text; {} and it are a context."""
    booking = (context or {}).get("booking") or fresh_booking()
    answers = filled(HAIR.template, {name: f"{world.canary.word} {name} {booking}" for name in HAIR.names})
    return full(booking, **{**answers, "attendee_name": f"Ayse {world.canary.word} {booking}",
                            "consent_version": "2026-11", **changes})


def encoded(body):
    return json.dumps(body, ensure_ascii=False).encode()


def post(body, headers=None, path="/v1/submissions"):
    return request("POST", path, {**JSON, **(headers or {})}, body if isinstance(body, bytes) else encoded(body))


def rows(world, booking):
    """(revision, content) of each row of the booking, and the revisions that are kept beside it."""
    found = world.database.query("SELECT id::text, revision, submission_data FROM medical_questionnaire_submissions"
                                 " WHERE booking_uid = %s", (booking,))
    kept = world.database.query("SELECT r.revision FROM submission_revisions AS r JOIN medical_questionnaire_submissions AS s"
                                " ON s.id = r.submission_id WHERE s.booking_uid = %s ORDER BY 1", (booking,))
    return [(row["revision"], row["submission_data"]) for row in found], [row["revision"] for row in kept]


def check_stored(world, booking, body, revision, reply):
    """Once, if it was acknowledged; after one more try in any case."""
    def as_it_should_be():
        found, kept = rows(world, booking)
        return len(found) == 1 and found[0] == (revision, body) and kept == list(range(1, revision))
    found, _ = rows(world, booking)
    assert len(found) <= 1, f"stored {len(found)} times"
    if reply.status in (200, 201):
        assert as_it_should_be(), f"acknowledged, but stored is {rows(world, booking)}"
    elif reply.status in (400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 429):
        raise AssertionError(f"a good one was refused with {reply.status}")
    (again,) = ask(world.port, post(body))
    assert again.status in (200, 201) and as_it_should_be(), f"tried again: {again.status}, {rows(world, booking)}"


def new(world):
    body = submission(world)
    return {"booking": body["booking_uid"], "body": body}


def first_posted(world):
    """Somebody has posted one revision, and posts the next."""
    context = new(world)
    assert ask(world.port, post(context["body"]))[0].status == 201
    return {**context, "second": {**context["body"], "age_range": "46-55"}}


def known(world):
    """Somebody known to another program, whose post contradicts what is known."""
    world.number += 1
    phone = f"+90532{world.number:07}"
    body = submission(world, attendee_phone=phone)
    email = f"{body['booking_uid'].lower()}@elsewhere.example.com"
    profile = world.database.value("""
        WITH u AS (INSERT INTO users (phone_number, name) VALUES (%(phone)s, 'Ayse') RETURNING id)
        INSERT INTO patient_profiles (user_id, name, phone, email, source_channel)
        SELECT id, 'Ayse', %(phone)s, %(email)s, 'whatsapp' FROM u RETURNING id""", {"phone": phone, "email": email})
    world.database.query("INSERT INTO medical_backgrounds (patient_profile_id, medical_data) VALUES (%s, %s)",
                         (profile, '{"hair_loss_duration": "1-2-years"}'))
    assert ask(world.port, post(body))[0].status == 201
    world.daemon.wait_processed(body["booking_uid"])
    return {"booking": body["booking_uid"], "phone": phone, "body": body}


def decision(world, context):
    return ask(world.port, request("PUT", f"/v1/submissions/{context['booking']}/contradictions/hair_loss_duration",
                                   {**world.as_staff, **JSON}, encoded({"decision": "take", "revision": 1})))


def check_decision(world, context, replies):
    if replies[0].status == 200:
        assert world.database.background(context["booking"])["hair_loss_duration"] == "5-10-years", "not taken"


def review(world, context, revision=1):
    return ask(world.port, request("PUT", f"/v1/submissions/{context['booking']}/review", {**world.as_staff, **JSON},
                                   encoded({"state": "approved", "comment": world.canary.word, "revision": revision})))


def check_review(world, context, replies):
    kept = world.database.value("SELECT count(*) FROM submission_reviews AS r JOIN medical_questionnaire_submissions AS s"
                                " ON s.id = r.submission_id WHERE s.booking_uid = %s", (context["booking"],))
    assert kept == 1 or kept == 0 and replies[0].status != 200, f"{kept} reviews"


def failed(world):
    context = first_posted(world)
    world.daemon.wait_processed(context["booking"])
    world.database.query("UPDATE medical_questionnaire_submissions SET status = 'failed', failure_reason = 'x'"
                         " WHERE booking_uid = %s", (context["booking"],))
    return context


def retry(world, context):
    return ask(world.port, request("POST", f"/v1/submissions/{context['booking']}/retry", world.as_staff))


def check_processed(world, context, _):
    world.daemon.wait_processed(context["booking"])
    found = world.database.background(context["booking"])
    assert found is not None and found["hair_loss_duration"] == "5-10-years", found


def check_retry(world, context, replies):
    if replies[0].status in (200, 202):
        check_processed(world, context, replies)


def waited_for(world, context):
    """The worker's turn: what was posted is processed."""
    world.daemon.wait_processed(context["booking"])
    return []


def draft_path(context):
    return f"/v1/drafts/{context['booking']}"


def link(context):
    return {"X-Intake-Link": links.link_token(context["booking"])}


def draft_put(world, context, headers=None):
    return ask(world.port, request("PUT", draft_path(context), {**link(context), **JSON, **(headers or {})},
                                   encoded(context["body"])))


def drafted(world):
    context = new(world)
    (reply,) = draft_put(world, context)
    assert reply.status == 201, reply.text()
    return {**context, "etag": reply.header("etag")}


def draft_rows(world, context):
    return world.database.value("SELECT count(*) FROM submission_drafts WHERE booking_uid = %s", (context["booking"],))


def check_drafted(world, context, replies):
    assert draft_rows(world, context) == 1 or replies[0].status not in (200, 201), "acknowledged, and no draft"


def check_dropped(world, context, replies):
    assert draft_rows(world, context) == 0 or replies[0].status != 204, "acknowledged, and still there"


def signed_in(world):
    (reply,) = ask(world.port, post({"token": world.tokens["staff"]}, path="/v1/session"))
    assert reply.status == 201, reply.text()
    return {"cookie": reply.header("set-cookie").split(";")[0].split("=")[1]}


def with_session(method):
    def act(world, context):
        return ask(world.port, request(method, "/v1/session", {
            "Cookie": f"intake_session={context['cookie']}", "Origin": "http://127.0.0.1"}))
    return act


def several(world):
    contexts = [new(world) for _ in range(3)]
    return {**{f"booking{i}": context["booking"] for i, context in enumerate(contexts)},
            "bodies": [context["body"] for context in contexts]}


def posted_at_once(world, context):
    calls = [Call(world.port, post(body)) for body in context["bodies"]]
    return [reply for call in calls for reply in call.replies()]


def check_several(world, context, replies):
    for body, reply in zip(context["bodies"], replies):
        check_stored(world, body["booking_uid"], body, 1, reply)


def looked_up_at_once(world, _):
    calls = [Call(world.port, request("GET", f"/v1/submissions/{world.booking}", world.as_staff)) for _ in range(5)]
    return [reply for call in calls for reply in call.replies()]


def reload(world, _):
    world.daemon.reload()
    world.daemon.wait_notification("READY=1", WITHIN_S)
    return ask(world.port, request("GET", "/v1/questionnaires"))


def disconnected(world):
    """PostgreSQL has ended every session of the daemon."""
    with world.database.connect("postgres") as admin:
        admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'intake_daemon'")
    return new(world)


def worked(world, context):
    return [*ask(world.port, post(context["body"])),
            *ask(world.port, request("GET", f"/v1/submissions/{world.booking}", world.as_staff))]


def check_new(world, context, replies):
    check_stored(world, context["booking"], context["body"], 1, replies[0])


def idle(world, _):
    """Until each of those who ask every second has gone through a whole second, or one was refused what it needs."""
    begun, refused = world.database.value("SELECT clock_timestamp()"), world.scarcity.refused()
    eventually(lambda: world.scarcity.refused() > refused or world.database.value(
        "SELECT count(DISTINCT application_name) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = ANY(%s) AND query_start > %s + interval '1 second'", (ASK_EVERY_SECOND, begun))
        == len(ASK_EVERY_SECOND), WITHIN_S, "a question of each of them")
    return []


def check_ready(world):
    eventually(lambda: ask(world.port, request("GET", "/health/ready"))[0].status == 200, WITHIN_S, "ready")


def check_reconnected(world, context, replies):
    check_ready(world)
    check_new(world, context, replies)


def check_sealed(world, _context, _replies):
    newest = world.database.value("SELECT max(id) FROM audit_log")
    eventually(lambda: world.database.value("SELECT max(last_id) FROM audit_seals") >= newest, WITHIN_S, "a seal")
    check_ready(world)


def told(call, booking):
    """What of a stream of events came until the booking's was whole."""
    def enough(data):
        return re.search(rb"data: \{[^\n]*" + booking.encode() + rb"[^\n]*\n\n", data)
    (reply,) = call.replies(enough)
    event = enough(reply.body)
    reply.whole = event is not None or reply.whole and reply.status != 200
    reply.body = event[0] if event else reply.body
    return [reply]


def listening(world, last_id=None):
    headers = dict(world.as_staff, **({} if last_id is None else {"Last-Event-ID": last_id}))
    return Call(world.port, request("GET", "/v1/events", headers))


def missed_event(world):
    newest = world.database.value("SELECT max(id) FROM audit_log")
    return {**first_posted(world), "last_id": newest}


def event_to_come(world):
    call = listening(world).wait(lambda data: b"retry: " in data)
    return {**first_posted(world), "call": call}


def reading(name, path, headers=None, method="GET", staff=False, shows=False):
    """A request that changes nothing; `path` may be made of the world."""
    def act(world, _):
        sent = {**(headers or {}), **(world.as_staff if staff else {})}
        return ask(world.port, request(method, path(world) if callable(path) else path, sent))
    return Step(name, act, shows=shows)


def refused(name, body, headers=None, path="/v1/submissions"):
    """A body that is wrong."""
    def act(world, _):
        data = body(world) if callable(body) else body
        return ask(world.port, request("POST", path, headers or JSON, data))
    return Step(name, act)


def mistaken(world):
    body = submission(world, {"booking": world.booking}, attendee_email="nobody", age_range="17", allergies=["x"])
    return encoded(body)


def fhir_new(world):
    context = new(world)
    sent = fhir.response(context["booking"], item=fhir.hair(
        age_range=fhir.code("36-45"), allergies=fhir.code("yes"), allergies_details=fhir.text(world.canary.word)))
    return {"booking": context["booking"], "response": sent}


def fhir_post(world, context, path="/fhir/QuestionnaireResponse"):
    return ask(world.port, request("POST", path, FHIR, encoded(context["response"])))


def check_fhir(world, context, replies):
    found, _ = rows(world, context["booking"])
    assert len(found) == 1 or found == [] and replies[0].status != 201, f"{found}"
    (again,) = fhir_post(world, context)
    assert again.status in (200, 201), f"tried again: {again.status} {again.text()}"


def in_chunks(world, context):
    body = encoded(context["body"])
    half = len(body) // 2
    head = b"POST /v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:half], body[half:]))
    return ask(world.port, head + chunks + b"0\r\n\r\n")


def kept_alive(world, _):
    return ask(world.port, request("GET", "/version", closes=False), request("GET", "/v1/questionnaires", closes=False),
               request("GET", "/nothing"))


def of_booking(text=""):
    return lambda world: f"/v1/submissions/{world.booking}{text}"


def found_by(parameters):
    """The list or export of what has the canary's name, whatever else is stored: one booking."""
    return lambda world: parameters + f"q={world.booking}"


READS = (
    *(reading(path, path) for path in (
        "/health", "/health/live", "/health/ready", "/metrics", "/version", "/v1/questionnaires", "/fhir/metadata",
        "/v1/questionnaires/hair-transplant", "/fhir/Questionnaire", "/fhir/Questionnaire/hair-transplant", "/staff", "/docs",
        "/fhir/Questionnaire?url=urn:intake:questionnaire:hair-transplant", "/openapi.json", "/nothing",
        "/%zz", "/fhir/nothing")),
    reading("a packed page", "/docs", {"Accept-Encoding": "gzip"}),
    reading("a packed questionnaire", "/v1/questionnaires/hair-transplant", {"Accept-Encoding": "gzip"}),
    reading("a page of a link", lambda world: f"/q/{world.booking}?t={world.link}"),
    Step("a booking by its link", lambda world, _: ask(world.port, request(
        "GET", f"/v1/bookings/{world.booking}", link({"booking": world.booking})))),
    reading("an asset", lambda world: world.asset),
    reading("HEAD", "/version", method="HEAD"),
    reading("OPTIONS", "/v1/submissions", {"Origin": "https://clinic.example", "Access-Control-Request-Method": "POST"},
            method="OPTIONS"),
    reading("another origin", "/v1/questionnaires", {"Origin": "https://clinic.example"}),
    reading("a method that is not known", "/v1/submissions", method="DELETE"),
    reading("no token", of_booking()),
    reading("a wrong token", of_booking(), {"Authorization": "Bearer wrong"}),
    Step("a role that may not", lambda world, _: ask(world.port, request(
        "GET", f"/v1/submissions/{world.booking}", {"Authorization": f"Bearer {world.tokens['metrics']}"}))),
    reading("look-up", of_booking(), {"X-Intake-Reason": "call"}, staff=True, shows=True),
    reading("look-up of nothing", "/v1/submissions/nothing", staff=True),
    reading("history", of_booking("/history"), staff=True, shows=True),
    reading("list", found_by("/v1/submissions?status=processed&review=received&since=2020-01-01&limit=1&"), staff=True, shows=True),
    reading("list by a wrong parameter", "/v1/submissions?zzz=1&limit=0&limit=1", staff=True),
    reading("list by wrong values", "/v1/submissions?status=x&cursor=x&since=x", staff=True),
    *(reading(f"export as {form}", found_by(f"/v1/export?format={form}&"), staff=True, shows=True) for form in ("csv", "ndjson", "fhir")),
    reading("export as nothing", "/v1/export?format=x", staff=True),
    reading("FHIR search", lambda world: f"/fhir/QuestionnaireResponse?identifier={fhir.BOOKING}|{world.booking}", staff=True, shows=True),
    reading("FHIR read", lambda world: f"/fhir/QuestionnaireResponse/{world.submission_id}", staff=True, shows=True),
    reading("FHIR read of nothing", "/fhir/QuestionnaireResponse/x", staff=True),
    Step("FHIR audit", lambda world, _: ask(world.port, request(
        "GET", f"/fhir/AuditEvent?entity={fhir.BOOKING}|{world.booking}&_count=1",
        {"Authorization": f"Bearer {world.tokens['admin']}"})), grows=True),
    Step("look-ups at once", looked_up_at_once, shows=True),
    Step("kept alive", kept_alive),
    refused("no JSON", b'{"booking_uid": "x"'),
    refused("no object", b"[1]"),
    refused("broken rules", mistaken),
    refused("too large", b" " * 70_000),
    refused("another type", b"x", {"Content-Type": "text/plain"}),
    refused("FHIR, no JSON", b"{", FHIR, "/fhir/QuestionnaireResponse"),
    refused("FHIR, another resource", b'{"resourceType":"Patient"}', FHIR, "/fhir/QuestionnaireResponse"),
    refused("FHIR, broken rules", lambda world: encoded(fhir.response(world.booking, item=fhir.hair(
        age_range=fhir.code("x"), allergies=fhir.text("y")))), FHIR, "/fhir/QuestionnaireResponse"),
    refused("sign in with nothing", b'{"token":"x"}', path="/v1/session"),
)
WRITES = (
    Step("post", lambda world, context: ask(world.port, post(context["body"])), new, check_new),
    Step("post with a token", lambda world, context: ask(world.port, post(
        context["body"], {"Authorization": f"Bearer {world.tokens['intake']}"})), new, check_new),
    Step("post in chunks", in_chunks, new, check_new),
    Step("post that expects 100", lambda world, context: ask(world.port, post(
        context["body"], {"Expect": "100-continue"})), new, check_new),
    Step("posts at once", posted_at_once, several, check_several),
    Step("the same again", lambda world, context: ask(world.port, post(context["body"])), first_posted, check_new),
    Step("a revision", lambda world, context: ask(world.port, post(context["second"])), first_posted,
         lambda world, context, replies: check_stored(world, context["booking"], context["second"], 2, replies[0])),
    Step("a revision upon the one that is known",
         lambda world, context: ask(world.port, post(context["second"], {"If-Match": '"1"'})), first_posted,
         lambda world, context, replies: check_stored(world, context["booking"], context["second"], 2, replies[0])),
    Step("a revision upon another", lambda world, context: ask(world.port, post(context["second"], {"If-Match": '"7"'})),
         first_posted),
    Step("post as FHIR", fhir_post, fhir_new, check_fhir),
    Step("$validate-response", lambda world, context: fhir_post(world, context, "/fhir/Questionnaire/$validate-response"),
         fhir_new),
    Step("processing", waited_for, first_posted, check_processed),
    Step("draft", draft_put, new, check_drafted),
    Step("draft again", lambda world, context: draft_put(world, context, {"If-Match": context["etag"]}), drafted,
         check_drafted),
    Step("draft upon another", lambda world, context: draft_put(world, context, {"If-Match": '"7"'}), drafted, check_drafted),
    Step("reading a draft", lambda world, context: ask(world.port, request("GET", draft_path(context), link(context))), drafted),
    Step("dropping a draft", lambda world, context: ask(world.port, request(
        "DELETE", draft_path(context), {**link(context), "If-Match": context["etag"]})),
         drafted, check_dropped),
    Step("review", review, first_posted, check_review),
    Step("review of another revision", lambda world, context: review(world, context, 7), first_posted, check_review),
    Step("decision", decision, known, check_decision),
    Step("retry", retry, failed, check_retry),
    Step("sign in", lambda world, _: ask(world.port, post({"token": world.tokens["staff"]}, path="/v1/session"))),
    Step("session", with_session("GET"), signed_in),
    Step("sign out", with_session("DELETE"), signed_in),
    Step("an event that was missed", lambda world, context: told(listening(world, context["last_id"]), context["booking"]),
         missed_event),
    Step("reload", reload),
)
SLOW = (
    Step("new connections to the database", worked, disconnected, check_reconnected, slow=True),
    Step("an event that comes", lambda world, context: told(context["call"], context["booking"]), event_to_come, slow=True),
    Step("what is done every second", idle, verify=check_sealed, slow=True),
    Step("new connections of those who ask every second", idle, disconnected, check_sealed, slow=True),
)
STEPS = (*READS, *WRITES, *SLOW)
