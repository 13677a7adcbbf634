"""One recording, from its start to its account: what notebooks and the panel use.

    with observe.recording(lab, name="07-freeze", clients=[observe.ClientSpec()]) as rec:
        rec.show()                       # live in JupyterLab; frozen into the notebook at the end
        entry = incidents.inject(lab, "primary-frozen")
        rec.mark(entry)
        lab.patroni.wait_for_leader("pg-2", "pg-3", within=60)
    print(rec.outage().sentence())

Where the steps are cells of their own: ``rec = observe.start(lab, ...)`` in one, ``rec.stop()`` in another.
One recording of a lab at a time, whatever the process: the second is told so. ``stop`` may be called twice,
and the end of the process, however it comes, ends everything that the recording started.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labhelpers.errors import LabError
from labhelpers.host import bridge_is_up
from labhelpers.i18n import tr
from labhelpers.incidents.catalogue import BY_HAND
from labhelpers.observe import stage
from labhelpers.observe.accounting import Account, account_on
from labhelpers.observe.by_hand import see_by_hand
from labhelpers.observe.client_process import TABLE, Client, ClientSpec, leave_client_network, make_client
from labhelpers.observe.findings import outage_finding
from labhelpers.observe.history import read_history
from labhelpers.observe.incidents_seen import (
    IncidentFollower,
    declared_prediction,
    journal_entries,
    labels_of,
)
from labhelpers.observe.key_log import KeyLog
from labhelpers.observe.lock import take_lock
from labhelpers.observe.outage import Outage, find_fault, measure_outage
from labhelpers.observe.recordings import Follower, Recording, RecordingWriter
from labhelpers.observe.records import ClientEnd, Header, KeyEvent, Mark, Record
from labhelpers.observe.sampler import SAMPLE_SECONDS, Sampler
from labhelpers.observe.states import StatesReader
from labhelpers.prediction import Mechanism, Prediction, Timing, predict
from labhelpers.waiting import wait_until

if TYPE_CHECKING:
    from labhelpers.lab import Lab

FIRST_LOOK_SECONDS = 3.0
HISTORY_BEFORE_SECONDS = 1.0
HISTORY_EVERY_SECONDS = 5.0
"""While it runs, the nodes are not asked more often than this: it takes a command on each."""


class Session:
    """A recording under way, and afterwards what it says. Made by :func:`start` and :func:`recording`.

    ``every`` is the seconds between two samples. Raises :class:`RecordingUnderWay`.
    """

    def __init__(
        self,
        lab: Lab,
        name: str = "recording",
        clients: Sequence[ClientSpec | Client | str] = (),
        *,
        every: float = SAMPLE_SECONDS,
        directory: Path | None = None,
    ) -> None:
        self.lab = lab
        self.name = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-") or "recording"
        self.timing = _timing(lab)
        topology = lab.topology
        directory = directory or lab.paths.recordings
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / f"{self.name}-{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
        with contextlib.ExitStack() as on_failure:
            self._lock = take_lock(directory, lab.name)
            on_failure.callback(os.close, self._lock)
            on_failure.callback(leave_client_network, lab)
            self.clients = [make_client(lab, each) for each in clients]
            self._writer = RecordingWriter(self.path)
            on_failure.callback(self._writer.close)
            at, wall = _both_clocks()
            self.header = Header(
                at=at, wall=wall, name=self.name, lab=lab.name, scope=topology.scope,
                members=topology.postgres, etcd=topology.etcd, ttl_seconds=self.timing.ttl_seconds,
                loop_wait_seconds=self.timing.loop_wait_seconds,
                retry_timeout_seconds=self.timing.retry_timeout_seconds,
            )  # fmt: skip
            self._writer.write(self.header)
            on_failure.pop_all()
        self._key_log = KeyLog(lab.paths.log)
        self.sampler = Sampler(
            topology,
            self._seen,
            states=StatesReader(lab.containers, topology.names),
            conninfo=lambda node: lab.postgres.conninfo([node]),
            may_send=lambda: bridge_is_up(topology),
            every=every,
            on_look=self._look_for_incidents,
        )
        self._marks_lock = threading.Lock()
        self._incidents = IncidentFollower(lab.paths.journal, lambda: journal_entries(lab), self._began, self._ended)
        self._marks: dict[str, Mark] = {}
        self._predictions: dict[str, Prediction] = {}
        self._live: Any = None
        self._recording = Recording()
        self._follower = Follower(self.path)
        self._reading = threading.Lock()
        self._history_read_at = float("-inf")
        self.accounts: list[Account] = []
        self.stopped = False

    # Life

    def start(self) -> Session:
        """Begin; returns once the leader key was read, or after 3 s without an answer."""
        atexit.register(self.stop)
        stage.enter(self)
        try:
            self.sampler.start()
            for client in self.clients:
                self._writer.write(client.info())
                client.start(self.path)
            with contextlib.suppress(LabError):
                wait_until(
                    lambda: self.sampler.watch.live or not self.sampler.running,
                    what="the watch on the leader key",
                    within=FIRST_LOOK_SECONDS,
                    every=0.02,
                )
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> Recording:
        """End sampler and clients, read the nodes' own history, freeze the live figure. May be called twice."""
        if not self.stopped:
            self.stopped = True
            atexit.unregister(self.stop)
            try:
                for client in self.clients:
                    self._writer.write(ClientEnd(time.monotonic(), client.name))
                    client.ask_to_stop()
                for client in self.clients:
                    client.stop()
                self.sampler.stop()
                with contextlib.suppress(Exception):  # the recording is worth more than its footnotes
                    self._read_history()
            finally:
                for client in self.clients:
                    client.ask_to_stop()
                self.sampler.stop()
                self._writer.close()
                try:
                    if any(client.namespace for client in self.clients):
                        leave_client_network(self.lab)
                finally:
                    os.close(self._lock)
            with contextlib.suppress(LabError):  # nobody leads: the chapter counts when somebody does
                self.account()
            if self._live is not None:
                self._live.freeze(self)
        return self.recording

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # While it runs

    def mark(
        self,
        what: Any,
        *nodes: str,
        at: float | None = None,
        label_en: str = "",
        label_fr: str = "",
        prediction: Prediction | Mechanism | None = None,
        is_incident: bool = True,
    ) -> Mark:
        """Write an incident on the time axis: an entry of the incidents' journal, a mark, or a word and its nodes.

        ``at`` (monotonic seconds) is now unless the entry says when. ``prediction`` is drawn as a band.
        """
        if isinstance(what, Mark):
            mark = what
        else:
            kind = what if isinstance(what, str) else str(what.kind)
            targets = nodes or tuple(getattr(what, "nodes", ()))
            begin = at if at is not None else getattr(what, "since_monotonic", None) or time.monotonic()
            identity = str(getattr(what, "id", f"{kind}-{len(self._marks) + 1}"))
            if identity in self._marks:
                return self._marks[identity]
            label_en, label_fr = labels_of(kind, targets, label_en, label_fr)
            mark = Mark(begin, identity, kind, targets, label_en, label_fr, is_incident=is_incident)
        if prediction is None and is_incident and getattr(what, "predictable", True):
            prediction = declared_prediction(mark.what, self.timing)
        if isinstance(prediction, str):
            prediction = predict(prediction, self.timing)
        if prediction is not None and prediction.mechanism != "none":
            mark = replace(mark, low_seconds=prediction.low_seconds, high_seconds=prediction.high_seconds)
        if prediction is not None:
            self._predictions[mark.id] = prediction
        with self._marks_lock:
            if mark.id in self._marks and not isinstance(what, Mark):  # the follower of the journal was faster
                return self._marks[mark.id]
            self._marks[mark.id] = mark
            self._writer.write(mark)
        return mark

    def unmark(self, what: Any = None, at: float | None = None) -> None:
        """The incident is over (the latest one, unless an entry, a mark or an id is given)."""
        identity = what if isinstance(what, str) else getattr(what, "id", None)
        with self._marks_lock:
            if identity is None:
                identity = next((key for key, mark in reversed(self._marks.items()) if mark.until is None), None)
            if identity in self._marks and self._marks[identity].until is None:
                ended = at if at is not None else time.monotonic()
                mark = self._marks[identity] = replace(self._marks[identity], until=ended)
                self._writer.write(mark)

    def _began(self, entry: Any) -> None:
        if entry.kind == BY_HAND:  # LXC tells the instant, and the nodes together are the incident
            see_by_hand(self)
        else:
            self.mark(entry)
            if entry.acted_monotonic is not None:
                self._acted(entry)

    def _acted(self, entry: Any) -> None:
        """The incident that was marked when it was written down has now been done."""
        with self._marks_lock:
            mark = self._marks[entry.id]
            if mark.ordered_at is None:
                mark = replace(mark, at=entry.acted_monotonic, ordered_at=entry.since_monotonic)
                self._marks[entry.id] = mark
                self._writer.write(mark)

    def _ended(self, identity: str) -> None:
        if identity in self._marks:
            self.unmark(identity)
        else:
            see_by_hand(self)

    def _seen(self, record: Record) -> None:
        self._writer.write(record)
        if isinstance(record, KeyEvent):
            self._key_log.add(record)

    def _look_for_incidents(self) -> None:
        with contextlib.suppress(LabError, OSError):
            self._incidents.look()

    def check(self) -> None:
        """Raises :class:`ClientDied` where a client has ended by itself, :class:`LabError` where the sampler has."""
        for client in self.clients:
            client.check()
        if self.sampler.error is not None and not self.stopped:
            raise LabError(
                tr(
                    f"The sampler ended by itself ({self.sampler.error!r}). Start the recording again.",
                    f"L'échantillonneur s'est arrêté de lui-même ({self.sampler.error!r}). Relancez l'enregistrement.",
                )
            )

    # What it says

    @property
    def recording(self) -> Recording:
        """Everything seen so far, read from the file."""
        with self._reading:
            for record in self._follower.records():
                self._recording.add(record)
        return self._recording

    def prediction(self, mark: Mark | None = None) -> Prediction | None:
        """The prediction made with ``mark`` (the latest incident, unless given)."""
        mark = mark or find_fault(self.recording)
        return self._predictions.get(mark.id) if mark else None

    def outage(self, mark: Mark | None = None, client: str | None = None) -> Outage | None:
        """The outage after an incident (the latest, unless given), split by layer; None where there was no fault."""
        if not self.stopped and time.monotonic() - self._history_read_at >= HISTORY_EVERY_SECONDS:
            with contextlib.suppress(LabError):
                self._read_history()
        recording = self.recording
        return measure_outage(recording, mark, prediction=self.prediction(mark), client=client)

    def account(self, nodes: Iterable[str] | None = None, leader: str | None = None) -> list[Account]:
        """What became of every commit of every client: read on the leader, and on ``nodes`` (all that run).

        ``stop`` counts too; counting again later, once an old leader is back, brings a shown figure up to date.
        """
        names = [client.name for client in self.clients]
        if not names:
            return []
        if nodes is None:
            states = self.lab.containers.states()
            nodes = [name for name in self.lab.topology.postgres if states[name] == "running"]
        attempts = self.recording.attempts
        self.accounts = account_on(self.lab, attempts, names, table=TABLE, nodes=nodes, leader=leader)
        if self._live is not None and self._live.frozen:
            self._live.freeze(self)
        return self.accounts

    def figure(self, **options: Any) -> Any:
        """The incident's figure (a plotly ``Figure``); see :func:`labhelpers.charts.incident_figure`."""
        from labhelpers import charts

        return charts.incident_figure(self.recording, self.outage(), self.accounts, **options)

    def layers(self, **options: Any) -> Any:
        """The outage by layer beside its prediction (a plotly ``Figure``); None where nobody had to wait."""
        from labhelpers import charts

        outage = self.outage()
        return None if outage is None else charts.layers_figure(outage, **options)

    def show(self) -> None:
        """Show the figure: live while it runs, in the open panel or else here; frozen here when it has ended."""
        from labhelpers import charts

        if self.stopped:
            charts.show_frozen(self.figure(), self.summary(), report=self.finding())
        elif self._live is None:
            self._live = charts.LiveDisplay(self)
            self._live.show()

    def finding(self) -> dict[str, Any] | None:
        """What a batch's report keeps of it; None where there was no fault."""
        return outage_finding(self)

    def summary(self) -> str:
        """What happened, in words: the outage and the accounts."""
        outage = self.outage()
        said = [outage.sentence()] if outage else []
        said += [account.sentence() for account in self.accounts]
        if not said:
            said.append(tr("Nothing was disturbed.", "Rien n'a été perturbé."))
        return " ".join([*said, self.header.sentence()])

    def _read_history(self) -> None:
        """Append what the nodes wrote down themselves since the recording began, each event once."""
        self._history_read_at = time.monotonic()
        since = self.header.at - HISTORY_BEFORE_SECONDS
        known = {(event.node, event.what, round(event.at, 2)) for event in self.recording.events}
        for event in read_history(self.lab, self.lab.topology.postgres, self.header, since):
            if (event.node, event.what, round(event.at, 2)) not in known:
                self._writer.write(event)


