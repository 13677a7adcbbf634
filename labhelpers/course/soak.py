"""Several runs of the same order, summed up: failures by cause, and what the outages were over all of them.

The percentiles are by nearest rank: the smallest measured value that at least so many percent of the values do not
exceed. So each is a value that was really measured, also of a few (https://en.wikipedia.org/wiki/Percentile).
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from labhelpers.course.records import ChapterRecord, RunRecord

NUMBERS = re.compile(r"\d+(?:[.,]\d+)?")


@dataclass(frozen=True, slots=True)
class OutageStatistics:
    """One outage of the course over the runs that measured it, in seconds."""

    chapter: str
    name: str
    title: str
    count: int
    least: float
    median: float
    percentile_95: float
    most: float


@dataclass(frozen=True, slots=True)
class Cause:
    """One way to fail."""

    chapter: str
    step: str
    """The failed cell's first line; empty where the chapter did not begin."""
    reason: str
    """Its sentence, each number in it as ``#``: the same cause with other figures is the same."""
    count: int
    runs: tuple[int, ...]
    """Counted from 1."""


@dataclass(frozen=True, slots=True)
class Summary:
    """All runs of an order."""

    planned: int
    runs: tuple[RunRecord, ...]
    outages: tuple[OutageStatistics, ...]
    causes: tuple[Cause, ...]

    @property
    def passed(self) -> bool:
        """Every planned run was made, and passed."""
        return len(self.runs) == self.planned and all(run.passed for run in self.runs)

    def to_json(self) -> dict[str, Any]:
        """Without the chapters, which each run's own report tells."""
        runs = [
            {
                "passed": run.passed,
                "seconds": run.seconds,
                "overhead": run.overhead,
                "started_at": run.started_at,
                "outcomes": {chapter.number: chapter.outcome for chapter in run.chapters},
            }
            for run in self.runs
        ]
        return {
            "passed": self.passed,
            "planned": self.planned,
            "runs": runs,
            "outages": [dataclasses.asdict(each) for each in self.outages],
            "causes": [dataclasses.asdict(each) for each in self.causes],
            "percentiles": "nearest rank",
        }


def summarise(runs: Sequence[RunRecord], planned: int) -> Summary:
    """Sum up the runs that there are of those that were planned."""
    return Summary(planned, tuple(runs), tuple(outage_statistics(runs)), tuple(causes(runs)))


def nearest_rank(values: Iterable[float], percent: float) -> float:
    """The percentile of these values, one of them. Raises ValueError where there are none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    return ordered[max(math.ceil(percent / 100 * len(ordered)), 1) - 1]


def outage_statistics(runs: Sequence[RunRecord]) -> list[OutageStatistics]:
    """In the order of the course."""
    measured: dict[tuple[str, str], list[float]] = {}
    titles: dict[tuple[str, str], str] = {}
    for run in runs:
        for chapter in run.chapters:
            for found in chapter.findings:
                seconds = found.get("seconds")
                if found["kind"] != "outage" or not isinstance(seconds, int | float):
                    continue
                key = (chapter.number, str(found.get("name")))
                measured.setdefault(key, []).append(float(seconds))
                titles.setdefault(key, str(found.get("title") or found.get("name")))
    return [
        OutageStatistics(
            chapter=key[0],
            name=key[1],
            title=titles[key],
            count=len(values),
            least=min(values),
            median=nearest_rank(values, 50),
            percentile_95=nearest_rank(values, 95),
            most=max(values),
        )
        for key, values in sorted(measured.items(), key=lambda item: item[0][0])
    ]


def causes(runs: Sequence[RunRecord]) -> list[Cause]:
    """The most frequent first. What was skipped for another chapter's failure is no cause."""
    counted: Counter[tuple[str, str, str]] = Counter()
    where: dict[tuple[str, str, str], list[int]] = {}
    for number, run in enumerate(runs, start=1):
        for chapter in run.chapters:
            if chapter.outcome == "failed":
                cause = _cause(chapter)
                counted[cause] += 1
                where.setdefault(cause, []).append(number)
    return [Cause(*cause, count=count, runs=tuple(where[cause])) for cause, count in counted.most_common()]


def _cause(chapter: ChapterRecord) -> tuple[str, str, str]:
    step = chapter.failed_cell.first_line if chapter.failed_cell else ""
    return chapter.number, step, NUMBERS.sub("#", chapter.reason or "")
