"""How long a lab takes, against the ways it replaces: ``python -m benchmarks.lab [--from-nothing] [--runs N]``.

Each ratio is of two times measured in this one run, in turn, so that a machine that slows down slows both. Prints a
Markdown table; exit status 1 where a reach is missed. ``--from-nothing`` also builds an image and makes the hand-out's
containers (``lxc-create -t debian``, from Debian's package lxc-templates), which takes some minutes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.progress import say
from labhelpers import lifecycle
from labhelpers.host import as_root
from labhelpers.lab import open_lab
from labhelpers.paths import LabPaths
from labhelpers.topology import INVENTORY, load_topology

LAB = "test-bench"
THREE = ("pg-1", "pg-2", "pg-3")
LONGEST_SECONDS = 900.0
"""For one command."""
RELEASE = "bookworm"
"""The newest release that lxc-templates' debian template makes."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``reached`` is judged by the caller, who knows the unit."""

    what: str
    ours: str
    other: str
    ratio: str
    reach: str
    reached: bool


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def quietly(argv: list[str], timeout: float = LONGEST_SECONDS, environment: Mapping[str, str] | None = None) -> None:
    subprocess.run(
        argv, check=True, timeout=timeout, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env={**os.environ, **(environment or {})},
    )  # fmt: skip


def life(runs: int) -> tuple[list[Row], float]:
    """``up`` with the image there and ``down``, and the median of the former."""
    say("looking for the image")
    lifecycle.warm_up()
    ups, downs = [], []
    for run in range(1, runs + 1):
        say(f"up and down, {run} of {runs}")
        lifecycle.destroy(LAB)
        ups.append(seconds(lambda: lifecycle.ensure_up(LAB)))
        downs.append(seconds(lambda: lifecycle.destroy(LAB)))
    up, down = statistics.median(ups), statistics.median(downs)
    return [
        Row("`up` with the image there, to SSH on all seven", f"{up:.1f} s", "", "", "≤ 8 s", up <= 8),
        Row("`down`", f"{down:.1f} s", "", "", "≤ 3 s", down <= 3),
    ], up


def commands(runs: int) -> list[Row]:
    """A trivial command on three nodes: ours, a shell's loop over ssh, a tuned Ansible; in turn."""
    say("a lab for the commands")
    lifecycle.ensure_up(LAB)
    lab = open_lab(LAB)
    paths, topology = LabPaths(LAB), load_topology(LAB)
    loop = f"for node in {' '.join(THREE)}; do ssh -F {paths.ssh_config} $node true; done"
    tuned = {
        "ANSIBLE_PIPELINING": "1", "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s",
        "ANSIBLE_GATHERING": "explicit",
    }  # fmt: skip
    raw = [
        lifecycle.ansible_playbook().removesuffix("-playbook"), "-i", str(INVENTORY), "postgres", "-m", "raw",
        "-a", "true", "-f", "3", "-e", f"lab={LAB}", "-e", f"network={topology.network}",
    ]  # fmt: skip
    lab.nodes.run(THREE, "true")
    quietly(raw, environment=tuned)
    ours, shell, ansible = [], [], []
    for run in range(1, runs + 1):
        say(f"commands on three nodes, three ways, {run} of {runs}")
        ours += [seconds(lambda: lab.nodes.run(THREE, "true")) for _ in range(20)]
        shell.append(seconds(lambda: quietly(["bash", "-c", loop])))
        ansible.append(seconds(lambda: quietly(raw, environment=tuned)))
    lab.close()
    lifecycle.destroy(LAB)
    mine, by_ssh, by_ansible = (statistics.median(times) for times in (ours, shell, ansible))
    return [
        Row("`true` on three nodes, against `for … ssh`", f"{mine * 1000:.0f} ms", f"{by_ssh * 1000:.0f} ms",
            f"{by_ssh / mine:.0f} ×", "≥ 25 ×, ≤ 25 ms", by_ssh / mine >= 25 and mine <= 0.025),
        Row("the same, against a tuned `ansible -m raw`", f"{mine * 1000:.0f} ms", f"{by_ansible * 1000:.0f} ms",
            f"{by_ansible / mine:.0f} ×", "≥ 5 ×", by_ansible / mine >= 5),
    ]  # fmt: skip


