"""A figure frozen into the notebook: readable later, without a kernel, by someone who was not there.

Three forms in one output: Plotly's data (JupyterLab draws it), HTML (which draws where plotly.js is at hand,
and is a still picture with the summary elsewhere), and the summary as plain text. A widget would reopen
empty, and add megabytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from labhelpers.charts.svg import picture

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

PLOTLY_MIME = "application/vnd.plotly.v1+json"
LARGEST_BYTES = 300_000
"""The forms of a figure of ours come to less; tests hold it, of an hour's recording too."""
CONFIG = {"responsive": True, "displaylogo": False, "displayModeBar": False}

_DRAW = """
(function () {
  var box = document.getElementById("%(id)s");
  function draw() {
    if (!box || !window.Plotly || box.dataset.drawn) { return; }
    box.dataset.drawn = "1";
    var figure = JSON.parse(box.querySelector("script[type='application/json']").textContent);
    box.querySelector(".still").style.display = "none";
    window.Plotly.newPlot(box.querySelector(".drawn"), figure.data, figure.layout, figure.config);
  }
  draw();
  window.addEventListener("load", draw);
})();
"""


def bundle(figure: Figure, summary: str) -> dict[str, Any]:
    """The output's forms by MIME type, together smaller than ``LARGEST_BYTES`` for a figure of ours."""
    document = {**json.loads(figure.to_json()), "config": CONFIG}
    document["layout"].pop("template", None)
    written = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    identity = "workshop-" + hashlib.sha256(written.encode()).hexdigest()[:12]
    embedded = written.replace("<", "\\u003c")  # nothing in it may end the script element, or open another
    html = (
        f'<figure id="{identity}" style="margin:0">'
        f'<div class="drawn"></div><div class="still">{picture(document, identity)}</div>'
        f"<figcaption>{escape(summary)}</figcaption>"
        f'<script type="application/json">{embedded}</script>'
        f"<script>{_DRAW % {'id': identity}}</script></figure>"
    )
    return {PLOTLY_MIME: document, "text/html": html, "text/plain": summary}


def show_frozen(
    figure: Figure, summary: str, display_id: str | None = None, *, report: Mapping[str, Any] | None = None
) -> None:
    """Show the figure, or put it in the place of the output that has this ``display_id``. Outside a notebook:
    the words. ``report`` is what a batch's report should know of it (see :mod:`labhelpers.course.collect`).
    """
    from IPython.core.getipython import get_ipython
    from IPython.display import display, update_display

    metadata = {"workshop": dict(report)} if report else None
    if get_ipython() is None:
        print(summary)
    elif display_id is not None:
        update_display(bundle(figure, summary), raw=True, display_id=display_id, metadata=metadata)
    else:
        display(bundle(figure, summary), raw=True, metadata=metadata)
