"""An output's best form for a page that no kernel serves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from labhelpers.charts.frozen import PLOTLY_MIME

PICTURES = ("image/png", "image/jpeg")


def best_form(data: Mapping[str, Any]) -> str:
    """The HTML of an output with those forms by MIME type. A widget's is the picture that stands in for it."""
    from nbconvert.filters import ansi2html, markdown2html

    text = _joined(data.get("text/plain", ""))
    if PLOTLY_MIME in data:
        return _chart(data[PLOTLY_MIME], _joined(data.get("text/html", "")), text)
    if "text/html" in data:
        return f'<div class="html">{_joined(data["text/html"])}</div>'
    if "text/markdown" in data:
        return f'<div class="html">{markdown2html(_joined(data["text/markdown"]))}</div>'
    if "image/svg+xml" in data:
        return f'<div class="html">{_joined(data["image/svg+xml"])}</div>'
    for mime in PICTURES:
        if mime in data:
            return f'<img alt="{escape(text)}" src="data:{mime};base64,{_joined(data[mime]).strip()}">'
    return f'<pre class="text">{ansi2html(text)}</pre>' if text else ""


def error_text(output: Mapping[str, Any]) -> str:
    """The traceback where there is one, else the sentence: errors of ours have no more."""
    return "\n".join(output["traceback"]) or f"{output['ename']}: {output['evalue']}"


def _chart(figure: Mapping[str, Any], html: str, summary: str) -> str:
    """A figure that charts.js draws when it comes into view; until then, and on paper, its still picture."""
    from bs4 import BeautifulSoup

    still = BeautifulSoup(html, "html.parser").select_one(".still")
    if still:
        still["aria-hidden"] = "true"  # the caption says it
    written = json.dumps(figure, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    return (
        f'<figure class="chart"><div class="canvas"><div class="drawn"></div>{still or ""}</div>'
        f"<figcaption>{escape(summary)}</figcaption>"
        f'<script type="application/json">{written}</script></figure>'
    )


def _joined(value: Any) -> str:
    return "".join(value) if isinstance(value, list) else str(value)
