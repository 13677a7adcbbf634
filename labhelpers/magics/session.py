"""What a notebook remembers between its cells: the lab, the chapter, predictions, hints given, steps passed.

None of it is ever asked whether a step is done: the checks look at the nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import labhelpers
from labhelpers.errors import LabAbsent

if TYPE_CHECKING:
    from labhelpers.lab import Lab
    from labhelpers.widgets.prediction import Prediction


@dataclass(slots=True)
class Session:
    """One kernel's memory."""

    chapter: str | None = None
    predictions: dict[str, Prediction] = field(default_factory=dict)
    hints_given: dict[str, int] = field(default_factory=dict)
    passed: dict[str, set[str]] = field(default_factory=dict)

    def lab(self) -> Lab:
        """The lab that ``%chapter`` opened, or else the default one, opened now. Raises :class:`LabAbsent`."""
        return labhelpers.current_lab()

    def lab_name(self) -> str:
        """The name of that lab. It need not be there: ``%%host`` can build it."""
        try:
            return self.lab().topology.lab
        except LabAbsent as absent:
            return absent.lab
