"""A figure's widget that a browser shows whole, whenever it meets it.

Plotly's own widget announces itself empty and then sends what it shows; what changes while the browser still loads
plotly.js is lost, and in a panel that stands there already the chart stays empty. This one announces itself when it is
complete, and tells when a browser has drawn: who waits for that sends no more than the browser can draw. A browser that
comes later (the page was loaded again) asks for the figure, and gets it as it is by then.
"""

from __future__ import annotations

import copy
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

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """What a browser is told that asks for the whole widget. Plotly's own tells the figure's first state."""
        state: dict[str, Any] = super().get_state(key, drop_defaults)
        if key is None and self._complete:
            for name, value in (("_widget_data", self._data), ("_widget_layout", self._layout_obj._props)):
                state[name] = self.trait_metadata(name, "to_json")(copy.deepcopy(value), self)
        return state

    def send_again(self, traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any]) -> None:
        """Send what the figure has already, as paths and values: a browser that was still loading has lost it."""
        for index, values in enumerate(traces):
            self._send_restyle_msg({path: [value] for path, value in values.items()}, trace_indexes=[index])
        self._send_relayout_msg(dict(layout))

    def _note_drawing(self, change: Any) -> None:
        if change["new"]:  # the browser tells what it drew
            self._drawn.set()
