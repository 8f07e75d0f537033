"""Texts that programs stumble over, and whether they come back as they were sent from every way of reading."""

import copy
import csv
import io
import itertools
import json
import re
import urllib.parse

from .bodies import cases, fresh_booking, minimal
from .client import RawConnection
from .daemon import run_command
from .fhir import found, post, response
from .links import Drafts

# Unicode's White_Space; a text of nothing else is no answer.
WHITE = "\t\n\v\f\r \x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a" \
        "\u2028\u2029\u202f\u205f\u3000"
BODY_MAX = 65536
CONSENT = "urn:intake:consent-version"
MARK = re.compile(r"@(\w+)@")


def strings():
    """Every text of tests/cases/naughty."""
    found_ones = []
    for _, content in cases("naughty"):
        for entry in content.get("strings", []):
            found_ones.append(entry if isinstance(entry, str) else entry["repeat"] * entry["times"])
    return list(dict.fromkeys(found_ones))


def literals():
    """What stands where JSON has a string, and is none."""
    return [literal for _, content in cases("naughty") for literal in content.get("literals", [])]


class Form:
    """A questionnaire's flat body with a mark, @linkId@, wherever it takes free text."""

    def __init__(self, template, one_line, required, maxima):
        self.template = template
        self.names = MARK.findall(json.dumps(template))
        self._one_line, self._required, self._maxima = one_line, required, maxima

    def must_refuse(self, name, text):
        """Whether the questionnaire does not take it: all else has to come back."""
        if "\0" in text:
            return True
        if not text.strip(WHITE):
            return name in self._required
        two_lines = name in self._one_line and ("\n" in text or "\r" in text)
        return two_lines or len(text) > self._maxima.get(name, 5000)


HAIR = Form(
    {**{field: "yes" for field in ("current_medications", "allergies", "medical_conditions", "previous_surgeries")},
     **{f"{field}_details": f"@{field}_details@" for field in
        ("current_medications", "allergies", "medical_conditions", "previous_surgeries")},
     **{field: [f"@{field}@"] for field in ("hair_loss_pattern", "family_history", "previous_treatments")}},
    one_line=(), maxima={},
    required={f"{field}_details" for field in
              ("current_medications", "allergies", "medical_conditions", "previous_surgeries")})

PRE_OPERATIVE = Form(
    {"questionnaire": "pre-operative-history", "date_of_birth": "1984-05-03", "had_operations": True,
     "operations": [{"operation_name": "@operation_name@", "operation_complications": True,
                     "operation_complications_details": "@operation_complications_details@"}],
     "anaesthesia": {"anaesthesia_problems": True, "anaesthesia_problems_kind": ["@anaesthesia_problems_kind@"]},
     "bleeding": {"blood_thinners": False}, "other_conditions": "@other_conditions@", "takes_medication": True,
     "medications": [{"medication_name": "@medication_name@", "medication_since": "2020",
                      "medication_frequency": "@medication_frequency@"}],
     "has_allergies": True,
     "allergy_list": [{"allergy_severity": "moderate", "allergy_substance": "@allergy_substance@",
                       "allergy_reaction": "@allergy_reaction@"}],
     "drugs": "@drugs@", "interpreter": True, "interpreter_language": "@interpreter_language@",
     "escort": "@escort@", "questions": "@questions@"},
    one_line={"operation_name", "anaesthesia_problems_kind", "medication_name", "medication_frequency",
              "allergy_substance", "interpreter_language", "escort"},
    required={"operation_name", "operation_complications_details", "anaesthesia_problems_kind", "medication_name",
              "allergy_substance", "interpreter_language"},
    maxima={"operation_name": 200, "operation_complications_details": 2000, "medication_name": 200,
            "allergy_reaction": 2000, "drugs": 2000, "interpreter_language": 100, "escort": 200,
            **dict.fromkeys(("anaesthesia_problems_kind", "medication_frequency", "allergy_substance"), BODY_MAX)})


def filled(template, texts):
    """The template with the texts in place of the marks."""
    if isinstance(template, dict):
        return {key: filled(value, texts) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(value, texts) for value in template]
    mark = MARK.fullmatch(template) if isinstance(template, str) else None
    return texts[mark[1]] if mark else template


def collected(template, value):
    """{linkId: text} of what stands where the template has a mark; without those where nothing does."""
    if isinstance(template, dict):
        members = [(template[key], value[key]) for key in template if isinstance(value, dict) and key in value]
    elif isinstance(template, list):
        members = list(zip(template, value))
    else:
        mark = MARK.fullmatch(template) if isinstance(template, str) else None
        return {mark[1]: value} if mark else {}
    return {name: text for below in members for name, text in collected(*below).items()}


