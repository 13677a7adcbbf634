"""What lies over the bands: incidents, changes of the leader, the prediction, and the bracket of the outage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labhelpers.charts.axes import PIXELS_A_CHARACTER
from labhelpers.charts.bands import Window
from labhelpers.charts.digest import SEEN, Digest
from labhelpers.charts.palette import RED, Theme, member_colour
from labhelpers.i18n import in_seconds, language, tr
from labhelpers.observe.outage import Outage
from labhelpers.observe.records import Mark

LABEL_ROWS = 2
LABEL_SIZE = 12
FOR_EVER_SECONDS = 1e6
BRACKET_AT, BRACKET_TEXT_AT = 0.60, 0.47
"""Height of the bracket and of its words in the client's band, 0 to 1."""
SHOWN_GAPS = 6


@dataclass(frozen=True, slots=True)
class Label:
    """A word above the lanes, at a time (seconds since the recording's beginning)."""

    at: float
    text: str
    colour: str


def mark_words(mark: Mark) -> str:
    """``pg-1 frozen``, from the mark's own label where it has one, else from what it is."""
    label = mark.label_fr if language() == "fr" and mark.label_fr else mark.label_en
    if label:
        return label
    nodes = " ".join(mark.nodes)
    if mark.what.startswith(SEEN) or "frozen" in mark.what or mark.what.startswith(("dcs", "etcd")):
        stopped = mark.what == f"{SEEN}stopped"
        plural = "s" if len(mark.nodes) > 1 else ""
        state = tr("stopped", f"arrêté{plural}") if stopped else tr("frozen", f"gelé{plural}")
        return f"{nodes} {state}"
    return f"{nodes}: {mark.what}" if nodes else mark.what


def _end_words(mark: Mark) -> str:
    frozen = "frozen" in mark_words(mark) or "gelé" in mark_words(mark)
    return tr("thawed", "dégelé") if frozen else tr("healed", "réparé")


def labels(digest: Digest, theme: Theme, outage: Outage | None = None) -> list[Label]:
    """What is written above the lanes, in order of time. The key's seconds count from the incident before."""
    begin = digest.begin or 0.0
    members = digest.members
    marks = digest.shown_marks()
    found: list[Label] = []
    for mark in marks:
        found.append(Label(mark.at - begin, mark_words(mark), theme.faint))
        if mark.until is not None:
            found.append(Label(mark.until - begin, _end_words(mark), theme.faint))

    def after(at: float) -> str:
        faults = [mark.at for mark in marks if mark.is_incident and mark.at <= at]
        return f" {in_seconds(at - max(faults))}" if faults else ""

    for stretch in digest.key.stretches:
        if stretch.what == "absent":
            text = tr("key gone", "jeton perdu") + after(stretch.begin)
            found.append(Label(stretch.begin - begin, text, RED))
    for at, holder in digest.key.changes:
        leads = at
        if outage is not None and outage.new_leader == holder and outage.promoted_at is not None:
            leads = outage.promoted_at if outage.promoted_at >= at - 1 else at
        text = tr(f"{holder} leads", f"{holder} leader") + after(leads)
        found.append(Label(leads - begin, text, member_colour(holder, members)))
    return sorted(found, key=lambda label: label.at)


def place(found: list[Label], window: Window) -> list[dict[str, Any]]:
    """The labels as annotations, moved to an upper row where they would touch; what finds no room is left
    out.
    """
    occupied = [window.begin - window.span] * LABEL_ROWS
    annotations: list[dict[str, Any]] = []
    for label in found:
        if not window.begin <= label.at <= window.end:
            continue
        width = (len(label.text) * PIXELS_A_CHARACTER + 10) * window.span / window.pixels
        right_edge = label.at + width > window.end + window.span * 0.02
        left = label.at - width if right_edge else label.at
        row = next((r for r in range(LABEL_ROWS) if occupied[r] <= left), None)
        if row is None:
            continue
        occupied[row] = left + width
        annotations.append(
            {
                "x": round(label.at, 2), "xref": "x", "y": 1.0, "yref": "paper", "yshift": 2 + row * 16,
                "xanchor": "right" if right_edge else "left", "yanchor": "bottom", "showarrow": False,
                "text": label.text, "font": {"size": LABEL_SIZE, "color": label.colour},
            }
        )  # fmt: skip
    return annotations


