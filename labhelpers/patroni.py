"""Patroni, asked over its REST API (https://patroni.readthedocs.io/en/latest/rest_api.html).

``/cluster`` is what the DCS knows; ``/patroni`` is what one node says of itself, and it still answers when the DCS is
gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from labhelpers.errors import PatroniUnreachable
from labhelpers.host import bridge_is_up, http_client
from labhelpers.i18n import tr
from labhelpers.topology import Topology
from labhelpers.waiting import wait_until

T = TypeVar("T")

PORT = 8008
TIMEOUT = 2.0
"""Seconds for one answer: Patroni reads the DCS and its own database first."""

WRITABLE_ROLES = ("leader", "primary", "master")
"""The words of Patroni's versions, in the DCS and of a node itself, for the member that takes writes."""
LEADER_ROLES = (*WRITABLE_ROLES, "standby_leader")


@dataclass(frozen=True, slots=True)
class Member:
    """A member as the DCS lists it. ``lag_bytes`` is ``None``, unknown, for a leader and a member that is silent."""

    name: str
    role: str
    state: str
    host: str
    timeline: int | None
    lag_bytes: int | None
    pending_restart: bool
    tags: dict[str, Any] = field(default_factory=dict)

    @property
    def is_leader(self) -> bool:
        return self.role in LEADER_ROLES


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster as the DCS lists it."""

    scope: str
    members: tuple[Member, ...]
    paused: bool

    @property
    def leader(self) -> Member | None:
        return next((member for member in self.members if member.is_leader), None)

    @property
    def replicas(self) -> tuple[Member, ...]:
        return tuple(member for member in self.members if not member.is_leader)

    def is_healthy(self, replicas: int) -> bool:
        """A running leader, and at least ``replicas`` replicas that stream from its timeline."""
        leader = self.leader
        if leader is None or leader.state != "running" or leader.timeline is None:
            return False
        streaming = [m for m in self.replicas if m.state == "streaming" and m.timeline == leader.timeline]
        return len(streaming) >= replicas and len(streaming) == len(self.replicas)

    def describe(self) -> str:
        """One line, for messages: ``pg-1 leader running TL 3, pg-2 replica streaming TL 3``."""
        return ", ".join(
            f"{m.name} {m.role} {m.state} TL {m.timeline if m.timeline is not None else '?'}" for m in self.members
        ) or tr("no member", "aucun membre")  # fmt: skip


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """The end of a timeline: the position where the next one begins, why, when (ISO 8601), and who led from there."""

    timeline: int
    lsn: int
    reason: str
    at: str | None
    new_leader: str | None


class Patroni:
    """Patroni on the database nodes of a lab.

    >>> lab.patroni.leader()
    'pg-1'
    """

    def __init__(self, topology: Topology) -> None:
        self._topology = topology

    def url(self, node: str) -> str:
        """Where the node's REST API is. Raises :class:`UnknownNode`."""
        return f"http://{self._topology.node(node).address}:{PORT}"

    def cluster(self, via: str | None = None) -> Cluster:
        """The cluster as ``via`` (or the first node that answers) reads it in the DCS.

        Raises :class:`PatroniUnreachable`.
        """
        answer = self._get_any("cluster", via)
        return Cluster(
            scope=answer.get("scope", self._topology.scope),
            members=tuple(_member(each) for each in answer.get("members", ())),
            paused=bool(answer.get("pause", False)),
        )

    def node_status(self, node: str, timeout: float = 1) -> dict[str, Any] | None:
        """What the node's Patroni says of itself, ``None`` where it does not answer within ``timeout`` seconds."""
        if not bridge_is_up(self._topology):
            return None
        try:
            answer = http_client().get(f"{self.url(node)}/patroni", timeout=timeout)
            document: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError):
            return None
        return document

    def is_confirmed(self, cluster: Cluster) -> bool:
        """Whether each member that works by the DCS says the same of itself.

        The DCS keeps a member's last word for a while: just after a power cut the dead leader still leads there, and
        its replicas still stream.
        """
        return all(self._confirms(member) for member in cluster.members if member.state in ("running", "streaming"))

    def _confirms(self, member: Member) -> bool:
        own = self.node_status(member.name) or {}
        if own.get("state") != "running" or (own.get("role") in LEADER_ROLES) != member.is_leader:
            return False
        if own.get("timeline") != member.timeline:
            return False
        return member.state != "streaming" or own.get("replication_state") == "streaming"

    def leader(self) -> str | None:
        """The member that leads by the DCS, ``None`` where nobody does. Raises :class:`PatroniUnreachable`."""
        leader = self.cluster().leader
        return leader.name if leader else None

    def history(self, via: str | None = None) -> list[HistoryLine]:
        """The timelines that ended, the oldest first. Raises :class:`PatroniUnreachable`."""
        lines: Sequence[list[Any]] = self._get_any("history", via)
        return [
            HistoryLine(
                timeline=int(line[0]), lsn=int(line[1]), reason=str(line[2]),
                at=line[3] if len(line) > 3 else None, new_leader=line[4] if len(line) > 4 else None,
            )
            for line in lines
        ]  # fmt: skip

    def config(self) -> dict[str, Any]:
        """The dynamic configuration. Raises :class:`PatroniUnreachable`."""
        document: dict[str, Any] = self._get_any("config", None)
        return document

    def patch_config(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Change the dynamic configuration as ``edit-config`` does (``None`` removes a key); returns the new one.

        Raises :class:`PatroniUnreachable`, also where Patroni refuses the changes.
        """
        return self._write("PATCH", "config", changes)

    def switchover(self, candidate: str, within: float = 60) -> None:
        """Hand the lead over to ``candidate`` and wait until it leads; nothing to do where it does.

        ``within`` is the seconds for Patroni to accept, and once more those until it leads.

        It asks again where Patroni can't serve it now (503): just after an etcd node fell silent, the leader first has
        to find another one. Raises :class:`PatroniUnreachable` and :class:`WaitTimeout`.
        """
        self._topology.node(candidate)
        refused = ""

        def accepted() -> bool:
            nonlocal refused
            leader = self.leader()
            if leader == candidate:
                return True
            try:
                self._write("POST", "switchover", {"leader": leader, "candidate": candidate}, timeout=within)
            except PatroniUnreachable as error:
                refused = error.reason
                if not refused.startswith("503"):
                    raise
                return False
            return True

        what = tr(f"Patroni to accept a switchover to {candidate}", f"Patroni accepter une bascule vers {candidate}")
        wait_until(accepted, what=what, within=within, every=1.0, seen=lambda: refused)
        self.wait_for_leader(candidate, within=within)

    def reinitialize(self, node: str) -> None:
        """Have the member made again from the leader; its data directory is removed. Patroni does it after it answered.

        https://patroni.readthedocs.io/en/latest/rest_api.html#reinitialize-endpoint

        Raises :class:`PatroniUnreachable`, also where the member refuses (it leads, or there is no leader).
        """
        self._request("POST", node, "reinitialize", {"force": True}, 5.0)

    def wait_for_leader(self, *names: str, within: float = 60) -> str:
        """Wait until one of ``names`` (anyone where none is named) leads and runs, and return its name.

        Raises :class:`WaitTimeout` after ``within`` seconds.
        """

        def leads(cluster: Cluster) -> str | None:
            leader = cluster.leader
            if leader is None or leader.state != "running" or (names and leader.name not in names):
                return None
            return leader.name

        what = tr(f"{' or '.join(names)} to lead" if names else "a leader",
                  f"voir mener {' ou '.join(names)}" if names else "un leader")  # fmt: skip
        return self._wait_for(leads, what, within)

    def wait_for_healthy(self, within: float = 60, replicas: int | None = None) -> Cluster:
        """Wait for a running leader with ``replicas`` (all others where not said) streaming replicas.

        The DCS says so, and each of them does. Raises :class:`WaitTimeout` after ``within`` seconds.
        """
        wanted = len(self._topology.postgres) - 1 if replicas is None else replicas

        def healthy(cluster: Cluster) -> Cluster | None:
            return cluster if cluster.is_healthy(wanted) and self.is_confirmed(cluster) else None

        what = tr(f"a leader with {wanted} streaming replicas", f"un leader et {wanted} secondaires en réplication")
        return self._wait_for(healthy, what, within)

    def _wait_for(self, holds: Callable[[Cluster], T | None], what: str, within: float) -> T:
        """Wait until ``holds`` says so of the cluster; an error repeats how the cluster was last, or who was silent."""
        last = ""

        def look() -> T | None:
            nonlocal last
            try:
                cluster = self.cluster()
            except PatroniUnreachable as error:
                last = str(error)
                return None
            last = cluster.describe()
            return holds(cluster)

        return wait_until(look, what=what, within=within, seen=lambda: last)

    def _get_any(self, path: str, via: str | None) -> Any:
        failure: PatroniUnreachable | None = None
        for node in (via,) if via else self._topology.postgres:
            try:
                return self._request("GET", node, path, None, TIMEOUT).json()
            except PatroniUnreachable as error:
                failure = error
        assert failure is not None
        raise failure

    def _write(self, method: str, path: str, body: dict[str, Any], timeout: float = 10) -> dict[str, Any]:
        leader = self.leader() or self._topology.postgres[0]
        answer = self._request(method, leader, path, body, timeout)
        try:
            document: dict[str, Any] = answer.json()
        except ValueError:
            return {}
        return document

    def _request(
        self, method: str, node: str, path: str, body: dict[str, Any] | None, timeout: float
    ) -> httpx.Response:
        lab = self._topology.lab
        if not bridge_is_up(self._topology):
            raise PatroniUnreachable(node, tr("the lab's network is down", "le réseau du lab est arrêté"), lab)
        try:
            answer = http_client().request(method, f"{self.url(node)}/{path}", json=body, timeout=timeout)
        except httpx.TimeoutException as error:
            raise PatroniUnreachable(node, tr(f"no answer within {timeout:g} s",
                                              f"pas de réponse en {timeout:g} s"), lab) from error  # fmt: skip
        except httpx.HTTPError as error:
            raise PatroniUnreachable(node, str(error), lab) from error
        if answer.is_error:
            raise PatroniUnreachable(node, f"{answer.status_code} {answer.text.strip()[:200]}", lab)
        return answer


def _member(written: dict[str, Any]) -> Member:
    lag = written.get("lag")
    return Member(
        name=written["name"], role=written.get("role", ""), state=written.get("state", ""),
        host=written.get("host", ""), timeline=written.get("timeline"),
        lag_bytes=lag if isinstance(lag, int) else None,
        pending_restart=bool(written.get("pending_restart", False)), tags=dict(written.get("tags", {})),
    )  # fmt: skip