def fhir_texts(items):
    """{linkId: text} of the free texts of a QuestionnaireResponse."""
    texts = {}
    for item in items:
        texts.update(fhir_texts(item.get("item", [])))
        for answer in item.get("answer", []):
            if "valueString" in answer:
                texts[item["linkId"]] = answer["valueString"]
    return texts


def defused(text):
    """The text as the cell of a CSV: with an apostrophe in front where a spreadsheet would run it."""
    bare = text.lstrip("'")
    number = re.fullmatch(r"[-+]?[0-9][0-9.]*", bare) and len(bare.lstrip("+-")) <= 40
    formula = bare.startswith(("\t", "\r", "\n")) or bare.strip(WHITE).startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20\u2212"))
    return "'" + text if formula and not number else text


def visible(texts):
    """Those that are answers."""
    return {name: text for name, text in texts.items() if text.strip(WHITE)}


class Exports:
    """Every submission to a questionnaire, by its booking, in each form of the export."""

    def __init__(self, staff, questionnaire):
        def read(form):
            reply = staff.get("/v1/export", params={"format": form, "questionnaire": questionnaire})
            assert reply.status_code == 200
            return reply.content

        def lines(form):
            return [json.loads(line) for line in read(form).split(b"\n") if line]

        rows = csv.DictReader(io.StringIO(read("csv").decode("utf-8-sig"), newline=""))
        self.rows = {row["booking_uid"]: row for row in rows}
        self.records = {line["booking_uid"]: line for line in lines("ndjson")}
        self.responses = {line["identifier"]["value"]: line for line in lines("fhir")}


class Crossing:
    """Puts texts into a form's fields over HTTP, flat and as FHIR, and reads them back in every way."""

    def __init__(self, intake, form, token):
        self.client, self.staff, self.form = intake.client(), intake.client(token), form
        self.stored, self.refused, self.wrong = {}, set(), []
        booking = fresh_booking()
        marks = {name: f"@{name}@" for name in form.names}
        assert self.client.submit(minimal(booking, **filled(form.template, marks))).status_code == 201
        self._response = found(self.staff, booking)
        del self._response["id"], self._response["meta"]

    def run(self, texts_of_all, every_field, with_drafts=True):
        """One text per field and submission; with `every_field` each text goes into each field."""
        names, count = self.form.names, len(texts_of_all)
        stride = count // len(names)
        for first in range(0, count, 1 if every_field else len(names)):
            step = stride if every_field else 1
            texts = {name: texts_of_all[(first + number * step) % count] for number, name in enumerate(names)}
            if with_drafts:
                self._draft(texts)
            self._cross(dict(texts), self._post_flat)
            self._cross(dict(texts), self._post_fhir)
        return self

    def _post_flat(self, booking, texts):
        body = minimal(booking, **filled(self.form.template, texts))
        data = json.dumps(body, ensure_ascii=bool(len(self.stored) % 2)).encode()
        reply = self.client.submit(data)
        return data, reply, {error["field"] for error in reply.json()["errors"]} if reply.status_code == 422 else set()

    def _post_fhir(self, booking, texts):
        response = filled(copy.deepcopy(self._response), texts)
        response["identifier"]["value"] = booking
        response["contained"][0]["telecom"][0]["value"] = f"{booking}@example.com"
        data = json.dumps(response, ensure_ascii=False).encode()
        reply = post(self.client, data)
        named = re.findall(r'"linkId (\w+)"', reply.text) if reply.status_code == 422 else ()
        return data, reply, set(named)

    def _cross(self, texts, send):
        """Posts until all that is left is taken; what was refused had to be."""
        booking = fresh_booking()
        while True:
            data, reply, named = send(booking, texts)
            if reply.status_code == 413 and len(data) > BODY_MAX:
                named = {max(texts, key=lambda name: len(json.dumps(texts[name])))}
            elif reply.status_code != 422 or not named <= set(texts):
                break
            for name in named:
                self.refused.add((name, texts[name]))
                if reply.status_code == 422 and not self.form.must_refuse(name, texts[name]):
                    self.wrong.append((name, texts[name], "refused"))
                texts[name] = "plain"
        if reply.status_code != 201:
            self.wrong.append((texts, reply.status_code, reply.text))
            return
        self.wrong += [(name, text, "taken") for name, text in texts.items() if self.form.must_refuse(name, text)]
        self.stored[booking] = texts
        self._read(booking, visible(texts))

    def _note(self, where, texts, read):
        self.wrong += [(where, name, text, read.get(name)) for name, text in texts.items() if read.get(name) != text]

    def _read(self, booking, texts):
        answers = self.staff.look_up(booking).json()["answers"]
        self._note("look-up", texts, collected(self.form.template, answers))
        (revision,) = self.staff.get(f"/v1/submissions/{booking}/history").json()["revisions"]
        self._note("history", texts, collected(self.form.template, revision["answers"]))
        self._note("FHIR", texts, fhir_texts(found(self.staff, booking)["item"]))

    def _draft(self, texts):
        booking = fresh_booking()
        data = json.dumps(filled(self.form.template, texts), ensure_ascii=False).encode()
        if len(data) <= BODY_MAX:
            drafts = Drafts(self.client, booking)
            if drafts.put(data).status_code != 201 or data not in drafts.get().content:
                self.wrong.append(("draft", texts))

    def read_exports(self):
        """All that was stored, in one export of each form."""
        exports = Exports(self.staff, self.form.template.get("questionnaire", "hair-transplant"))
        for booking, texts in self.stored.items():
            shown = visible(texts)
            self._note("CSV", {name: defused(text) for name, text in shown.items()}, exports.rows[booking])
            self._note("NDJSON", shown, collected(self.form.template, exports.records[booking]["answers"]))
            self._note("FHIR export", shown, fhir_texts(exports.responses[booking]["item"]))
        return self

    def read_earlier(self):
        """All that was stored, in the history, once another revision has replaced it."""
        other = filled(self.form.template, dict.fromkeys(self.form.names, "another"))
        for booking, texts in self.stored.items():
            reply = self.client.submit(minimal(booking, **other))
            revisions = self.staff.get(f"/v1/submissions/{booking}/history").json()["revisions"]
            if (reply.status_code, [one["revision"] for one in revisions]) != (200, [2, 1]):
                self.wrong.append(("another revision", booking, reply.status_code, reply.text))
                continue
            self._note("earlier", visible(texts), collected(self.form.template, revisions[1]["answers"]))
        return self


