"""What a failover loses: ``python -m benchmarks.loss [--lab NAME] [--failovers N] [--commits N] [--seed N]``.

Asynchronous and synchronous replication under the same failovers: several clients write as fast as they are answered,
the leader's power is cut at a random moment, and once another leads and the clients write again, every commit that was
acknowledged is looked for on it. The control cuts the replicas off for two seconds before the fault: asynchronous
replication must then lose commits, or this benchmark could not see a loss.

Between two failovers the lab is healed until it is healthy. ``ttl`` and its kin are as short as Patroni allows, to
save time: the outages measured here are shorter than those of the course. Prints a Markdown table; exit status 1 where
synchronous replication lost anything, the control lost nothing, or too few commits were acknowledged.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labhelpers import incidents, observe
from labhelpers.course.soak import nearest_rank
from labhelpers.errors import WaitTimeout
from labhelpers.incidents.acts import CutOff
from labhelpers.lab import Lab
from labhelpers.waiting import wait_until
from tests.live.incident_lab import cluster_lab, ensure_app

SETTINGS = {"ttl": 20, "loop_wait": 3, "retry_timeout": 5}
"""Seconds. 20 is the least ttl that Patroni takes; loop_wait + 2·retry_timeout ≤ ttl."""
CLIENTS = 6
RATE = 200.0
"""Commits a second that each client tries: more than a small machine can do, so that some are always under way."""
CUT_OFF_SECONDS = 2.0
WRITING_WITHIN_SECONDS = 300.0
WRITES_BACK_WITHIN_SECONDS = 90.0
HEALED_WITHIN_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class Mode:
    """One row of the table. ``cut_off``: the replicas are, before the fault."""

    name: str
    synchronous: bool
    cut_off: bool = False


ASYNCHRONOUS = Mode("asynchronous", False)
SYNCHRONOUS = Mode("synchronous", True)
CONTROL = Mode(f"control: asynchronous, replicas cut off {CUT_OFF_SECONDS:g} s before", False, True)
SYNCHRONOUS_CONTROL = Mode(f"synchronous, replicas cut off {CUT_OFF_SECONDS:g} s before", True, True)


@dataclass(frozen=True, slots=True)
class Failover:
    """What became of the commits of one failover, and for how long its first client could not write."""

    acknowledged: int
    lost: int
    unknown: int
    outage_seconds: float


@dataclass(slots=True)
class Row:
    mode: Mode
    failovers: list[Failover] = field(default_factory=list)
    seconds: float = 0.0

    def total(self, what: str) -> int:
        return sum(getattr(failover, what) for failover in self.failovers)

    def to_markdown(self) -> str:
        outages = [failover.outage_seconds for failover in self.failovers]
        middle = f"{statistics.median(outages):.1f} s" if outages else "—"
        late = f"{nearest_rank(outages, 95):.1f} s" if outages else "—"
        return (
            f"| {self.mode.name} | {len(self.failovers)} | {self.total('acknowledged'):,} | {self.total('lost'):,} "
            f"| {self.total('unknown'):,} | {middle} | {late} | {self.seconds / 60:.1f} min |"
        )


def set_up(lab: Lab, mode: Mode) -> None:
    """The mode's settings, in force: with synchronous replication, a standby has been chosen."""
    changes = {**SETTINGS, "synchronous_mode": mode.synchronous}
    if any(lab.patroni.config().get(key) != value for key, value in changes.items()):
        lab.patroni.patch_config(changes)
    wait_until(
        lambda: has_synchronous_standby(lab) == mode.synchronous, what=f"{mode.name} replication", within=60, every=0.5
    )


def has_synchronous_standby(lab: Lab) -> bool:
    """By the leader's own PostgreSQL: commits wait for somebody."""
    leader = lab.patroni.wait_for_healthy(within=HEALED_WITHIN_SECONDS).leader
    assert leader is not None
    _, rows = lab.postgres.query(leader.name, "select count(*) from pg_stat_replication where sync_state = 'sync'")
    return bool(rows[0][0])


def fail_over(lab: Lab, mode: Mode, commits: int, dice: random.Random, directory: Path) -> Failover:
    """At least ``commits`` acknowledged commits, a power cut of the leader, and the account of every commit."""
    set_up(lab, mode)
    leader = lab.patroni.wait_for_leader(within=30)
    clients = [observe.ClientSpec(name=f"loss{number}", rate=RATE) for number in range(CLIENTS)]
    with observe.recording(lab, "loss", clients, directory=directory) as session:
        wait_until(
            lambda: acknowledged(session) >= commits, what=f"{commits} acknowledged commits",
            within=WRITING_WITHIN_SECONDS, every=0.5, seen=lambda: f"{acknowledged(session)}",
        )  # fmt: skip
        let_time_pass(dice.uniform(0, SETTINGS["loop_wait"]))
        with cut_power(lab, leader, cut_off=mode.cut_off) as cut:
            wait_until(
                lambda: writes_elsewhere(session, leader, cut.since_monotonic),
                what="commits on another leader", within=WRITES_BACK_WITHIN_SECONDS, every=0.5,
            )  # fmt: skip
            session.stop()
            outage = session.outage()
            accounts = session.account(nodes=[])
    heal(lab)
    assert outage is not None
    seconds = outage.client_seconds
    assert seconds is not None, "the first client never wrote again"
    return Failover(
        acknowledged=sum(account.acknowledged for account in accounts),
        lost=sum(len(account.lost) for account in accounts),
        unknown=sum(account.unknown for account in accounts),
        outage_seconds=seconds,
    )


