"""Notices incidents as they come and go, whoever injects them: a button, a cell, a terminal.

The incidents' journal is a directory; a look at its time of change costs nothing, and only a change is read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labhelpers.incidents.catalogue import CATALOGUE
from labhelpers.incidents.journal import Entry, Journal
from labhelpers.prediction import Prediction, Timing

if TYPE_CHECKING:
    from labhelpers.lab import Lab


class IncidentFollower:
    """``look`` calls ``began`` with each new entry of the journal, once more when its act was done, and ``ended`` with
    the id of each that has gone.
    """

    def __init__(
        self,
        directory: Path,
        read: Callable[[], Iterable[Any]],
        began: Callable[[Any], None],
        ended: Callable[[str], None],
    ) -> None:
        self._directory = directory
        self._read = read
        self._began = began
        self._ended = ended
        self._changed_at: int | None = None
        self._changed_seen = 0.0
        self._running: dict[str, float | None] = {}
        """By id, when the act was done; None: not yet."""

    def look(self) -> None:
        try:
            changed_at: int | None = os.stat(self._directory).st_mtime_ns  # noqa: PTH116 - twenty times a second
        except OSError:
            changed_at = None
        now = time.monotonic()
        if changed_at == self._changed_at and now - self._changed_seen > 0.5:
            return  # a second change within the clock's grain is caught by looking on for a while
        if changed_at != self._changed_at:
            self._changed_at, self._changed_seen = changed_at, now
        entries = {str(entry.id): entry for entry in self._read()} if changed_at is not None else {}
        for identity in [known for known in self._running if known not in entries]:
            del self._running[identity]
            self._ended(identity)
        for identity, entry in entries.items():
            if identity not in self._running or self._running[identity] != entry.acted_monotonic:
                self._running[identity] = entry.acted_monotonic
                self._began(entry)


def journal_entries(lab: Lab) -> Iterable[Entry]:
    """What the lab's journal of incidents holds now."""
    return Journal(lab.paths.journal).entries()


def declared_prediction(kind: str, timing: Timing) -> Prediction | None:
    """What the incidents' catalogue declares for this kind; None for what it does not know."""
    declared = CATALOGUE.get(kind)
    return None if declared is None else declared.prediction(timing)


def labels_of(kind: str, nodes: Sequence[str], en: str, fr: str) -> tuple[str, str]:
    """What is written on the axis: what was given, else the catalogue's title and the nodes.

    A freeze is left to the figure's own words, "pg-1 frozen": they are shorter than a title.
    """
    declared = CATALOGUE.get(kind)
    if en or declared is None or kind.endswith("-frozen") or kind.startswith(("dcs-", "etcd-")):
        return en, fr
    return f"{' '.join(nodes)}: {declared.title.en}", f"{' '.join(nodes)} : {declared.title.fr}"
