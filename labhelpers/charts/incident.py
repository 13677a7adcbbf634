"""One figure for an incident: who was what, how far behind, and what a client felt, over one time axis."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from labhelpers.charts.axes import byte_ticks, decades
from labhelpers.charts.bands import Arrays, Window, empty_traces, trace_arrays
from labhelpers.charts.digest import Digest, digest_of
from labhelpers.charts.marks import band_annotations, labels, mark_words, place, shapes
from labhelpers.charts.palette import THEMES, Theme, ThemeName, member_colour
from labhelpers.i18n import bytes_text, number, seconds, tr
from labhelpers.observe.accounting import Account
from labhelpers.observe.outage import Outage, find_fault
from labhelpers.observe.recordings import Recording

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT = 560
LANES_DOMAIN, LAG_DOMAIN, CLIENT_DOMAIN = (0.56, 1.0), (0.36, 0.51), (0.0, 0.31)
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
TITLE_CHARACTERS = 80
LINE_PIXELS = 19.0
"""Of the title."""
MILLISECOND_TICKS = (1, 10, 100, 1000, 10_000, 100_000)
FROZEN_POINTS = 700
TWO_LEADERS_SECONDS = 1.0
"""Less than this may be two looks that were not simultaneous."""


def incident_figure(
    recording: Recording,
    outage: Outage | None = None,
    accounts: Sequence[Account] = (),
    *,
    theme: ThemeName = "both",
    title: str | None = None,
    begin: float | None = None,
    end: float | None = None,
    height: int = HEIGHT,
) -> Figure:
    """The figure of a recording. Its title is the finding in words, unless ``title`` is given.

    ``begin`` and ``end`` (seconds since the recording began) show a part of it.
    """
    from plotly.graph_objects import Figure

    digest = digest_of(recording.records, points=4 * FROZEN_POINTS)
    window = Window(begin or 0.0, end if end is not None else max(digest.end - recording.begin, 1.0))
    colours = THEMES[theme]
    arrays = trace_arrays(digest, window, colours, limit=FROZEN_POINTS, lost=_lost_points(recording, accounts))
    found = title if title is not None else headline(recording, outage, accounts, digest)
    moving = {**moving_layout(digest, window, colours, outage), **title_layout(found, height=height)}
    figure = assembled(digest.members, colours, height, arrays, moving)
    return Figure(data=figure["data"], layout={"template": "none", **figure["layout"]}, skip_invalid=False)


def assembled(
    members: Sequence[str],
    theme: Theme,
    height: int,
    arrays: Sequence[Arrays] | None = None,
    moving: Arrays | None = None,
) -> dict[str, Any]:
    """``data`` and ``layout`` as JSON has them: what never changes, and in it the arrays of every trace and the part of
    the layout that moves. Without those, the axes and the lanes.
    """
    traces = empty_traces(members, theme)
    layout = base_layout(members, theme, height)
    if arrays is not None:
        for trace, its in zip(traces, arrays, strict=True):
            put_all(trace, its)
    put_all(layout, moving or {})
    return {"data": traces, "layout": layout}


def headline(
    recording: Recording, outage: Outage | None, accounts: Sequence[Account], digest: Digest | None = None
) -> str:
    """The finding, in words: what was done, who leads now, how long clients waited, what was lost."""
    fault = find_fault(recording)
    begin = f"{mark_words(fault)}{tr(':', ' :')} " if fault else ""
    said: list[str] = []
    if outage is not None and outage.interrupted:
        waited = outage.client_seconds
        if outage.failed_over and outage.old_leader:
            said.append(
                tr(f"{outage.new_leader} took over from {outage.old_leader}",
                   f"{outage.new_leader} a remplacé {outage.old_leader}")
            )  # fmt: skip
        if waited is None:
            said.append(tr("clients still wait", "les clients attendent encore"))
        else:
            said.append(tr(f"clients waited {seconds(waited)}", f"les clients ont attendu {seconds(waited)}"))
    elif outage is not None and not recording.attempts and recording.keys:
        leader = recording.keys[-1].holder
        said.append(tr(f"{leader or 'nobody'} holds the key", f"{leader or 'personne'} détient le jeton"))
    elif outage is not None and recording.attempts:
        said.append(tr("clients noticed nothing", "les clients n'ont rien vu"))
    two = two_leaders_seconds(digest) if digest is not None else 0.0
    if two >= TWO_LEADERS_SECONDS:
        said.append(
            tr(f"two nodes accepted writes for {seconds(two)}",
               f"deux nœuds ont accepté des écritures pendant {seconds(two)}")
        )  # fmt: skip
    if accounts:
        lost, total = sum(len(a.lost) for a in accounts), sum(a.acknowledged for a in accounts)
        said.append(
            tr(f"{number(lost)} of {number(total)} acknowledged commits lost",
               f"{number(lost)} commit{'s' if lost > 1 else ''} perdu{'s' if lost > 1 else ''} "
               f"sur {number(total)} acquittés")
        )  # fmt: skip
    if not said:
        said.append(tr("nothing was disturbed", "rien n'a été perturbé"))
    whole = begin + tr("; ", " ; ").join(said)
    return whole if fault or whole.startswith("pg") else whole[0].upper() + whole[1:]


def title_layout(text: str, characters: int = TITLE_CHARACTERS, height: int = HEIGHT) -> Arrays:
    """The title, in lines of so many characters at most; Plotly hangs further lines above the first."""
    lines = textwrap.wrap(text, characters)[:3]
    return {
        "title.text": "<br>".join(lines),
        "title.y": round(0.985 - LINE_PIXELS / height * max(len(lines) - 1, 0), 3),
    }


def two_leaders_seconds(digest: Digest) -> float:
    """For how long two members accepted writes at once, as the lanes show it."""
    edges: list[tuple[float, int]] = []
    for lane in digest.lanes.values():
        for stretch in lane.stretches:
            if stretch.what in ("leader", "writable"):
                edges += [(stretch.begin, 1), (stretch.end, -1)]
    total, writable, since = 0.0, 0, 0.0
    for at, step in sorted(edges):
        if writable >= 2:
            total += at - since
        writable, since = writable + step, at
    return total


def _lost_points(recording: Recording, accounts: Sequence[Account]) -> list[tuple[float, float]]:
    lost = {(account.client, sequence) for account in accounts for sequence in account.lost}
    return [
        (a.finished, a.seconds * 1000)
        for a in recording.attempts
        if a.outcome == "acknowledged" and (a.client, a.sequence) in lost
    ]


def base_layout(members: Sequence[str], theme: Theme, height: int = HEIGHT) -> dict[str, Any]:
    """The part of the layout that never changes."""
    axis = {"gridcolor": theme.grid, "zeroline": False, "linecolor": theme.grid, "tickfont": {"size": 12}}
    lanes = [_coloured(member, member_colour(member, members)) for member in members] + ["etcd"]
    return {
        "autosize": True, "height": height, "barmode": "overlay", "showlegend": False,
        "paper_bgcolor": theme.background, "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": theme.text},
        "margin": {"l": 74, "r": 18, "t": 92, "b": 44, "pad": 2},
        "title": {"text": "", "x": 0.01, "xanchor": "left", "y": 0.985, "yanchor": "top",
                  "font": {"size": 15, "color": theme.text}},
        "hovermode": "closest", "dragmode": "zoom", "uirevision": "keep",
        "xaxis": {**axis, "anchor": "y3", "ticksuffix": "", "hoverformat": ".2f",
                  "title": {"text": "", "font": {"size": 12}, "standoff": 6}},
        "yaxis": {**axis, "domain": list(LANES_DOMAIN), "range": [len(members) + 0.5, -0.5], "showgrid": False,
                  "tickvals": list(range(len(members) + 1)), "ticktext": lanes, "fixedrange": True,
                  "tickfont": {"size": 13}},
        "yaxis2": {**axis, "domain": list(LAG_DOMAIN), "rangemode": "tozero", "fixedrange": True,
                   "title": {"text": tr("lag", "retard"), "font": {"size": 12}, "standoff": 4}},
        "yaxis3": {**axis, "domain": list(CLIENT_DOMAIN), "type": "log", "fixedrange": True,
                   "tickvals": list(MILLISECOND_TICKS), "ticktext": [_milliseconds(v) for v in MILLISECOND_TICKS],
                   "title": {"text": tr("commit", "commit"), "font": {"size": 12}, "standoff": 4}},
    }  # fmt: skip


def moving_layout(digest: Digest, window: Window, theme: Theme, outage: Outage | None = None) -> Arrays:
    """The part of the layout that follows the data, by Plotly's dotted paths."""
    since = (digest.begin or 0.0) + window.begin
    highest = max((value or 0.0 for series in digest.lag.values() for _, value in series.points(since)), default=0.0)
    ticks = byte_ticks(highest)
    series = [*digest.acknowledged.values(), digest.pinned_acknowledged, digest.refused, digest.unknown]
    values = [value for each in series for _, value in each.points(since) if value is not None]
    low, high = decades(min(values, default=1.0), max(values, default=1000.0))
    return {
        "xaxis.range": [round(window.begin, 2), round(window.end, 2)],
        "xaxis.title.text": tr("seconds since", "secondes depuis") + f" {digest.header.began_at}"
        if digest.header
        else tr("seconds", "secondes"),
        "yaxis2.range": [-ticks[-1] * 0.04, ticks[-1] * 1.06],
        "yaxis2.tickvals": ticks,
        "yaxis2.ticktext": [bytes_text(tick) for tick in ticks],
        "yaxis3.range": [round(low, 2), round(high, 2)],
        "shapes": shapes(digest, window, theme),
        "annotations": place(labels(digest, theme, outage), window) + band_annotations(digest, window, theme),
    }


def _coloured(text: str, colour: str) -> str:
    return f'<b><span style="color:{colour}">{text}</span></b>'


def _milliseconds(value: int) -> str:
    return f"{value} ms" if value < 1000 else f"{value // 1000} s"


def put_all(target: dict[str, Any], values: Arrays) -> None:
    """Set what stands at paths such as ``a.b.c`` in nested dictionaries."""
    for path, value in values.items():
        *parents, last = path.split(".")
        place = target
        for key in parents:
            place = place.setdefault(key, {})
        place[last] = value
