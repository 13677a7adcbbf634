"""Bring the lab back: undo the journal, then mend what nobody wrote down.

**Invariant.** Healing looks for residues (:func:`find_residues`) and mends exactly what it finds, so the check that
proves a lab clean and the healing that makes it so cannot differ. Repeating it changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeAlias

from labhelpers.errors import LabError, WaitTimeout
from labhelpers.i18n import in_seconds, tr
from labhelpers.incidents.acts import RESUME_REPLAY, awaken, patroni_unit, reach, run_on
from labhelpers.incidents.catalogue import title_of
from labhelpers.incidents.engine import Engine
from labhelpers.incidents.errors import HealIncomplete
from labhelpers.incidents.world import ClusterView, World
from labhelpers.waiting import slowness, wait_until

HEALTHY_WITHIN_SECONDS = 120.0
"""A lease that has to run out, a member that diverged and is made again, and a loop of Patroni's."""
DIVERGED_AFTER_SECONDS = 12.0
"""A member that has replayed more of an old timeline than the leader's contains: a rewind has this long to mend it."""
STUCK_AFTER_SECONDS = 35.0
"""A member that could follow and does not stream: it may be recovering from its crash, or wait for Patroni's loop."""
PROBE_SECONDS = 10.0
INIT = "1"
"""The process that is a node's init, which no signal from inside wakes."""
SETTLE_SECONDS = 15.0
ROUNDS = 3
UNDOINGS = 2
"""The journal is gone through again where something could not be undone at first."""

