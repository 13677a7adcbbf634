"""Series whose memory is bounded: an hour of points becomes a few hundred that look the same.

The invariant: the number of points never exceeds the limit, the extremes of each stretch of time survive, and
adding a point costs the same in the first second as in the last.
"""

from __future__ import annotations

from collections.abc import Iterable


class Thinned:
    """Points (time, value) in order of time; a value of None is a hole in the line.

    When the limit is reached, what is older than ``kept_seconds`` goes, the time that is left is cut into bins, and
    each bin keeps its lowest and its highest point (of a line) or one of its points and the highest where it stands
    out (of ``dots``).
    """

    def __init__(self, limit: int = 800, *, dots: bool = False, kept_seconds: float = float("inf")) -> None:
        self.limit = limit
        self._kept_seconds = kept_seconds
        self._thin = scattered if dots else thin
        self._points: list[tuple[float, float | None]] = []
        self._last_time = float("-inf")

    def add(self, at: float, value: float | None) -> None:
        if value is None and (not self._points or self._points[-1][1] is None):
            return
        at = max(at, self._last_time)
        self._last_time = at
        self._points.append((at, value))
        if len(self._points) > self.limit:
            self._points = self._thin(self.points(at - self._kept_seconds), self.limit // 2)

    def points(self, since: float | None = None) -> list[tuple[float, float | None]]:
        if since is None:
            return list(self._points)
        return [point for point in self._points if point[0] >= since]

    def __len__(self) -> int:
        return len(self._points)

    def __bool__(self) -> bool:
        return bool(self._points)


def thin(points: list[tuple[float, float | None]], limit: int) -> list[tuple[float, float | None]]:
    """At most ``limit`` points: the lowest and the highest of each bin of time, and its holes."""
    if len(points) <= limit:
        return list(points)
    bins = max(limit // 3, 1)
    first, last = points[0][0], points[-1][0]
    width = (last - first) / bins or 1.0
    kept: list[tuple[float, float | None]] = []
    for group in _grouped(points, first, width, bins):
        valued = [(at, value) for at, value in group if value is not None]
        hole = next((point for point in group if point[1] is None), None)
        if valued:
            low, high = min(valued, key=lambda p: p[1]), max(valued, key=lambda p: p[1])
            chosen: list[tuple[float, float | None]] = [low] if low == high else [low, high]
            if hole is not None:
                chosen.append(hole)
            kept.extend(sorted(chosen, key=lambda p: p[0]))
        elif hole is not None:
            kept.append(hole)
    return kept


def scattered(points: list[tuple[float, float | None]], limit: int) -> list[tuple[float, float | None]]:
    """At most ``limit`` points for a cloud of dots: evenly taken, and every bin's highest where it stands
    out.
    """
    if len(points) <= limit:
        return list(points)
    bins = max(limit // 2, 1)
    kept: list[tuple[float, float | None]] = []
    first, last = points[0][0], points[-1][0]
    for group in _grouped(points, first, (last - first) / bins or 1.0, bins):
        if not group:
            continue
        middle = group[len(group) // 2]
        highest = max(group, key=lambda point: point[1] or 0.0)
        stands_out = (highest[1] or 0.0) > 2 * (middle[1] or 0.0)
        kept.extend(sorted({middle, highest} if stands_out else {middle}))
    return kept


def _grouped(
    points: Iterable[tuple[float, float | None]], first: float, width: float, bins: int
) -> list[list[tuple[float, float | None]]]:
    groups: list[list[tuple[float, float | None]]] = [[] for _ in range(bins)]
    for point in points:
        groups[min(int((point[0] - first) / width), bins - 1)].append(point)
    return groups
