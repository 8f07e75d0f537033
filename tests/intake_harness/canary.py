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
