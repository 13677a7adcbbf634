"""The one seam between incidents and the lab: what an act may do, and the real lab doing it.

Everything in this package asks a :class:`World`; unit tests give it a scripted one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from labhelpers.errors import LabError
from labhelpers.host import as_root, bridge_is_up
from labhelpers.incidents import client_network
from labhelpers.incidents.network import Network
from labhelpers.lifecycle import ensure_up
from labhelpers.nodes import Nodes
from labhelpers.patroni import LEADER_ROLES, Cluster
from labhelpers.prediction import Timing
from labhelpers.topology import Topology

if TYPE_CHECKING:
    from labhelpers.lab import Lab


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node said to a script. ``exited`` None: it never answered, and ``problem`` says why."""

    node: str
    exited: int | None
    stdout: str = ""
    problem: str = ""

    @property
    def ok(self) -> bool:
        return self.exited == 0


@dataclass(frozen=True, slots=True)
class MemberView:
    """One member of the cluster as Patroni lists it."""

    name: str
    role: str
    state: str
    timeline: int | None = None

    @property
    def leads(self) -> bool:
        return self.role in LEADER_ROLES

    @property
    def works(self) -> bool:
        return self.state == ("running" if self.leads else "streaming")


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The cluster as the first node that answered described it."""

    members: tuple[MemberView, ...] = ()
    paused: bool = False

    @property
    def leader(self) -> str | None:
        return next((member.name for member in self.members if member.leads), None)

    def member(self, name: str) -> MemberView | None:
        return next((member for member in self.members if member.name == name), None)

    def healthy(self, expected: Sequence[str]) -> bool:
        """One leader that runs, every other expected member streaming from it, all on one timeline."""
        works = {member.name for member in self.members if member.works}
        return (
            self.leader is not None
            and set(expected) <= works
            and len({member.timeline for member in self.members}) == 1
        )

    def __str__(self) -> str:
        return ", ".join(f"{m.name} {m.role} {m.state} TL {m.timeline or '?'}" for m in self.members) or "—"


class World(Protocol):
    """What incidents see of a lab and do to it."""

    @property
    def topology(self) -> Topology: ...
    @property
    def network(self) -> Network: ...
    @property
    def journal_directory(self) -> Path: ...
    @property
    def log_directory(self) -> Path: ...

    def states(self) -> Mapping[str, str]: ...
    def freeze(self, *nodes: str) -> None: ...
    def unfreeze(self, *nodes: str) -> None: ...
    def start(self, *nodes: str) -> None: ...
    def kill(self, node: str) -> None: ...
    def script(
        self, nodes: Sequence[str], script: str, *, user: str | None = None, timeout: float = 15
    ) -> list[Answer]:
        """Run it on the nodes side by side, for at most ``timeout`` seconds; a failure is in the answer, not raised."""
        ...

    def cluster(self) -> ClusterView | None: ...
    def is_healthy(self, expected: Sequence[str]) -> bool: ...
    def postgres_started(self, node: str) -> datetime | None: ...
    def etcd_leader(self) -> str | None: ...
    def timing(self) -> Timing: ...
    def has_diverged(self, node: str) -> bool: ...
    def reinitialize(self, node: str) -> None:
        """Raises :class:`PatroniUnreachable`, also where the member refuses."""

    def bring_up(self) -> None: ...
    def client_namespace_left(self) -> bool: ...
    def remove_client_namespace(self) -> None: ...


def _view(cluster: Cluster) -> ClusterView:
    members = tuple(MemberView(m.name, m.role, m.state, m.timeline) for m in cluster.members)
    return ClusterView(members, cluster.paused)


def _last_first(nodes: Sequence[str], last: str | None) -> list[str]:
    """Whoever answered last time is asked first: a silent node costs its time-out."""
    return sorted(nodes, key=lambda node: node != last)


@dataclass(slots=True)
class LabWorld:
    """The real lab."""

    lab: Lab
    network: Network = field(init=False)
    _nodes: Nodes = field(init=False)
    _timing: Timing = field(init=False, default_factory=Timing)
    _etcd_led: str | None = None
    _patroni_answered: str | None = None

    def __post_init__(self) -> None:
        self.network = Network(self.lab.topology.lab, as_root)
        # Connections of our own: a healing never waits behind a long command of a cell.
        self._nodes = Nodes(self.lab.topology, self.lab.containers)

    @property
    def topology(self) -> Topology:
        return self.lab.topology

    @property
    def journal_directory(self) -> Path:
        return self.lab.paths.journal

    @property
    def log_directory(self) -> Path:
        return self.lab.paths.log

    def states(self) -> Mapping[str, str]:
        return self.lab.containers.states()

    def freeze(self, *nodes: str) -> None:
        self.lab.containers.freeze(*nodes)

    def unfreeze(self, *nodes: str) -> None:
        self.lab.containers.unfreeze(*nodes)

    def start(self, *nodes: str) -> None:
        self.lab.containers.start(*nodes)

    def kill(self, node: str) -> None:
        self.lab.containers.kill(node)

    def script(
        self, nodes: Sequence[str], script: str, *, user: str | None = None, timeout: float = 15
    ) -> list[Answer]:
        """As :class:`World` says, ``timeout`` in seconds. Raises :class:`UnknownNode`."""
        results = self._nodes.try_run(list(nodes), script, user=user, timeout=timeout)
        return [Answer(r.node, r.exited, r.stdout, r.error or r.stderr.strip()[-300:]) for r in results]

    def cluster(self) -> ClusterView | None:
        seen = self._cluster()
        return None if seen is None else _view(seen)

    def _cluster(self) -> Cluster | None:
        """Only nodes that run are asked, and nobody while etcd has no majority: they would answer late or never."""
        states = self.states()
        arbiters = self.topology.etcd
        if 2 * sum(states.get(node) == "running" for node in arbiters) <= len(arbiters):
            return None
        for node in _last_first(self.topology.postgres, self._patroni_answered):
            if states.get(node) == "running":
                with suppress(LabError):
                    seen = self.lab.patroni.cluster(via=node)
                    self._patroni_answered = node
                    return seen
        return None

    def is_healthy(self, expected: Sequence[str]) -> bool:
        """Whether the cluster is healthy by one look at the DCS, and its members say the same of themselves."""
        seen = self._cluster()
        return seen is not None and _view(seen).healthy(expected) and self.lab.patroni.is_confirmed(seen)

    def postgres_started(self, node: str) -> datetime | None:
        """When the node's PostgreSQL was started, as its own Patroni says now. None: it does not run, or nobody knows.

        The node's clock is this machine's.
        """
        own = self.lab.patroni.node_status(node) or {}
        started = own.get("postmaster_start_time") if own.get("state") == "running" else None
        return datetime.fromisoformat(started) if started else None

    def etcd_leader(self) -> str | None:
        states = self.states()
        for node in _last_first(self.topology.etcd, self._etcd_led):
            if states.get(node) == "running":
                with suppress(LabError):
                    if self.lab.etcd.status(node).is_leader:
                        self._etcd_led = node
                        return node
        return None

    def timing(self) -> Timing:
        """From the cluster where it answers; else as it was last known."""
        try:
            now = self.lab.patroni.config()
        except LabError:
            return self._timing
        self._timing = Timing.from_config(now)
        return self._timing

    def has_diverged(self, node: str) -> bool:
        """Has it replayed more of its timeline than the leader's contains? False where nobody knows.

        PostgreSQL then says "new timeline forked off before current recovery point", and never follows.
        """
        own = self.lab.patroni.node_status(node) or {}
        replayed = own.get("xlog", {}).get("replayed_location")
        try:
            ends = {line.timeline: line.lsn for line in self.lab.patroni.history(via=self._patroni_answered)}
        except LabError:
            return False
        end = ends.get(own.get("timeline") or 0)
        return replayed is not None and end is not None and replayed > end

    def reinitialize(self, node: str) -> None:
        self.lab.patroni.reinitialize(node)

    def bring_up(self) -> None:
        """After a reboot of the machine the bridge is gone: only then is the lab brought up as a whole."""
        if not bridge_is_up(self.topology):
            ensure_up(self.lab.name)

    def client_namespace_left(self) -> bool:
        """It is there, and no process lives in it."""
        return client_network.exists(self.topology) and not client_network.in_use(self.topology, as_root)

    def remove_client_namespace(self) -> None:
        client_network.remove(self.topology, as_root)

    def close(self) -> None:
        self._nodes.close()
