"""The incident panel: break and heal by a button, beside the text.

    panel.open(lab)                     # in JupyterLab beside the notebook, else in the cell
    panel.press("primary-frozen")       # what the card's button does; waits until it is done
    panel.heal()                        # what the Heal button does

A handler only hands the work to a worker thread: the kernel never waits, and a second click finds the card taken.
Everything shown comes from one look a second, on a thread of its own. Beside the notebook, the panel also has the place
for the chart of the lab's recording.
"""

from __future__ import annotations

import contextvars
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from html import unescape
from typing import TYPE_CHECKING, Any

from labhelpers import incidents
from labhelpers.errors import LabError, WaitTimeout
from labhelpers.i18n import tr
from labhelpers.incidents import HealReport, Incident
from labhelpers.incidents.eventlog import tail
from labhelpers.observe import stage
from labhelpers.observe.audience import in_batch
from labhelpers.prediction import Timing
from labhelpers.waiting import slowness
from labhelpers.widgets.look import NotebookCanvas, draw_widget, escape
from labhelpers.widgets.panel_html import summary_html, summary_text
from labhelpers.widgets.panel_model import PanelState, panel_state
from labhelpers.widgets.panel_result import Result
from labhelpers.widgets.panel_view import PanelView

if TYPE_CHECKING:
    from labhelpers.lab import Lab

LOOK_EVERY_SECONDS = 1.0
LOOK_EVERY_SECONDS_IN_BATCH = 5.0
"""Nobody watches then; what is pressed is looked at once more by itself."""
TIMING_EVERY_SECONDS = 10.0
LOG_LINES = 5
MORE_MINUTES = 5.0
TURN_SECONDS = 1.0
"""A click that comes so soon after a card's button has changed was meant for the button before."""
PRESS_WITHIN_SECONDS = 180.0


