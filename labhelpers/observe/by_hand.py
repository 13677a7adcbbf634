"""What a hand did: nodes frozen by a plain ``lxc-freeze``, told by LXC to the instant.

The incidents' journal learns of them a moment later, node by node. On the time axis, nodes frozen together are one
incident, with the name that the catalogue has for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labhelpers.incidents.catalogue import freezing
from labhelpers.incidents.situation import Aim
from labhelpers.observe.outage import BEFORE_SECONDS
from labhelpers.observe.recordings import Recording
from labhelpers.observe.records import Mark

if TYPE_CHECKING:
    from labhelpers.observe.session import Session


TOGETHER_SECONDS = 10.0
"""Freezes that begin within this time of each other are one incident, even where the first was thawed already."""
OWN_MARK = "by-hand-"


@dataclass(frozen=True, slots=True)
class Standstill:
    """A node that was frozen; ``end`` None: it still is. Monotonic seconds."""

    node: str
    begin: float
    end: float | None


def see_by_hand(session: Session) -> Mark | None:
    """Mark the nodes that a hand froze last, and the end where all of them run again; None where it froze none."""
    found = _last_together(_frozen_by_hand(session.recording))
    if not found:
        return None
    nodes = tuple(sorted({one.node for one in found}))
    begin = min(one.begin for one in found)
    identity = f"{OWN_MARK}{begin:.3f}"
    known = next((mark for mark in session.recording.marks if mark.id == identity), None)
    if known is None or known.nodes != nodes:
        known = session.mark(Mark(begin, identity, _kind(session, nodes, begin), nodes))
    ends = [one.end for one in found if one.end is not None]
    if len(ends) == len(found):
        session.unmark(known, at=max(ends))
    return known


def _frozen_by_hand(recording: Recording) -> list[Standstill]:
    """Every standstill, in order of its beginning, that no incident of the journal tells."""
    begun: dict[str, float] = {}
    found: list[Standstill] = []
    for change in sorted(recording.node_changes, key=lambda c: c.at):
        if change.state == "frozen":
            begun.setdefault(change.node, change.at)
        elif change.node in begun:
            found.append(Standstill(change.node, begun.pop(change.node), change.at))
    found += [Standstill(node, at, None) for node, at in begun.items()]
    told = [mark for mark in recording.marks if mark.is_incident and not mark.id.startswith(OWN_MARK)]
    return sorted((one for one in found if not any(_tells(mark, one) for mark in told)), key=lambda one: one.begin)


def _tells(mark: Mark, one: Standstill) -> bool:
    begun = mark.ordered_at if mark.ordered_at is not None else mark.at
    until = mark.until if mark.until is not None else float("inf")
    return one.node in mark.nodes and begun - BEFORE_SECONDS <= one.begin <= until


def _last_together(found: Sequence[Standstill]) -> list[Standstill]:
    """The last standstill, and those before that it overlaps or that began shortly before it."""
    together: list[Standstill] = []
    for one in reversed(found):
        first = min((other.begin for other in together), default=one.begin)
        if one.end is None or one.end >= first or first - one.begin <= TOGETHER_SECONDS:
            together.append(one)
    return together


def _kind(session: Session, nodes: Sequence[str], begin: float) -> str:
    """The incident of the catalogue that this is."""
    whole = len(session.header.etcd)
    etcd = sum(node in session.header.etcd for node in nodes)
    aim: Aim
    if etcd:
        aim = "etcd-all" if etcd == whole else "etcd-majority" if etcd > whole // 2 else "etcd-follower"
    else:
        held = [event.holder for event in session.recording.keys if event.state == "held" and event.at <= begin]
        aim = "leader" if held and held[-1] in nodes else "replica"
    return freezing(aim).id
