"""What is code in SQL, HTML, spreadsheets and logs, in every parameter and in every text of every body of the API."""

import copy
import itertools
import json
import re
from urllib.parse import urlencode

import pytest

from intake_harness import links
from intake_harness.bodies import cases, minimal
from intake_harness.logfmt import errors, records
from intake_harness.openapi import OPERATIONS
from intake_harness.schema import dump

CODE = ("sql", "markup", "formulas", "log-lines")
# One kind after the other, so that any few of them in a row are of all kinds.
TEXTS = [text for few in itertools.zip_longest(*(dict(cases("naughty"))[kind]["strings"] for kind in CODE))
         for text in few if text is not None]
PARAMETERS = [(operation, parameter["name"]) for operation in OPERATIONS for parameter in operation.parameters
              if parameter["in"] in ("path", "query")]
WITH_BODY = [operation for operation in OPERATIONS if operation.bodies]
STEP = 6
METRIC = re.compile(r'# (HELP|TYPE) [a-z_]+ [^<>"]+|[a-z_]+(\{([a-z_]+="[^"<>=]*",?)*\})? [-+0-9.e]+')


@pytest.fixture(scope="module")
def shared_intake(module_intake):
    return module_intake({**links.OPTIONS, "log.level": "debug", "http.token_failures_per_minute": 0})


@pytest.fixture(scope="module")
def witness(shared_intake):
    """The booking of somebody whom no text finds."""
    body = minimal(attendee_name="Jo Witness")
    assert shared_intake.client().submit(body).status_code == 201
    shared_intake.wait_processed(body["booking_uid"])
    return body["booking_uid"]


@pytest.fixture(scope="module", autouse=True)
def nothing_happens(shared_intake, witness):
    """What is stored of others is as it was, and so are the schema and the pages; log and metrics keep their form."""
    def stored():
        database = shared_intake.database
        return (database.query("SELECT * FROM staff_tokens ORDER BY id"), database.submission(witness),
                database.profile(witness), dump(database))

    before = stored()
    yield
    assert stored() == before
    log = shared_intake.log()
    assert records(log) and errors(log) == []
    for line in shared_intake.client().get("/metrics").text.splitlines():
        assert METRIC.fullmatch(line), line


@pytest.fixture(scope="module")
def pages(shared_intake):
    return {shared_intake.client().get(path).text for path in ("/q/x", "/staff", "/docs")}


def send(client, tokens, operation, name=None, text=None, body=None):
    """The operation's example with the text in one parameter, which alone is there, by somebody who may."""
    example, media_type = operation.body()
    credentials = {"Authorization": f"Bearer {tokens['admin']}"} if "bearer" in operation.schemes else {}
    if "bookingLink" in operation.schemes:
        credentials = links.link_header(text if name == "booking_uid" else operation.parameters[0]["example"])
    headers = operation.headers({**credentials, **({"Content-Type": media_type} if example else {})})
    target = operation.target({name: text}).split("?")[0]
    if "{" + str(name) + "}" not in operation.path and name is not None:
        target += "?" + urlencode({name: text})
    return client.request(operation.method, target, data=example if body is None else body, headers=headers)


def check(reply, pages, *what):
    """No failure, no header that somebody else wrote, and HTML only as it always is."""
    assert reply.status_code < 500, (*what, reply.status_code, reply.text)
    assert "b=c" not in reply.headers.get("Set-Cookie", "") and "a=b" not in reply.headers.get("Set-Cookie", ""), what
    assert reply.headers["X-Content-Type-Options"] == "nosniff", what
    if reply.headers.get("Content-Type", "").startswith("text/html"):
        assert reply.text in pages, what


@pytest.mark.parametrize("operation,name", PARAMETERS, ids=lambda value: value if isinstance(value, str) else value.id)
def test_a_parameter_is_only_a_value(shared_intake, shared_client, tokens, witness, pages, operation, name):
    for text in TEXTS:
        reply = send(shared_client, tokens, operation, name, text)
        check(reply, pages, name, text)
        assert witness not in reply.text, (name, text)
    assert shared_intake.running()


def places(value, path=()):
    """Where a text stands in a value of JSON, and where a name does."""
    if isinstance(value, str):
        yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in members:
        yield from places(below, (*path, key))


def with_text(value, path, text):
    """The value with that text at the place; at no place (None): under a name that is the text."""
    changed = copy.deepcopy(value)
    if path is None:
        return {**changed, text: text}
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = text
    return changed


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda operation: operation.id)
def test_a_text_of_a_body_is_only_a_text(shared_client, tokens, witness, pages, operation):
    example = json.loads(operation.body()[0])
    for number, path in enumerate([None, *places(example)]):
        for text in TEXTS[number % STEP::STEP]:
            reply = send(shared_client, tokens, operation, body=json.dumps(with_text(example, path, text)).encode())
            check(reply, pages, path, text)
            assert witness not in reply.text, (path, text)
