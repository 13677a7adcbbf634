"""A lab whose nodes answer from a script, behind the same methods as the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labhelpers.nodes import Result
from labhelpers.topology import Topology, load_topology

Reply = tuple[int | None, str, str]
"""Exit status (None: no answer), what is on stdout, what on stderr."""


def topology() -> Topology:
    """The inventory's topology, for a lab that is on no machine."""
    return load_topology("test-none")


class RecordingCanvas:
    """Keeps every drawing."""

    def __init__(self) -> None:
        self.drawn: list[tuple[str, str]] = []

    def draw(self, html: str, plain: str) -> None:
        self.drawn.append((html, plain))

    @property
    def html(self) -> str:
        return self.drawn[-1][0]

    @property
    def plain(self) -> str:
        return self.drawn[-1][1]


@dataclass
class ScriptedNodes:
    """Answers with what ``replies`` has for the node; ``asked`` keeps the calls."""

    topology: Topology
    replies: Mapping[str, Reply] | Callable[[str, str], Reply]
    asked: list[dict[str, Any]] = field(default_factory=list)
    interrupt_at: int | None = None

    def try_run(
        self,
        names: Iterable[str],
        command: str,
        *,
        user: str | None = None,
        timeout: float = 60,
        env: Mapping[str, str] | None = None,
        on_line: Callable[[str, str, str], None] | None = None,
        input: str | None = None,
    ) -> list[Result]:
        self.asked.append({"nodes": list(names), "command": command, "user": user, "env": dict(env or {})})
        if self.interrupt_at is not None and len(self.asked) == self.interrupt_at:
            raise KeyboardInterrupt
        results = []
        for name in self.topology.expand(self.asked[-1]["nodes"]):
            replies = self.replies
            exited, out, err = replies(name, command) if callable(replies) else replies.get(name, (0, "", ""))
            if on_line:
                for stream, text in (("stdout", out), ("stderr", err)):
                    for line in text.splitlines():
                        on_line(name, line, stream)
            error = "no answer within 5 s" if exited is None else None
            results.append(Result(name, command, exited, out, err, 0.1, error))
        return results


class ScriptedContainers:
    def __init__(self, states: Mapping[str, str] | None = None) -> None:
        self._states = dict(states or {})

    def state(self, name: str) -> str:
        return self._states.get(name, "running")


@dataclass
class ScriptedLab:
    """Of a lab, what the magics and checks under test ask for."""

    nodes: Any
    topology: Topology = field(default_factory=topology)
    containers: Any = field(default_factory=ScriptedContainers)
    patroni: Any = None
    etcd: Any = None
    postgres: Any = None


def lab(replies: Mapping[str, Reply] | Callable[[str, str], Reply] | None = None, **parts: Any) -> ScriptedLab:
    return ScriptedLab(ScriptedNodes(topology(), replies or {}), **parts)
