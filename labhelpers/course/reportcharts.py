"""The charts of an executed notebook, for a page that draws them with its own plotly.js."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from labhelpers.charts.frozen import PLOTLY_MIME
from labhelpers.charts.svg import picture


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure."""

    data: str
    """Plotly's JSON, safe within a script element."""
    still: str
    """The same as SVG: on paper, and where no script runs."""
    caption: str


def charts_of(notebook: Path) -> tuple[Chart, ...]:
    """In their order; none where the notebook is not there."""
    if not notebook.exists():
        return ()
    about = notebook.stat()
    return _read(notebook, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=64)
def _read(notebook: Path, changed_ns: int, size: int) -> tuple[Chart, ...]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", []) if PLOTLY_MIME in output.get("data", {})]
    charts = []
    for position, output in enumerate(outputs, start=1):
        figure, caption = output["data"][PLOTLY_MIME], output["data"].get("text/plain", "")
        data = json.dumps(figure, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
        still = picture(figure, f"{notebook.stem}-{position}")
        charts.append(Chart(data, still, caption if isinstance(caption, str) else "".join(caption)))
    return tuple(charts)
