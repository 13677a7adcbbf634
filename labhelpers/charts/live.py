"""The incident's figure while it happens: four updates a second where the browser draws so fast, for as
long as the lab is watched.

It follows the recording's file; what it holds is bounded (stretches and thinned points), so the last update of an hour
costs what the first one did. Where nothing has changed, nothing is sent.
"""

from __future__ import annotations

import contextlib
import copy
import threading
import time
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labhelpers.charts.bands import Window, trace_arrays
from labhelpers.charts.digest import Digest
from labhelpers.charts.frozen import CONFIG, show_frozen
from labhelpers.charts.incident import HEIGHT, assembled, moving_layout, put_all, title_layout
from labhelpers.charts.palette import THEMES, ThemeName
from labhelpers.i18n import seconds, tr
from labhelpers.observe.audience import in_batch
from labhelpers.observe.recordings import Follower
from labhelpers.observe.records import Record
from labhelpers.observe.stage import place_of

if TYPE_CHECKING:
    from labhelpers.observe.session import Session

UPDATE_SECONDS = 0.25
SHOWN_SECONDS = 180.0
FIRST_SECONDS = 60.0
POINTS = 400
PIXELS = 620.0
TITLE_CHARACTERS = 72
DRAWN_WITHIN_SECONDS = 2.0
"""A change waits so long for the one before to be drawn, and no longer: a cell that keeps the kernel busy may keep it
from hearing of it."""
PANEL_HEIGHT = 360
"""Low enough that the panel's buttons stay in view above it."""


class LiveFigure:
    """A figure that follows a recording's file, each ``every`` seconds.

    ``widget`` can stand in a cell, a sidecar or another widget.

    >>> live = LiveFigure(rec.path, rec.header.members); display(live.widget); live.start()
    """

    def __init__(
        self,
        path: Path | None,
        members: Sequence[str],
        *,
        theme: ThemeName = "both",
        shown_seconds: float = SHOWN_SECONDS,
        height: int = HEIGHT,
        pixels: float = PIXELS,
        every: float = UPDATE_SECONDS,
    ) -> None:
        from labhelpers.charts.chart_widget import ChartWidget

        self.digest = Digest(points=2 * POINTS, line_points=POINTS, kept_seconds=max(shown_seconds, FIRST_SECONDS))
        self._follower = Follower(path) if path is not None else None
        self._members = tuple(members)
        self._theme = THEMES[theme]
        self._shown_seconds = shown_seconds
        self._height = height
        self._pixels = pixels
        self._every = every
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.widget = ChartWidget(self._figure())
        self._awake = threading.Event()
        self.widget.observe(lambda _: self._awake.set(), "drawn")

    def start(self) -> None:
        """Follow the file, on a thread, until ``stop``."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="workshop-live-figure", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread; may be called twice."""
        self._stopping.set()
        self._awake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(5)

    def _run(self) -> None:
        while True:
            self._awake.clear()
            if self._stopping.is_set():  # looked at after the clearing, or the word that wakes us could be cleared away
                return
            if not self.widget.is_drawn:
                self._awake.wait(DRAWN_WITHIN_SECONDS)
            begin = time.monotonic()
            try:
                self.update()
            except Exception as error:  # drawing must never end what is drawn
                with contextlib.suppress(Exception):  # nor must telling of it
                    self._tell(error)
            self._stopping.wait(max(self._every - (time.monotonic() - begin), 0.02))

    def feed(self, records: Iterable[Record]) -> None:
        self.digest.feed(records)

    def update(self) -> bool:
        """Take in what is new and show what has changed; whether anything has."""
        with self._lock:
            if self._follower is not None:
                self.digest.feed(self._follower.records())
            return self.widget.show(self._figure())

    def _tell(self, error: Exception) -> None:
        """The figure stays as it was last drawn, and its title says so until one is drawn again."""
        said = tr(f"This chart stands still: {error!r}", f"Ce graphique s'est figé : {error!r}")
        title = title_layout(escape(said, quote=False), TITLE_CHARACTERS, self._height)
        with self._lock:
            drawn = copy.deepcopy(self.widget.figure)
            del drawn["number"]
            put_all(drawn["layout"], title)
            self.widget.show(drawn)

    def _window(self) -> Window:
        end = max(self.digest.end - (self.digest.begin or 0.0), 0.0)
        if end <= FIRST_SECONDS:
            return Window(0.0, FIRST_SECONDS, self._pixels)
        return Window(max(0.0, end - self._shown_seconds), end, self._pixels)

    def _figure(self) -> dict[str, Any]:
        """The figure as it is now; without anything to show, its axes and lanes."""
        arrays, moving = None, None
        if self.digest.begin is not None and self.digest.members:
            window = self._window()
            arrays = trace_arrays(self.digest, window, self._theme, limit=POINTS)
            title = title_layout(status(self.digest), TITLE_CHARACTERS, self._height)
            moving = {**moving_layout(self.digest, window, self._theme), **title}
        return {**assembled(self._members, self._theme, self._height, arrays, moving), "config": CONFIG}


