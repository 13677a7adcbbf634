"""A Plotly figure that changes while a browser shows it, and that is whole whenever a browser meets it.

Plotly's own ``FigureWidget`` sends changes, and takes back what the browser made of them. Where the browser is still
drawing, what it tells is out of date and takes properties away from the figure; where it fails once, it shows no change
any more. This one has a single value, the figure: a browser that is busy draws the latest when it is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anywidget
import traitlets
from plotly.offline import get_plotlyjs

_DRAW = """
const { Plotly } = globalThis;

export default {
  render({ model, el }) {
    let wanted = 0, isDrawing = false;

    async function draw() {
      wanted += 1;
      if (isDrawing) return;
      isDrawing = true;
      for (let begun = 0; begun < wanted; ) {
        begun = wanted;
        const { number, data, layout, config } = structuredClone(model.get("figure"));
        try {
          await Plotly.react(el, data, layout, config);
        } catch (error) {
          console.error(error);
        }
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

    _esm = get_plotlyjs() + _DRAW
    figure = traitlets.Dict().tag(sync=True)
    drawn = traitlets.Int(-1).tag(sync=True)
    """The number of the figure that a browser has drawn last; -1 while none has drawn any."""

    def __init__(self, figure: Mapping[str, Any]) -> None:
        super().__init__(figure={"number": 0, **figure})

    def show(self, figure: Mapping[str, Any]) -> None:
        """Show this figure from now on."""
        self.figure = {"number": self.figure["number"] + 1, **figure}

    @property
    def is_drawn(self) -> bool:
        """A browser has drawn the figure as it is now."""
        return bool(self.drawn >= self.figure["number"])
