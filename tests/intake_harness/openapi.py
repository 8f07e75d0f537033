"""The document that the API gives of itself: requests made from it, and replies held against it."""

import json
import os
import re
from urllib.parse import quote, urlencode

import jsonschema

from .daemon import ROOT

METHODS = ("get", "post", "put", "patch", "delete")
# What every reply has by HTTP itself.
PLAIN_HEADERS = {"date", "content-length", "content-type", "connection", "transfer-encoding", "allow"}

with open(os.path.join(ROOT, "src", "web", "openapi.json"), encoding="utf-8") as source:
    DOCUMENT = json.load(source)


def resolve(value):
    """The object itself, or what its $ref leads to."""
    while "$ref" in value:
        found = DOCUMENT
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def strict(schema):
    """The same schema, but an object that lists its members has no others: none is undocumented."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return made


STRICT = {"components": {"schemas": {name: strict(schema) for name, schema in
                                     DOCUMENT["components"]["schemas"].items()}}}


def check_schema(value, schema, what):
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **STRICT, **strict(schema)}
    faults = [f"{what}: {error.json_path}: {error.message[:300]}"
              for error in jsonschema.Draft202012Validator(whole).iter_errors(value)]
    assert not faults, "\n".join(faults)


class Reply:
    """A reply of either client in one form."""

    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {name.lower(): value for name, value in headers.items()}

    @property
    def media_type(self):
        return self.headers.get("content-type")

    def json(self):
        return json.loads(self.body)


class Operation:
    def __init__(self, method, path, content):
        self.method, self.path, self.content = method.upper(), path, content
        self.id = content["operationId"]
        self.parameters = [resolve(each) for each in content.get("parameters", [])]
        self.responses = {int(status): resolve(each) for status, each in content["responses"].items()}
        self.bodies = content.get("requestBody", {}).get("content", {})
        self.schemes = {scheme for each in content["security"] for scheme in each}
        self.roles = content.get("x-roles", [])
        self.is_fhir = path.startswith("/fhir/")

    def __repr__(self):
        return self.id

    def target(self, values=None, query=None):
        """The documented example of the address; `values` replace what it has of names and parameters."""
        values, query = values or {}, dict(query or {})
        path = self.path
        for parameter in self.parameters:
            name, place = parameter["name"], parameter["in"]
            example = values.get(name, parameter.get("example"))
            if place == "path":
                path = path.replace("{" + name + "}", quote(example, safe=""))
            elif place == "query" and example is not None:
                query.setdefault(name, str(example))
        return path + (f"?{urlencode(query)}" if query else "")

    def headers(self, values=None):
        found = {parameter["name"]: parameter["example"] for parameter in self.parameters
                 if parameter["in"] == "header" and "example" in parameter and parameter["name"] != "If-None-Match"}
        return {**found, **(values or {})}

    def body(self):
        """The documented example and its media type."""
        if not self.bodies:
            return None, None
        media_type, media = next(iter(self.bodies.items()))
        return json.dumps(media["example"], ensure_ascii=False).encode(), media_type

    def check(self, reply):
        """Nothing of the reply is undocumented, and nothing that is promised is missing."""
        what = f"{self.id} {reply.status}"
        assert reply.status in self.responses, f"{what} is not documented: {reply.body[:500]!r}"
        documented = self.responses[reply.status]
        self._check_headers(reply, documented, what)
        content = documented.get("content", {})
        if not content:
            assert reply.body == b"", f"{what} has a body that is not documented"
            return
        assert reply.media_type in content, f"{what}: {reply.media_type} is not documented"
        text = reply.body.decode()
        value = json.loads(text) if re.search(r"[/+]json$", reply.media_type) else text
        check_schema(value, content[reply.media_type].get("schema", {}), what)

    def _check_headers(self, reply, documented, what):
        headers = {name.lower(): resolve(each) for name, each in documented["headers"].items()}
        extra = set(reply.headers) - set(headers) - PLAIN_HEADERS
        assert not extra, f"{what}: the headers {extra} are not documented"
        for name, header in headers.items():
            assert name in reply.headers or not header.get("required"), f"{what}: no {name}"
            if name in reply.headers:
                check_schema(reply.headers[name], header["schema"], f"{what}: {name}")


OPERATIONS = [Operation(method, path, item[method]) for path, item in DOCUMENT["paths"].items()
              for method in METHODS if method in item]
BY_ID = {operation.id: operation for operation in OPERATIONS}