ResidueKind: TypeAlias = Literal[
    "journal", "rules", "namespace", "frozen", "stopped", "link-down", "slow-link", "unreachable", "suspended",
    "service-down", "replay-paused",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Residue:
    """One thing that is not as a healed lab has it."""

    kind: ResidueKind
    node: str | None
    detail: str = ""

    def __str__(self) -> str:
        what = {
            "journal": tr("incident in the journal", "incident au journal"),
            "rules": tr("nftables rules", "règles nftables"),
            "namespace": tr("network namespace that nobody uses", "espace réseau inutilisé"),
            "frozen": tr("frozen", "gelé"),
            "stopped": tr("stopped", "arrêté"),
            "link-down": tr("network link down", "lien réseau coupé"),
            "slow-link": tr("network link slowed", "lien réseau ralenti"),
            "unreachable": tr("does not answer", "ne répond pas"),
            "suspended": tr("process suspended", "processus suspendu"),
            "service-down": tr("service stopped", "service arrêté"),
            "replay-paused": tr("replay paused", "rejeu suspendu"),
        }[self.kind]
        return " ".join(part for part in (self.node, what, f"({self.detail})" if self.detail else "") if part)


@dataclass(slots=True, repr=False)
class HealReport:
    """What healing did. ``healthy`` None: there is no cluster to be healthy."""

    undone: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    healthy: bool | None = None
    cluster: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return not self.unresolved and self.healthy is not False

    @property
    def sentences(self) -> list[str]:
        lines = [tr(f"Undone: {what}", f"Défait : {what}") for what in self.undone]
        lines += [tr(f"Mended: {what}", f"Réparé : {what}") for what in self.mended]
        lines += [tr(f"Still there: {what}", f"Encore là : {what}") for what in self.unresolved]
        if not self.undone and not self.mended and not self.unresolved:
            lines.append(tr("Nothing to undo.", "Rien à défaire."))
        if self.healthy is not None:
            state = tr("healthy", "sain") if self.healthy else tr("NOT healthy", "PAS sain")
            took = in_seconds(self.seconds)
            lines.append(tr(f"Cluster {state} after {took}: {self.cluster}",
                            f"Agrégat {state} après {took} : {self.cluster}"))  # fmt: skip
        return lines

    def __repr__(self) -> str:
        return "\n".join(self.sentences)


# What a node says of itself, one fact a line. `enabled` services only: what a chapter has not set up yet, or has
# disabled on purpose, is as it should be.
_PROBE = """\
echo answers
for unit in {units}; do
  systemctl is-enabled -q "$unit" 2>/dev/null || continue
  echo "has $unit"
  case $(systemctl is-active "$unit" 2>/dev/null) in active|activating|reloading) ;; *) echo "down $unit" ;; esac
done
ps -eo pid=,stat=,comm= | while read -r pid stat comm; do
  case $stat in T*) case $comm in patroni*|postgres|etcd|systemd) echo "suspended $pid $comm" ;; esac ;; esac
done
if command -v psql >/dev/null; then
  paused="select 'paused' from (select 1) x where pg_is_in_recovery() and pg_is_wal_replay_paused()"
  timeout 3 sudo -u postgres psql -XAtqc "$paused" 2>/dev/null </dev/null
fi
exit 0
"""
_NEEDS_CLUSTER: tuple[ResidueKind, ...] = ("service-down",)
_ASLEEP: tuple[ResidueKind, ...] = ("frozen", "stopped", "link-down")


@dataclass(frozen=True, slots=True)
class Survey:
    """One look at everything: what is not as it should be, and the nodes on which Patroni is set up."""

    residues: tuple[Residue, ...]
    members: tuple[str, ...]


def survey(world: World, entries: Sequence[str] = ()) -> Survey:
    """Everything that an incident, or a trainee's hand, left behind. ``entries``: what the journal still holds."""
    found = [Residue("journal", None, entry) for entry in entries]
    if world.network.table_exists():
        found.append(Residue("rules", None, world.network.table))
    if world.client_namespace_left():
        found.append(Residue("namespace", None))
    states = world.states()
    for node, state in states.items():
        if state in ("frozen", "stopped"):
            found.append(Residue("frozen" if state == "frozen" else "stopped", node))
    links = {world.topology.node(node).interface: node for node in states}
    found += [Residue("link-down", node) for link, node in links.items() if world.network.is_up(link) is False]
    found += [Residue("slow-link", links[link]) for link in world.network.slow_interfaces(list(links))]
    inside = _inside(world, [node for node, state in states.items() if state == "running"])
    return Survey((*found, *inside.residues), inside.members)


def find_residues(world: World, entries: Sequence[str] = ()) -> list[Residue]:
    """What is not as a healed lab has it."""
    return list(survey(world, entries).residues)


def _inside(world: World, running: Sequence[str]) -> Survey:
    found: list[Residue] = []
    members: list[str] = []
    patroni = patroni_unit(world)
    for answer in world.script(running, _PROBE.format(units=f"etcd {patroni}"), timeout=PROBE_SECONDS):
        words = [line.split() for line in answer.stdout.splitlines() if line.strip()]
        if ["answers"] not in words:
            found.append(Residue("unreachable", answer.node, answer.problem))
            continue
        for word, *rest in words:
            if word == "has" and rest == [patroni]:
                members.append(answer.node)
            elif word == "down":
                found.append(Residue("service-down", answer.node, rest[0]))
            elif word == "suspended":
                found.append(Residue("suspended", answer.node, " ".join(rest)))
            elif word == "paused":
                found.append(Residue("replay-paused", answer.node))
    if not members:  # while the course still builds the cluster, a service that is down is a step of a chapter
        found = [one for one in found if one.kind not in _NEEDS_CLUSTER]
    return Survey(tuple(found), tuple(members))


def heal(
    engine: Engine,
    *,
    within_seconds: float = HEALTHY_WITHIN_SECONDS,
    wait: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> HealReport:
    """Undo everything, mend the rest, and then wait ``within_seconds`` at most until the lab is healthy.

    What one node did, and a lab that is not healthy by then, is in the report. Raises :class:`JournalBusy`.
    """
    started = time.monotonic()
    report = HealReport()
    with engine.journal.locked(tr("healing", "réparation")):
        for _ in range(UNDOINGS):
            stuck = _undo_all(engine, report, progress)
            members, left = _mend_all(engine, report, progress)
            if not stuck:
                break  # else what stood in its way may be mended by now
        report.unresolved = [*stuck, *left]
        known = {entry.id for entry in engine.active()}
    if wait and members:
        _wait_until_healthy(engine, report, members, known, within_seconds, progress)
    report.seconds = time.monotonic() - started
    for sentence in report.sentences[-1:]:
        engine.say(sentence)
    return report


def _undo_all(engine: Engine, report: HealReport, progress: Callable[[str], None]) -> list[str]:
    """Undo what the journal holds, and return why the rest of it stays there."""
    stuck: list[str] = []
    for entry in engine.active():
        what = f"{title_of(entry.kind)} ({' '.join(entry.nodes)})"
        progress(what)
        try:
            engine.undo_locked(entry, tr("healed", "réparé"))
            report.undone.append(what)
        except HealIncomplete as problem:
            stuck.append(str(problem))
    for path in engine.journal.unreadable():
        path.unlink(missing_ok=True)
        report.mended.append(tr(f"unreadable journal entry {path.name}",
                                f"entrée de journal illisible {path.name}"))  # fmt: skip
    return stuck


def _mend_all(engine: Engine, report: HealReport, progress: Callable[[str], None]) -> tuple[tuple[str, ...], list[str]]:
    """Outside first (power, freezer, links), then inside: a thawed node may have something suspended in it.

    Returns the members of the cluster, and what could not be mended.
    """
    world = engine.world
    mended: dict[str, None] = {}
    unmended: list[str] = []
    seen = survey(world)
    for _ in range(ROUNDS):
        asleep = [one for one in seen.residues if one.kind in _ASLEEP]
        for residue in seen.residues:
            progress(str(residue))
        if asleep:
            nodes = tuple(dict.fromkeys(one.node for one in asleep if one.node))
            _tried(unmended, asleep[0], partial(_bring_back, world, nodes))
        for residue in seen.residues:
            if residue in asleep or _tried(unmended, residue, partial(_mend, world, residue)):
                mended[str(residue)] = None
        if not seen.residues:
            break
        seen = _settled(world)
    still = [str(one) for one in seen.residues]
    report.mended += [one for one in mended if one not in still]
    if not still:
        return seen.members, []  # what failed at first was mended in a later round
    return seen.members, list(dict.fromkeys([*unmended, *still]))


def _settled(world: World) -> Survey:
    """Services take a moment to be what they were told to be; a node that sleeps is not waited for."""
    seen = Survey((), ())

    def clean() -> bool:
        nonlocal seen
        seen = survey(world)
        return not seen.residues or any(one.kind in _ASLEEP for one in seen.residues)

    with suppress(WaitTimeout):
        wait_until(clean, what="residues", within=SETTLE_SECONDS, every=0.5)
    return seen


def _tried(unmended: list[str], residue: Residue, mend: Callable[[], None]) -> bool:
    try:
        mend()
    except Exception as problem:
        unmended.append(f"{residue}: {problem}")
        return False
    return True


def _bring_back(world: World, nodes: Sequence[str]) -> None:
    awaken(world, nodes)
    for node in nodes:
        reach(world, node)


def _mend(world: World, residue: Residue) -> None:
    node = residue.node or ""
    if residue.kind == "rules":
        world.network.drop_table()
    elif residue.kind == "namespace":
        world.remove_client_namespace()
    elif residue.kind == "slow-link":
        world.network.unslow(world.topology.node(node).interface)
    elif residue.kind == "unreachable" or (residue.kind == "suspended" and residue.detail.split()[0] == INIT):
        world.start(node)  # held at its start, by a goto that was cut off
        reach(world, node)
    elif residue.kind == "suspended":
        run_on(world, node, f"kill -CONT {residue.detail.split()[0]}")
    elif residue.kind == "service-down":
        run_on(world, node, f"systemctl restart --no-block {residue.detail}")
    elif residue.kind == "replay-paused":
        run_on(world, node, RESUME_REPLAY)


def _wait_until_healthy(
    engine: Engine,
    report: HealReport,
    expected: Sequence[str],
    known: Set[str],
    within_seconds: float,
    progress: Callable[[str], None],
) -> None:
    """One leader, the others streaming, one timeline. A member that diverged is made again from the leader, once.

    ``known``: the incidents that this healing could not undo.
    """
    world = engine.world
    reinitialised: set[str] = set()
    sick_since: dict[str, float] = {}
    seen: ClusterView | None = None

    def broken_again() -> bool:
        return any(entry.id not in known for entry in engine.active())

    def healthy() -> bool:
        nonlocal seen
        if broken_again():
            return True  # there is no health to wait for
        seen = world.cluster()
        if seen is None:
            return False
        if seen.healthy(expected):
            return world.is_healthy(expected)
        sick = _sick(seen, expected)
        for recovered in sick_since.keys() - set(sick):
            del sick_since[recovered]
        for member in sick:
            sick_for = time.monotonic() - sick_since.setdefault(member, time.monotonic())
            if member not in reinitialised and _is_lost(world, member, sick_for / slowness()):
                try:
                    world.reinitialize(member)
                except LabError:
                    continue  # it is asked again at the next look
                reinitialised.add(member)
                progress(tr(f"{member} has diverged: it is made again from the leader",
                            f"{member} a divergé : il est refait à partir du leader"))  # fmt: skip
        return False

    try:
        wait_until(healthy, what="cluster", within=within_seconds, every=0.5)
        report.healthy = None if broken_again() else True
    except LabError:
        report.healthy = False
    for member in sorted(reinitialised):
        if report.healthy:
            report.mended.append(tr(f"{member} had diverged: made again from the leader",
                                    f"{member} avait divergé : refait à partir du leader"))  # fmt: skip
        else:
            report.unresolved.append(tr(f"{member} has diverged: it is being made again from the leader",
                                        f"{member} a divergé : il est refait à partir du leader"))  # fmt: skip
    report.cluster = str(seen) if seen else tr("Patroni does not answer", "Patroni ne répond pas")


def _sick(seen: ClusterView, expected: Sequence[str]) -> list[str]:
    """Replicas that do not stream although a leader is there."""
    if seen.leader is None or seen.paused:
        return []
    return [m.name for m in seen.members if m.name in expected and not m.leads and not m.works]


def _is_lost(world: World, member: str, sick_seconds: float) -> bool:
    """It won't stream by itself any more."""
    if sick_seconds > STUCK_AFTER_SECONDS:
        return True
    return sick_seconds > DIVERGED_AFTER_SECONDS and world.has_diverged(member)


__all__ = ["HealReport", "Residue", "find_residues", "heal"]
