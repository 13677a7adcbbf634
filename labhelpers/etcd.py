"""etcd, asked over its v3 JSON gateway (https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/).

Keys and values travel in base64, numbers as strings. Each call is short: an arbiter that is frozen accepts the
connection in its kernel and never answers.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from labhelpers.errors import EtcdUnreachable
from labhelpers.host import bridge_is_up, http_client
from labhelpers.i18n import in_seconds, tr
from labhelpers.topology import Topology

PORT = 2379
TIMEOUT = 1.5
"""Seconds for one answer; etcd answers in a millisecond or not at all."""


@dataclass(frozen=True, slots=True)
class EtcdMember:
    """A member as the cluster lists it. ``name`` is empty until the member has started once."""

    id: str
    name: str
    peer_urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EtcdStatus:
    """What one node's etcd says of itself. ``leader_id`` is ``None`` where it knows no leader."""

    node: str
    cluster_id: str
    member_id: str
    leader_id: str | None

    @property
    def is_leader(self) -> bool:
        return self.leader_id == self.member_id


@dataclass(frozen=True, slots=True)
class LeaderKey:
    """Patroni's leader key: who holds it, and the lease that it hangs on."""

    holder: str
    lease_id: str


def _hex(number: str | int) -> str:
    return f"{int(number):x}"


def encode(text: str) -> str:
    """A key or a value as the gateway wants it."""
    return base64.b64encode(text.encode(errors="surrogatepass")).decode()


def decode(text: str) -> str:
    return base64.b64decode(text).decode()


def leader_key_path(scope: str) -> str:
    """Where Patroni keeps the leader key of the cluster ``scope``."""
    return f"/postgresql-common/{scope}/leader"


class Etcd:
    """The etcd nodes of a lab.

    >>> lab.etcd.leader(), lab.etcd.leader_key().holder
    ('e1', 'pg-1')
    """

    def __init__(self, topology: Topology) -> None:
        self._topology = topology

    def url(self, node: str) -> str:
        """Where the node's etcd serves clients. Raises :class:`UnknownNode`."""
        return f"http://{self._topology.node(node).address}:{PORT}"

    @property
    def leader_key_path(self) -> str:
        return leader_key_path(self._topology.scope)

    def members(self, via: str | None = None) -> tuple[EtcdMember, ...]:
        """The members of the cluster, as ``via`` (or the first node that answers) lists them.

        Raises :class:`EtcdUnreachable`.
        """
        answer = self._ask_any("cluster/member/list", {}, via)
        return tuple(
            EtcdMember(_hex(member["ID"]), member.get("name", ""), tuple(member.get("peerURLs", ())))
            for member in answer.get("members", ())
        )

    def status(self, node: str) -> EtcdStatus:
        """What the node's etcd says of itself. Raises :class:`EtcdUnreachable`."""
        answer = self._ask(node, "maintenance/status", {})
        header = answer["header"]
        leader = answer.get("leader", "0")
        return EtcdStatus(
            node=node, cluster_id=_hex(header["cluster_id"]), member_id=_hex(header["member_id"]),
            leader_id=None if leader == "0" else _hex(leader),
        )  # fmt: skip

    def leader(self) -> str | None:
        """The node whose etcd leads, or ``None`` where none does."""
        for status in self._statuses():
            if status.is_leader:
                return status.node
        return None

    def has_quorum(self) -> bool:
        """Whether a majority answers, agrees and can serve a read."""
        try:
            self.get(self.leader_key_path)
        except EtcdUnreachable:
            return False
        return True

    def get(self, key: str, via: str | None = None) -> str | None:
        """The key's value, ``None`` where there is no such key. Raises :class:`EtcdUnreachable`."""
        found = self._ask_any("kv/range", {"key": encode(key)}, via).get("kvs", ())
        return decode(found[0].get("value", "")) if found else None

    def leader_key(self, via: str | None = None) -> LeaderKey | None:
        """Patroni's leader key, ``None`` where nobody holds it. Raises :class:`EtcdUnreachable`."""
        found = self._ask_any("kv/range", {"key": encode(self.leader_key_path)}, via).get("kvs", ())
        if not found:
            return None
        return LeaderKey(holder=decode(found[0].get("value", "")), lease_id=_hex(found[0].get("lease", "0")))

    def _statuses(self) -> Iterator[EtcdStatus]:
        for node in self._topology.etcd:
            try:
                yield self.status(node)
            except EtcdUnreachable:
                continue

    def _ask(self, node: str, call: str, body: dict[str, Any]) -> dict[str, Any]:
        lab = self._topology.lab
        if not bridge_is_up(self._topology):
            raise EtcdUnreachable(node, tr("the lab's network is down", "le réseau du lab est arrêté"), lab)
        try:
            answer = http_client().post(f"{self.url(node)}/v3/{call}", json=body, timeout=TIMEOUT)
        except httpx.TimeoutException as error:
            raise EtcdUnreachable(node, tr(f"no answer within {in_seconds(TIMEOUT)}",
                                           f"pas de réponse en {in_seconds(TIMEOUT)}"), lab) from error  # fmt: skip
        except httpx.HTTPError as error:
            raise EtcdUnreachable(node, str(error), lab) from error
        if answer.status_code != httpx.codes.OK:
            raise EtcdUnreachable(node, answer.text.strip()[:200], lab)
        document: dict[str, Any] = answer.json()
        return document

    def _ask_any(self, call: str, body: dict[str, Any], via: str | None) -> dict[str, Any]:
        nodes = (via,) if via else self._topology.etcd
        failure: EtcdUnreachable | None = None
        for node in nodes:
            try:
                return self._ask(node, call, body)
            except EtcdUnreachable as error:
                failure = error
        assert failure is not None
        raise failure
