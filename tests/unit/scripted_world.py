"""A lab that is only a script: what incidents see and do, without a node. It stands behind the same protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from subprocess import CompletedProcess

from labhelpers.errors import PatroniUnreachable
from labhelpers.incidents.network import Network
from labhelpers.incidents.world import Answer, ClusterView, MemberView
from labhelpers.prediction import Timing
from labhelpers.topology import Topology, load_topology

HEALTHY = ClusterView(
    (
        MemberView("pg-1", "leader", "running", 3),
        MemberView("pg-2", "replica", "streaming", 3),
        MemberView("pg-3", "replica", "streaming", 3),
    )
)


@dataclass
class ScriptedRoot:
    """``nft``, ``ip`` and ``tc`` of a machine that is only a script."""

    devices: Path
    rules: list[tuple[int, str, str]] = field(default_factory=list)  # handle, comment, rule
    table: bool = False
    slow: set[str] = field(default_factory=set)
    commands: list[list[str]] = field(default_factory=list)
    _handle: int = 1

    def __call__(
        self, argv: Sequence[str], *, input: str | None = None, timeout: float = 60, check: bool = True
    ) -> CompletedProcess[str]:
        words = list(argv)
        self.commands.append(words)
        out, code = "", 0
        if words[:3] == ["nft", "-f", "-"]:
            for line in (input or "").splitlines():
                self._nft(line)
        elif words[0] == "nft":
            out, code = self._listing(), 0 if self.table else 1
        elif words[:3] == ["ip", "link", "set"]:
            (self.devices / words[4] / "flags").write_text("0x1003\n" if words[5] == "up" else "0x1002\n")
        elif words[:3] == ["tc", "qdisc", "replace"]:
            self.slow.add(words[4])
        elif words[:3] == ["tc", "qdisc", "del"]:
            self.slow.discard(words[4])
        elif words[:3] == ["tc", "qdisc", "show"]:
            out = "".join(f"qdisc tbf 8001: dev {name} root rate 256Kbit\n" for name in self.slow)
            if len(words) > 3 and words[4] not in self.slow:
                out = "qdisc noqueue 0: root\n"
        return CompletedProcess(words, code, out, "")

    def _nft(self, line: str) -> None:
        words = line.split()
        if words[:2] == ["add", "rule"]:
            self._handle += 1
            self.rules.append((self._handle, line.rsplit('"', 2)[1], line))
        elif words[:2] == ["delete", "rule"]:
            self.rules = [rule for rule in self.rules if rule[0] != int(words[-1])]
        elif words[:2] == ["delete", "table"]:
            self.rules, self.table = [], False
            return
        self.table = True

    def _listing(self) -> str:
        items = [{"rule": {"handle": handle, "comment": comment}} for handle, comment, _ in self.rules]
        return json.dumps({"nftables": items})


@dataclass
class ScriptedWorld:
    """Every verb changes ``containers``; ``said`` is what was run on nodes; ``failing`` verbs raise, those in
    ``failing_once`` the first time only.
    """

    directory: Path
    topology: Topology = field(default_factory=lambda: load_topology("test-unit"))
    containers: dict[str, str] = field(default_factory=dict)
    seen: ClusterView | None = HEALTHY
    etcd_leads: str | None = "e1"
    said: list[tuple[str, str]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    failing: dict[str, Exception] = field(default_factory=dict)
    failing_once: dict[str, Exception] = field(default_factory=dict)
    reinitialised: list[str] = field(default_factory=list)
    refusals: int = 0
    """So many times a member refuses to be made again."""
    brought_up: int = 0
    namespace_left: bool = False
    confirmed_after: int = 0
    """The members contradict the DCS that many times."""
    diverged: set[str] = field(default_factory=set)
    started: dict[str, datetime] = field(default_factory=dict)
    """When each node's PostgreSQL was started; where it is not named, it does not run."""

    def __post_init__(self) -> None:
        self.containers = dict.fromkeys(self.topology.names, "running") | self.containers
        devices = self.directory / "net"
        for node in self.topology.nodes:
            (devices / node.interface).mkdir(parents=True)
            (devices / node.interface / "flags").write_text("0x1003\n")
        self.root = ScriptedRoot(devices)
        self.network = Network(self.topology.lab, self.root, devices)

    @property
    def journal_directory(self) -> Path:
        return self.directory / "journal"

    @property
    def log_directory(self) -> Path:
        return self.directory / "log"

    def states(self) -> Mapping[str, str]:
        return dict(self.containers)

    def _set(self, verb: str, nodes: Sequence[str], state: str) -> None:
        if verb in self.failing:
            raise self.failing[verb]
        if verb in self.failing_once:
            raise self.failing_once.pop(verb)
        for node in nodes:
            self.containers[node] = state

    def freeze(self, *nodes: str) -> None:
        self._set("freeze", nodes, "frozen")

    def unfreeze(self, *nodes: str) -> None:
        self._set("unfreeze", nodes, "running")

    def start(self, *nodes: str) -> None:
        self._set("start", nodes, "running")

    def kill(self, node: str) -> None:
        self._set("kill", [node], "stopped")

    def script(
        self, nodes: Sequence[str], script: str, *, user: str | None = None, timeout: float = 15
    ) -> list[Answer]:
        self.said += [(node, script) for node in nodes]
        return [
            Answer(node, 0, "answers\n" + self.answers.get(node, ""))
            if self.containers[node] == "running"
            else Answer(node, None, "", f"the node is {self.containers[node]}")
            for node in nodes
        ]

    def cluster(self) -> ClusterView | None:
        return self.seen

    def is_healthy(self, expected: Sequence[str]) -> bool:
        self.confirmed_after -= 1
        return self.seen is not None and self.seen.healthy(expected) and self.confirmed_after < 0

    def postgres_started(self, node: str) -> datetime | None:
        return self.started.get(node)

    def etcd_leader(self) -> str | None:
        return self.etcd_leads

    def timing(self) -> Timing:
        return Timing()

    def has_diverged(self, node: str) -> bool:
        return node in self.diverged

    def reinitialize(self, node: str) -> None:
        self.reinitialised.append(node)
        if self.refusals:
            self.refusals -= 1
            raise PatroniUnreachable(node, "503 no leader")

    def bring_up(self) -> None:
        self.brought_up += 1

    def client_namespace_left(self) -> bool:
        return self.namespace_left

    def remove_client_namespace(self) -> None:
        self.namespace_left = False

    def scripts_on(self, node: str) -> list[str]:
        return [script for name, script in self.said if name == node]