class EnvelopeCrossing:
    """Puts texts into the fields around the answers, and reads those back that were taken in every way."""

    FIELDS = ("attendee_name", "attendee_email", "attendee_phone", "consent_version", "booking_uid", "questionnaire")
    CONTACT = {"attendee_name": "name", "attendee_email": "email", "attendee_phone": "phone"}
    SHOWN = (*CONTACT, "consent_version")

    def __init__(self, intake, token):
        self._intake = intake
        self.client, self.staff = intake.client(), intake.client(token)
        self.taken, self.wrong, self.names, self._last = [], [], set(), {}

    def run(self, texts, every_field):
        count, stride = len(texts), len(texts) // len(self.FIELDS)
        for first in range(0, count, 1 if every_field else len(self.FIELDS)):
            step = stride if every_field else 1
            self._cross({field: texts[(first + number * step) % count] for number, field in enumerate(self.FIELDS)})
        return self

    @staticmethod
    def _good(booking):
        return minimal(booking, consent_version="1", questionnaire="hair-transplant", attendee_phone="+905321234567")

    def _submit(self, body, good):
        """Posts it, and once more with what is good in place of what was refused; what was, or None when it is too large."""
        reply = self.client.submit(json.dumps(body).encode())
        if reply.status_code == 413 and len(json.dumps(body)) > BODY_MAX:
            return None
        refused = {error["field"] for error in reply.json()["errors"]} if reply.status_code == 422 else set()
        if ("attendee_name" in refused) != _is_no_name(body["attendee_name"]):
            self.wrong.append(("attendee_name", body["attendee_name"], "refused" if refused else "taken"))
        if refused:
            body.update((field, good[field]) for field in refused)
            reply = self.client.submit(json.dumps(body).encode())
        if reply.status_code not in (200, 201):
            self.wrong.append((body, reply.status_code, reply.text))
        return refused

    def _cross(self, texts):
        good = self._good(fresh_booking())
        body = {**good, **texts}
        refused = self._submit(body, good)
        if refused is None:
            return
        if "attendee_name" not in refused:
            self.names.add(texts["attendee_name"])
        self._took(body)
        self._cross_fhir(texts, {**body, "booking_uid": fresh_booking()}, refused)

    def _cross_fhir(self, texts, body, refused):
        """As FHIR the same is taken, and the same refused."""
        reply = post(self.client, self._as_response({**body, "attendee_name": texts["attendee_name"]}))
        if (reply.status_code == 422) != ("attendee_name" in refused):
            self.wrong.append(("FHIR", texts["attendee_name"], reply.status_code, reply.text))
        reply = post(self.client, self._as_response(body))
        if reply.status_code not in (200, 201):
            self.wrong.append((body, reply.status_code, reply.text))
        self._took(body)

    @staticmethod
    def _as_response(body):
        telecom = [{"system": system, "value": body[f"attendee_{system}"]} for system in ("email", "phone")]
        whole = response(body["booking_uid"], extension=[{"url": CONSENT, "valueString": body["consent_version"]}])
        whole["contained"][0].update(name=[{"text": body["attendee_name"]}],
                                     telecom=[entry for entry in telecom if entry["value"].strip(WHITE)])
        if not body["consent_version"].strip(WHITE):
            del whole["extension"]
        return whole

    def _took(self, body):
        booking = body["booking_uid"].strip(WHITE)
        self.taken.append(body)
        self._last[booking] = body
        self._note("look-up", body, self._of_record(self.staff.look_up(booking).json()))
        self._note("FHIR", body, self._of_response(found(self.staff, booking)))

    def _note(self, where, body, read, shape=str):
        """`shape` makes of a text what is to be read there; of what is blank that may be nothing."""
        for field in self.SHOWN:
            blank = not body[field].strip(WHITE) and not read[field]
            if read[field] != shape(body[field]) and not blank:
                self.wrong.append((where, field, body[field], read[field]))

    def _of_record(self, record):
        return {**{field: record["contact"][name] for field, name in self.CONTACT.items()},
                "consent_version": record["consent_version"]}

    @staticmethod
    def _of_response(whole):
        patient = whole["contained"][0]
        telecom = {entry["system"]: entry["value"] for entry in patient.get("telecom", [])}
        consent = {entry["url"]: entry.get("valueString") for entry in whole.get("extension", [])}
        return {"attendee_name": patient["name"][0]["text"], "attendee_email": telecom.get("email"),
                "attendee_phone": telecom.get("phone"), "consent_version": consent.get(CONSENT)}

    def read_exports(self):
        """All that was taken, in one export of each form."""
        exports = Exports(self.staff, "hair-transplant")
        for booking, body in self._last.items():
            self._note("CSV", body, exports.rows[defused(booking)], defused)
            self._note("NDJSON", body, self._of_record(exports.records[booking]))
            self._note("FHIR export", body, self._of_response(exports.responses[booking]))
        return self

    def read_earlier(self, texts):
        """Each text in every field that takes it, all of them revisions of one booking, in the patient's archive."""
        good = self._good(fresh_booking())
        posted = []
        for number, text in enumerate(texts):
            good.update(allergies="yes", allergies_details=f"{number}")
            body = {**good, **dict.fromkeys(self.SHOWN, text), "allergies_details": f"{number} {text}"}
            if self._submit(body, good) is not None:
                posted.append(body)
        done = run_command(self._intake.binary, "patient", "export", good["booking_uid"],
                           conninfo=self._intake.database.conninfo)
        archive = json.loads(done.stdout)
        (last,) = [row for row in archive["medical_questionnaire_submissions"] if row["booking_uid"] == good["booking_uid"]]
        earlier = [row for row in archive["submission_revisions"] if row["submission_id"] == last["id"]]
        kept = [row["submission_data"] for row in sorted([*earlier, last], key=lambda row: row["revision"])]
        self.wrong += [("archive", one, other) for one, other in itertools.zip_longest(posted, kept) if one != other]
        return self


