"""A figure's widget that a browser shows whole, whenever it meets it.

Plotly's own widget announces itself empty and then sends what it shows; what changes while the browser still loads
plotly.js is lost, and in a panel that stands there already the chart stays empty. This one announces itself when it is
complete, and tells when a browser has drawn: who waits for that sends no more than the browser can draw.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from plotly.graph_objects import FigureWidget


class WholeFigureWidget(FigureWidget):
    """Made from a figure's data and layout, and Plotly's ``config``."""

    _complete = False

    def __init__(self, data: Any, layout: Any, config: dict[str, Any]) -> None:
        self._drawn = threading.Event()
        super().__init__(data=data, layout=layout)
        self._config = config
        self.observe(self._note_drawing, "_js2py_traceDeltas")
        self._complete = True
        self.open()

    @property
    def drawn(self) -> threading.Event:
        """Set each time when a browser has drawn the figure or a change of it."""
        return self._drawn

    def open(self) -> None:
        """What ``Widget.__init__`` calls to announce the widget; nothing before it is complete."""
        if self._complete:
            super().open()

    def send_again(self, traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any]) -> None:
        """Send what the figure has already, as paths and values: a browser that was still loading has lost it."""
        for index, values in enumerate(traces):
            self._send_restyle_msg({path: [value] for path, value in values.items()}, trace_indexes=[index])
        self._send_relayout_msg(dict(layout))

    def _note_drawing(self, change: Any) -> None:
        if change["new"]:  # the browser tells what it drew
            self._drawn.set()
