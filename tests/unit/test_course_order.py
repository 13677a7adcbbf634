"""What a run leaves for ``--resume``: what is still to do, and what is no run at all."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from labhelpers.cli.run import run as run_command
from labhelpers.course.errors import NothingToResume, RunUnderWay
from labhelpers.course.order import (
    Order,
    begin,
    held,
    is_cut_off,
    last_cut_off,
    read_order,
    read_record,
    require_something_to_do,
    write_through,
)
from labhelpers.course.records import ChapterRecord, RunRecord
from labhelpers.course.report import write_report
from labhelpers.errors import UsageProblem

ORDER = Order("test-none", "fr", ("00_a", "01_b"), {"ttl": 20})


def record(*outcomes: str) -> RunRecord:
    chapters = [
        ChapterRecord(name[:2], name, name, "fr", outcome, 1.5, None, findings=({"kind": "check"},))
        for name, outcome in zip(ORDER.chapters, outcomes, strict=False)
    ]
    return RunRecord("test-none", "fr", "2026-01-01T00:00:00+00:00", 3.0, tuple(chapters), waited_seconds=2.0)


def begun(directory: Path, *outcomes: str, order: Order = ORDER) -> Path:
    begin(order, directory)
    if outcomes:
        write_report(record(*outcomes), directory)
    return directory


def test_an_order_and_a_record_are_read_as_they_were_written(tmp_path):
    begun(tmp_path, "passed", "failed")
    assert read_order(tmp_path) == ORDER
    assert read_record(tmp_path) == record("passed", "failed")


@pytest.mark.parametrize(
    ("outcomes", "cut_off"),
    [
        ((), True),
        (("passed",), True),
        (("passed", "interrupted"), True),
        (("interrupted", "not run"), True),
        (("passed", "passed"), False),
        (("failed", "skipped"), False),
    ],
)
def test_a_run_is_cut_off_while_a_chapter_has_no_result_of_its_own(tmp_path, outcomes, cut_off):
    assert is_cut_off(ORDER, read_record(begun(tmp_path, *outcomes))) is cut_off


def test_the_last_run_that_was_cut_off_is_found(tmp_path):
    older = begun(tmp_path / "1", "passed")
    newer = begun(tmp_path / "2", "passed")
    ended = begun(tmp_path / "3", "passed", "failed")
    for age, directory in enumerate((ended, newer, older)):
        os.utime(directory / "order.json", (1000 - age, 1000 - age))
    assert last_cut_off(tmp_path) == newer
    begun(tmp_path / "2", "passed", "passed")
    begun(tmp_path / "1", "passed", "passed")
    with pytest.raises(NothingToResume, match="came to its end"):
        last_cut_off(tmp_path)


def test_a_failure_can_be_resumed_by_name_and_a_success_not(tmp_path):
    require_something_to_do(ORDER, begun(tmp_path / "failed", "passed", "failed"))
    with pytest.raises(NothingToResume, match="every chapter passed"):
        require_something_to_do(ORDER, begun(tmp_path / "passed", "passed", "passed"))


def test_each_run_of_several_has_its_directory_and_the_order_is_cut_off_until_the_last(tmp_path):
    order = dataclasses.replace(ORDER, repeat=12)
    begin(order, tmp_path)
    first, *_, last = order.directories(tmp_path)
    assert (first.name, last.name) == ("run-01", "run-12")
    for each in order.directories(tmp_path)[:-1]:
        write_report(record("passed", "passed"), each)
    require_something_to_do(order, tmp_path)
    write_report(record("passed", "passed"), last)
    with pytest.raises(NothingToResume):
        require_something_to_do(order, tmp_path)


def test_a_new_order_in_the_same_directory_forgets_what_passed_before(tmp_path):
    begun(tmp_path, "passed", "passed")
    begin(ORDER, tmp_path)
    assert read_record(tmp_path) is None


def test_two_processes_never_share_a_run(tmp_path):
    with held(tmp_path), pytest.raises(RunUnderWay, match="still under way"), held(tmp_path):
        pass
    with held(tmp_path):
        pass


def test_a_record_is_replaced_whole(tmp_path):
    write_through(tmp_path / "report.json", "one")
    write_through(tmp_path / "report.json", "two")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert (tmp_path / "report.json").read_text(encoding="utf-8") == "two"


@pytest.mark.parametrize("text", ["", "[]", '{"lab": 1}', '{"chapters": []'])
def test_a_spoilt_order_is_a_sentence(tmp_path, text):
    (tmp_path / "order.json").write_text(text, encoding="utf-8")
    with pytest.raises(UsageProblem, match=r"order\.json can't be read"):
        read_order(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"lab": 1}', '{"chapters": [{}]}'])
def test_a_spoilt_report_is_a_sentence(tmp_path, text):
    begun(tmp_path)
    (tmp_path / "report.json").write_text(text, encoding="utf-8")
    with pytest.raises(UsageProblem, match=r"report\.json can't be read"):
        read_record(tmp_path)


def test_resuming_what_is_no_run_is_wrong_usage(tmp_path):
    done = CliRunner().invoke(run_command, ["--resume", str(tmp_path)])
    assert isinstance(done.exception, NothingToResume) and done.exception.exit_code == 2


@pytest.mark.parametrize("given", [["--repeat", "2"], ["--language", "fr"], ["-p", "ttl", "20"], ["--lab", "test-x"]])
def test_a_resumed_run_takes_no_other_orders(tmp_path, given):
    done = CliRunner().invoke(run_command, ["--resume", str(begun(tmp_path)), *given])
    assert done.exit_code == 2
    assert "leave out" in done.output and given[0] in done.output


def test_an_unknown_parameter_is_told_before_anything_runs(tmp_path):
    done = CliRunner().invoke(run_command, ["06", "-p", "tll", "20", "--output", str(tmp_path / "out")])
    assert isinstance(done.exception, UsageProblem)
    assert not (tmp_path / "out").exists()