def _is_no_name(text):
    """Whether the rule for names refuses it: blank, of control characters, a placeholder, or too long."""
    text = text.strip(WHITE)
    return not text or len(text) > 200 or re.search(r"[\0-\x1f\x7f{}]|%[75]b", text, re.IGNORECASE) is not None \
        or re.fullmatch(r"\[[^]]*\]|<[^>]*>", text) is not None


class Headers:
    """One connection for requests whose targets and headers hold anything; made anew where it is closed."""

    def __init__(self, port):
        self._port, self._raw = port, None

    def request(self, method, target, headers=(), body=b""):
        """The reply; `target` and the headers' values are bytes or texts as they are to be sent."""
        lines = [b" ".join((method.encode(), _bytes(target), b"HTTP/1.1")), b"Host: x"]
        lines += [b": ".join((name.encode(), _bytes(value))) for name, value in headers]
        if body:
            lines.append(b"Content-Length: %d" % len(body))
        self._raw = self._raw or RawConnection(self._port)
        reply = self._raw.send(b"\r\n".join(lines) + b"\r\n\r\n" + body).reply()
        if reply.headers.get("connection") == "close":
            self.close()
        return reply

    def close(self):
        if self._raw is not None:
            self._raw.close()
            self._raw = None


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def quoted(text):
    return urllib.parse.quote(text, safe="")
