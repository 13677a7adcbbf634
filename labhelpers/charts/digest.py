"""A recording boiled down to what a figure shows, fed record by record, in memory that does not grow with
time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from labhelpers.charts.lanes import KeyLane, MemberLane
from labhelpers.charts.thinning import Thinned
from labhelpers.observe.outage import ACT_WITHIN_SECONDS
from labhelpers.observe.records import (
    Attempt,
    ClientEnd,
    ClientInfo,
    Header,
    KeyEvent,
    Mark,
    MemberSample,
    NodeChange,
    NodeState,
    Record,
)

POINTS = 700
LINE_POINTS = 500
KEPT_MARKS = 100
KEPT_GAPS = 50
SEEN = "seen-"
"""Marks of what LXC showed, beside those that somebody made."""
GAP_SECONDS = 0.5
"""A pause of the client that is worth a bracket."""
WAITING_SECONDS = 1.0


class Digest:
    """What the three bands show. Times are monotonic seconds; ``begin`` is the figure's zero.

    Points older than ``kept_seconds`` are forgotten: a live figure shows its last minutes only.
    """

    def __init__(
        self, points: int = POINTS, line_points: int = LINE_POINTS, kept_seconds: float = float("inf")
    ) -> None:
        self._points = points
        self._line_points = line_points
        self._kept_seconds = kept_seconds
        self.header: Header | None = None
        self.begin: float | None = None
        self.end = 0.0
        self.lanes: dict[str, MemberLane] = {}
        self.key = KeyLane()
        self.node_states: dict[str, NodeState] = {}
        self.lag: dict[str, Thinned] = {}
        self.acknowledged: dict[str, Thinned] = {}  # by the node that acknowledged: (time, milliseconds)
        self.pinned_acknowledged = self._dots(points)
        self.pinned_refused = self._dots(points // 4)
        self.refused = self._dots(points // 2)
        self.unknown = self._dots(points // 2)
        self.pinned: set[str] = set()
        self.marks: dict[str, Mark] = {}
        self.last_acknowledged: float | None = None  # by the client whose waiting is shown
        self.gaps: list[tuple[float, float]] = []  # its times without an acknowledged commit
        self._shown_client: str | None = None
        self._client_ended = False
        self._frozen_marks: dict[str, Mark] = {}

    @property
    def members(self) -> tuple[str, ...]:
        return self.header.members if self.header else tuple(self.lanes)

    def feed(self, records: Iterable[Record]) -> bool:
        """Take these in; whether there were any."""
        any_record = False
        for record in records:
            any_record = True
            self.add(record)
        return any_record

    def add(self, record: Record) -> None:
        match record:
            case Header():
                self.header, self.begin = record, record.at
                for member in record.members:
                    self._lane(member)
            case MemberSample():
                self._sampled(record)
            case NodeChange():
                self._node_changed(record)
            case KeyEvent():
                self.key.changed(record)
            case ClientInfo():
                if record.pinned_to is not None:
                    self.pinned.add(record.client)
                else:
                    self._shown_client = self._shown_client or record.client
            case ClientEnd():
                self._client_ended = self._client_ended or record.client == self._shown_client
            case Attempt():
                self._attempted(record)
            case Mark():
                self._marked(record)
            case _:
                pass
        if not isinstance(record, Mark):
            self.end = max(self.end, record.finished if isinstance(record, Attempt) else record.at)
        if self.begin is None:
            self.begin = record.at

    def _dots(self, points: int) -> Thinned:
        return Thinned(points, dots=True, kept_seconds=self._kept_seconds)

    def _lane(self, member: str) -> MemberLane:
        if member not in self.lanes:
            self.lanes[member] = MemberLane(member)
            self.lag[member] = Thinned(self._line_points, kept_seconds=self._kept_seconds)
        return self.lanes[member]

    def _sampled(self, sample: MemberSample) -> None:
        self._lane(sample.member).sampled(sample, self.key.holder)
        self.key.stretches.until(sample.at)
        self.lag[sample.member].add(sample.at, None if sample.lag_bytes is None else float(sample.lag_bytes))

    def _node_changed(self, change: NodeChange) -> None:
        before = self.node_states.get(change.node)
        self.node_states[change.node] = change.state
        if self.header is None or change.node in self.header.members:
            self._lane(change.node).node_changed(change.at, change.state)
        if change.state == "running":
            mark = self._frozen_marks.pop(change.node, None)
            if mark is not None and mark.id in self.marks:
                self.marks[mark.id] = replace(mark, until=change.at)
        elif before == "running":
            identity = f"seen:{change.node}:{change.at:.3f}"
            mark = Mark(change.at, identity, f"{SEEN}{change.state}", (change.node,))
            self._frozen_marks[change.node] = mark
            self._marked(mark)

    def _attempted(self, attempt: Attempt) -> None:
        milliseconds = max(attempt.seconds * 1000, 0.1)
        if attempt.outcome == "refused" and attempt.client in self.pinned:
            self.pinned_refused.add(attempt.finished, milliseconds)
        elif attempt.outcome == "refused":
            self.refused.add(attempt.finished, milliseconds)
        elif attempt.outcome == "unknown":
            self.unknown.add(attempt.finished, milliseconds)
        elif attempt.client in self.pinned:
            self.pinned_acknowledged.add(attempt.finished, milliseconds)
        else:
            node = attempt.node or "?"
            if node not in self.acknowledged:
                self.acknowledged[node] = self._dots(self._points)
            self.acknowledged[node].add(attempt.finished, milliseconds)
            self._note_gap(attempt)

    def _note_gap(self, attempt: Attempt) -> None:
        self._shown_client = self._shown_client or attempt.client
        if attempt.client != self._shown_client:
            return
        last, self.last_acknowledged = self.last_acknowledged, attempt.finished
        if last is not None and attempt.finished - last >= GAP_SECONDS:
            self.gaps.append((last, attempt.finished))
            del self.gaps[:-KEPT_GAPS]

    @property
    def waiting_since(self) -> float | None:
        """Since when the client has been waiting now; None where it writes, or never wrote."""
        last = self.last_acknowledged
        if last is None or self._client_ended or self.end - last < WAITING_SECONDS:
            return None
        return last

    def _marked(self, mark: Mark) -> None:
        self.marks[mark.id] = mark
        while len(self.marks) > KEPT_MARKS:
            del self.marks[next(iter(self.marks))]

    def shown_marks(self) -> list[Mark]:
        """The marks in order of time.

        What LXC showed (a node frozen) is left out where an incident tells it already; it then says when that
        ended, where nobody else did.
        """
        seen = [mark for mark in self.marks.values() if mark.what.startswith(SEEN)]
        shown: list[Mark] = []
        for mark in self.marks.values():
            if mark.what.startswith(SEEN):
                continue
            of_it = [each for each in seen if _same(each, mark)]
            seen = [each for each in seen if each not in of_it]
            frozen = [each.at for each in of_it if each.what == f"{SEEN}frozen"]
            if frozen and mark.at < min(frozen):
                mark = replace(mark, at=min(frozen))  # it was written down before it was done
            ends = [each.until for each in of_it]
            if mark.until is None and ends and None not in ends:
                mark = replace(mark, until=max(end for end in ends if end is not None))
            shown.append(mark)
        return sorted([*shown, *seen], key=lambda mark: mark.at)


def _same(seen: Mark, told: Mark) -> bool:
    """The node's standstill is what the incident did; a clean shutdown takes its time until the node stands still."""
    until = told.until if told.until is not None else float("inf")
    latest = until if seen.what == f"{SEEN}stopped" else min(until, told.at + ACT_WITHIN_SECONDS)
    begun = told.ordered_at if told.ordered_at is not None else told.at
    return set(seen.nodes) <= set(told.nodes) and begun - 1.0 <= seen.at <= latest


def digest_of(records: Iterable[Record], points: int = POINTS, line_points: int = LINE_POINTS) -> Digest:
    """The digest of records in any order (those of several writers are not in order of time)."""
    digest = Digest(points, line_points)
    digest.feed(sorted(records, key=_time))
    return digest


def _time(record: Record) -> float:
    if isinstance(record, Header):
        return float("-inf")
    return record.finished if isinstance(record, Attempt) else record.at
