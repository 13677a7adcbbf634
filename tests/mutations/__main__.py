"""``python -m tests.mutations --lab NAME [--only TEXT …] [--fast] [--list]``: exit status 0 when all were caught.

The lab's name begins with ``test``. It is made where it is missing, and goes through the chapters whose work is not on
it yet, so that every check passes before it is broken.
"""

from __future__ import annotations

import argparse
import sys

from labhelpers.lab import open_lab
from labhelpers.lifecycle import ensure_up
from tests.mutations.case import chosen
from tests.mutations.catalogue import CASES
from tests.mutations.course import go_through_the_course
from tests.mutations.runner import run_cases


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--lab", required=True)
    parser.add_argument("--only", nargs="+", default=[], metavar="TEXT", help="cases whose name or check has it")
    parser.add_argument("--fast", action="store_true", help="one or two of each chapter")
    parser.add_argument("--list", action="store_true", help="name the cases and do nothing")
    args = parser.parse_args()
    cases = chosen(CASES, args.only, fast=args.fast)
    if args.list:
        for case in cases:
            print(f"{case.check:<18} {case.key or 'passes':<24} {case.name}")
        return 0
    if not args.lab.startswith("test"):
        parser.error("the lab's name must begin with 'test': the cases break it")
    ensure_up(args.lab)
    lab = open_lab(args.lab)
    try:
        go_through_the_course(lab)
        outcomes = run_cases(lab, cases, lambda line: print(line, flush=True))
    finally:
        lab.close()
    return 0 if all(outcome.caught and outcome.restored for outcome in outcomes) else 1


sys.exit(main())
