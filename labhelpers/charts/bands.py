"""The three bands of an incident's figure, as the arrays of Plotly's traces.

The number and the order of the traces depend on the members alone, so that a live figure only exchanges
arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labhelpers.charts.axes import fits
from labhelpers.charts.digest import Digest
from labhelpers.charts.lanes import Stretch, words
from labhelpers.charts.palette import GREY, RED, Theme, member_colour, rgba
from labhelpers.charts.thinning import scattered, thin
from labhelpers.i18n import in_seconds, tr

Arrays = dict[str, Any]
LANE_WIDTH = 0.64
LINE_WIDTH = 1.8
LABEL_SIZE = 12


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of time that is shown, in seconds since the recording's beginning, and how wide it is
    drawn.
    """

    begin: float
    end: float
    pixels: float = 820.0

    @property
    def span(self) -> float:
        return max(self.end - self.begin, 1e-6)


@dataclass(frozen=True, slots=True)
class Look:
    """How one stretch of a lane is drawn."""

    fill: str
    line: str
    text: str
    pattern: str = ""
    pattern_colour: str = "rgba(0,0,0,0)"


def look_of(what: str, colour: str, theme: Theme) -> Look:
    """Role by fill (and by word): solid leader, pale replica, hatched frozen, patterned while it changes."""
    clear = "rgba(0,0,0,0)"
    match what:
        case "leader":
            return Look(colour, colour, theme.on_solid)
        case "writable":
            return Look(colour, RED, theme.on_solid, "x", "rgba(255,255,255,0.45)")
        case "replica":
            return Look(rgba(colour, theme.pale), rgba(colour, 0.55), theme.text)
        case "promoting":
            return Look(rgba(colour, 0.5), colour, theme.on_solid, "x", "rgba(255,255,255,0.6)")
        case "starting":
            return Look(rgba(colour, 0.12), rgba(colour, 0.7), theme.text, ".", colour)
        case "down":
            return Look(clear, rgba(colour, 0.7), theme.text, ".", theme.hatch)
        case "frozen":
            return Look(clear, theme.hatch, theme.faint, "/", theme.hatch)
        case "unreachable":
            return Look(clear, theme.hatch, theme.faint, "\\", theme.hatch)
        case _:  # stopped
            return Look(clear, theme.hatch, theme.faint)


def key_look(what: str, theme: Theme) -> Look:
    if what == "absent":
        return Look(RED, RED, theme.on_solid)
    if what == "unknown":
        return Look("rgba(0,0,0,0)", theme.hatch, theme.faint, "/", theme.hatch)
    return Look(rgba(GREY, 0.22), rgba(GREY, 0.45), theme.text)


def key_words(stretch: Stretch) -> str:
    if stretch.what == "absent":
        return tr("no leader key", "pas de jeton")
    if stretch.what == "unknown":
        return tr("no majority to ask", "pas de majorité à interroger")
    return tr(f"key: {stretch.note}", f"jeton : {stretch.note}")


def _label(text: str, stretch: Stretch, window: Window) -> str:
    """As much of the text as finds room: all of it, its first word, its timeline, or nothing."""
    parts = text.split(" · ")
    shorter = [" · ".join(parts[:2]), parts[0], next((p for p in parts if p.startswith("TL ")), "")]
    for candidate in (text, *shorter):
        if candidate and fits(candidate, stretch.seconds, window.span, window.pixels, LABEL_SIZE):
            return candidate
    return ""


def lane_arrays(digest: Digest, window: Window, theme: Theme) -> Arrays:
    """The bars of all lanes: the members' from the top, the leader key's at the bottom."""
    rows: list[tuple[int, Stretch, Look, str, str]] = []
    begin = digest.begin or 0.0
    members = digest.members
    since, until = begin + window.begin, begin + window.end
    for row, member in enumerate(members):
        colour = member_colour(member, members)
        for stretch in digest.lanes[member].stretches.between(since, until):
            rows.append((row, stretch, look_of(stretch.what, colour, theme), words(stretch), member))
    for stretch in digest.key.stretches.between(since, until):
        rows.append((len(members), stretch, key_look(stretch.what, theme), key_words(stretch), "etcd"))
    return {
        "y": [row for row, *_ in rows],
        "base": [round(stretch.begin - begin, 3) for _, stretch, *_ in rows],
        "x": [round(max(stretch.seconds, window.span / 2000), 3) for _, stretch, *_ in rows],
        "text": [_label(text, stretch, window) for _, stretch, _, text, _ in rows],
        "hovertext": [
            f"<b>{who}</b> {text}<br>{in_seconds(stretch.begin - begin)} – {in_seconds(stretch.end - begin)}"
            for _, stretch, _, text, who in rows
        ],
        "insidetextfont.color": [look.text for _, _, look, _, _ in rows],
        "marker.color": [look.fill for _, _, look, _, _ in rows],
        "marker.line.color": [look.line for _, _, look, _, _ in rows],
        "marker.pattern.shape": [look.pattern for _, _, look, _, _ in rows],
        "marker.pattern.fgcolor": [look.pattern_colour for _, _, look, _, _ in rows],
    }