class Panel:
    """One lab's panel. :func:`open` makes it."""

    def __init__(self, lab: Lab, figure: Any = None) -> None:
        self.lab = lab
        self._engine = incidents.engine(lab)
        self._lock = threading.Lock()
        self._taken: set[str] = set()
        self._healing = False
        self._message = ""
        self._turned: dict[str, float] = {}
        self._result = Result(lab)
        self._looking = threading.Lock()
        self._leaders: list[tuple[float, str]] = []
        self._timing = Timing()
        self._timing_at = 0.0
        self._worker = ThreadPoolExecutor(max_workers=2, thread_name_prefix="panel-worker")
        self._closed = threading.Event()
        self._nudged = threading.Event()
        self._canvas = NotebookCanvas()
        self._sidecar: Any = None
        self._state: PanelState | None = None
        self.view = PanelView(
            lab.topology,
            on_card=self._button_clicked,
            on_more=self._more_clicked,
            on_heal=self._heal_clicked,
            figure=figure,
        )
        self.look()

    # What buttons and a batch share. A click returns at once, with the work that goes on; None: taken already.

    def _button_clicked(self, kind: str) -> Future[Incident | None] | None:
        """Do what the button says, which may be a second old; None also where it has only just come to say so."""
        shown = next((card for card in self._state.cards if card.kind == kind), None) if self._state else None
        if shown is None or kind in self._just_turned():
            return None
        return self._turn(kind, shown.incident_id)

    def _just_turned(self) -> set[str]:
        now = time.monotonic()
        return {kind for kind, at in list(self._turned.items()) if now - at < TURN_SECONDS}

    def _card_clicked(self, kind: str, *nodes: str) -> Future[Incident | None] | None:
        """Inject it, or undo it where it runs."""
        return self._turn(kind, self._running(kind), *nodes)

    def _turn(self, kind: str, running: str | None, *nodes: str) -> Future[Incident | None] | None:
        if running:
            return self._hand_over(kind, lambda: self._undo(running))
        return self._hand_over(kind, lambda: self._inject(kind, *nodes))

    def _more_clicked(self, kind: str) -> Future[None] | None:
        running = self._running(kind)
        if running is None:
            return None
        return self._hand_over(kind, lambda: self._extend(running))

    def _heal_clicked(self) -> Future[HealReport] | None:
        return self._hand_over("heal", self._heal)

    def _hand_over(self, key: str, work: Callable[[], Any]) -> Future[Any] | None:
        with self._lock:
            if key in self._taken or self._healing:
                return None
            self._taken.add(key)
            self._healing = key == "heal"
        self.view.take(key)
        return self._worker.submit(self._do, key, work)

    def _do(self, key: str, work: Callable[[], Any]) -> Any:
        try:
            self._message = ""
            return work()
        except LabError as problem:
            self._message = escape(problem)
            raise
        except Exception as problem:
            self._message = escape(f"{type(problem).__name__}: {problem}")
            raise
        finally:
            self._try_to_look()  # a further click must find the card as it is now
            self._turned[key] = time.monotonic()
            with self._lock:
                self._taken.discard(key)
                self._healing = self._healing and key != "heal"
            self._nudged.set()

    def _running(self, kind: str) -> str | None:
        """The id of the incident that the card stands for now."""
        one_of_several = kind.partition(":")[2]
        if one_of_several:
            return one_of_several
        return next((incident.id for incident in incidents.active(self.lab) if incident.kind == kind), None)

    def _inject(self, kind: str, *nodes: str) -> Incident:
        return incidents.inject(self.lab, kind, *nodes)

    def _undo(self, incident_id: str) -> None:
        incidents.heal(self.lab, incident_id)

    def _extend(self, incident_id: str) -> None:
        self._engine.journal.extend(incident_id, MORE_MINUTES)

    def _heal(self) -> HealReport:
        def progress(sentence: str) -> None:
            self._message = tr(f"Healing: {escape(sentence)}", f"Réparation : {escape(sentence)}")
            self._nudged.set()

        report = incidents.heal(self.lab, progress=progress)
        self._message = "<br>".join(escape(sentence) for sentence in report.sentences)
        return report

    # For a batch: the same, and wait.

    def press(self, kind: str, *nodes: str) -> Incident | None:
        """Press the card's button and wait until it is done; the incident, or None where one was undone.

        It hits the node that the card names, unless ``nodes`` say otherwise (an empty name does not). Raises what the
        incident raises.
        """
        incidents.kind_of(kind)
        return self._wait_for(self._card_clicked(kind, *filter(None, nodes)), kind)

    def heal(self) -> HealReport:
        """Press Heal and wait for its end."""
        return self._wait_for(self._heal_clicked(), "heal")

    def _wait_for(self, work: Future[Any] | None, key: str) -> Any:
        if work is None:
            raise LabError(tr(f"{key}: pressed already, it is being done.", f"{key} : déjà pressé, c'est en cours."))
        bound = PRESS_WITHIN_SECONDS * slowness()
        try:
            return work.result(timeout=bound)
        except TimeoutError:
            if work.done():
                raise  # its own
            what = tr(f"{key} to be done", f"{key}, terminé")
            raise WaitTimeout(what, bound, unescape(self._message.replace("<br>", " "))) from None
        finally:
            self.draw_summary()

    # One look a second.

    def look(self) -> None:
        """Look at the lab and draw what is seen."""
        with self._looking:
            self._look()

    def _look(self) -> None:
        situation = self._engine.situation()
        now = time.monotonic()
        if now - self._timing_at > TIMING_EVERY_SECONDS and situation.cluster is not None:
            self._timing, self._timing_at = self._engine.world.timing(), now
        if situation.leader and (not self._leaders or self._leaders[-1][1] != situation.leader):
            self._leaders = [*self._leaders[-20:], (now, situation.leader)]
        busy = tr("Healing goes on.", "Réparation en cours.") if self._healing else ""
        before = {card.kind: card.incident_id for card in self._state.cards} if self._state else {}
        self._state = panel_state(situation, self._timing, busy=busy)
        for card in self._state.cards:
            if before.get(card.kind) != card.incident_id:
                self._turned[card.kind] = now
        with self._lock:
            taken = self._taken | self._just_turned()
        latest = self._result.update(situation, self._timing, self._leaders)
        lines = tail(self.lab.paths.log, LOG_LINES)
        self.view.show(self._state, latest, self._message, lines, taken=taken)

    def _try_to_look(self) -> None:
        try:
            self.look()
        except Exception as problem:  # said, and repeated by the next look
            self.view.tell(self._result.clock, escape(problem))

    def _keep_looking(self) -> None:
        rounds, every = 0, LOOK_EVERY_SECONDS_IN_BATCH if in_batch() else LOOK_EVERY_SECONDS
        while not self._closed.is_set():
            self._nudged.wait(every)
            self._nudged.clear()
            if self._closed.is_set():
                return
            try:
                if not self.lab.paths.exists:
                    self.view.tell(self._result.clock, tr("The lab is gone.", "Le lab n'est plus là."))
                    return
                if rounds % 5 == 0:
                    incidents.watchman.ensure(self.lab, os.getpid())
                self.look()
            except Exception as problem:  # a look that fails is said and repeated; the thread goes on
                self.view.tell(self._result.clock, escape(problem))
            rounds += 1

    def draw_summary(self) -> None:
        """What stays in the notebook, for a reader without a kernel."""
        if self._state is None:
            return
        lines = tail(self.lab.paths.log, LOG_LINES)
        html = summary_html(self._state, self.lab.topology, lines)
        text = summary_text(self._state, lines)
        if self._sidecar is not None:
            self._canvas.draw(html, text)
        else:
            draw_widget(self._canvas, self.view.widget, html, text)

    def show(self) -> None:
        """Beside the notebook where JupyterLab is, else in the cell; then keep looking."""
        if _has_jupyterlab():
            self._sidecar = _beside(self.view.widget)
            stage.offer_place(self.lab.name, self.view.show_figure)
        self.draw_summary()
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._keep_looking,), name="panel", daemon=True).start()

    def close(self) -> None:
        """No more looks; the last summary stays in the notebook."""
        if self._closed.is_set():
            return
        self._closed.set()
        stage.withdraw_place(self.lab.name, self.view.show_figure)
        self._nudged.set()
        self._worker.shutdown(wait=False)
        self.draw_summary()
        self.view.close()
        if self._sidecar is not None:
            self._sidecar.close()


