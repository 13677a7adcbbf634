"""The lab at this moment, as far as incidents care, and who would be hit now.

A target is chosen from what is seen (the *current* leader, never ``pg-1``), and where it can't be, the reason is a
sentence: the same one on the panel's card, on the terminal and in the exception.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from labhelpers.i18n import tr
from labhelpers.incidents.errors import IncidentNotPossible, WrongTarget
from labhelpers.incidents.journal import Entry
from labhelpers.incidents.world import ClusterView, World
from labhelpers.meant import command
from labhelpers.topology import Topology

Aim: TypeAlias = Literal["leader", "replica", "postgres", "etcd-all", "etcd-majority", "etcd-follower", "etcd-leader"]
"""Whom an incident is for. ``postgres``: any member, the leader where none is named."""


@dataclass(frozen=True, slots=True)
class Situation:
    topology: Topology
    states: Mapping[str, str]
    cluster: ClusterView | None
    etcd_leader: str | None
    active: tuple[Entry, ...]

    @classmethod
    def of(cls, world: World, active: Sequence[Entry]) -> Situation:
        """Look now. Nodes that do not run are not asked."""
        states = dict(world.states())
        running = {name for name, state in states.items() if state == "running"}
        ask_cluster = running & set(world.topology.postgres)
        ask_etcd = running & set(world.topology.etcd)
        return cls(
            topology=world.topology,
            states=states,
            cluster=world.cluster() if ask_cluster else None,
            etcd_leader=world.etcd_leader() if ask_etcd else None,
            active=tuple(active),
        )

    @property
    def leader(self) -> str | None:
        return self.cluster.leader if self.cluster else None

    def entry_on(self, node: str) -> Entry | None:
        return next((entry for entry in self.active if node in entry.nodes), None)

    def running(self, nodes: Sequence[str]) -> list[str]:
        return [node for node in nodes if self.states.get(node) == "running"]

    def free(self, nodes: Sequence[str]) -> list[str]:
        """Those that run and are in no incident."""
        return [node for node in self.running(nodes) if self.entry_on(node) is None]

    def successors(self, lost: Sequence[str]) -> list[str]:
        """Replicas that could take over without the ``lost`` nodes: they stream, and are in no incident."""
        members = self.cluster.members if self.cluster else ()
        streaming = [member.name for member in members if member.works and not member.leads]
        return [node for node in self.free(streaming) if node not in lost]

    @property
    def synchronous(self) -> list[str]:
        """The standbys for which each commit waits."""
        members = self.cluster.members if self.cluster else ()
        return [member.name for member in members if member.role in ("sync_standby", "quorum_standby")]

    @property
    def has_quorum(self) -> bool:
        return len(self.running(self.topology.etcd)) > len(self.topology.etcd) // 2


def choose(kind: str, aim: Aim, situation: Situation, asked: Sequence[str] = ()) -> tuple[str, ...]:
    """The nodes that the incident hits now; ``asked`` are the trainee's own, validated.

    Raises :class:`WrongTarget` (never right for this incident) and :class:`IncidentNotPossible` (not now).
    """
    _refuse_dead_lab(kind, situation)
    if asked:
        _refuse_wrong_nodes(kind, aim, situation, asked)
        _refuse_incomplete_etcd(kind, aim, situation)
        nodes = tuple(asked)
        _refuse_wrong_role(kind, aim, situation, nodes)
    else:
        _refuse_incomplete_etcd(kind, aim, situation)
        nodes = _sensible(kind, aim, situation)
    for node in nodes:
        _refuse_taken(kind, node, situation)
    return nodes


def candidates(aim: Aim, topology: Topology) -> tuple[str, ...]:
    return topology.etcd if aim.startswith("etcd") else topology.postgres


def count(aim: Aim, topology: Topology) -> int:
    """How many nodes the incident takes."""
    whole = len(topology.etcd)
    return {"etcd-all": whole, "etcd-majority": whole // 2 + 1}.get(aim, 1)


def _refuse_dead_lab(kind: str, situation: Situation) -> None:
    if any(state in ("running", "frozen") for state in situation.states.values()):
        return
    up = command("up", situation.topology.lab)
    raise IncidentNotPossible(
        kind,
        tr(f"no node of the lab runs. Start it: {up}",
           f"aucun nœud du lab ne tourne. Pour le démarrer : {up}"),
    )  # fmt: skip


def _refuse_wrong_nodes(kind: str, aim: Aim, situation: Situation, asked: Sequence[str]) -> None:
    allowed = candidates(aim, situation.topology)
    number = count(aim, situation.topology)
    if not set(asked) <= set(allowed) or len(set(asked)) != number:
        raise WrongTarget(kind, asked, number, allowed)


def _refuse_incomplete_etcd(kind: str, aim: Aim, situation: Situation) -> None:
    """What the loss of one node, or of two, does is told of three: with one lost before, it is another incident."""
    if aim not in ("etcd-majority", "etcd-follower", "etcd-leader"):
        return
    if not situation.has_quorum:
        raise IncidentNotPossible(kind, _quorum_lost(situation))
    lost = _lost_of_etcd(situation)
    if lost:
        heal = command("heal", situation.topology.lab)
        raise IncidentNotPossible(
            kind,
            tr(f"etcd already lacks {lost}, so this would do more than it says. Bring it back: {heal}",
               f"il manque déjà {lost} à etcd, l'effet irait au-delà de l'annonce. Pour le ramener : {heal}"),
        )  # fmt: skip


def _refuse_wrong_role(kind: str, aim: Aim, situation: Situation, nodes: tuple[str, ...]) -> None:
    [node] = nodes if len(nodes) == 1 else [None]
    if aim == "leader":
        leader = _leader(kind, situation)
        if node != leader:
            raise IncidentNotPossible(
                kind,
                tr(f"{node} does not lead; {leader} does. Name that one, or none.",
                   f"{node} n'est pas le leader, {leader} l'est. Nommez celui-ci, ou aucun."),
            )  # fmt: skip
    elif aim == "replica" and node == situation.leader:
        raise IncidentNotPossible(
            kind,
            tr(f"{node} leads. Name a replica, or none.",
               f"{node} est le leader. Nommez un secondaire, ou aucun."),
        )  # fmt: skip
    elif aim == "etcd-leader" and node != situation.etcd_leader:
        raise IncidentNotPossible(
            kind,
            tr(f"etcd's leader is {situation.etcd_leader}, not {node}. Name that one, or none.",
               f"le leader d'etcd est {situation.etcd_leader}, pas {node}. Nommez celui-ci, ou aucun."),
        )  # fmt: skip


def _refuse_taken(kind: str, node: str, situation: Situation) -> None:
    """One incident a node, and only on a node that runs."""
    from labhelpers.incidents.catalogue import title_of

    heal = command("heal", situation.topology.lab)
    entry = situation.entry_on(node)
    if entry is not None:
        since = entry.since.astimezone().strftime("%H:%M:%S")
        raise IncidentNotPossible(
            kind,
            tr(f"{node} is in “{title_of(entry.kind)}” since {since}. Undo that first: {heal}",
               f"{node} est déjà dans « {title_of(entry.kind)} » depuis {since}. À défaire d'abord : {heal}"),
        )  # fmt: skip
    state = situation.states.get(node, "absent")
    if state != "running":
        raise IncidentNotPossible(
            kind,
            tr(f"{node} is {state}. Bring it back: {heal}",
               f"{node} est dans l'état {state}. Pour le ramener : {heal}"),
        )  # fmt: skip


def _sensible(kind: str, aim: Aim, situation: Situation) -> tuple[str, ...]:
    topology = situation.topology
    if aim in ("leader", "postgres"):
        return (_leader(kind, situation),)
    if aim == "replica":
        return (_replica(kind, situation),)
    if aim == "etcd-all":
        return topology.etcd
    if aim == "etcd-leader":
        if situation.etcd_leader is None:
            status = command("status", topology.lab)
            raise IncidentNotPossible(
                kind,
                tr(f"etcd has no leader. See: {status}",
                   f"etcd n'a pas de leader. Voyez : {status}"),
            )  # fmt: skip
        return (situation.etcd_leader,)
    free = situation.free(topology.etcd)
    followers = [node for node in free if node != situation.etcd_leader]
    if aim == "etcd-follower":
        return ((followers or list(topology.etcd))[-1:][0],)
    number = count(aim, topology)
    picked = (free if len(free) >= number else list(topology.etcd))[-number:]
    return tuple(picked)


def _leader(kind: str, situation: Situation) -> str:
    leader = situation.leader
    if leader is not None:
        return leader
    if situation.running(situation.topology.etcd) and situation.has_quorum:
        status = command("status", situation.topology.lab)
        raise IncidentNotPossible(
            kind,
            tr(f"nobody leads (no cluster yet, or an election goes on). See: {status}",
               f"personne n'est leader (pas encore d'agrégat, ou une élection en cours). Voyez : {status}"),
        )  # fmt: skip
    raise IncidentNotPossible(kind, _quorum_lost(situation))


def _quorum_lost(situation: Situation) -> str:
    lost, heal = _lost_of_etcd(situation), command("heal", situation.topology.lab)
    return tr(f"etcd has lost its quorum: {lost}. Bring it back: {heal}",
              f"etcd a perdu son quorum : {lost}. Pour le ramener : {heal}")  # fmt: skip


def _lost_of_etcd(situation: Situation) -> str:
    """Its nodes that do not run, with their states; empty where all do."""
    lost = [node for node in situation.topology.etcd if situation.states.get(node) != "running"]
    return " ".join(f"{node} ({situation.states.get(node, 'absent')})" for node in lost)


def _replica(kind: str, situation: Situation) -> str:
    _leader(kind, situation)
    assert situation.cluster is not None
    replicas = [member.name for member in situation.cluster.members if not member.leads]
    works = [member.name for member in situation.cluster.members if member.works and not member.leads]
    free = [node for node in situation.free(situation.topology.postgres) if node in replicas]
    if free:
        return ([node for node in free if node in works] or free)[-1]
    listed = ", ".join(f"{node} ({situation.states.get(node, 'absent')})" for node in replicas) or "—"
    heal = command("heal", situation.topology.lab)
    raise IncidentNotPossible(
        kind,
        tr(f"no replica is free: {listed}. Bring them back: {heal}",
           f"aucun secondaire n'est libre : {listed}. Pour les ramener : {heal}"),
    )  # fmt: skip