def status(digest: Digest) -> str:
    """How it stands now, in words: the live figure's title."""
    key = digest.key.stretches.last
    if key is None:
        said = tr("waiting for etcd", "en attente d'etcd")
    elif key.what == "held":
        lane = digest.lanes.get(key.note)
        last = lane.stretches.last if lane else None
        timeline = f" (TL {last.timeline})" if last is not None and last.timeline is not None else ""
        said = tr(f"{key.note} holds the key{timeline}", f"{key.note} détient le jeton{timeline}")
    elif key.what == "absent":
        said = tr("nobody holds the key", "personne ne détient le jeton")
    else:
        said = tr("etcd has no majority", "etcd n'a pas de majorité")
    leaders = [
        name
        for name, lane in digest.lanes.items()
        if lane.stretches.last is not None and lane.stretches.last.what in ("leader", "writable")
    ]
    if len(leaders) > 1:
        both = tr(" and ", " et ").join(leaders)
        said += tr(f"; {both} both accept writes", f" ; {both} acceptent tous deux des écritures")
    if digest.waiting_since is not None:
        waited = seconds(digest.end - digest.waiting_since)
        said += tr(f"; clients have been waiting for {waited}", f" ; les clients attendent depuis {waited}")
    elif digest.last_acknowledged is not None:
        said += tr("; clients write", " ; les clients écrivent")
    return said[0].upper() + said[1:] if not said.startswith("pg") else said


class LiveDisplay:
    """A recording's live figure in a notebook's output, and, when it ends, the frozen one in its place.

    Where a panel is open, the live one is there, beside the text, and the cell says so. In a batch nobody looks: the
    place is kept by a word, for the four drawings a second cost more than all else.
    """

    def __init__(self, session: Session, **options: Any) -> None:
        self._panel = None if in_batch() else place_of(session.lab.name)
        if self._panel is not None:
            options = {"height": PANEL_HEIGHT, **options}
        self.figure = None if in_batch() else LiveFigure(session.path, session.header.members, **options)
        self._display_id: str | None = None
        self.frozen = False

    def show(self) -> None:
        from IPython.core.getipython import get_ipython
        from IPython.display import display

        if get_ipython() is None:
            return
        if self.figure is None:
            word = tr("Recording.", "Enregistrement en cours.")
            handle = display({"text/plain": word}, raw=True, display_id=True)
        elif self._panel is not None:
            word = tr(
                "Recording: the chart is in the panel beside. It comes here at the end.",
                "Enregistrement en cours : le graphique est dans le panneau à côté. Il viendra ici à la fin.",
            )
            handle = display({"text/plain": word}, raw=True, display_id=True)
            self._panel(self.figure.widget)
            self.figure.start()
        else:
            handle = display(self.figure.widget, display_id=True)
            self.figure.start()
        self._display_id = handle.display_id if handle is not None else None

    def freeze(self, session: Session) -> None:
        """Stop following, and put the frozen figure where the live one was; again to bring it up to date."""
        if self.figure is not None:
            self.figure.stop()
        if self._display_id is not None:
            show_frozen(session.figure(), session.summary(), self._display_id, report=session.finding())
        if not self.frozen:
            self.frozen = True
            if self.figure is not None and self._panel is None:
                self.figure.widget.close()
            elif self.figure is not None:
                self.figure.update()  # it stays in the panel, as it was at the end
