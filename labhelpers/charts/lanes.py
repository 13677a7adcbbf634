"""Who was what, and when: a lane a member, made of stretches of time during which nothing changed.

Samples that say the same lengthen the last stretch, so a lane's size depends on what happened, not on how
long it took.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from labhelpers.i18n import language, tr
from labhelpers.observe.records import KeyEvent, MemberSample, NodeState

Phase: TypeAlias = Literal[
    "leader", "writable", "replica", "promoting", "starting", "down", "frozen", "stopped", "unreachable"
]
"""``writable``: PostgreSQL accepts writes and no Patroni answers for it. ``down``: Patroni answers,
PostgreSQL is not up.
"""

SILENT_SAMPLES = 2
"""A member is unreachable after so many looks in vain; one alone may be a busy machine."""
HOLE_SECONDS = 3.0
"""Without a look for longer than this, the lane has a hole."""
JOIN_SECONDS = 1.0
"""A change after a longer time without a look leaves a hole too: nobody knows when it came."""
LIMIT = 400

_STARTING = ("starting", "restarting", "creating replica", "initializing", "bootstrap", "rewind")


@dataclass(slots=True)
class Stretch:
    """From ``begin`` to ``end`` (monotonic seconds) nothing changed."""

    begin: float
    end: float
    what: str
    timeline: int | None = None
    note: str = ""

    @property
    def seconds(self) -> float:
        return self.end - self.begin


class Stretches:
    """A lane. At most ``limit`` stretches: beyond, the shortest is swallowed by the one before it."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._all: list[Stretch] = []

    def note(self, at: float, what: str, timeline: int | None = None, note: str = "") -> None:
        """From ``at`` on, this is how it is (as far as is known)."""
        last = self._all[-1] if self._all else None
        if last is not None and at < last.end:
            at = last.end
        if last is not None:
            same = (last.what, last.timeline, last.note) == (what, timeline, note)
            if at - last.end <= (HOLE_SECONDS if same else JOIN_SECONDS):
                last.end = at
                if same:
                    return
        self._all.append(Stretch(at, at, what, timeline, note))
        if len(self._all) > self._limit:
            shortest = min(range(1, len(self._all) - 1), key=lambda i: self._all[i].seconds)
            swallowed = self._all.pop(shortest)
            self._all[shortest - 1].end = swallowed.end

    def until(self, at: float) -> None:
        """What was noted last still holds at ``at``."""
        if self._all:
            self._all[-1].end = max(self._all[-1].end, at)

    @property
    def last(self) -> Stretch | None:
        return self._all[-1] if self._all else None

    def between(self, begin: float, end: float) -> Iterator[Stretch]:
        """The stretches that touch the interval, cut to it."""
        for stretch in self._all:
            if stretch.end >= begin and stretch.begin <= end:
                yield Stretch(
                    max(stretch.begin, begin),
                    min(stretch.end, end),
                    stretch.what,
                    stretch.timeline,
                    stretch.note,
                )

    def __iter__(self) -> Iterator[Stretch]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


def phase_of(sample: MemberSample, key_holder: str | None) -> Phase:
    """What a member is by one sample. ``key_holder`` tells a replica that is being promoted from another one."""
    if sample.node_state == "frozen":
        return "frozen"
    if sample.node_state in ("stopped", "absent"):
        return "stopped"
    if not sample.answered:
        return "unreachable"
    if sample.role == "leader":
        return "writable" if sample.source == "postgres" else "leader"
    if sample.role in ("replica", "standby_leader"):
        return "promoting" if key_holder == sample.member else "replica"
    return "starting" if any(word in (sample.state or "") for word in _STARTING) else "down"


def note_of(sample: MemberSample) -> str:
    """What is worth a word beside the role: paused replay, paused cluster, a state that is not the usual one."""
    notes = []
    if sample.replay_paused:
        notes.append("replay paused")
    if sample.cluster_paused:
        notes.append("paused")
    if sample.sync_standby:
        notes.append("sync")
    if sample.role is None and sample.state and sample.node_state == "running":
        notes.append(sample.state)
    return ", ".join(notes)


def words(stretch: Stretch) -> str:
    """What is written on the lane."""
    return _words(stretch.what, stretch.timeline, stretch.note, language())


@lru_cache(maxsize=256)
def _words(what: str, timeline: int | None, note: str, _language: str) -> str:
    named = {
        "leader": "leader",
        "writable": tr("writable, no Patroni", "en écriture, sans Patroni"),
        "replica": tr("replica", "secondaire"),
        "promoting": tr("promoting", "promotion"),
        "starting": tr("starting", "démarrage"),
        "down": tr("PostgreSQL down", "PostgreSQL arrêté"),
        "frozen": tr("frozen", "gelé"),
        "stopped": tr("stopped", "arrêté"),
        "unreachable": tr("unreachable", "injoignable"),
    }.get(what, what)
    translated = {
        "replay paused": tr("replay paused", "rejeu en pause"),
        "paused": tr("Patroni paused", "Patroni en pause"),
        "sync": "sync",
    }
    notes = [translated.get(each, each) for each in note.split(", ") if each]
    numbered = [f"TL {timeline}"] if timeline is not None else []
    return " · ".join([named, *numbered, *notes])


class MemberLane:
    """A member's lane, fed by samples and by LXC's changes (which have the exact time)."""

    def __init__(self, member: str) -> None:
        self.member = member
        self.stretches = Stretches()
        self._node_state: NodeState | None = None
        self._silent_since: float | None = None
        self._silent = 0
        self._has_led = False  # since it holds the key

    def node_changed(self, at: float, state: NodeState) -> None:
        self._node_state = state
        if state == "frozen":
            self.stretches.note(at, "frozen")
        elif state in ("stopped", "absent"):
            self.stretches.note(at, "stopped")
        else:
            self.stretches.until(at)

    def sampled(self, sample: MemberSample, key_holder: str | None) -> None:
        if sample.answered and self._node_state in ("frozen", "stopped", "absent"):
            return  # an answer that was on its way when the node stopped
        phase = phase_of(sample, key_holder)
        if key_holder != self.member:
            self._has_led = False
        elif phase == "leader":
            self._has_led = True
        elif phase == "promoting" and self._has_led:
            phase = "replica"  # demoted: without a majority in etcd, the key still bears its name
        at = sample.at
        if phase == "unreachable":
            self._silent += 1
            self._silent_since = self._silent_since if self._silent_since is not None else at
            if self._silent < SILENT_SAMPLES:
                return
            last = self.stretches.last
            at = self._silent_since if last is None or self._silent_since >= last.end else at
        else:
            self._silent, self._silent_since = 0, None
        self.stretches.note(at, phase, sample.timeline if sample.answered else None, note_of(sample))
        self.stretches.until(sample.at)


class KeyLane:
    """Who holds the leader key: ``held`` (the note is the holder), ``absent`` or ``unknown``."""

    def __init__(self) -> None:
        self.stretches = Stretches()
        self.holder: str | None = None
        self.changes: list[tuple[float, str]] = []  # when the key came to somebody else

    def changed(self, event: KeyEvent) -> None:
        self.stretches.until(event.at)
        self.stretches.note(event.at, event.state, note=event.holder or "")
        if event.state == "held" and event.holder is not None:
            if self.holder is not None and event.holder != self.holder:
                self.changes.append((event.at, event.holder))
                del self.changes[:-LIMIT]
            self.holder = event.holder
