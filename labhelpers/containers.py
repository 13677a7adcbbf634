"""Containers as LXC keeps them: their state, and the verbs that change it.

A verb touches only containers that carry the lab's mark (``lxc.group``). States are read from the kernel's cgroup
files: no process is started, so a sampler may ask many times a second.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from labhelpers.errors import LabAbsent, NotOurs
from labhelpers.host import as_root
from labhelpers.i18n import tr
from labhelpers.paths import LabPaths
from labhelpers.topology import Topology

State = Literal["running", "frozen", "stopped", "absent"]

CGROUPS = Path("/sys/fs/cgroup")


class Containers:
    """The containers of one lab.

    >>> lab.containers.freeze("e1", "e2")
    >>> lab.containers.state("e1")
    'frozen'
    """

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._paths = LabPaths(topology.lab)

    def state(self, name: str) -> State:
        """LXC's state of a node, in lower case; ``absent`` where it was never created. Raises :class:`UnknownNode`."""
        self._topology.node(name)
        if not (self._paths.nodes / name).is_dir():
            return "absent"
        cgroup = self.cgroup(name)
        if cgroup is None:
            return "stopped"
        return "frozen" if _is_frozen(cgroup) else "running"

    def states(self) -> dict[str, State]:
        """The state of each node, in node order."""
        return {name: self.state(name) for name in self._topology.names}

    def cgroup(self, name: str) -> Path | None:
        """The node's cgroup, in the hierarchy that can freeze it; ``None`` while the node is stopped.

        Raises :class:`UnknownNode`.
        """
        self._topology.node(name)
        root = CGROUPS / "freezer" if (CGROUPS / "freezer").is_dir() else CGROUPS
        # LXC adds a number where the cgroup of an earlier, killed container is still there, empty.
        for candidate in (root / f"workshop-{self._topology.lab}").glob(f"lxc.payload.{name}*"):
            if re.fullmatch(rf"lxc\.payload\.{re.escape(name)}(-\d+)?", candidate.name) and _is_populated(candidate):
                return candidate
        return None

    def freezer_file(self, name: str) -> Path | None:
        """The kernel's file that tells whether the node is frozen; ``None`` while the node is stopped.

        Raises :class:`UnknownNode`.
        """
        cgroup = self.cgroup(name)
        return None if cgroup is None else _freezer_file(cgroup)

    def pid(self, name: str) -> int | None:
        """The process on this machine that is the node's init; ``None`` while it is stopped."""
        self._topology.node(name)
        answer = as_root(["lxc-info", "-P", str(self._topology.lxc_path), "-n", name, "-pH"], check=False)
        return int(answer.stdout) if answer.stdout.strip().isdigit() else None

    def freeze(self, *names: str) -> None:
        """Stop the nodes' time: no process of theirs runs, and their connections stay open. Frozen ones stay so.

        Raises :class:`UnknownNode`, :class:`LabAbsent` and :class:`NotOurs`, before anything is frozen.
        """
        self._each("lxc-freeze", names, unless="frozen")

    def unfreeze(self, *names: str) -> None:
        """Let the nodes' time go on. Running ones stay so.

        Where an ``lxc-freeze`` was killed half-way, LXC calls the node FREEZING, and ``lxc-unfreeze`` does nothing and
        exits with 0 (LXC 5.0.2): frozen once more, such a node can be thawed.

        Raises :class:`UnknownNode`, :class:`LabAbsent` and :class:`NotOurs`, before anything is thawed.
        """
        self._each("lxc-unfreeze", names, unless="running")
        for name in self._topology.expand(names):
            if self.state(name) == "frozen":
                self._lxc("lxc-freeze", name)
                self._lxc("lxc-unfreeze", name)

    def hold(self, *names: str) -> None:
        """Suspend the nodes' init: their network answers, what runs there goes on, and nothing more is started.

        Raises :class:`UnknownNode`, :class:`LabAbsent` and :class:`NotOurs`, before anything is held.
        """
        for name in self._ours(names):
            self._signal_init(name, "STOP")

    def release(self, *names: str) -> None:
        """Let the nodes' init go on. Nothing happens where it does.

        Raises :class:`UnknownNode`, :class:`LabAbsent` and :class:`NotOurs`, before anything is released.
        """
        for name in self._ours(names):
            self._signal_init(name, "CONT")

    def start(self, *names: str) -> None:
        """Start the nodes, or let them go on where they are held. It does not wait for their services.

        Raises :class:`UnknownNode`, :class:`LabAbsent` and :class:`NotOurs`, before anything is started.
        """
        log = self._paths.log
        for name in self._ours(names):
            if self.state(name) != "stopped":
                self._signal_init(name, "CONT")
            else:
                self._lxc("lxc-start", name, "-o", str(log / f"{name}.log"), "-l", "WARN")

    def stop(self, *names: str, timeout: float = 30) -> None:
        """Shut the nodes down in good order, all at once; one that goes on after ``timeout`` seconds is killed.

        Raises :class:`UnknownNode`, :class:`LabAbsent` and :class:`NotOurs`, before anything is stopped.
        """
        ours = self._ours(names)
        for name in ours:
            if self.state(name) != "stopped":
                self._lxc("lxc-stop", name, "--nowait")
        for name in ours:
            ended = self._lxc(
                "lxc-wait", name, "-s", "STOPPED", "-t", f"{timeout:.0f}", timeout=timeout + 10, check=False
            )
            if not ended:
                self.kill(name)

    def kill(self, name: str) -> None:
        """End the node's processes at once. The kernel closes their connections: alone, this is no power cut.

        Raises :class:`UnknownNode`, :class:`LabAbsent` and :class:`NotOurs`.
        """
        self._ours([name])
        self._lxc("lxc-stop", name, "-k", check=False)
        self._lxc("lxc-wait", name, "-s", "STOPPED", "-t", "20", timeout=30)

    def _signal_init(self, name: str, signal: str) -> None:
        pid = self.pid(name)
        if pid is not None:
            as_root(["kill", f"-{signal}", str(pid)], check=False)  # it may have ended meanwhile

    def _each(self, command: str, names: tuple[str, ...], *, unless: State) -> None:
        for name in self._ours(names):
            if self.state(name) != unless:
                self._lxc(command, name)

    def _ours(self, names: tuple[str, ...] | list[str]) -> list[str]:
        """The nodes meant, once each of them was seen to carry our mark."""
        ours = self._topology.expand(names)
        if not self._paths.exists:
            raise LabAbsent(self._topology.lab)
        for name in ours:
            config = self._topology.lxc_path / name / "config"
            marked = as_root(["grep", "-qx", f"lxc.group = {self._topology.group}", str(config)], check=False)
            if marked.returncode != 0:
                raise NotOurs(
                    tr(f"The container {name} in {config.parent.parent} is not the lab's (no mark "
                       f"{self._topology.group}): it stays as it is.",
                       f"Le conteneur {name} de {config.parent.parent} n'est pas au lab (marque "
                       f"{self._topology.group} absente) : il reste intact.")
                )  # fmt: skip
        return ours

    def _lxc(self, command: str, name: str, *arguments: str, timeout: float = 60, check: bool = True) -> bool:
        argv = [command, "-P", str(self._topology.lxc_path), "-n", name, *arguments]
        return as_root(argv, timeout=timeout, check=check).returncode == 0


def _is_populated(cgroup: Path) -> bool:
    events = cgroup / "cgroup.events"
    try:
        if events.exists():
            return "populated 1" in events.read_text(encoding="ascii")
        return any((child / "cgroup.procs").read_text(encoding="ascii") for child in _with_children(cgroup))
    except OSError:  # it went away while we looked
        return False


def _with_children(cgroup: Path) -> list[Path]:
    return [cgroup, *(child for child in cgroup.rglob("*") if child.is_dir())]


def _freezer_file(cgroup: Path) -> Path:
    version_1 = cgroup / "freezer.state"
    return version_1 if version_1.exists() else cgroup / "cgroup.freeze"


def _is_frozen(cgroup: Path) -> bool:
    try:
        return _freezer_file(cgroup).read_text(encoding="ascii").strip() in ("FROZEN", "FREEZING", "1")
    except OSError:
        return False
