"""The acts that incidents are made of, each with its inverse.

**Invariant.** ``undo`` may be repeated, and may come when ``inject`` never happened, happened half, or was already
mended by hand: it looks first and changes only what is not as it should be. An act is plain data, so the journal can
hold it and any process can undo it.

    act = Freeze(("pg-1",))
    act.inject(world, tag="primary-frozen-1a2b3c")
    act.undo(world, tag="primary-frozen-1a2b3c")
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol

from labhelpers.errors import LabError
from labhelpers.i18n import tr
from labhelpers.incidents.network import Cut
from labhelpers.incidents.world import Answer, World
from labhelpers.waiting import wait_until

REACH_SECONDS = 30.0
"""A node that was just started answers within this (measured: 3.5 s for seven)."""
POWEROFF_SECONDS = 60.0
SLOW_KILOBITS_PER_SECOND = 256
"""Slow enough that a replica falls behind a pgbench, quick enough for SSH and Patroni's own messages."""


class ScriptFailed(LabError):
    """A script that belongs to an incident did not do its work on a node."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        why = answer.problem.strip().splitlines()[-1] if answer.problem.strip() else f"exit {answer.exited}"
        super().__init__(tr(f"{answer.node}: {why}", f"{answer.node} : {why}"))


class Act(Protocol):
    """One change and its inverse. ``tag`` is the incident's id."""

    do: ClassVar[str]

    @property
    def nodes(self) -> tuple[str, ...]: ...
    def inject(self, world: World, tag: str) -> float | None:
        """Do it. Returns the moment of the fault (monotonic seconds) where that is not the end of the doing."""
        ...

    def undo(self, world: World, tag: str) -> None: ...
    def gone(self, world: World, since: datetime) -> bool:
        """Did somebody else undo it already, or is it over by itself? ``since``: before it was injected."""
        ...

    def to_json(self) -> dict[str, Any]: ...


def run_on(world: World, node: str, script: str, *, user: str | None = None) -> str:
    """The script's output. Raises :class:`ScriptFailed`."""
    [answer] = world.script([node], script, user=user)
    if not answer.ok:
        raise ScriptFailed(answer)
    return answer.stdout


def awaken(world: World, nodes: Sequence[str]) -> None:
    """Nodes that run and are not frozen, and whose link is up."""
    states = world.states()
    frozen = [node for node in nodes if states.get(node) == "frozen"]
    stopped = [node for node in nodes if states.get(node) == "stopped"]
    if frozen:
        world.unfreeze(*frozen)
    for node in nodes:
        world.network.set_link(world.topology.node(node).interface, up=True)
    if stopped:
        world.bring_up()
        world.start(*[node for node in stopped if world.states().get(node) == "stopped"])


def reach(world: World, node: str) -> None:
    """Wait until the node takes commands."""
    last = ""

    def answers() -> bool:
        nonlocal last
        [answer] = world.script([node], "true", timeout=3)
        last = answer.problem
        return answer.ok

    wait_until(answers, what=tr(f"{node} to answer", f"une réponse de {node}"), within=REACH_SECONDS,
               every=0.3, seen=lambda: last)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Act:
    """What the acts share: they are data."""

    do: ClassVar[str] = ""

    def to_json(self) -> dict[str, Any]:
        return {"do": self.do, **asdict(self)}

    def gone(self, world: World, since: datetime) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Freeze(_Act):
    """The freezer: processes stop between two instructions, TCP sessions stay, the kernel still accepts."""

    nodes: tuple[str, ...]
    do: ClassVar[str] = "freeze"

    def inject(self, world: World, tag: str) -> None:
        world.freeze(*self.nodes)

    def undo(self, world: World, tag: str) -> None:
        awaken(world, self.nodes)

    def gone(self, world: World, since: datetime) -> bool:
        states = world.states()
        return all(states.get(node) != "frozen" for node in self.nodes)


@dataclass(frozen=True, slots=True)
class PowerCut(_Act):
    """The link goes first: a kill alone lets the dying processes close their sockets, which a power cut does not."""

    node: str
    do: ClassVar[str] = "power-cut"

    @property
    def nodes(self) -> tuple[str, ...]:
        return (self.node,)

    def inject(self, world: World, tag: str) -> float:
        world.network.set_link(world.topology.node(self.node).interface, up=False)
        silent_since = time.monotonic()  # the kill takes a while, and nobody hears the node meanwhile
        world.kill(self.node)
        return silent_since

    def undo(self, world: World, tag: str) -> None:
        awaken(world, self.nodes)
        reach(world, self.node)

    def gone(self, world: World, since: datetime) -> bool:
        link = world.network.is_up(world.topology.node(self.node).interface)
        return world.states().get(self.node) == "running" and link is not False


