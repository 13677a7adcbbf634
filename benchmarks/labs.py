"""Several labs side by side on one machine: ``python -m benchmarks.labs [--side-by-side 1 2 4]``.

For each number, that many fresh labs are brought up at once (test-side-1, test-side-2, …): the seconds until SSH
answers on all nodes of all of them, the memory and the disk that one lab takes, and whether these grow in proportion.
Memory is what the lab's processes hold and the kernel could not drop (no page cache), disk what the lab's directory
takes beside the image that all labs share; both of nodes on which nothing is installed yet. Prints a Markdown table;
exit status 1 where one did not come up.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.progress import say
from labhelpers import lifecycle
from labhelpers.containers import CGROUPS
from labhelpers.errors import HostProblem
from labhelpers.host import as_root
from labhelpers.paths import LabPaths

PREFIX = "test-side"
"""A lab's name has 11 characters at most."""
NEARLY = 1.25
"""What is within this factor of the straight line counts as linear."""
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Together:
    """That many labs at once. ``memory_bytes`` is None where this kernel does not account for it."""

    labs: int
    up_seconds: float  # until the last node of the last lab answers
    memory_bytes: float | None  # a lab, mean
    disk_bytes: float  # a lab, mean


def measure(count: int) -> Together:
    """Bring them up at once, look, and take them down again. Raises :class:`HostProblem`."""
    names = [f"{PREFIX}-{number}" for number in range(1, count + 1)]
    for name in names:
        lifecycle.destroy(name)
    try:
        with ThreadPoolExecutor(count) as pool:
            began = time.monotonic()
            list(pool.map(lifecycle.ensure_up, names))
            took = time.monotonic() - began
        memory = [memory_of(name) for name in names]
        known = [held for held in memory if held is not None]
        return Together(
            count, took, statistics.mean(known) if len(known) == count else None,
            statistics.mean(disk_of(name) for name in names),
        )  # fmt: skip
    finally:
        for name in names:
            lifecycle.destroy(name)


def memory_of(lab: str) -> int | None:
    """Bytes that the lab's processes hold, by the kernel's account of their cgroup; None where it keeps none."""
    for statistics_file in (
        CGROUPS / "memory" / f"workshop-{lab}" / "memory.stat",
        CGROUPS / f"workshop-{lab}" / "memory.stat",
    ):
        if statistics_file.exists():
            return held_bytes(statistics_file.read_text(encoding="ascii"))
    return None


def held_bytes(memory_stat: str) -> int:
    """Anonymous and shared memory, from a ``memory.stat`` of either version of cgroups."""
    counted = dict(line.split(" ", 1) for line in memory_stat.splitlines())
    names = ("total_rss", "total_shmem") if "total_rss" in counted else ("anon", "shmem")
    return sum(int(counted[name]) for name in names)


def disk_of(lab: str) -> int:
    """Bytes below the lab's directory; not the image, which the nodes see through their overlays."""
    root = str(LabPaths(lab).root)
    return int(as_root(["du", "-s", "-x", "--block-size=1", root]).stdout.split()[0])


def table(rows: Sequence[Together]) -> str:
    lines = [
        "| labs side by side | to SSH on all nodes | of that a lab | memory a lab | disk a lab |",
        "|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        memory = "unknown" if row.memory_bytes is None else f"{row.memory_bytes / MIB:.0f} MiB"
        lines.append(
            f"| {row.labs} | {row.up_seconds:.1f} s | {row.up_seconds / row.labs:.1f} s | {memory} "
            f"| {row.disk_bytes / MIB:.1f} MiB |"
        )
    return "\n".join(lines)


def sentence(rows: Sequence[Together]) -> str:
    """Linear or not, from the fewest labs to the most."""
    few, many = rows[0], rows[-1]
    if few.labs == many.labs:
        return ""
    parts = [_growth("the time to SSH", few, many, few.up_seconds, many.up_seconds)]
    if few.memory_bytes is not None and many.memory_bytes is not None:
        parts.append(_growth("memory", few, many, few.memory_bytes * few.labs, many.memory_bytes * many.labs))
    parts.append(_growth("disk", few, many, few.disk_bytes * few.labs, many.disk_bytes * many.labs))
    return f"From {few.labs} to {many.labs} labs: {'; '.join(parts)}."


def _growth(what: str, few: Together, many: Together, before: float, after: float) -> str:
    """By how much all labs together need more than the fewest did."""
    straight, grew = many.labs / few.labs, after / before
    if grew > straight * NEARLY:
        verdict = "more than linear"
    elif grew < straight / NEARLY:
        verdict = "less than linear"
    else:
        verdict = "linear"
    return f"{what} × {grew:.1f} ({verdict})"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmarks.labs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side-by-side", type=int, nargs="+", default=[1, 2, 4], metavar="N")
    wanted = sorted(set(parser.parse_args(arguments).side_by_side))
    if wanted[0] < 1:
        parser.error("at least one lab")
    say("looking for the image")
    lifecycle.warm_up()
    rows: list[Together] = []
    failed = ""
    for count in wanted:
        say(f"{count} labs at once" if count > 1 else "one lab")
        try:
            rows.append(measure(count))
        except HostProblem as problem:
            failed = f"{count} labs at once did not come up: {problem}"
            break
        say(f"  up after {rows[-1].up_seconds:.1f} s")
    if rows:
        print(table(rows))
        print(f"\n{sentence(rows)} {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end.")
    if failed:
        print(f"✗ {failed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
