"""The units of systemd, and what systemd-analyze says of them."""

import os
import re
import subprocess

from .daemon import ROOT

UNITS = ("intake.service", "intake.socket", "intake-migrate.service", "intake-retention.service", "intake-retention.timer")
SERVICES = tuple(name for name in UNITS if name.endswith(".service"))
EXPOSURE_MAX = 1.1


def unit(name):
    return os.path.join(ROOT, "systemd", name)


def exposure(name):
    """From 0 for a service that can do nothing to 10 for one that nothing is kept from."""
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit(name)],
                          capture_output=True, text=True, check=True)
    return float(re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout).group(1))


def verify(binary, directory):
    """What systemd has against the units, by exit code and text; they are written to the directory."""
    for name in UNITS:
        with open(unit(name), encoding="utf-8") as file:
            text = file.read()
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            file.write(text.replace("/usr/bin/intake", binary))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *(os.path.join(directory, name) for name in UNITS)],
                          capture_output=True, text=True, check=False)
    return done.returncode, done.stderr
