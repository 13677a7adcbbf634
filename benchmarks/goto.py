"""How long does a return take, against building the same state again?

    .venv/bin/python -m benchmarks.goto [--resets 20] [--lab test-bench]

The state is the one that chapter 06 starts from: a whole cluster. It is built twice on fresh nodes, timed from the
image on: by the commands of chapters 03 to 05 alone, and as ``goto 06`` does where nothing is kept yet, by executing
the chapters. Then the lab goes back to it ``--resets`` times, every other time from a changed state. Prints a Markdown
table. Healthy means: a leader, and two replicas that stream from it, seen by PostgreSQL itself. Nothing of it stays on
the machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.progress import say
from labhelpers import lifecycle
from labhelpers.course import saves
from labhelpers.course.soak import nearest_rank
from labhelpers.lab import Lab, open_lab
from tests.live.incident_lab import cluster_lab

TARGET_SECONDS = 12.0
TARGET_FACTOR = 8.0
CHAPTER = "06"


@dataclass
class Measured:
    """Seconds."""

    commands: float
    """Fresh nodes, and the commands of the chapters alone."""
    built: float
    """Fresh nodes, and the first ``goto``."""
    saved: float = 0.0
    resets: list[float] = field(default_factory=list)
    kept: list[float] = field(default_factory=list)
    """Those of the resets that made an automatic save first."""

    @property
    def worst(self) -> float:
        return nearest_rank(self.resets, 95)

    @property
    def factor(self) -> float:
        return self.built / statistics.median(self.resets)


def streaming(lab: Lab) -> int:
    """The replicas that the leader itself sees."""
    leader = lab.patroni.wait_for_leader()
    asked = "psql -XAtc \"select count(*) from pg_stat_replication where state = 'streaming'\""
    return int(lab.nodes[leader].run(asked, user="postgres").stdout)


def change(lab: Lab, number: int) -> None:
    leader = lab.patroni.wait_for_leader()
    lab.nodes[leader].run(f'psql -Xc "create table t{number} as select generate_series(1, 100000)"', user="postgres")


def timed(what: str, name: str, make: Callable[[str], Lab]) -> tuple[Lab, float]:
    """The lab that ``make`` makes of fresh nodes, and the seconds from the image on."""
    lifecycle.destroy(name)
    lifecycle.warm_up()
    say(what)
    began = time.monotonic()
    lab = make(name)
    seconds = time.monotonic() - began
    say(f"  {seconds:.0f} s")
    return lab, seconds


def first_goto(name: str) -> Lab:
    lifecycle.ensure_up(name)
    lab = open_lab(name)
    saves.goto(lab, CHAPTER)
    return lab


def build(name: str) -> tuple[Lab, Measured]:
    """The lab at the start of the chapter, and how long that took in two ways."""
    by_hand, commands = timed("fresh nodes, and the commands of chapters 03 to 05", name, cluster_lab)
    by_hand.close()
    lab, built = timed(f"fresh nodes, and goto {CHAPTER}", name, first_goto)
    return lab, Measured(commands, built)


def go_back(lab: Lab, times: int, measured: Measured) -> bool:
    """Whether each return was as it should be."""
    for number in range(times):
        changed = number % 2 == 0  # every other one keeps what was there
        if changed:
            change(lab, number)
        arrival = saves.goto(lab, CHAPTER)
        measured.resets.append(arrival.ready_seconds)
        if changed:
            measured.kept.append(arrival.ready_seconds)
        seen = streaming(lab)
        say(f"{number + 1:3}  {arrival.ready_seconds:5.1f} s  {seen} streaming  {arrival.parts}")
        if seen != 2 or (arrival.automatic is not None) != changed:
            say("not as it should be")
            return False
    return True


def table(measured: Measured) -> str:
    median = statistics.median(measured.resets)
    rows = [
        ("Building the state: fresh nodes, and the commands of chapters 03 to 05 alone", f"{measured.commands:.0f} s"),
        (f"Building it as the first `goto {CHAPTER}` does: the chapters are executed", f"{measured.built:.0f} s"),
        (f"Going back, median of {len(measured.resets)}", f"{median:.1f} s"),
        ("Going back, 95th percentile", f"{measured.worst:.1f} s"),
        ("Going back, slowest", f"{max(measured.resets):.1f} s"),
        ("… of these with an automatic save, median", f"{statistics.median(measured.kept):.1f} s"),
        ("Executing the chapters against going back (medians)", f"{measured.factor:.1f} ×"),
        ("The commands alone against going back", f"{measured.commands / median:.1f} ×"),
        ("Saving the state under a name, until healthy again", f"{measured.saved:.1f} s"),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [f"| {'What':{width}} | Time |", f"|{'-' * (width + 2)}|-----:|"]
    lines += [f"| {name:{width}} | {value} |" for name, value in rows]
    load = os.getloadavg()[2]
    lines.append(f"\n{os.cpu_count()} cores, load of the last 15 minutes {load:.1f}.")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmarks.goto", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lab", default="test-bench")
    parser.add_argument("--resets", type=int, default=20)
    options = parser.parse_args(arguments)
    lab, measured = build(options.lab)
    try:
        if not go_back(lab, options.resets, measured):
            return 1
        measured.saved = saves.save(lab, "benchmark").ready_seconds
        saves.delete(options.lab, "benchmark")
    finally:
        lab.close()
        lifecycle.destroy(options.lab)
    print(table(measured))
    return 0 if measured.worst <= TARGET_SECONDS and measured.factor >= TARGET_FACTOR else 1


if __name__ == "__main__":
    sys.exit(main())
