"""What the incident panel shows, as plain data: computed from a look at the lab, and drawn elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from labhelpers.i18n import in_seconds, tr
from labhelpers.incidents.catalogue import CATALOGUE, Kind, title_of
from labhelpers.incidents.errors import IncidentNotPossible
from labhelpers.incidents.journal import Entry
from labhelpers.incidents.situation import Situation, choose
from labhelpers.observe.outage import Outage
from labhelpers.prediction import Prediction, Timing
from labhelpers.widgets.look import escape

FIRST_CARDS = 8
"""As many as stay in view; the others are folded below."""

Shape = Literal["running", "leader", "frozen", "stopped", "unknown"]


@dataclass(frozen=True, slots=True)
class Tile:
    """A node now. The shape tells what the colour tells."""

    node: str
    line: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Card:
    """An incident now: what its button would do, or what runs, or why not."""

    kind: str
    title: str
    text: str
    note: str  # the prediction, or what there is to come
    button: str
    tooltip: str
    enabled: bool
    incident_id: str | None = None  # it runs: the button undoes it
    source: str = ""  # the address of the page that the prediction comes from

    @property
    def runs(self) -> bool:
        return self.incident_id is not None


@dataclass(frozen=True, slots=True)
class Clock:
    """The latest incident against its prediction, in seconds since it began; after its end, its result."""

    incident_id: str
    title: str
    elapsed_seconds: float
    prediction: Prediction | None
    new_leader: str | None = None
    new_leader_after_seconds: float | None = None
    waited_seconds: float | None = None  # the recording's client; None: it still waits, or nobody records
    undisturbed: bool = False  # the recording's client wrote on
    over: bool = False

    @property
    def counts(self) -> bool:
        """Whether there is no result yet."""
        return not self.over and self.waited_seconds is None and self.new_leader is None

    @property
    def band(self) -> tuple[float, float] | None:
        """The interval that was predicted, in seconds; None where nobody should have to wait, or nobody can tell."""
        if self.prediction is None or self.prediction.mechanism == "none":
            return None
        return self.prediction.low_seconds, self.prediction.high_seconds


@dataclass(frozen=True, slots=True)
class PanelState:
    tiles: tuple[Tile, ...]
    cards: tuple[Card, ...]
    anything_to_heal: bool


def panel_state(situation: Situation, timing: Timing, *, busy: str = "") -> PanelState:
    """``busy``: what is being done right now (the sentence), while which no button can be pressed."""
    return PanelState(
        tiles=tuple(_tile(node, situation) for node in situation.topology.names),
        cards=tuple(_card(kind, situation, timing, busy) for kind in CATALOGUE.values())
        + tuple(_further_card(entry, busy) for entry in _further(situation)),
        anything_to_heal=bool(situation.active) or any(s != "running" for s in situation.states.values()),
    )


def _tile(node: str, situation: Situation) -> Tile:
    state = situation.states.get(node, "absent")
    if state == "frozen":
        entry = situation.entry_on(node)
        since = f" {_duration(entry.age_seconds)}" if entry else ""
        return Tile(node, tr("frozen", "gelé") + since, "frozen")
    if state != "running":
        word = tr("stopped", "arrêté") if state == "stopped" else tr("absent", "absent")
        return Tile(node, word, "stopped")
    role = situation.topology.node(node).role
    if role == "etcd":
        leads = node == situation.etcd_leader
        return Tile(node, tr("etcd leader", "leader etcd") if leads else "etcd", "running")
    if role == "postgres":
        return _member_tile(node, situation)
    return Tile(node, tr("ready", "prêt"), "running")


def _member_tile(node: str, situation: Situation) -> Tile:
    member = situation.cluster.member(node) if situation.cluster else None
    if member is None:
        word = tr("role unknown", "rôle inconnu") if situation.cluster is None else tr("not a member", "hors agrégat")
        return Tile(node, word, "unknown")
    timeline = f" · TL {member.timeline}" if member.timeline is not None else ""
    if member.leads:
        return Tile(node, f"leader{timeline}", "leader")
    role = tr("sync replica", "secondaire sync") if member.role == "sync_standby" else tr("replica", "secondaire")
    if member.works:
        return Tile(node, f"{role}{timeline}", "running")
    return Tile(node, f"{member.state}{timeline}", "unknown")


def _card(kind: Kind, situation: Situation, timing: Timing, busy: str) -> Card:
    running = [entry for entry in situation.active if entry.kind == kind.id]
    if running:
        return _running_card(kind, running[0], busy)
    try:
        nodes = choose(kind.id, kind.aim, situation)
    except IncidentNotPossible as problem:
        reason = tr(f"Not now: {problem.why}", f"Pas maintenant : {problem.why}")
        button = kind.button.about([tr("it", "…")]) if "{nodes}" in kind.button.en else str(kind.button)
        return Card(kind.id, str(kind.title), reason, "", button, reason, enabled=False)
    text = kind.explanation.about(nodes)
    words = kind.predicted(timing, situation, nodes)
    prediction = kind.prediction(timing, situation, nodes)
    return Card(
        kind.id, str(kind.title), text, words, kind.button.about(nodes), busy or f"{text} {words}",
        enabled=not busy, source=prediction.url if prediction else "",
    )  # fmt: skip


def _running_card(kind: Kind, entry: Entry, busy: str) -> Card:
    return Card(
        kind.id, str(kind.title), _since(entry), _until(entry), kind.undo_button.about(entry.nodes),
        busy or tr("Undo this one", "Défaire celui-ci"), enabled=not busy, incident_id=entry.id,
    )  # fmt: skip


def _further(situation: Situation) -> list[Entry]:
    """What runs without a card of the catalogue: what was done by hand, and the second of a kind."""
    seen: set[str] = set()
    further: list[Entry] = []
    for entry in situation.active:
        if entry.kind not in CATALOGUE or entry.kind in seen:
            further.append(entry)
        seen.add(entry.kind)
    return further


def _further_card(entry: Entry, busy: str) -> Card:
    kind = CATALOGUE.get(entry.kind)
    undo = kind.undo_button.about(entry.nodes) if kind else tr("Thaw ", "Dégeler ") + " ".join(entry.nodes)
    return Card(
        f"{entry.kind}:{entry.id}", title_of(entry.kind).capitalize(), _since(entry), _until(entry),
        undo, busy or tr("Undo this one", "Défaire celui-ci"), enabled=not busy, incident_id=entry.id,
    )  # fmt: skip


def _since(entry: Entry) -> str:
    at = entry.since.astimezone().strftime("%H:%M:%S")
    nodes = " ".join(entry.nodes)
    return tr(f"{nodes} since {at}, {_duration(entry.age_seconds)} ago.",
              f"{nodes} depuis {at}, il y a {_duration(entry.age_seconds)}.")  # fmt: skip


def _until(entry: Entry) -> str:
    left = entry.remaining_seconds
    if left <= 0:
        return tr("Its time is over: the watchman undoes it.", "Son temps est écoulé : le gardien le défait.")
    return tr(f"Undone by itself in {_duration(left)}.", f"Se défait seul dans {_duration(left)}.")


def _duration(seconds: float) -> str:
    """``34 s``, ``4 min 26 s``."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def clock(
    situation: Situation, timing: Timing, leaders: Sequence[tuple[float, str]], outage: Outage | None = None
) -> Clock | None:
    """The latest incident that runs. ``leaders``: who was seen to lead, and since when (monotonic seconds); ``outage``:
    what a recording saw of it.
    """
    entry = latest(situation)
    if entry is None:
        return None
    prediction = CATALOGUE[entry.kind].prediction(timing) if entry.predictable else None
    new = next(((at, name) for at, name in leaders if at > entry.since_monotonic and name not in entry.nodes), None)
    running = Clock(
        entry.id, title_of(entry.kind), entry.age_seconds, prediction,
        new_leader=new[1] if new else None,
        new_leader_after_seconds=new[0] - entry.since_monotonic if new else None,
    )  # fmt: skip
    return told(running, outage)


