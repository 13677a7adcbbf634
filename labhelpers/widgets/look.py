"""The look that the course's outputs share, and the one way to show and replace them.

An executed notebook is read later without a kernel, and often *untrusted*: JupyterLab then drops ``<style>``,
SVG and every CSS value with ``var()``, and keeps plain tags with simple inline styles. So everything here is
semantic HTML with inline styles that are right on light and on dark ground by themselves (inherited text colour,
translucent greys), refined by a JupyterLab variable where there is one. Each output also has a plain text form.
"""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Mapping
from typing import Any, Protocol

from labhelpers.charts.palette import member_colour
from labhelpers.observe.audience import in_batch

ETCD_COLOUR = "#8a939b"
BACKUP_COLOUR = "#b58900"
GOOD, BAD, WARN = "#009e73", "#d1350f", "#c98500"

LINE = "rgba(128,128,128,0.35)"
FAINT = "rgba(128,128,128,0.10)"
MONO = "font-family:monospace;font-family:var(--jp-code-font-family,monospace)"
MUTED = "opacity:0.7"

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_=>])")


def escape(text: object) -> str:
    """``text`` as it may stand in HTML."""
    return html.escape(str(text), quote=True)


def strip_terminal(line: str) -> str:
    """A line as a terminal would leave it: no colours, and of a redrawn line only the last drawing."""
    line = _ESCAPES.sub("", line.rstrip("\r\n"))
    return line.rsplit("\r", 1)[-1]


class HasRoles(Protocol):
    """Of a topology, what the colours need."""

    @property
    def postgres(self) -> tuple[str, ...]: ...
    @property
    def etcd(self) -> tuple[str, ...]: ...


def colour_of(node: str, topology: HasRoles | None) -> str:
    """The colour that ``node`` keeps throughout the course."""
    if topology is not None and node in topology.postgres:
        return member_colour(node, topology.postgres)
    if topology is not None and node not in topology.etcd:
        return BACKUP_COLOUR
    return ETCD_COLOUR


def card(body: str, colour: str = LINE) -> str:
    """A quiet box with a coloured edge at its left."""
    return (
        f'<div style="border-left:3px solid {colour};background-color:{FAINT};padding:6px 12px;margin:2px 0;'
        f'max-width:60em">{body}</div>'
    )


def bar(done: int, total: int, colour: str = GOOD) -> str:
    """A progress bar of ``total`` steps as text, so that it survives every renderer."""
    return (
        f'<span style="letter-spacing:1px;color:{colour}">{"■" * done}</span>'
        f'<span style="letter-spacing:1px;opacity:0.35">{"■" * (total - done)}</span>'
    )


def plain_bar(done: int, total: int) -> str:
    return "■" * done + "□" * (total - done)


class Canvas(Protocol):
    """A place in the output that can be drawn again."""

    def draw(self, html: str, plain: str) -> None: ...


class NotebookCanvas:
    """One output of the present cell, replaced in place (by its display id) at every drawing.

    Several threads may draw, as long as each runs in a copy of the cell's context.
    """

    def __init__(self) -> None:
        self.display_id = f"workshop-{uuid.uuid4().hex[:12]}"
        self._shown = False
        self._last: Mapping[str, Any] | None = None

    def draw(self, html: str, plain: str) -> None:
        self.draw_bundle({"text/html": html, "text/plain": plain})

    def draw_bundle(self, bundle: Mapping[str, Any], *, report: object = None) -> None:
        """Draw any mime bundle; drawing the same again sends nothing.

        ``report`` is what a batch's report should know of it (see :mod:`labhelpers.course.collect`).
        """
        from IPython.display import display

        if bundle == self._last:
            return
        self._last = dict(bundle)
        metadata = {"workshop": report} if report else None
        display(dict(bundle), raw=True, display_id=self.display_id, update=self._shown, metadata=metadata)
        self._shown = True


WIDGET_MIME = "application/vnd.jupyter.widget-view+json"


def draw_widget(canvas: NotebookCanvas, widget: Any, html: str, plain: str) -> None:
    """Show a widget that reads without a kernel: its output also holds the picture in HTML and in words.

    A notebook opened elsewhere is untrusted and shows the HTML. In a batch nobody can click, and only the
    picture is kept.
    """
    bundle: dict[str, Any] = {"text/html": html, "text/plain": plain}
    if not in_batch():
        bundle[WIDGET_MIME] = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    canvas.draw_bundle(bundle)
