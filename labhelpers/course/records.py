"""What a batch leaves behind, as values: one record a cell, a chapter and a run. Times are in seconds.

``report.json`` is a run's record; it is read back where a run is resumed, and where several are summed up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from labhelpers.course.overhead import overhead
from labhelpers.i18n import Language

Outcome = Literal["passed", "failed", "skipped", "interrupted", "not run"]


@dataclass(frozen=True, slots=True)
class CellRecord:
    """One code cell that was to be executed."""

    id: str
    index: int
    """Among the code cells of its notebook, from 1."""
    first_line: str
    outcome: Outcome
    seconds: float | None
    """None: it did not begin, or did not end."""
    reason: str | None = None
    """The sentence of its failure."""


@dataclass(frozen=True, slots=True)
class ChapterRecord:
    """One notebook of the batch."""

    number: str
    name: str
    title: str
    language: Language
    outcome: Outcome
    seconds: float
    started_at: str | None
    """ISO 8601, local time with offset; None: it did not start."""
    cells: tuple[CellRecord, ...] = ()
    reason: str | None = None
    """Why it failed or was skipped: one sentence."""
    notebook: str | None = None
    """The executed notebook, relative to the report."""
    log: str | None = None
    """The whole of the failure, relative to the report."""
    findings: tuple[dict[str, Any], ...] = ()
    """What its outputs told (:mod:`labhelpers.course.collect`): checks, outages and whatever comes."""
    checkpoint: str | None = None
    """How the lab was put where the chapter starts; None: it was there, as the chapter before had left it."""
    waited_seconds: float | None = None
    """Of ``seconds``, those that the lab took (:mod:`labhelpers.course.overhead`); None: not measured."""

    @property
    def failed_cell(self) -> CellRecord | None:
        return next((cell for cell in self.cells if cell.outcome in ("failed", "interrupted")), None)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A whole batch."""

    lab: str
    language: Language
    started_at: str
    seconds: float
    chapters: tuple[ChapterRecord, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    """Of this machine's software."""
    lab_versions: dict[str, str] = field(default_factory=dict)
    """Of the nodes' software."""
    packages: dict[str, str] = field(default_factory=dict)
    """Of the Python environment."""
    waited_seconds: float | None = None
    """Of ``seconds``, those that the lab took; None: not measured."""
    planned: int = 0
    """How many chapters were asked for; while it has fewer, the run goes on, or was cut off."""
    resumed: int = 0
    """How many times it was gone on with."""
    interrupted: bool = False
    """Ctrl-C ended it, in a chapter or between two."""

    @property
    def overhead(self) -> float | None:
        """The run's time over its physical waits."""
        return overhead(self.seconds, self.waited_seconds)

    @property
    def passed(self) -> bool:
        """Every chapter that was asked for passed, and there was at least one."""
        return self.is_complete and all(chapter.outcome == "passed" for chapter in self.chapters)

    @property
    def is_complete(self) -> bool:
        """Every chapter that was asked for has its record."""
        return len(self.chapters) >= max(self.planned, 1)

    def count(self, outcome: Outcome) -> int:
        return sum(chapter.outcome == outcome for chapter in self.chapters)

    def to_json(self) -> dict[str, Any]:
        return {"passed": self.passed, "overhead": self.overhead, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> RunRecord:
        """The inverse of :meth:`to_json`. Raises KeyError or TypeError where it is no such document."""
        chapters = [
            {
                **chapter,
                "cells": tuple(CellRecord(**cell) for cell in chapter["cells"]),
                "findings": tuple(chapter["findings"]),
            }
            for chapter in document["chapters"]
        ]
        fields = {name: value for name, value in document.items() if name not in ("passed", "overhead")}
        return cls(**{**fields, "chapters": tuple(ChapterRecord(**chapter) for chapter in chapters)})
