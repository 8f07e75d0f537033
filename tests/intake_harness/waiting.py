"""Waiting for what another process does: always for the event itself, never for a while."""

import time


def eventually(probe, timeout=20.0, what=None):
    """Returns the first true value of probe(); fails when none comes in `timeout` seconds."""
    deadline = time.monotonic() + timeout
    pause = 0.005
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what or probe}")
        time.sleep(pause)
        pause = min(pause * 1.3, 0.05)  # what takes long is not held up by being asked
