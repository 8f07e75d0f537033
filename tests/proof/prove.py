"""Runs the proofs and prints their figures as one table; exit 1 when one falls short."""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from proof import faults, poison, stage  # noqa: E402

PROOFS = {"faults": faults.prove, "poison": poison.prove}


def main():
    parser = argparse.ArgumentParser(prog="tests/prove", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few times each, as in tests/run")
    parser.add_argument("--intake", default=stage.default_binary(), metavar="BINARY", help="default: that of build")
    parser.add_argument("proofs", nargs="*", help="some of: " + ", ".join(PROOFS))
    arguments = parser.parse_args()
    unknown = set(arguments.proofs) - set(PROOFS)
    if unknown:
        parser.error(f"there is no proof {', '.join(sorted(unknown))}")
    table = stage.Table()
    for name in arguments.proofs or PROOFS:
        print(f"{name}:", flush=True)
        PROOFS[name](os.path.abspath(arguments.intake), table, arguments.short)
    table.print()
    sys.exit(1 if table.failures() else 0)


if __name__ == "__main__":
    main()
