"""Break the lab on purpose, and always bring it back.

    incident = incidents.inject(lab, "primary-frozen")   # the current leader, for at most five minutes
    incident.extend(5)                                   # give it more time
    incident.undo()                                      # that one alone
    incidents.heal(lab)                                  # everything, and what a hand did too

    with incidents.inject(lab, "dcs-lost"):              # undone at the end, whatever happens
        ...

Each incident is on the disk with its inverse before it is injected (:mod:`.journal`); a process of the lab undoes it
after its time, or when the notebook has died (:mod:`.watchman`).

What there is:

catalogue         the incidents: whom each hits, with which acts, what to watch
acts              the acts that they are made of, each with its inverse
situation         the lab at this moment, and who would be hit now
errors            what can stand in an incident's way

How it is done, and undone:

engine            inject, undo, give more time
journal           on disk before the act, gone after its undoing
watchman          the process that undoes what nobody undid
heal              the journal undone, then what nobody wrote down mended
owner             who injected an incident, and whether that process is still there
locks             locks that die with their process
shield            an act, or its inverse, done whole: signals wait
eventlog          one log, whoever writes

What it is done to:

world             the one seam to the lab, real or scripted
network           cuts and slow links, by rules of this machine's network
client_network    a network of the client's own, so that its way to one node can be cut
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING

from labhelpers.host import as_root, is_locked
from labhelpers.i18n import tr
from labhelpers.incidents import client_network, watchman
from labhelpers.incidents.catalogue import CATALOGUE, Kind, kind_of, title_of
from labhelpers.incidents.engine import DEFAULT_MINUTES, Engine, checked_minutes
from labhelpers.incidents.errors import (
    HealIncomplete,
    IncidentFailed,
    IncidentInProgress,
    IncidentNotPossible,
    IncidentOver,
    JournalBusy,
    JournalUnwritable,
    LabBusy,
    UnknownIncident,
    WatchmanAbsent,
    WrongTarget,
)
from labhelpers.incidents.heal import HealReport, Residue, find_residues
from labhelpers.incidents.heal import heal as _heal_everything
from labhelpers.incidents.journal import Entry, Journal
from labhelpers.incidents.owner import Owner
from labhelpers.incidents.world import LabWorld

if TYPE_CHECKING:
    from labhelpers.lab import Lab


@dataclass(slots=True, repr=False)
class Incident:
    """A running incident of a lab. As a context manager it is undone at the end."""

    lab: Lab
    entry: Entry

    @property
    def id(self) -> str:
        return self.entry.id

    @property
    def kind(self) -> str:
        return self.entry.kind

    @property
    def title(self) -> str:
        return title_of(self.entry.kind)

    @property
    def nodes(self) -> tuple[str, ...]:
        return self.entry.nodes

    @property
    def since(self) -> datetime:
        """When it was injected, UTC."""
        return self.entry.since

    @property
    def since_monotonic(self) -> float:
        """The same on CLOCK_MONOTONIC, in seconds: the clock of the recordings."""
        return self.entry.since_monotonic

    @property
    def acted_monotonic(self) -> float | None:
        """When the act was done, on the same clock. None: a hand did it."""
        return self.entry.acted_monotonic

    @property
    def remaining_seconds(self) -> float:
        """Until the watchman undoes it."""
        return self.entry.remaining_seconds

    def extend(self, minutes: float = DEFAULT_MINUTES) -> None:
        """Give it ``minutes`` more. Raises :class:`IncidentOver`, and ``UsageProblem`` where they are too many."""
        self.entry = Journal(self.lab.paths.journal).extend(self.id, checked_minutes(minutes))

    def undo(self) -> None:
        """Undo this one. Repeating it changes nothing. Raises :class:`HealIncomplete`."""
        engine(self.lab).undo(self.id)

    def __repr__(self) -> str:
        nodes, at = " ".join(self.nodes), self.since.astimezone().strftime("%H:%M:%S")
        return tr(f"{self.title}: {nodes}, since {at}", f"{self.title} : {nodes}, depuis {at}")

    def __enter__(self) -> Incident:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()


_engines: dict[str, Engine] = {}


def engine(lab: Lab) -> Engine:
    """The lab's engine, kept with its open connections."""
    known = _engines.get(lab.name)
    if known is None or not isinstance(known.world, LabWorld) or known.world.lab is not lab:
        known = _engines[lab.name] = Engine(LabWorld(lab), ensure_watchman=lambda: watchman.ensure_on_duty(lab))
    return known


