"""Several runs summed up: the statistics of outages, and failures by cause."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labhelpers.course.order import Order
from labhelpers.course.records import CellRecord, ChapterRecord, RunRecord
from labhelpers.course.report import write_summary
from labhelpers.course.soak import nearest_rank, summarise


def chapter(outcome="passed", seconds=None, reason=None, step="%watch pg-1", number="07") -> ChapterRecord:
    found = () if seconds is None else ({"kind": "outage", "name": "07-freeze", "title": "Freeze", "seconds": seconds},)
    cells = (CellRecord("a", 1, step, outcome, 1.0, reason),)
    return ChapterRecord(number, f"{number}_x", "x", "en", outcome, 1.0, "2026-01-01T00:00:00+00:00", cells, reason,
                         findings=found)  # fmt: skip


def run(*chapters: ChapterRecord) -> RunRecord:
    return RunRecord("test-none", "en", "2026-01-01T00:00:00+00:00", 60.0, chapters, waited_seconds=50.0)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([15, 20, 35, 40, 50], 30, 20),  # the example of https://en.wikipedia.org/wiki/Percentile
        ([15, 20, 35, 40, 50], 40, 20),
        ([15, 20, 35, 40, 50], 50, 35),
        ([15, 20, 35, 40, 50], 100, 50),
        ([3.5], 95, 3.5),
        (list(range(1, 101)), 95, 95),
        (list(range(20, 0, -1)), 95, 19),
        ([1, 2, 3, 4], 0, 1),
    ],
)
def test_percentile_is_the_nearest_rank(values, percent, expected):
    assert nearest_rank(values, percent) == expected


def test_no_values_have_no_percentile():
    with pytest.raises(ValueError, match="no values"):
        nearest_rank([], 50)


def test_outages_of_the_same_name_are_counted_over_the_runs():
    [outage] = summarise([run(chapter(seconds=s)) for s in (31.0, 29.0, 35.0)], planned=3).outages
    assert (outage.count, outage.least, outage.median, outage.percentile_95, outage.most) == (3, 29, 31, 35, 35)
    assert (outage.chapter, outage.name, outage.title) == ("07", "07-freeze", "Freeze")


def test_an_outage_that_did_not_end_is_no_measure():
    found = {"kind": "outage", "name": "x", "seconds": None}
    record = ChapterRecord("07", "07_x", "x", "en", "passed", 1.0, None, findings=(found,))
    assert summarise([run(record)], planned=1).outages == ()


def test_the_same_cause_with_other_figures_is_one_and_the_most_frequent_comes_first():
    late = [run(chapter("failed", reason=f"WaitTimeout: no leader within {s} s")) for s in (40, 41.5)]
    other = run(chapter("failed", reason="CommandFailed: pg-1", step="%%on pg-1"))
    first, second = summarise([other, *late, run(chapter())], planned=4).causes
    assert (first.count, first.runs, first.reason) == (2, (2, 3), "WaitTimeout: no leader within # s")
    assert (second.count, second.runs, second.step) == (1, (1,), "%%on pg-1")


def test_what_was_skipped_is_no_cause():
    assert summarise([run(chapter("skipped", reason="it builds upon 04"))], planned=1).causes == ()


def test_runs_that_were_not_made_are_not_passed():
    assert not summarise([run(chapter())], planned=2).passed
    assert summarise([run(chapter()), run(chapter())], planned=2).passed


def test_summary_is_written_as_page_and_document(tmp_path: Path):
    runs = [run(chapter(seconds=30.0)), run(chapter("failed", reason="<b> 7 s"))]
    order = Order("test-none", "fr", ("07_x",), {"ttl": 20}, repeat=2)
    write_summary(summarise(runs, 2), order, tmp_path)
    document = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert document["passed"] is False and document["outages"][0]["median"] == 30.0
    assert document["causes"][0]["reason"] == "<b> # s" and document["percentiles"] == "nearest rank"
    page = (tmp_path / "summary.html").read_text(encoding="utf-8")
    assert "30,0 s" in page and "run-2/report.html" in page and "&lt;b&gt; #" in page and "1,20 ×" in page