def latest(situation: Situation) -> Entry | None:
    """The catalogue's incident that was injected last and still runs."""
    return next((entry for entry in reversed(situation.active) if entry.kind in CATALOGUE), None)


def told(clock: Clock, outage: Outage | None) -> Clock:
    """The clock, with what the recording's client knows better than whoever looks at the roles."""
    if outage is None:
        return clock
    waited = outage.client_seconds
    leader = outage.new_leader if waited is not None else clock.new_leader
    return replace(clock, waited_seconds=waited, new_leader=leader, undisturbed=not outage.interrupted)


def ended(clock: Clock, outage: Outage | None) -> Clock:
    """The result that stays when the incident is over."""
    return replace(told(clock, outage), over=True)


def clock_sentence(clock: Clock) -> str:
    """The clock in words, as HTML."""
    title, elapsed = escape(clock.title), _duration(clock.elapsed_seconds)
    if clock.waited_seconds is not None:
        waited = f"<b>{in_seconds(clock.waited_seconds)}</b>"
        said = tr(f"Clients waited {waited}", f"Les clients ont attendu {waited}")
        if clock.new_leader:
            leader = f"<b>{escape(clock.new_leader)}</b>"
            said += tr(f", now served by {leader}", f", servis maintenant par {leader}")
        said += "."
    elif clock.new_leader and clock.new_leader_after_seconds is not None:
        after = f"{clock.new_leader_after_seconds:.0f} s"
        said = tr(f"<b>{escape(clock.new_leader)}</b> leads after <b>{after}</b>.",
                  f"<b>{escape(clock.new_leader)}</b> mène au bout de <b>{after}</b>.")  # fmt: skip
    elif clock.over and clock.undisturbed:
        said = tr(f"{title}: clients noticed nothing.", f"{title} : les clients n'ont rien vu.")
    elif clock.over:
        said = tr(f"{title}: over after <b>{elapsed}</b>.", f"{title} : terminé au bout de <b>{elapsed}</b>.")
    else:
        said = tr(f"{title}: <b>{elapsed}</b>.", f"{title} : <b>{elapsed}</b>.")
    return f"{said} {_predicted(clock.prediction)}".rstrip()


def _predicted(prediction: Prediction | None) -> str:
    if prediction is None:
        return ""
    if prediction.mechanism == "none":
        return tr("Predicted: writes go on.", "Prédit : les écritures continuent.")
    if prediction.mechanism == "read-only":
        return tr(f"Predicted: read-only after {prediction.interval}.",
                  f"Prédit : lecture seule après {prediction.interval}.")  # fmt: skip
    return tr(f"Predicted {prediction.interval}.", f"Prédit {prediction.interval}.")