def shapes(digest: Digest, window: Window, theme: Theme) -> list[dict[str, Any]]:
    """Incidents as shaded spans with dashed edges, changes of the leader as lines, predictions as sand."""
    begin = digest.begin or 0.0
    found: list[dict[str, Any]] = []
    for mark in digest.shown_marks():
        start = mark.at - begin
        end = mark.until - begin if mark.until is not None else start + FOR_EVER_SECONDS
        if end < window.begin or start > window.end:
            continue
        found.append(
            {"type": "rect", "xref": "x", "yref": "paper", "x0": round(start, 3), "x1": round(end, 3), "y0": 0,
             "y1": 1, "fillcolor": theme.shade, "line": {"width": 0}, "layer": "below"}
        )  # fmt: skip
        edges = [start] if mark.until is None else [start, end]
        found += [_line(at, theme.faint, "dot", 1.2) for at in edges]
        if mark.low_seconds is not None and mark.high_seconds is not None:
            found.append(
                {"type": "rect", "xref": "x", "yref": "y3 domain", "x0": round(start + mark.low_seconds, 3),
                 "x1": round(start + mark.high_seconds, 3), "y0": 0, "y1": 1, "fillcolor": theme.sand,
                 "line": {"width": 0}, "layer": "below"}
            )  # fmt: skip
    for at, holder in digest.key.changes:
        if window.begin <= at - begin <= window.end:
            found.append(_line(at - begin, member_colour(holder, digest.members), "solid", 1.4))
    for first, last, _ in _gaps(digest):
        found += _bracket(first - begin, last - begin)
    return found


def _line(at: float, colour: str, dash: str, width: float) -> dict[str, Any]:
    return {
        "type": "line", "xref": "x", "yref": "paper", "x0": round(at, 3), "x1": round(at, 3), "y0": 0, "y1": 1,
        "line": {"color": colour, "width": width, "dash": dash}, "layer": "above",
    }  # fmt: skip


def _bracket(first: float, last: float) -> list[dict[str, Any]]:
    def stroke(x0: float, x1: float, y0: float, y1: float) -> dict[str, Any]:
        return {
            "type": "line", "xref": "x", "yref": "y3 domain", "x0": round(x0, 3), "x1": round(x1, 3),
            "y0": y0, "y1": y1, "line": {"color": RED, "width": 2}, "layer": "above",
        }  # fmt: skip

    low, high = BRACKET_AT - 0.05, BRACKET_AT + 0.05
    return [
        stroke(first, last, BRACKET_AT, BRACKET_AT),
        stroke(first, first, low, high),
        stroke(last, last, low, high),
    ]


def _gaps(digest: Digest) -> list[tuple[float, float, bool]]:
    """The client's longest pauses, as (from, to, over)."""
    gaps = [(first, last, True) for first, last in digest.gaps]
    if digest.waiting_since is not None:
        gaps.append((digest.waiting_since, digest.end, False))
    return sorted(sorted(gaps, key=lambda gap: gap[0] - gap[1])[:SHOWN_GAPS])


def band_annotations(digest: Digest, window: Window, theme: Theme) -> list[dict[str, Any]]:
    """The words in the client's band: how long nothing was committed, and what had been predicted."""
    begin = digest.begin or 0.0
    found: list[dict[str, Any]] = []
    for first, last, _over in _gaps(digest):
        start, end = first - begin, last - begin
        if end < window.begin or start > window.end:
            continue
        text = f"<b>{in_seconds(last - first)}</b>" + tr(" without a commit", " sans commit")
        left = max(start, window.begin)
        right_edge = left + (len(text) - 7) * PIXELS_A_CHARACTER * window.span / window.pixels > window.end
        found.append(_words(end if right_edge else left, BRACKET_TEXT_AT, text, RED, right_edge))
    for mark in digest.shown_marks():
        if mark.low_seconds is None or mark.high_seconds is None:
            continue
        at = mark.at - begin + mark.high_seconds
        if not window.begin <= at <= window.end + window.span * 0.3:
            continue
        text = tr("predicted", "prédit") + f" {mark.low_seconds:g}–{mark.high_seconds:g} s"
        width = len(text) * PIXELS_A_CHARACTER * window.span / window.pixels
        right_edge = at + width > window.end
        found.append(_words(min(at, window.end), 0.93, text, theme.sand_text, right_edge))
    return found


def _words(at: float, height: float, text: str, colour: str, right_edge: bool) -> dict[str, Any]:
    return {
        "x": round(at, 2), "xref": "x", "y": height, "yref": "y3 domain", "showarrow": False, "text": text,
        "xanchor": "right" if right_edge else "left", "xshift": -4 if right_edge else 4, "yanchor": "middle",
        "font": {"size": LABEL_SIZE, "color": colour},
    }  # fmt: skip
