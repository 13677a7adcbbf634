"""A Plotly figure that changes while a browser shows it, and that is whole whenever a browser meets it.

This one has a single value, the figure: a browser that is busy draws the latest when it is done. Its code is short,
and plotly.js comes beside it. Plotly's own ``FigureWidget`` sends changes, and takes back what the browser made of
them: where that is still drawing, what it tells is out of date and takes properties away from the figure. And its
code has all of plotly.js in it. anywidget drops every message to a widget whose code is not there two seconds after
its announcement (``Failed to initialize model``,
https://github.com/manzt/anywidget/blob/main/packages/anywidget/src/runtime.ts): on a slow machine the chart stayed
as it was at first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anywidget
import traitlets
from plotly.offline import get_plotlyjs

_DRAW = """
function library(model) {
  const address = () => URL.createObjectURL(new Blob([model.get("library")], { type: "text/javascript" }));
  const failed = (error) => { globalThis.workshopPlotly = undefined; throw error; };
  globalThis.workshopPlotly ??= import(address()).then(() => globalThis.Plotly, failed);
  return globalThis.workshopPlotly;
}

export default {
  async render({ model, el }) {
    const Plotly = await library(model);
    let isDrawing = false, tried = null;

    async function draw() {
      if (isDrawing) return;
      isDrawing = true;
      while (tried !== model.get("figure").number) {
        const { number, data, layout, config } = structuredClone(model.get("figure"));
        try {
          await Plotly.react(el, data, layout, config);
        } catch (error) {
          console.error(error);
        }
        tried = number;
        model.set("drawn", number);
        model.save_changes();
      }
      isDrawing = false;
    }

    const fitting = new ResizeObserver(() => { if (el.offsetWidth && el.data) Plotly.Plots.resize(el); });
    model.on("change:figure", draw);
    draw();
    fitting.observe(el);
    return () => { fitting.disconnect(); Plotly.purge(el); };
  },
};
"""


class ChartWidget(anywidget.AnyWidget):
    """Made from a figure as JSON has it: ``data``, ``layout`` and ``config``."""

    _esm = _DRAW
    library = traitlets.Unicode(get_plotlyjs()).tag(sync=True)
    figure = traitlets.Dict().tag(sync=True)
    drawn = traitlets.Int(-1).tag(sync=True)
    """The number of the figure that a browser has drawn last; -1 while none has drawn any."""

    def __init__(self, figure: Mapping[str, Any]) -> None:
        super().__init__(figure={"number": 0, **figure})

    def show(self, figure: Mapping[str, Any]) -> bool:
        """Show this figure from now on; whether it is another one than before."""
        number = self.figure["number"]
        if self.figure == {"number": number, **figure}:
            return False
        self.figure = {"number": number + 1, **figure}
        return True

    @property
    def is_drawn(self) -> bool:
        """A browser has drawn the figure as it is now."""
        return bool(self.drawn >= self.figure["number"])
