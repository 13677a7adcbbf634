"""The leader key's changes as lines of the lab's log of incidents, for whoever watches the panel."""

from __future__ import annotations

from pathlib import Path

from labhelpers.i18n import tr
from labhelpers.incidents.eventlog import say
from labhelpers.observe.records import KeyEvent


class KeyLog:
    """Says who takes the key, and when nobody has it. What is only learnt later (``exact`` is False) is not said."""

    def __init__(self, log_directory: Path) -> None:
        self._log_directory = log_directory
        self._holder: str | None = None

    def add(self, event: KeyEvent) -> None:
        if event.state == "unknown":
            return
        before, self._holder = self._holder, event.holder
        if not event.exact or event.holder == before:
            return
        if event.holder is None:
            say(self._log_directory, tr("leader key gone", "jeton leader disparu"))
        else:
            say(self._log_directory, tr(f"{event.holder} takes the key", f"{event.holder} prend le jeton"))
