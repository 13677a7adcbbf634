"""The outage, and where its seconds went: fault → key gone → new leader → promoted → first acknowledged
commit.

None of the stamps is the sampler's. The fault's comes from whoever made it (a freeze's from LXC's state, looked at
twenty times a second), the key's from the watch on etcd, the promotion's from the new leader's own history,
the client's from the client. What nobody saw is None, and the layers on both sides of it are then one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from labhelpers.i18n import seconds as written
from labhelpers.i18n import tr
from labhelpers.observe.recordings import Recording
from labhelpers.observe.records import Attempt, ClientInfo, KeyEvent, Mark, NodeEvent
from labhelpers.prediction import Prediction

LEAST_GAP_SECONDS = 0.3
"""A client's pause shorter than this is its pace, not an outage."""
PACES_IN_A_GAP = 3
"""A client that is held up misses one commit or two; more is an outage."""
ACT_WITHIN_SECONDS = 10.0
"""An incident's act follows its entry in the journal within this time, on a slow machine too."""
AFTERMATH_SECONDS = 10.0
"""What begins later than this after an incident's end is not its doing (loop_wait: everybody has looked again)."""
BEFORE_SECONDS = 0.3
"""A mark is written just after the act: what the act caused may be a little older than its mark."""

LayerName: TypeAlias = Literal["writes go on", "detect", "elect", "promote", "reconnect", "wait"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One part of the outage. ``begin_seconds`` counts from the fault."""

    name: LayerName
    begin_seconds: float
    seconds: float
    source: str

    @property
    def title(self) -> str:
        return {
            "writes go on": tr("writes go on", "les écritures continuent"),
            "detect": tr("detect: the key lives on for its ttl", "détecter : le jeton vit encore son ttl"),
            "elect": tr("elect", "élire"),
            "promote": tr("promote", "promouvoir"),
            "reconnect": tr("reconnect", "reconnecter"),
            "wait": tr("wait", "attendre"),
        }[self.name]


@dataclass(frozen=True, slots=True)
class Outage:
    """What happened after one fault. Stamps are monotonic seconds; None: not seen (it did not happen, or not
    yet).
    """

    fault_at: float
    fault_source: str
    client: str | None
    last_commit_at: float | None
    key_gone_at: float | None
    key_taken_at: float | None
    promoted_at: float | None
    first_commit_at: float | None
    old_leader: str | None
    new_leader: str | None
    old_timeline: int | None
    new_timeline: int | None
    promoted_source: str | None
    prediction: Prediction | None
    observed_until: float

    @property
    def interrupted(self) -> bool:
        """Whether the client had to wait at all."""
        return self.last_commit_at is not None

    @property
    def is_over(self) -> bool:
        return not self.interrupted or self.first_commit_at is not None

    @property
    def client_seconds(self) -> float | None:
        """From the client's last acknowledged commit to the first one after; None where it still waits, or
        never did.
        """
        if self.last_commit_at is None or self.first_commit_at is None:
            return None
        return self.first_commit_at - self.last_commit_at

    @property
    def seconds(self) -> float | None:
        """From the fault to the client's first acknowledged commit: what a prediction is about."""
        return None if self.first_commit_at is None else self.first_commit_at - self.fault_at

    @property
    def failed_over(self) -> bool:
        return self.new_leader is not None and self.new_leader != self.old_leader

    @property
    def within_prediction(self) -> bool | None:
        """None where there was nothing to compare."""
        measured = self.measured_seconds
        return None if self.prediction is None or measured is None else self.prediction.contains(measured)

    @property
    def measured_seconds(self) -> float | None:
        """The seconds after the fault that the prediction speaks of: until writes stop, or until they are
        back.
        """
        if self.prediction is not None and self.prediction.mechanism == "read-only":
            return None if self.last_commit_at is None else max(self.last_commit_at - self.fault_at, 0.0)
        if self.prediction is not None and self.prediction.mechanism == "none" and not self.interrupted:
            return 0.0
        if self.prediction is not None and self.prediction.mechanism == "release":
            return self.client_seconds  # the order comes first, and the old leader writes on until it obeys
        return self.seconds

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Where the seconds went, in order; each layer begins where the one before ends."""
        if not self.interrupted:
            return ()
        stamps: list[tuple[LayerName, float | None, str]] = [
            ("detect", self.key_gone_at, "etcd watch"),
            ("elect", self.key_taken_at, "etcd watch"),
            ("promote", self.promoted_at, self.promoted_source or ""),
            (
                "reconnect" if self.key_taken_at or self.promoted_at else "wait",
                self.first_commit_at,
                "client",
            ),
        ]
        layers: list[Layer] = []
        begin = self.fault_at
        still_wrote = self.last_commit_at is not None and self.last_commit_at - self.fault_at > LEAST_GAP_SECONDS
        first_change = next((at for _, at, _ in stamps if at is not None), None)
        if still_wrote and self.last_commit_at is not None and (first_change or 0) > self.last_commit_at:
            stamps.insert(0, ("writes go on", self.last_commit_at, "client"))
        for name, at, source in stamps:
            if at is None:
                continue
            end = max(at, begin)
            layers.append(Layer(name, begin - self.fault_at, end - begin, source))
            begin = end
        return tuple(layers)

    def sentence(self) -> str:
        """What happened, in one sentence."""
        waited, total = self.client_seconds, self.seconds
        if not self.interrupted:
            return tr(
                "Clients noticed nothing: writes went on.",
                "Les clients n'ont rien vu : les écritures ont continué.",
            )
        if waited is None:
            since = written(self.observed_until - (self.last_commit_at or self.fault_at))
            return tr(f"Nobody can write since {since}.", f"Personne ne peut écrire depuis {since}.")
        if self.failed_over:
            timeline = f" (timeline {self.new_timeline})" if self.new_timeline else ""
            said = tr(
                f"{self.new_leader}{timeline} took over from {self.old_leader}; clients waited {written(waited)}",
                f"{self.new_leader}{timeline} a remplacé {self.old_leader} ; les clients ont attendu {written(waited)}",
            )
        else:
            leader = self.old_leader or tr("the leader", "le leader")
            said = tr(
                f"{leader} leads as before; clients waited {written(waited)}",
                f"{leader} est leader comme avant ; les clients ont attendu {written(waited)}",
            )
        parts = ", ".join(
            f"{layer.title.split(' :')[0].split(':')[0]} {written(layer.seconds)}" for layer in self.layers
        )
        said += f" ({parts})" if len(self.layers) > 1 and total is not None else ""
        measured = self.measured_seconds
        if self.prediction is not None and measured is not None:
            return f"{said}. {self.prediction.verdict(measured)}"
        return said + "."


@dataclass(frozen=True, slots=True)
class Gap:
    """A client's longest time without an acknowledged commit. ``after`` None: it still waits."""

    client: str
    before: Attempt
    after: Attempt | None


def longest_gap(
    attempts: Sequence[Attempt], client: ClientInfo, begin: float, end: float, begun_until: float = float("inf")
) -> Gap | None:
    """The client's longest pause that ends after ``begin`` and starts before ``end``, and not after ``begun_until``;
    None where it never paused.

    ``attempts`` are this client's, in order of their end.
    """
    least = max(LEAST_GAP_SECONDS, PACES_IN_A_GAP / client.rate if client.rate else 0.0)
    acknowledged = [attempt for attempt in attempts if attempt.outcome == "acknowledged"]
    best: tuple[float, Gap] | None = None
    for before, after in zip(acknowledged, [*acknowledged[1:], None], strict=False):
        until = after.finished if after else end
        if until <= begin or before.finished > min(end - least, begun_until):
            continue
        length = until - before.finished
        if length >= least and (best is None or length > best[0]):
            best = length, Gap(client.client, before, after)
    return best[1] if best else None


def find_fault(recording: Recording) -> Mark | None:
    """The latest incident that was marked."""
    incidents = [mark for mark in recording.marks if mark.is_incident]
    return incidents[-1] if incidents else None


def measure_outage(
    recording: Recording,
    fault: Mark | None = None,
    *,
    prediction: Prediction | None = None,
    client: str | None = None,
    until: float | None = None,
) -> Outage | None:
    """The outage after ``fault`` (the latest incident that was marked, else what LXC or the key tell), up to
    ``until``.

    ``until`` defaults to the next incident's beginning, else the recording's end. None where there was no
    fault at all.
    """
    fault = fault or find_fault(recording)
    at, source = _marked_fault(recording, fault) if fault else _unmarked_fault(recording)
    if at is None:
        return None
    ordered = fault.ordered_at if fault and fault.ordered_at is not None else at
    others = [mark for mark in recording.marks if mark.is_incident and not (fault and mark.id == fault.id)]
    later = [mark.at for mark in others if mark.at > at]
    end = until if until is not None else min(later, default=recording.end)
    before = _last_holder(recording.keys, ordered)
    begun_until = fault.until + AFTERMATH_SECONDS if fault and fault.until is not None else float("inf")
    gap = _client_gap(recording, client, ordered - BEFORE_SECONDS, end, begun_until)
    gone, taken = _key_changes(recording.keys, before, ordered - BEFORE_SECONDS, end)
    leader = taken.holder if taken else before.holder if before else None
    promoted = _promotion(recording.events, leader, gone or taken, end) if taken else None
    first = gap.after if gap else None
    last = gap.before if gap else None
    if gone and gone.exact:
        at = min(at, gone.at)
    if source == "mark" and last and ordered <= last.finished < at:  # the act took a while; it was felt before its end
        at, source = last.finished, "client"
    return Outage(
        fault_at=at,
        fault_source=source,
        client=gap.client if gap else client,
        last_commit_at=last.finished if last else None,
        key_gone_at=gone.at if gone else taken.at if taken else None,
        key_taken_at=taken.at if taken else None,
        promoted_at=promoted.at if promoted else None,
        first_commit_at=first.finished if first else None,
        old_leader=before.holder if before else None,
        new_leader=leader,
        old_timeline=last.timeline if last else None,
        new_timeline=(first.timeline if first else None) or (promoted.timeline if promoted else None),
        promoted_source=promoted.source if promoted else None,
        prediction=prediction,
        observed_until=end,
    )


def _marked_fault(recording: Recording, fault: Mark) -> tuple[float, str]:
    """When the fault of a mark really came.

    A freeze is told to the instant by LXC's state. A node that stops is not: its container's end comes after its
    services' (a clean shutdown) or after its link's (a power cut).
    """
    begun = fault.ordered_at if fault.ordered_at is not None else fault.at
    for change in sorted(recording.node_changes, key=lambda c: c.at):
        in_time = begun - BEFORE_SECONDS <= change.at <= fault.at + ACT_WITHIN_SECONDS
        if in_time and change.node in fault.nodes and change.state == "frozen":
            return change.at, "lxc"
    return fault.at, "mark"


def _unmarked_fault(recording: Recording) -> tuple[float | None, str]:
    """A fault made by hand: the first node that LXC shows to stop running, else the first loss of the key."""
    seen_running: set[str] = set()
    for change in sorted(recording.node_changes, key=lambda c: c.at):
        if change.state == "running":
            seen_running.add(change.node)
        elif change.node in seen_running:
            return change.at, "lxc"
    for event in recording.keys:
        if event.state == "absent" and event.exact:
            return event.at, "etcd watch"
    return None, ""


def _last_holder(keys: Iterable[KeyEvent], at: float) -> KeyEvent | None:
    """Who held the key just before (a release caused by the act may be a little older than its mark)."""
    held = [event for event in keys if event.state == "held" and event.at <= at]
    return held[-1] if held else None


def _key_changes(
    keys: Iterable[KeyEvent], before: KeyEvent | None, begin: float, end: float
) -> tuple[KeyEvent | None, KeyEvent | None]:
    """When the key went, and who took it then. The same holder again is no change, unless the key had gone."""
    gone: KeyEvent | None = None
    for event in keys:
        if not begin <= event.at <= end:
            continue
        if event.state == "absent":
            gone = gone or event
        elif event.state == "held" and (gone or before is None or event.holder != before.holder):
            return gone, event
    return gone, None


def _promotion(
    events: Iterable[NodeEvent], leader: str | None, from_key: KeyEvent | None, end: float
) -> NodeEvent | None:
    """The new leader's promotion: from its history file, else the first time its Patroni said that it leads."""
    since = from_key.at if from_key else 0.0
    its = [event for event in events if event.node == leader and since <= event.at <= end]
    for what in ("promoted", "leads"):
        found = [event for event in its if event.what == what]
        if found:
            return min(found, key=lambda event: event.at)
    return None


def _client_gap(recording: Recording, name: str | None, begin: float, end: float, begun_until: float) -> Gap | None:
    """The pause of the client that was asked for, else of the first one that is free to go to any node."""
    known = recording.clients or [
        ClientInfo(recording.begin, client, None, None) for client in sorted({a.client for a in recording.attempts})
    ]
    chosen = [c for c in known if c.client == name] if name else sorted(known, key=lambda c: c.pinned_to is not None)
    for client in chosen[:1]:
        attempts = recording.attempts_of(client.client)
        stopped = recording.client_ends.get(client.client, end)
        return longest_gap(attempts, client, begin, min(end, stopped), begun_until) if attempts else None
    return None
