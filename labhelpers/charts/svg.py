"""A figure of ours as a still picture, for where no plotly.js is at hand: plain SVG, a few tens of kilobytes.

It knows what our figures are made of (horizontal bars, lines, dots, shapes, annotations) and nothing else of
Plotly. Grey texts take the page's own colour, so that the picture suits a light page and a dark one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

WIDTH = 1000.0
PATTERNS = {
    "/": "M0,8 L8,0 M-2,2 L2,-2 M6,10 L10,6",
    "\\": "M0,0 L8,8 M-2,6 L2,10 M6,-2 L10,2",
    "x": "M0,8 L8,0 M0,0 L8,8",
    ".": "M3,3 h2 v2 h-2 Z",
}


@dataclass(frozen=True, slots=True)
class _Axis:
    """Data to pixels. ``start`` and ``end`` are the pixels of the range's two ends."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        scaled = math.log10(max(value, 1e-9)) if self.logarithmic else value
        return round(self.start + (scaled - self.low) / ((self.high - self.low) or 1) * (self.end - self.start), 1)

    def at_share(self, share: float) -> float:
        return round(self.start + share * (self.end - self.start), 1)


class _Picture:
    def __init__(self, figure: Mapping[str, Any], identity: str) -> None:
        self.data: Sequence[Mapping[str, Any]] = figure["data"]
        self.layout: Mapping[str, Any] = figure["layout"]
        self.height = float(self.layout.get("height") or 400)
        margin = self.layout["margin"]
        self.left, self.right = float(margin["l"]), WIDTH - float(margin["r"])
        self.top, self.bottom = float(margin["t"]), self.height - float(margin["b"])
        self.identity = identity
        self.patterns: dict[tuple[str, str], str] = {}
        self.x = self._axis("xaxis", self.left, self.right)
        self.y = {
            name.replace("axis", ""): self._vertical(name) for name in self.layout if re.fullmatch(r"yaxis\d*", name)
        }
        self.grey = str(self.layout["font"]["color"])

    def _axis(self, name: str, start: float, end: float) -> _Axis:
        axis = self.layout[name]
        low, high = (float(bound) for bound in axis["range"])
        return _Axis(low, high, start, end, axis.get("type") == "log")

    def _vertical(self, name: str) -> _Axis:
        low, high = self.layout[name].get("domain", (0, 1))
        span = self.bottom - self.top
        return self._axis(name, self.bottom - low * span, self.bottom - high * span)

    def colour(self, colour: str) -> str:
        return "currentColor" if colour == self.grey else colour

    def parts(self) -> Iterator[str]:
        yield from self._shapes("below")
        yield from self._grid()
        for trace in self.data:
            if trace["type"] == "bar":
                yield from self._bars(trace)
            elif trace.get("mode") == "lines":
                yield self._line(trace)
            elif trace["marker"].get("opacity"):
                yield from self._dots(trace)
        yield from self._shapes("above")
        yield from self._annotations()
        yield from self._title()

    def svg(self) -> str:
        body = "".join(self.parts())
        definitions = "".join(
            f'<pattern id="{identity}" width="8" height="8" patternUnits="userSpaceOnUse">'
            f'<path d="{PATTERNS.get(shape, PATTERNS["/"])}" stroke="{colour}" stroke-width="1" fill="none"/></pattern>'
            for (shape, colour), identity in self.patterns.items()
        )
        clip = (
            f'<clipPath id="{self.identity}-c"><rect x="{self.left}" y="0" width="{self.right - self.left}" '
            f'height="{self.height}"/></clipPath>'
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {self.height:g}" width="100%" '
            f'role="img" font-family="sans-serif" font-size="12"><defs>{definitions}{clip}</defs>{body}</svg>'
        )

    def _grid(self) -> Iterator[str]:
        for name, axis in self.y.items():
            drawn = self.layout["yaxis" + name[1:]]
            if drawn.get("visible") is False:
                continue
            words = drawn.get("ticktext") or [f"{tick:g}" for tick in drawn.get("tickvals", ())]
            for tick, word in zip(drawn.get("tickvals", ()), words, strict=False):
                at = axis(tick)
                if not min(axis.start, axis.end) - 2 <= at <= max(axis.start, axis.end) + 2:
                    continue
                if drawn.get("showgrid") is not False:
                    yield self._stroke(self.left, at, self.right, at, drawn["gridcolor"], 1)
                yield self._text(self.left - 6, at + 4, str(word), "currentColor", "end")
        from labhelpers.charts.axes import second_ticks

        for tick in second_ticks(self.x.low, self.x.high):
            at = self.x(tick)
            yield self._stroke(at, self.bottom, at, self.bottom + 4, "#888", 1)
            yield self._text(at, self.bottom + 17, f"{tick:g}", "currentColor", "middle")
        title = self.layout["xaxis"].get("title", {}).get("text", "")
        yield self._text((self.left + self.right) / 2, self.bottom + 35, title, "currentColor", "middle")

    def _bars(self, trace: Mapping[str, Any]) -> Iterator[str]:
        axis = self.y[trace["yaxis"]]
        thickness = abs(axis(1) - axis(0)) * float(trace["width"])
        marker = trace["marker"]
        pattern = marker["pattern"]
        rows = zip(
            trace["y"], trace["base"], trace["x"], trace["text"], trace["insidetextfont"]["color"],
            marker["color"], marker["line"]["color"], pattern["shape"], pattern["fgcolor"], strict=True,
        )  # fmt: skip
        for row, base, length, text, ink, fill, line, shape, over in rows:
            left, width = self.x(base), max(self.x(base + length) - self.x(base), 0.8)
            top = axis(row) - thickness / 2
            box = f'x="{left}" y="{top:.1f}" width="{width:.1f}" height="{thickness:.1f}"'
            yield f'<rect {box} fill="{fill}" stroke="{line}"/>'
            if shape:
                yield f'<rect {box} fill="url(#{self._pattern(shape, over)})"/>'
            if text:
                yield self._text(left + 4, axis(row) + 4, text, self.colour(ink), "start")

    def _pattern(self, shape: str, colour: str) -> str:
        return self.patterns.setdefault((shape, colour), f"{self.identity}-p{len(self.patterns)}")

    def _line(self, trace: Mapping[str, Any]) -> str:
        axis = self.y[trace["yaxis"]]
        path, pen = [], "M"
        for at, value in zip(trace.get("x") or (), trace.get("y") or (), strict=True):
            if value is None:
                pen = "M"
                continue
            path.append(f"{pen}{self.x(at):g},{axis(value):g}")
            pen = "L"
        style = trace["line"]
        return f'<path d="{"".join(path)}" fill="none" stroke="{style["color"]}" stroke-width="{style["width"]}"/>'

    def _dots(self, trace: Mapping[str, Any]) -> Iterator[str]:
        axis = self.y[trace.get("yaxis", "y")]
        marker = trace["marker"]
        draw = _symbol(str(marker.get("symbol", "circle")), float(marker["size"]) / 2)
        path = "".join(
            draw(self.x(at), axis(value))
            for at, value in zip(trace.get("x") or (), trace.get("y") or (), strict=True)
            if value is not None and self.x.low <= at <= self.x.high
        )
        if path:
            hollow = str(marker.get("symbol")).endswith(("-open", "-thin"))
            paint = (
                f'fill="none" stroke="{marker["color"]}" stroke-width="1.6"' if hollow else f'fill="{marker["color"]}"'
            )
            yield f'<path d="{path}" {paint} opacity="{marker["opacity"]}"/>'

    def _vertical_of(self, reference: str) -> Callable[[float], float]:
        if reference == "paper":
            return lambda share: round(self.bottom - share * (self.bottom - self.top), 1)
        name, _, domain = reference.partition(" ")
        return self.y[name].at_share if domain else self.y[name]

    def _shapes(self, layer: str) -> Iterator[str]:
        for shape in self.layout.get("shapes") or ():
            if shape.get("layer") != layer:
                continue
            vertical = self._vertical_of(shape["yref"])
            x0, x1 = (max(min(self.x(shape[key]), self.right), self.left) for key in ("x0", "x1"))
            y0, y1 = vertical(shape["y0"]), vertical(shape["y1"])
            if shape["type"] == "rect":
                yield (
                    f'<rect x="{x0}" y="{min(y0, y1)}" width="{x1 - x0:.1f}" height="{abs(y1 - y0):.1f}" '
                    f'fill="{shape["fillcolor"]}" opacity="{shape.get("opacity", 1)}"/>'
                )
            elif self.x.low <= shape["x0"] <= self.x.high:
                line = shape["line"]
                dash = "" if line.get("dash", "solid") == "solid" else "3,3"
                yield self._stroke(x0, y0, x1, y1, line["color"], line["width"], dash)

    def _annotations(self) -> Iterator[str]:
        for note in self.layout.get("annotations") or ():
            vertical = self._vertical_of(note["yref"])
            at = self.x(note["x"]) + float(note.get("xshift", 0))
            height = vertical(note["y"]) - float(note.get("yshift", 0))
            if note.get("showarrow"):
                yield self._stroke(
                    self.x(note["ax"]),
                    vertical(note["ay"]),
                    at,
                    height,
                    note["arrowcolor"],
                    note["arrowwidth"],
                )
                continue
            anchor = {"left": "start", "right": "end"}.get(note.get("xanchor", "center"), "middle")
            lines = str(note["text"]).split("<br>")
            first = height + (4 if note.get("yanchor") == "middle" else -3) - 7 * (len(lines) - 1)
            colour = self.colour(note["font"]["color"])
            for index, line in enumerate(lines):
                yield self._text(at, first + 14 * index, line, colour, anchor)

    def _title(self) -> Iterator[str]:
        lines = str(self.layout["title"]["text"] or "").split("<br>")
        for index, line in enumerate(lines):
            yield self._text(10, 22 + 18 * index, line, "currentColor", "start", size=15)

    def _text(self, x: float, y: float, text: str, colour: str, anchor: str, size: int = 12) -> str:
        if match := re.search(r'style="color:(#[0-9A-Fa-f]{6})"', text):
            colour = match[1]
        weight = ' font-weight="bold"' if "<b>" in text else ""
        plain = escape(re.sub(r"<[^>]+>", "", text))
        bigger = f' font-size="{size}"' if size != 12 else ""
        return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}"{weight}{bigger}>{plain}</text>'

    def _stroke(self, x0: float, y0: float, x1: float, y1: float, colour: str, width: float, dash: str = "") -> str:
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        return f'<path d="M{x0:g},{y0:g}L{x1:g},{y1:g}" stroke="{colour}" stroke-width="{width}"{dashed}/>'


def _symbol(name: str, radius: float) -> Callable[[float, float], str]:
    """The path of a dot around its centre."""
    r = round(radius, 1)
    if name.startswith("x"):
        return lambda x, y: f"M{x - r:g},{y - r:g}L{x + r:g},{y + r:g}M{x - r:g},{y + r:g}L{x + r:g},{y - r:g}"
    if name.startswith("diamond"):
        return lambda x, y: f"M{x:g},{y - r:g}l{r},{r}l-{r},{r}l-{r},-{r}Z"
    return lambda x, y: f"M{x - r:g},{y:g}a{r},{r} 0 1 0 {2 * r:g},0a{r},{r} 0 1 0 -{2 * r:g},0"


def picture(figure: Mapping[str, Any], identity: str) -> str:
    """The SVG of a figure's dictionary (``data`` and ``layout``). ``identity`` keeps its patterns' names
    apart.
    """
    return _Picture(figure, identity).svg()
