"""Texts that are nowhere else: what a patient wrote is found by them wherever it got to."""

import secrets

from .bodies import minimal
from .naughty import HAIR, PRE_OPERATIVE, filled


class Canary:
    """Texts that are nowhere else, and every reply in which one was an error's."""

    def __init__(self):
        self.word = "kanarya" + secrets.token_hex(6)
        self.digits = "532" + f"{secrets.randbelow(10**7):07}"
        self.booking = f"bk-{self.word}"
        self.told = []

    def body(self, booking=None, form=HAIR, **changes):
        """Everything that the form lets somebody write, and the envelope."""
        answers = filled(form.template, {name: f"{self.word} {name}" for name in form.names})
        return minimal(booking or self.booking, **{
            **answers, "attendee_name": f"Ayse {self.word}", "attendee_phone": f"+90 {self.digits}",
            "attendee_email": f"{self.word}@example.com", "consent_version": self.word, **changes})

    def found_in(self, content):
        content = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
        return self.word.lower() in content.lower() or self.digits in content

    def take(self, reply):
        if reply.status_code >= 400 and self.found_in(reply.text):
            self.told.append((reply.request.method, reply.url, reply.text))
        return reply


class Refusal:
    """
    Triggers of somebody else: one of the tables takes no change. The error tells the row, as some do, or else no more
    than that; the server may log every parameter with it.
    """

    def __init__(self, database, tables, telling):
        self._database, self._tables = database, list(tables)
        said = "MESSAGE = row, DETAIL = row, HINT = row" if telling else "MESSAGE = 'refused-for-' || pg_backend_pid()"
        with database.connect("postgres") as admin:
            admin.execute(f"ALTER DATABASE {database.name} SET log_parameter_max_length_on_error = -1")
            admin.execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE row text :="
                          " (SELECT string_agg(s::text, ' ') FROM medical_questionnaire_submissions AS s)"
                          f" || coalesce(OLD::text, '') || coalesce(NEW::text, ''); BEGIN RAISE EXCEPTION USING {said}; END $$")
            for table in self._tables:
                admin.execute(f"CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON {table}"
                              " FOR EACH ROW EXECUTE FUNCTION refuse()")

    def of(self, table):
        """From now on this one, and no other."""
        with self._database.connect("postgres") as admin:
            for other in self._tables:
                admin.execute(f"ALTER TABLE {other} {'ENABLE' if other == table else 'DISABLE'} TRIGGER refuse")