def cut_power(lab: Lab, leader: str, *, cut_off: bool) -> incidents.Incident:
    """The power cut, two seconds after the replicas were cut off where that is wanted. It is undone as a context."""
    if not cut_off:
        return incidents.inject(lab, "primary-power-cut", leader)
    world = incidents.engine(lab).world
    cut = CutOff(leader, tuple(name for name in lab.topology.postgres if name != leader))
    try:
        cut.inject(world, "loss-control")
        let_time_pass(CUT_OFF_SECONDS)
        return incidents.inject(lab, "primary-power-cut", leader)
    finally:
        cut.undo(world, "loss-control")


def let_time_pass(seconds: float) -> None:
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, what="the moment", within=seconds + 5, every=0.01)


def acknowledged(session: observe.Session) -> int:
    session.check()
    return sum(attempt.outcome == "acknowledged" for attempt in session.recording.attempts)


def writes_elsewhere(session: observe.Session, old_leader: str, since: float) -> bool:
    """Every client has a commit that another node acknowledged after the fault."""
    session.check()
    back = {
        attempt.client
        for attempt in session.recording.attempts
        if attempt.outcome == "acknowledged" and attempt.finished > since and attempt.node != old_leader
    }
    return len(back) == CLIENTS


def heal(lab: Lab) -> None:
    """Until it is healthy: an old leader that has diverged is made again, which may take a second healing."""
    report = incidents.heal(lab)
    if not report.ok:
        report = incidents.heal(lab)
    if not report.ok:
        raise WaitTimeout("a healthy lab", HEALED_WITHIN_SECONDS, " ".join(report.sentences))


def run_mode(lab: Lab, mode: Mode, count: int, commits: int, seed: int, directory: Path) -> Row:
    """``count`` failovers; the same moments for every mode, by the seed."""
    dice = random.Random(seed)
    row = Row(mode)
    began = time.monotonic()
    for number in range(1, count + 1):
        failover = fail_over(lab, mode, commits, dice, directory)
        row.failovers.append(failover)
        row.seconds = time.monotonic() - began
        print(f"{mode.name} {number}/{count}: {failover}", file=sys.stderr, flush=True)
        for path in directory.glob("*.jsonl"):
            path.unlink()
    return row


def verdict(rows: Sequence[Row], wanted: int) -> list[str]:
    """What is not as it must be; nothing where all is well."""
    problems = []
    for row in rows:
        lost, name = row.total("lost"), row.mode.name
        if row.mode.synchronous and lost:
            problems.append(f"{name} lost {lost} commits")
        if row.mode is CONTROL and not lost:
            problems.append("the control lost nothing: a loss would not be seen")
        if not row.mode.cut_off and row.total("acknowledged") < wanted:
            problems.append(f"{name}: only {row.total('acknowledged')} acknowledged commits of {wanted}")
    return problems


def main(arguments: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(prog="benchmarks.loss", description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--lab", default="test-los", help="a lab for tests; a cluster is built in it where none is")
    options.add_argument("--failovers", type=int, default=20, help="in each mode")
    options.add_argument("--controls", type=int, default=3, help="failovers of each control")
    options.add_argument("--commits", type=int, default=100_000, help="acknowledged in each mode, at least")
    options.add_argument("--seed", type=int, default=20261124)
    chosen = options.parse_args(arguments)
    if not chosen.lab.startswith("test"):
        options.error("this breaks a lab again and again: only one whose name begins with 'test'")
    lab = cluster_lab(chosen.lab)
    incidents.heal(lab)
    ensure_app(lab)
    each = math.ceil(chosen.commits / chosen.failovers)
    plan = [(CONTROL, chosen.controls), (ASYNCHRONOUS, chosen.failovers), (SYNCHRONOUS, chosen.failovers),
            (SYNCHRONOUS_CONTROL, chosen.controls)]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="loss-") as directory:
        rows = [run_mode(lab, mode, count, each, chosen.seed, Path(directory)) for mode, count in plan]
    print("| replication | failovers | acknowledged | lost | unknown | outage, median | 95 % | took |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for row in rows:
        print(row.to_markdown())
    settings = ", ".join(f"{name} {value} s" for name, value in SETTINGS.items())
    print(f"\nSeed {chosen.seed}; {CLIENTS} clients; {settings} (Patroni takes no shorter ttl; the course has 30 s).")
    problems = verdict(rows, chosen.commits)
    for problem in problems:
        print(f"✗ {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
