"""A batch's record as ``report.html``, which needs no other file and no network, and ``report.json``; the same of
several runs as ``summary.html`` and ``summary.json``.

Charts are drawn by plotly.js, which is in the page once: 4.6 MB, for charts that answer a mouse.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labhelpers.course.order import REPORT, Order, write_through
from labhelpers.course.overhead import HIGHEST_OVERHEAD
from labhelpers.course.records import ChapterRecord, RunRecord
from labhelpers.course.reportcharts import charts_of
from labhelpers.course.reportwords import MARKS, OUTCOMES, WORDS
from labhelpers.i18n import Language, decimal, duration

if TYPE_CHECKING:
    from jinja2 import Environment

    from labhelpers.course.soak import Summary

LOG_CHARACTERS = 12_000
"""The end of a failure's log that the page holds; the file beside it has all."""
DEFAULTS = {
    "title": None, "name": None, "seconds": None, "layers": None, "passed": False, "findings": (), "predicted": None,
    "measured": None, "as_predicted": None, "lost": None, "acknowledged": None,
}  # fmt: skip


def write_report(record: RunRecord, directory: Path) -> None:
    """``report.json`` and ``report.html`` in that directory, each replaced in one step."""
    write_through(directory / "report.html", report_html(record, directory))
    # The last: what is in it will not be run again.
    write_through(directory / REPORT, json.dumps(record.to_json(), indent=1, ensure_ascii=False, default=str) + "\n")


def write_summary(summary: Summary, order: Order, directory: Path) -> None:
    """``summary.json`` and ``summary.html`` in that directory, above the runs' own reports."""
    names = [each.name for each in order.directories(directory)]
    page = (
        _environment(order.language)
        .get_template("summary.html.j2")
        .render(summary=summary, order=order, directories=names)
    )
    write_through(directory / "summary.json", json.dumps(summary.to_json(), indent=1, ensure_ascii=False) + "\n")
    write_through(directory / "summary.html", page)


def report_html(record: RunRecord, directory: Path) -> str:
    """The page of that record, in the language of the run; charts and logs are read in ``directory``."""
    outages = [(c, found) for c, found in _of_kind(record, "outage") if isinstance(found["seconds"], int | float)]
    checks = list(_of_kind(record, "check"))
    drawn = [(c, charts_of(directory / c.notebook)) for c in record.chapters if c.notebook]
    charts = [(chapter, its) for chapter, its in drawn if its]
    return (
        _environment(record.language)
        .get_template("report.html.j2")
        .render(
            run=record,
            marks=MARKS,
            started=_moment(record.started_at, record.language),
            outages=outages,
            longest=max([found["seconds"] for _, found in outages], default=0) or 1.0,
            checks=checks,
            of_chapter=lambda pairs, chapter: [found for its, found in pairs if its is chapter],
            charts=charts,
            plotly=_plotly() if charts else "",
            logs=[(c, _end_of(directory / c.log)) for c in record.chapters if c.log and (directory / c.log).exists()],
        )
    )


def counts(record: RunRecord) -> str:
    """``5 passed, 1 failed``, in the language of the run."""
    words = OUTCOMES[record.language]
    return ", ".join(f"{record.count(outcome)} {words[outcome]}" for outcome in words if record.count(outcome))


@cache
def _environment(language: Language) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("labhelpers.course", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        auto_reload=False,  # the clone may be brought up to date during a long run
    )  # fmt: skip
    environment.globals.update(
        language=language,
        words=WORDS[language],
        duration=partial(duration, of=language),
        short=lambda seconds: f"{decimal(seconds, of=language)} s",
        decimal=lambda value, digits: decimal(value, digits, language),
        moment=lambda text: _moment(text, language),
        highest_overhead=HIGHEST_OVERHEAD,
        reached=lambda overhead: "✓" if overhead <= HIGHEST_OVERHEAD else "✗",
    )
    return environment


def _moment(text: str, language: Language) -> str:
    """``2026-11-24 03:04``, and as the French write it."""
    at = datetime.datetime.fromisoformat(text)
    return at.strftime("%d/%m/%Y %H:%M" if language == "fr" else "%Y-%m-%d %H:%M")


def _of_kind(record: RunRecord, kind: str) -> Iterator[tuple[ChapterRecord, dict[str, Any]]]:
    """What a notebook tells has the keys that it has; the page asks for more than it must have."""
    return ((c, {**DEFAULTS, **found}) for c in record.chapters for found in c.findings if found["kind"] == kind)


def _end_of(log: Path) -> str:
    text = log.read_text(encoding="utf-8")
    return text if len(text) <= LOG_CHARACTERS else f"…{text[-LOG_CHARACTERS:]}"


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())
