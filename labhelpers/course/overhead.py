"""What a batch costs beside the lab's own time.

The lab's time is what :func:`labhelpers.waiting.physical_wait` accounts for, in the batch and in its kernels: waits,
and commands on the nodes and on this machine. What is left is ours: kernels that start, imports, figures, saves of
notebooks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labhelpers.waiting import WAITS

HIGHEST_OVERHEAD = 1.15
"""What a batch may take at most, as a multiple of what it waits."""

Wait = tuple[float, float]
"""Begin and end, in monotonic seconds."""


def waits_in(path: Path) -> list[Wait]:
    """The waits in a file; a last line that was cut off is left out."""
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    pairs = [line.split() for line in lines]
    return [(float(pair[0]), float(pair[1])) for pair in pairs if len(pair) == 2]


def seconds_within(waits: Iterable[Wait], begin: float, end: float) -> float:
    """How much of that span at least one process waited."""
    total, reached = 0.0, begin
    for began, ended in sorted(waits):
        began, ended = max(began, reached), min(ended, end)
        if ended > began:
            total += ended - began
            reached = ended
    return total


def overhead(seconds: float, waited_seconds: float | None) -> float | None:
    """The whole over the waits, both in seconds; None where nothing was waited for."""
    return seconds / waited_seconds if waited_seconds else None


@contextmanager
def accounted(path: Path) -> Iterator[Path]:
    """Waits of this process and of those that it starts are written to that file, which goes at the end."""
    before = os.environ.get(WAITS)
    path.write_text("", encoding="ascii")
    os.environ[WAITS] = str(path.resolve())
    try:
        yield path
    finally:
        if before is None:
            del os.environ[WAITS]
        else:
            os.environ[WAITS] = before
        path.unlink(missing_ok=True)