def inject(
    lab: Lab,
    kind: str,
    *nodes: str,
    minutes: float = DEFAULT_MINUTES,
    owned: bool = True,
) -> Incident:
    """Inject an incident, on ``nodes`` or on the sensible ones, for at most ``minutes``.

    It belongs to this process (``owned``): when that dies, the watchman undoes the incident within 10 s. The command
    line's belong to nobody, and end with their time. Raises the errors of :mod:`labhelpers.incidents.errors`.
    """
    _refuse_while_busy(lab)
    owner = Owner.of() if owned else None
    return Incident(lab, engine(lab).inject(kind, nodes, minutes=checked_minutes(minutes), owner=owner))


def _refuse_while_busy(lab: Lab) -> None:
    """Nodes that are being replaced are neither broken nor mended."""
    if is_locked(lab.paths.lock):
        raise LabBusy(lab.name)


@contextmanager
def incident(lab: Lab, kind: str, *nodes: str, minutes: float = DEFAULT_MINUTES) -> Iterator[Incident]:
    """Injected on entry, for at most ``minutes``, and undone on exit, whatever happens between.

    Raises what :func:`inject` raises, and :class:`HealIncomplete` on exit.
    """
    with inject(lab, kind, *nodes, minutes=minutes) as running:
        yield running


def client_namespace(lab: Lab) -> str:
    """The network namespace in which a client runs whose way can be cut; made where it is not there."""
    return client_network.ensure(lab.topology, as_root)


def heal(
    lab: Lab,
    incident: Incident | str | None = None,
    *,
    wait: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> HealReport:
    """Undo one incident, or everything: then also mend what was done by hand and wait until the lab is healthy.

    Raises :class:`LabBusy`, :class:`JournalBusy`, and for one incident :class:`HealIncomplete`; of everything, what
    could not be undone is in the report.
    """
    _refuse_while_busy(lab)
    if incident is None:
        return _heal_everything(engine(lab), wait=wait, progress=progress)
    report = HealReport()
    undone = engine(lab).undo(incident if isinstance(incident, str) else incident.id)
    if undone is not None:
        report.undone.append(f"{title_of(undone.kind)} ({' '.join(undone.nodes)})")
    return report


def active(lab: Lab) -> list[Incident]:
    """What runs now, oldest first: from the journal, so whoever injected it."""
    return [Incident(lab, entry) for entry in Journal(lab.paths.journal).entries()]


def possible(lab: Lab, kind: str, *nodes: str) -> str | None:
    """Why the incident can't be now, as a sentence; None where it can.

    Raises :class:`UnknownIncident`, :class:`UnknownNode`, and :class:`WrongTarget` for a node that it is never for.
    """
    return engine(lab).possible(kind, nodes)


def residues(lab: Lab) -> list[Residue]:
    """What is not as a healed lab has it; nothing in a clean one."""
    return find_residues(engine(lab).world, [incident.id for incident in active(lab)])


def forget(lab: Lab) -> None:
    """The lab's nodes are about to be replaced or destroyed: drop rules and journal, touch no node."""
    engine(lab).forget()


__all__ = [
    "CATALOGUE",
    "DEFAULT_MINUTES",
    "HealIncomplete",
    "HealReport",
    "Incident",
    "IncidentFailed",
    "IncidentInProgress",
    "IncidentNotPossible",
    "IncidentOver",
    "JournalBusy",
    "JournalUnwritable",
    "Kind",
    "LabBusy",
    "Residue",
    "UnknownIncident",
    "WatchmanAbsent",
    "WrongTarget",
    "active",
    "client_namespace",
    "engine",
    "forget",
    "heal",
    "incident",
    "inject",
    "kind_of",
    "possible",
    "residues",
    "watchman",
]
