"""One lab: its nodes and services behind one door.

>>> lab = open_lab()
>>> lab.nodes["pg-1"].run("hostname").stdout
'pg-1\\n'
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from labhelpers.containers import Containers, State
from labhelpers.errors import LabAbsent, PatroniUnreachable, UsageProblem
from labhelpers.etcd import Etcd
from labhelpers.i18n import tr
from labhelpers.nodes import Nodes
from labhelpers.paths import LabPaths
from labhelpers.patroni import Cluster, Patroni
from labhelpers.pgbackrest import PgBackRest
from labhelpers.postgres import Postgres
from labhelpers.topology import Topology, load_topology

_SECRET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Lab:
    """A lab on this machine. :func:`open_lab` gives one that is there."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.name = topology.lab
        self.paths = LabPaths(topology.lab)
        self.containers = Containers(topology)
        self.nodes = Nodes(topology, self.containers)
        self.etcd = Etcd(topology)
        self.patroni = Patroni(topology)
        self.postgres = Postgres(topology, self.secret)
        self.pgbackrest = PgBackRest(topology, self.nodes)

    def secret(self, name: str) -> str:
        """The lab's secret of that name: drawn at its first use, kept in a file that only its owner reads.

        Raises :class:`UsageProblem` where the name can't be a file's.
        """
        if not _SECRET_NAME.fullmatch(name):
            raise UsageProblem(
                tr(f"{name!r} is not a secret's name: letters, digits, hyphens, at most 64, such as 'app'.",
                   f"{name!r} n'est pas un nom de secret : lettres, chiffres, tirets, 64 au plus, comme « app ».")
            )  # fmt: skip
        path = self.paths.keys / f"{name}.secret"
        if not path.exists():
            _draw(path)
        return path.read_text(encoding="ascii")

    def status(self) -> LabStatus:
        """What is there now: containers, cluster, incidents."""
        return lab_status(self.topology)

    def incident(self, kind: str, *nodes: str, minutes: float = 5) -> Any:
        """An incident as a context, for at most ``minutes``: injected on entry, undone on exit.

        See :func:`labhelpers.incidents.incident`, also for what it raises.
        """
        from labhelpers import incidents

        return incidents.incident(self, kind, *nodes, minutes=minutes)

    def close(self) -> None:
        self.nodes.close()


def _draw(path: Path) -> None:
    """Of those who draw a secret at the same moment one is the first, and all read the same."""
    with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", encoding="ascii") as new:
        new.write(secrets.token_urlsafe(18))
        new.flush()
        with suppress(FileExistsError):
            os.link(new.name, path)


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A node and LXC's state of it."""

    name: str
    role: str
    address: str
    state: State


@dataclass(frozen=True, slots=True)
class LabStatus:
    """What is there now. ``cluster`` is ``None`` where no Patroni answers."""

    lab: str
    subnet: str
    nodes: tuple[NodeStatus, ...]
    cluster: Cluster | None
    incidents: tuple[dict[str, Any], ...]

    @property
    def is_running(self) -> bool:
        return all(node.state == "running" for node in self.nodes)

    @property
    def is_absent(self) -> bool:
        return all(node.state == "absent" for node in self.nodes)

    def to_json(self) -> dict[str, Any]:
        """The document of ``workshop status --json``."""
        cluster = None
        if self.cluster is not None:
            cluster = {
                "leader": self.cluster.leader.name if self.cluster.leader else None,
                "members": [
                    {"name": m.name, "role": m.role, "state": m.state, "timeline": m.timeline, "lag_bytes": m.lag_bytes}
                    for m in self.cluster.members
                ],
            }
        return {
            "lab": self.lab,
            "subnet": self.subnet,
            "nodes": [asdict(node) for node in self.nodes],
            "cluster": cluster,
            "incidents": list(self.incidents),
        }


def lab_status(topology: Topology) -> LabStatus:
    """The status of a lab, there or not. Nothing is sent to its addresses where no database node runs."""
    containers = Containers(topology)
    states = containers.states()
    cluster = None
    running = [name for name in topology.postgres if states[name] == "running"]
    for name in running:
        with suppress(PatroniUnreachable):
            cluster = Patroni(topology).cluster(via=name)
            break
    return LabStatus(
        lab=topology.lab,
        subnet=str(topology.subnet),
        nodes=tuple(NodeStatus(node.name, node.role, node.address, states[node.name]) for node in topology.nodes),
        cluster=cluster,
        incidents=_incidents(topology),
    )


def _incidents(topology: Topology) -> tuple[dict[str, Any], ...]:
    from labhelpers.incidents import journal

    return tuple(
        {"id": each.id, "kind": each.kind, "nodes": list(each.nodes), "since": each.since}
        for each in journal.read(LabPaths(topology.lab))
    )


def open_lab(lab: str | None = None) -> Lab:
    """The lab of that name (``WORKSHOP_LAB``, else the trainee's, where none is given).

    Raises :class:`LabAbsent` where it is not there and :class:`InvalidLabName`.
    """
    topology = load_topology(lab)
    if not LabPaths(topology.lab).exists:
        raise LabAbsent(topology.lab)
    return Lab(topology)


_current: Lab | None = None


def current_lab() -> Lab:
    """The lab that this process works on: opened at the first call, or by ``%chapter``."""
    global _current
    if _current is None or not _current.paths.exists:
        _current = open_lab()
    return _current