def _points(
    points: Sequence[tuple[float, float | None]], begin: float, limit: int, *, dots: bool = True
) -> tuple[list[float], list[float | None]]:
    shown = (scattered if dots else thin)(list(points), limit)
    return [round(at - begin, 2) for at, _ in shown], [None if v is None else round(v, 1) for _, v in shown]


def trace_arrays(
    digest: Digest,
    window: Window,
    theme: Theme,
    *,
    limit: int = 700,
    lost: Sequence[tuple[float, float]] = (),
) -> list[Arrays]:
    """The arrays of every trace, in the order of :func:`empty_traces`."""
    begin = digest.begin or 0.0
    since = begin + window.begin
    arrays = [lane_arrays(digest, window, theme)]
    for member in digest.members:
        x, y = _points(digest.lag[member].points(since), begin, limit, dots=False)
        arrays.append({"x": x, "y": y})
    total = sum(len(series) for series in digest.acknowledged.values()) or 1
    for member in digest.members:
        series = digest.acknowledged.get(member)
        share = int(limit * len(series) / total) + 1 if series else 0
        x, y = _points(series.points(since) if series else (), begin, share)
        arrays.append({"x": x, "y": y})
    for series in (digest.pinned_acknowledged, digest.pinned_refused, digest.refused, digest.unknown):
        x, y = _points(series.points(since), begin, limit // 2)
        arrays.append({"x": x, "y": y})
    arrays.append({"x": [round(at - begin, 2) for at, _ in lost], "y": [round(ms, 1) for _, ms in lost]})
    return arrays


def empty_traces(members: Sequence[str], theme: Theme) -> list[dict[str, Any]]:
    """Every trace with its look, without its points."""
    traces: list[dict[str, Any]] = [
        {
            "type": "bar", "orientation": "h", "xaxis": "x", "yaxis": "y", "width": LANE_WIDTH,
            "textposition": "inside", "insidetextanchor": "start", "textangle": 0, "constraintext": "none",
            "insidetextfont": {"size": LABEL_SIZE}, "hoverinfo": "text", "name": "",
            "marker": {"line": {"width": 1}, "pattern": {"size": 9, "solidity": 0.16, "fillmode": "overlay"}},
        }
    ]  # fmt: skip
    traces += [
        {
            "type": "scatter", "mode": "lines", "name": member, "xaxis": "x", "yaxis": "y2",
            "line": {"color": member_colour(member, members), "width": LINE_WIDTH},
            "hovertemplate": f"<b>{member}</b> %{{y:.3~s}}{tr('B', 'o')}<extra></extra>",
        }
        for member in members
    ]  # fmt: skip
    acknowledged = tr("acknowledged by", "acquitté par")
    traces += [
        _dots(f"{acknowledged} {member}", member_colour(member, members), "circle", 4.5, 0.75) for member in members
    ]
    traces += [
        _dots(
            tr("acknowledged to the pinned client", "acquitté au client épinglé"),
            GREY,
            "diamond-open",
            6,
            0.9,
        ),
        _dots(tr("refused to the pinned client", "refusé au client épinglé"), RED, "x-thin", 4, 0.35, line=1),
        _dots(tr("refused", "refusé"), RED, "x-thin", 8, 1.0, line=1.6),
        _dots(tr("no answer: unknown", "sans réponse : inconnu"), "#C98A00", "circle-open", 9, 1.0, line=1.8),
        _dots(tr("acknowledged and LOST", "acquitté et PERDU"), RED, "diamond", 9, 1.0),
    ]
    return traces


def _dots(name: str, colour: str, symbol: str, size: float, opacity: float, line: float = 1.0) -> dict[str, Any]:
    marker: dict[str, Any] = {"color": colour, "symbol": symbol, "size": size, "opacity": opacity}
    if symbol.endswith(("-thin", "-open")):
        marker["line"] = {"width": line, "color": colour}
    return {
        "type": "scatter", "mode": "markers", "name": name, "xaxis": "x", "yaxis": "y3", "marker": marker,
        "hovertemplate": f"{name}<br>%{{x:.2f}} s, %{{y:.3g}} ms<extra></extra>",
    }  # fmt: skip