@dataclass(frozen=True, slots=True)
class Shutdown(_Act):
    """``systemctl poweroff`` inside: services are stopped in order and the leader key is released."""

    node: str
    do: ClassVar[str] = "shutdown"

    @property
    def nodes(self) -> tuple[str, ...]:
        return (self.node,)

    def inject(self, world: World, tag: str) -> None:
        [answer] = world.script([self.node], "systemctl poweroff --no-block", timeout=5)
        if not answer.ok and answer.exited is not None:
            raise ScriptFailed(answer)  # no answer at all: it went down before it could say so

    def undo(self, world: World, tag: str) -> None:
        if world.states().get(self.node) == "running" and self._going_down(world):
            wait_until(
                lambda: world.states().get(self.node) != "running",
                what=tr(f"{self.node} to power off", f"l'arrêt de {self.node}"), within=POWEROFF_SECONDS,
            )  # fmt: skip
        awaken(world, self.nodes)
        reach(world, self.node)

    def _going_down(self, world: World) -> bool:
        [answer] = world.script([self.node], "systemctl is-system-running", timeout=3)
        return answer.exited is None or answer.stdout.strip() == "stopping"


@dataclass(frozen=True, slots=True)
class _ServiceAct(_Act):
    node: str

    @property
    def nodes(self) -> tuple[str, ...]:
        return (self.node,)

    def unit(self, world: World) -> str:
        return patroni_unit(world)

    def _ready(self, world: World) -> None:
        """The node may be frozen or stopped by now: its inverse needs it back."""
        if world.states().get(self.node) != "running":
            awaken(world, self.nodes)
            reach(world, self.node)


def patroni_unit(world: World) -> str:
    return f"patroni@{world.topology.scope}"


@dataclass(frozen=True, slots=True)
class CrashPostgres(_ServiceAct):
    """SIGKILL of the postmaster. Patroni is there to start it again: there is nothing left to undo."""

    do: ClassVar[str] = "crash-postgres"

    def inject(self, world: World, tag: str) -> None:
        version = world.topology.postgres_version
        run_on(
            world,
            self.node,
            f'pid=$(head -n 1 "/var/lib/postgresql/{version}/main/postmaster.pid") || exit 3\n'
            '[ "$(cat /proc/$pid/comm)" = postgres ] || exit 4\nkill -KILL "$pid"\n',
        )

    def undo(self, world: World, tag: str) -> None:
        self._ready(world)

    def gone(self, world: World, since: datetime) -> bool:
        # Not by the cluster's list: that is the DCS's last word, which says "running" for seconds after the crash.
        started = world.postgres_started(self.node)
        return started is not None and started > since


@dataclass(frozen=True, slots=True)
class CrashPatroni(_ServiceAct):
    """SIGKILL of Patroni alone: Debian's unit has ``Restart=no`` and ``KillMode=process``, so PostgreSQL goes on."""

    do: ClassVar[str] = "crash-patroni"

    def inject(self, world: World, tag: str) -> None:
        run_on(world, self.node, f"systemctl kill --kill-whom=main --signal=KILL {self.unit(world)}")

    def undo(self, world: World, tag: str) -> None:
        self._ready(world)
        unit = self.unit(world)
        run_on(world, self.node, f"systemctl is-active -q {unit} || systemctl restart --no-block {unit}")


@dataclass(frozen=True, slots=True)
class StopPatroni(_ServiceAct):
    """SIGSTOP of Patroni alone: it holds no lease any more and does not know it."""

    do: ClassVar[str] = "stop-patroni"

    def inject(self, world: World, tag: str) -> None:
        run_on(world, self.node, f"systemctl kill --kill-whom=main --signal=STOP {self.unit(world)}")

    def undo(self, world: World, tag: str) -> None:
        self._ready(world)
        unit = self.unit(world)
        run_on(
            world,
            self.node,
            f"if systemctl is-active -q {unit}; then systemctl kill --kill-whom=main --signal=CONT {unit}\n"
            f"else systemctl restart --no-block {unit}; fi",
        )


