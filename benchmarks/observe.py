"""What watching costs: ``python -m benchmarks.observe [--lab NAME] [--pairs N] [--seconds S]``.

Two things are measured on a lab with a healthy cluster, which is made (and taken down afterwards) where it is not
there. The sampler's share of one core, from the process's own CPU time. And its cost to a pgbench at a fixed rate on
the leader, in alternating pairs (with, without, without, with, …), as the mean difference of the average latency with
its 95 % confidence interval. Prints a Markdown table; exit status 1 where the sampler uses more than 5 % of one core.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import statistics
import sys
import time
from collections.abc import Sequence

from benchmarks.progress import say
from labhelpers import lifecycle, observe
from labhelpers.lab import Lab
from labhelpers.paths import LabPaths
from tests.live.incident_lab import cluster_lab, ensure_app

MOST_SHARE = 0.05
RATE = 100
CLIENTS = 4
# Student's t for 95 %, by degrees of freedom (two-sided); beyond the table the normal distribution's.
STUDENT = {
    1: 12.71,
    2: 4.30,
    3: 3.18,
    4: 2.78,
    5: 2.57,
    6: 2.45,
    7: 2.36,
    8: 2.31,
    9: 2.26,
    11: 2.20,
    14: 2.14,
    19: 2.09,
}


def sampler_share(lab: Lab, seconds: float) -> tuple[float, float]:
    """The sampler's share of one core, and of the looks that were due the share that was made."""
    session = observe.start(lab, "cost", [])
    time.sleep(2)  # connections are open by then
    begin, used = time.monotonic(), sum(os.times()[:2])
    time.sleep(seconds)
    share = (sum(os.times()[:2]) - used) / (time.monotonic() - begin)
    end = time.monotonic()
    recording = session.stop()
    made = sum(begin <= sample.at <= end for sample in recording.samples)
    return share, made / (4 * (end - begin) * len(lab.topology.postgres))


def pgbench_latency(lab: Lab, leader: str, seconds: float) -> float:
    """pgbench's average latency in milliseconds, at a fixed rate."""
    command = f"/usr/lib/postgresql/*/bin/pgbench -n -R {RATE} -c {CLIENTS} -T {seconds:.0f} bench"
    result = lab.nodes[leader].run(command, user="postgres", timeout=seconds + 60)
    found = re.search(r"latency average = ([0-9.]+) ms", result.stdout)
    if found is None:
        raise SystemExit(f"pgbench said nothing about its latency:\n{result.stdout}")
    return float(found[1])


def prepare(lab: Lab, leader: str) -> None:
    script = (
        "psql -Atc \"select 1 from pg_database where datname = 'bench'\" | grep -q 1 || createdb bench\n"
        "/usr/lib/postgresql/*/bin/pgbench -q -i -s 2 bench 2>&1\n"
    )
    lab.nodes[leader].run(script, user="postgres", timeout=120)


def interval(differences: Sequence[float]) -> tuple[float, float]:
    """The mean, and half the width of its 95 % confidence interval."""
    free = len(differences) - 1
    student = next((t for degrees, t in sorted(STUDENT.items(), reverse=True) if degrees <= free), 12.71)
    return statistics.mean(differences), student * statistics.stdev(differences) / math.sqrt(len(differences))


def pairs(lab: Lab, leader: str, count: int, seconds: float) -> tuple[list[float], list[float]]:
    """Latencies with and without the sampler; the order turns with each pair."""
    latencies: dict[bool, list[float]] = {True: [], False: []}
    for number in range(count):
        for watched in (True, False) if number % 2 else (False, True):
            say(f"pgbench {'with' if watched else 'without'} the sampler, pair {number + 1} of {count}")
            if not watched:
                latencies[False].append(pgbench_latency(lab, leader, seconds))
                continue
            with observe.recording(lab, "cost", []):
                latencies[True].append(pgbench_latency(lab, leader, seconds))
    return latencies[True], latencies[False]


def main(arguments: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(
        prog="benchmarks.observe", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--lab", default="test-bench")
    options.add_argument("--pairs", type=int, default=6)
    options.add_argument("--seconds", type=float, default=15)
    chosen = options.parse_args(arguments)
    was_there = LabPaths(chosen.lab).exists
    say(f"a cluster in {chosen.lab}")
    lab = cluster_lab(chosen.lab)
    try:
        ensure_app(lab)
        return measure(lab, chosen.pairs, chosen.seconds)
    finally:
        lab.close()
        if not was_there:
            lifecycle.destroy(chosen.lab)


def measure(lab: Lab, count: int, seconds: float) -> int:
    """Both measurements, and the table. Returns the exit status."""
    leader = lab.patroni.wait_for_healthy(within=60).leader
    assert leader is not None
    say("the sampler's share of a core")
    share, made = sampler_share(lab, 4 * seconds)
    prepare(lab, leader.name)
    watched, alone = pairs(lab, leader.name, count, seconds)
    mean, half = interval([a - b for a, b in zip(watched, alone, strict=True)])
    load = os.getloadavg()[0]
    print("| what | measured | reach |\n|---|---|---|")
    print(f"| sampler, share of one core | {share:.1%} ({made:.0%} of the looks that were due) | ≤ 5 % |")
    print(
        f"| pgbench at {RATE}/s, average latency with − without the sampler, {count} pairs "
        f"| {mean:+.2f} ms ± {half:.2f} ms (95 %), of {statistics.mean(alone):.2f} ms | — |"
    )
    print(f"\nMachine: {os.cpu_count()} cores, load {load:.1f} at the end.")
    return 0 if share <= MOST_SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
