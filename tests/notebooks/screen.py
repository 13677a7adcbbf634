"""How much of an executed cell's output stands open on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bs4 import BeautifulSoup

OWN_LINE = ["div", "p", "tr", "li", "summary", "h1", "h2", "h3", "h4"]
"""Elements that stand on a line of their own where nothing in them does."""


def open_lines(cell: Mapping[str, Any]) -> int:
    """Lines that a reader sees of a code cell's outputs, folds closed. A chart counts as none: it has its height."""
    return sum(_lines_of(output) for output in cell["outputs"])


def _lines_of(output: Mapping[str, Any]) -> int:
    if output["output_type"] == "stream":
        return len("".join(output["text"]).splitlines())
    if output["output_type"] == "error":
        return len("\n".join(output["traceback"]).splitlines())
    data = output.get("data", {})
    if "application/vnd.plotly.v1+json" in data:
        return 0
    if "text/html" in data:
        return _lines_of_html("".join(data["text/html"]))
    return len("".join(data.get("text/plain", "")).splitlines())


def _lines_of_html(html: str) -> int:
    soup = BeautifulSoup(html, "html.parser")
    for hidden in soup.select("style, script, svg, template"):
        hidden.decompose()
    for fold in soup.select("details:not([open])"):
        for part in list(fold.children):
            if getattr(part, "name", None) != "summary":
                part.extract()
    lines = sum(len(block.extract().get_text().splitlines()) for block in soup.select("pre"))
    return lines + sum(bool(tag.get_text(strip=True)) and tag.find(OWN_LINE) is None for tag in soup.find_all(OWN_LINE))
