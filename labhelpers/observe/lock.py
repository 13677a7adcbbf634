"""One recording of a lab at a time, whatever the process; the end of a process gives the right back."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from labhelpers.errors import LabError
from labhelpers.i18n import tr


class RecordingUnderWay(LabError):
    """Another recording of this lab runs, here or in another process."""

    def __init__(self, lab: str) -> None:
        super().__init__(
            tr(
                f"A recording of the lab {lab!r} is under way. End it first: rec.stop(), or close its notebook.",
                f"Un enregistrement du lab {lab!r} est en cours. Terminez-le d'abord : rec.stop(), ou fermez "
                "son notebook.",
            )
        )


def take_lock(directory: Path, lab: str) -> int:
    """The right to record this lab, until the descriptor is closed or the process ends.

    Raises :class:`RecordingUnderWay` where somebody has it.
    """
    lock = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise RecordingUnderWay(lab) from error
    return lock