def start(
    lab: Lab,
    name: str = "recording",
    clients: Sequence[ClientSpec | Client | str] = (ClientSpec(),),
    **options: Any,
) -> Session:
    """Start a recording with its clients (one ordinary client, unless said). Raises
    :class:`RecordingUnderWay`.
    """
    return Session(lab, name, clients, **options).start()


@contextlib.contextmanager
def recording(
    lab: Lab,
    name: str = "recording",
    clients: Sequence[ClientSpec | Client | str] = (ClientSpec(),),
    **options: Any,
) -> Iterator[Session]:
    """:func:`start` as a context: it is stopped at the end, whatever happened."""
    session = start(lab, name, clients, **options)
    try:
        yield session
    finally:
        session.stop()


def _both_clocks() -> tuple[float, float]:
    """This instant, by the monotonic clock and by the calendar (seconds); the closest of three readings, for a busy
    machine may pause between two.
    """
    readings: list[tuple[float, float, float]] = []
    for _ in range(3):
        at, wall = time.monotonic(), time.time()
        readings.append((time.monotonic() - at, at, wall))
    _, at, wall = min(readings)
    return at, wall


def _timing(lab: Lab) -> Timing:
    try:
        return Timing.from_config(lab.patroni.config())
    except LabError:
        return Timing()