def _has_jupyterlab() -> bool:
    """A server's session names itself to its kernels; papermill and nbval have none."""
    return not in_batch() and "JPY_SESSION_NAME" in os.environ


def _beside(widget: Any) -> Any:
    from IPython.display import display
    from sidecar import Sidecar

    sidecar = Sidecar(title=tr("Incidents", "Incidents"), anchor="split-right")
    with sidecar:
        display(widget)
    return sidecar


_open_panels: dict[str, Panel] = {}


def open(lab: Lab, figure: Any = None) -> Panel:
    """The lab's panel, with ``figure`` (a widget) in it. A panel that was open is closed: a cell may be run again."""
    before = _open_panels.pop(lab.name, None)
    if before is not None:
        figure = figure if figure is not None else before.view.take_figure()
        before.close()
    incidents.watchman.ensure(lab, os.getpid())
    panel = _open_panels[lab.name] = Panel(lab, figure)
    panel.show()
    return panel


def current() -> Panel:
    """The panel that is open. Raises :class:`LabError` where none is."""
    if not _open_panels:
        raise LabError(tr("No panel is open. Run the cell that opens it.",
                          "Aucun panneau n'est ouvert. Exécutez la cellule qui l'ouvre."))  # fmt: skip
    return next(reversed(_open_panels.values()))


def press(kind: str, *nodes: str) -> Incident | None:
    """Press a card's button of the open panel."""
    return current().press(kind, *nodes)


def heal() -> HealReport:
    """Press Heal on the open panel."""
    return current().heal()