_PAUSE_REPLAY = """\
sql() { sudo -u postgres psql -XAtqc "$1" </dev/null; }
sql 'select pg_wal_replay_pause()' >/dev/null || exit 3
for _ in $(seq 50); do
  if [ "$(sql 'select pg_get_wal_replay_pause_state()')" = paused ]; then
    kill -STOP "$(sql "select pid from pg_stat_activity where backend_type = 'startup'")"
    exit
  fi
  sleep 0.1
done
echo NEVER_PAUSED >&2
exit 4
"""
"""Stopped anywhere else than where the pause puts it, the startup process could hold a lock."""
RESUME_REPLAY = """\
ps -eo pid=,stat=,comm= | while read -r pid stat comm; do
  case $stat in T*) [ "$comm" != postgres ] || kill -CONT "$pid" ;; esac
done
sql() { sudo -u postgres psql -XAtqc "$1" </dev/null; }
[ "$(sql 'select pg_is_in_recovery()' 2>/dev/null)" = t ] || exit 0
sql 'select pg_wal_replay_resume()' >/dev/null
"""
"""On a node that leads by now, or whose PostgreSQL is down, nothing is paused."""


@dataclass(frozen=True, slots=True)
class PauseReplay(_ServiceAct):
    """The replica receives and no longer replays.

    A pause alone does not last: Patroni 4 resumes it in its next loop (``handle_parameter_change``, PostgreSQL 14 and
    later). So the startup process is held where the pause has put it, between two records and without a lock.
    """

    do: ClassVar[str] = "pause-replay"

    def inject(self, world: World, tag: str) -> None:
        problem = tr("PostgreSQL did not pause its replay within 5 s", "PostgreSQL n'a pas suspendu son rejeu en 5 s")
        run_on(world, self.node, _PAUSE_REPLAY.replace("NEVER_PAUSED", shlex.quote(problem)))

    def undo(self, world: World, tag: str) -> None:
        self._ready(world)
        run_on(world, self.node, RESUME_REPLAY)


@dataclass(frozen=True, slots=True)
class SlowLink(_Act):
    """What goes to the node passes through a token bucket (tc tbf)."""

    node: str
    kilobits_per_second: int = SLOW_KILOBITS_PER_SECOND
    do: ClassVar[str] = "slow-link"

    @property
    def nodes(self) -> tuple[str, ...]:
        return (self.node,)

    def inject(self, world: World, tag: str) -> None:
        world.network.slow(world.topology.node(self.node).interface, self.kilobits_per_second)

    def undo(self, world: World, tag: str) -> None:
        world.network.unslow(world.topology.node(self.node).interface)


@dataclass(frozen=True, slots=True)
class CutOff(_Act):
    """The node and the others no longer hear each other; everybody else still hears both."""

    node: str
    others: tuple[str, ...]
    do: ClassVar[str] = "cut-off"

    @property
    def nodes(self) -> tuple[str, ...]:
        return (self.node,)

    def inject(self, world: World, tag: str) -> None:
        link = world.topology.node(self.node).interface
        world.network.add_cut(
            tag, [Cut(link, other_interface=world.topology.node(other).interface) for other in self.others]
        )

    def undo(self, world: World, tag: str) -> None:
        world.network.remove_cut(tag)


@dataclass(frozen=True, slots=True)
class CutClient(_Act):
    """The client, which has an address of its own, no longer reaches PostgreSQL on the node; SSH still does."""

    node: str
    do: ClassVar[str] = "cut-client"

    @property
    def nodes(self) -> tuple[str, ...]:
        return (self.node,)

    def inject(self, world: World, tag: str) -> None:
        link = world.topology.node(self.node).interface
        world.network.add_cut(tag, [Cut(link, address=world.topology.client_address)])

    def undo(self, world: World, tag: str) -> None:
        world.network.remove_cut(tag)


_ACTS: dict[str, Any] = {
    act.do: act
    for act in (
        Freeze, PowerCut, Shutdown, CrashPostgres, CrashPatroni, StopPatroni, PauseReplay, SlowLink, CutOff,
        CutClient,
    )
}  # fmt: skip


def act_from_json(data: dict[str, Any]) -> Act:
    """The act that was written down. Raises KeyError or TypeError where the data is not an act's."""
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items() if key != "do"}
    act: Act = _ACTS[data["do"]](**fields)
    return act