@contextmanager
def handout_containers() -> Iterator[Path]:
    """A place for the hand-out's containers, away from LXC's own and from its cache of images."""
    with place_of_roots("handout-") as place:
        (place / "lxc").mkdir()
        (place / "default.conf").write_text("lxc.net.0.type = empty\n")
        try:
            yield place
        finally:
            for number in range(7):
                as_root(["lxc-stop", "-P", str(place / "lxc"), "-n", f"bench-{number}", "-k"], check=False)


@contextmanager
def place_of_roots(prefix: str) -> Iterator[Path]:
    """A directory in which root may leave files; it goes at the end."""
    place = Path(tempfile.mkdtemp(prefix=prefix))
    place.chmod(0o755)
    try:
        yield place
    finally:
        as_root(["rm", "-rf", "--one-file-system", str(place)], timeout=120)


def create(place: Path, number: int) -> None:
    say(f"lxc-create -t debian, {number + 1} of 7")
    argv = [
        "env", f"LXC_CACHE_PATH={place / 'cache'}", "lxc-create", "-P", str(place / "lxc"), "-n", f"bench-{number}",
        "-f", str(place / "default.conf"),
        "-t", "debian", "--", "-r", RELEASE,
    ]  # fmt: skip
    as_root(argv, timeout=LONGEST_SECONDS)


def start_and_wait(place: Path, number: int) -> None:
    name = f"bench-{number}"
    as_root(["lxc-start", "-P", str(place / "lxc"), "-n", name])
    as_root(["lxc-wait", "-P", str(place / "lxc"), "-n", name, "-s", "RUNNING"])


def from_nothing(up_seconds: float) -> list[Row]:
    """The image and seven nodes from nothing, and seven from a warm cache, against the hand-out's ``lxc-create``."""
    if shutil.which("debootstrap") is None or not Path("/usr/share/lxc/templates/lxc-debian").exists():
        say("apt-get install lxc-templates debootstrap")
        as_root(["apt-get", "install", "-y", "lxc-templates", "debootstrap"], timeout=LONGEST_SECONDS)
    with handout_containers() as place:
        first = seconds(lambda: create(place, 0))
        others = [seconds(lambda number=number: create(place, number)) for number in range(1, 7)]  # type: ignore[misc]
        starts = sum(seconds(lambda number=number: start_and_wait(place, number)) for number in range(7))  # type: ignore[misc]
    image = seconds(build_an_image_again)
    theirs_cold = first + sum(others) + starts
    theirs_warm = statistics.median(others) * 7 + starts
    ours_cold = image + up_seconds
    return [
        Row("image and seven nodes from nothing, against `lxc-create -t debian` seven times", f"{ours_cold:.0f} s",
            f"{theirs_cold:.0f} s", f"{theirs_cold / ours_cold:.1f} ×", "≥ 2 ×", theirs_cold / ours_cold >= 2),
        Row("seven nodes from the image, against seven `lxc-create` from its cache", f"{up_seconds:.1f} s",
            f"{theirs_warm:.0f} s", f"{theirs_warm / up_seconds:.1f} ×", "≥ 6 ×", theirs_warm / up_seconds >= 6),
    ]  # fmt: skip


def build_an_image_again() -> None:
    """A whole warm-up into a place of its own, thrown away afterwards."""
    say("an image from nothing")
    with place_of_roots("workshop-image-") as place:
        as_root(["env", f"STATE={place}", str(INVENTORY.parent / "warmup.sh")], timeout=LONGEST_SECONDS)


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    lines = ["| what | ours | the other way | ratio | reach | |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row.what} | {row.ours} | {row.other} | {row.ratio} | {row.reach} | {'✓' if row.reached else '✗'} |"
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmarks.lab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5, help="runs of each command (default: %(default)s)")
    parser.add_argument("--from-nothing", action="store_true", help="also against lxc-create -t debian (minutes)")
    options = parser.parse_args(arguments)
    rows, up_seconds = life(options.runs)
    rows += commands(options.runs)
    if options.from_nothing:
        rows += from_nothing(up_seconds)
    print(table(rows))
    return 0 if all(row.reached for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
