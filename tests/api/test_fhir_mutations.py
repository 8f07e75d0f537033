"""Responses with a part of them changed at random: never a failure of ours, and what is stored stays."""

import copy
import random

from intake_harness.bodies import full
from intake_harness.fhir import found, outcome, post, response

SEED = 7
ROUNDS = 400
VALUES = [None, True, 0, -1, 1.5, "", " ", "x", "\0", "#p", "#", [], {}, [[]], [None], {"a": 1}, "é" * 300, 1e300,
          {"reference": 7}, {"code": "\0", "system": "x"}, [{"linkId": "x"}], "{x}"]
MEMBERS = ["item", "answer", "valueString", "modifierExtension", "linkId", "id", "reference", "value", "system"]


def places(json, path=()):
    """Every place in a JSON value but its root, as a list of keys."""
    if path:
        yield path
    pairs = json.items() if isinstance(json, dict) else enumerate(json) if isinstance(json, list) else ()
    for key, value in pairs:
        yield from places(value, (*path, key))


def mutate(json, rng):
    json = copy.deepcopy(json)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        *path, last = rng.choice(list(places(json)))
        holder = json
        for key in path:
            holder = holder[key]
        way = rng.random()
        if way < 0.2:
            del holder[last]
        elif way < 0.4 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[last]))
        elif way < 0.5 and isinstance(holder, dict):
            holder[rng.choice(MEMBERS)] = rng.choice(VALUES)
        else:
            holder[last] = rng.choice(VALUES)
    return json


def test_a_changed_response_is_refused_or_stored_as_it_reads(intake, client, staff):
    body = full()
    client.submit(body)
    rng = random.Random(SEED)
    bases = [found(staff, body["booking_uid"]), response()]
    for _ in range(ROUNDS):
        sent = mutate(rng.choice(bases), rng)
        outcome(post(client, sent, path="/fhir/Questionnaire/$validate-response"),
                200 if sent.get("resourceType") == "QuestionnaireResponse" else 400)
        reply = post(client, sent)
        if reply.status_code in (200, 201):
            again = post(client, reply.json())
            assert (again.status_code, again.json()) == (200, reply.json()), sent
        else:
            outcome(reply, 422 if sent.get("resourceType") == "QuestionnaireResponse" else 400)
