"""Runs the proofs and prints their figures as one table; exit 1 when one falls short."""

import argparse
import os
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from proof import (analyzers, burst, claims, clock, disk, faults, hostile, load, memory, migrations,  # noqa: E402
                   poison, sanitizers, soak, stage, systemd)

PROOFS = {"faults": faults.prove, "disk": disk.prove, "clock": clock.prove, "memory": memory.prove, "claims": claims.prove,
          "migrations": migrations.prove, "poison": poison.prove, "hostile": hostile.prove, "burst": burst.prove,
          "load": load.prove, "systemd": systemd.prove, "soak": soak.prove, "sanitizers": sanitizers.prove,
          "analyzers": analyzers.prove}
# In tests/run and in the short form. The others mean nothing there, or are done there otherwise: by their names, or in full.
SHORT = ("faults", "disk", "clock", "memory", "claims", "poison", "burst", "soak")


def run(table, name, binary, short, options):
    """One proof; when it breaks off, that is its figure, and the others still have their turn."""
    table.begin(name)
    before = len(table.rows)
    try:
        PROOFS[name](binary, table, short, **options)
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        table.add("the proof itself", f"broken off: {type(error).__name__}: {str(error)[:200]}", "comes to its end", False)
    if len(table.rows) == before:
        table.add("the proof itself", "no figure", "some", False)


def main():
    parser = argparse.ArgumentParser(prog="tests/prove", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few times each, as in tests/run")
    parser.add_argument("--intake", default=stage.default_binary(), metavar="BINARY", help="default: that of build")
    parser.add_argument("--kept", metavar="CONNINFO", help="load: a database with millions of submissions, as its superuser")
    parser.add_argument("--rows", type=int, help="load: how many are stored otherwise; default: ten million, half an hour")
    parser.add_argument("--patients", type=int, metavar="N", help="migrations: how many are there before; default: two million")
    parser.add_argument("--soak-seconds", type=int, metavar="N", help="soak: how long; default: half an hour")
    parser.add_argument("proofs", nargs="*", help="some of: " + ", ".join(PROOFS))
    arguments = parser.parse_args()
    unknown = set(arguments.proofs) - set(PROOFS)
    if unknown:
        parser.error(f"there is no proof {', '.join(sorted(unknown))}")
    options = {"load": {"kept": arguments.kept, "rows": arguments.rows}, "soak": {"seconds": arguments.soak_seconds},
               "migrations": {"patients": arguments.patients}}
    table = stage.Table()
    for name in arguments.proofs or (SHORT if arguments.short else PROOFS):
        run(table, name, os.path.abspath(arguments.intake), arguments.short, options.get(name, {}))
    table.print()
    print()
    for verdict in ("NOT DONE", "MISSED"):
        print("\n  ".join([f"{len(table.having(verdict))} {verdict}", *table.having(verdict)]))
    sys.exit(1 if table.failures() else 0)


if __name__ == "__main__":
    main()
