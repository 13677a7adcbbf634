"""``python -m tests.trials --trials 50 --report trials.md``: exit status 0 where the lab came back each time."""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from labhelpers import incidents
from tests.live.incident_lab import LAB, cluster_lab
from tests.trials.report import report
from tests.trials.trial import Outcome, run_trial


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.trials", description=__doc__)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--lab", default=LAB, help="a lab for tests; a cluster is built in it where there is none")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--report", type=Path, help="write the report there too")
    wanted = parser.parse_args()
    if not wanted.lab.startswith("test"):
        parser.error("trials break a lab at random: only one whose name begins with 'test'")
    lab = cluster_lab(wanted.lab)
    incidents.heal(lab)
    dice = random.Random(wanted.seed)
    began = time.monotonic()
    outcomes: list[Outcome] = []
    try:
        for number in range(1, wanted.trials + 1):
            one = run_trial(lab, number, dice)
            outcomes.append(one)
            print(f"{number}/{wanted.trials} {one.kind}, {one.blow}: {'ok' if one.passed else one.problem}", flush=True)
    finally:
        text = report(outcomes, wanted.seed, time.monotonic() - began)
        print(text)
        if wanted.report:
            wanted.report.write_text(text, encoding="utf-8")
    return 0 if all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
