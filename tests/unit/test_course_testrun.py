"""The summary of several pytest runs: honest about what failed, what did not end, and what ran nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from labhelpers.course.testrun import Counts, Part, Runner, read_report


def runner(tmp_path: Path) -> tuple[Runner, list[str]]:
    (tmp_path / "reports").mkdir()
    lines: list[str] = []
    return Runner(tmp_path, tmp_path / "reports", lines.append), lines


def add_tests(tmp_path: Path, name: str, code: str) -> Part:
    path = tmp_path / f"test_{name}.py"
    path.write_text(code, encoding="utf-8")
    return Part(name, (str(path), "-p", "no:cacheprovider", f"--rootdir={tmp_path}"))


def test_lanes_run_and_counts_add_up(tmp_path):
    run, lines = runner(tmp_path)
    good = add_tests(tmp_path, "good", "def test_a(): pass\ndef test_b(): pass\n")
    bad = add_tests(
        tmp_path,
        "bad",
        "import pytest\ndef test_c(): assert 0\ndef test_d(): pytest.skip('no')\ndef test_e(nothing): pass\n",
    )
    total = run.run([[good], [bad]])
    assert (total.passed, total.failed, total.errors, total.skipped) == (2, 1, 1, 1)
    assert not total.ok
    assert not total.broken
    assert any(line.startswith("[good] ") and "PASSED" in line for line in lines)


def test_what_failed_is_said_again_with_its_reason(tmp_path):
    run, _ = runner(tmp_path)
    code = "def test_c():\n    found = 3\n    assert found == 4, 'not four'\ndef test_e(nothing): pass\n"
    failed, broken = run.run([[add_tests(tmp_path, "bad", code)]]).failures
    assert str(failed).startswith("FAILED test_bad::test_c\n")
    assert "not four" in failed.reason
    assert broken.test == "test_bad::test_e"
    assert "fixture 'nothing' not found" in broken.reason


def test_a_run_that_dies_is_broken_even_if_its_tests_passed(tmp_path):
    run, _ = runner(tmp_path)
    dying = add_tests(tmp_path, "dying", "import os\ndef test_a(): pass\ndef test_b(): os._exit(0)\n")
    total = run.run([[dying]])
    assert total.broken == ("dying",)
    assert not total.ok


def test_a_status_that_the_counts_do_not_explain_is_broken(tmp_path):
    run, _ = runner(tmp_path)
    part = add_tests(tmp_path, "odd", "def test_a(): pass\n")
    (tmp_path / "conftest.py").write_text("def pytest_sessionfinish(session): session.exitstatus = 3\n")
    total = run.run([[part]])
    assert total.passed == 1
    assert total.broken == ("odd",)


def test_a_part_that_could_not_be_run_is_broken_and_the_next_one_runs(tmp_path, monkeypatch):
    run, _ = runner(tmp_path)
    [first, then] = [add_tests(tmp_path, name, "def test_a(): pass\n") for name in ("first", "then")]
    whole = run._part

    def part(asked):
        if asked is first:
            raise OSError(12, "Cannot allocate memory")
        return whole(asked)

    monkeypatch.setattr(run, "_part", part)
    total = run.run([[first, then]])
    assert (total.broken, total.passed, total.ok) == (("first",), 1, False)


def test_nothing_to_run_is_a_failure_unless_a_selection_was_asked_for(tmp_path):
    run, _ = runner(tmp_path)
    empty = add_tests(tmp_path, "empty", "")
    assert not run.run([[empty]]).ok
    selected = Part("selected", (*empty.arguments, "-k", "nothing"), may_be_empty=True)
    assert run._part(selected) == Counts()
    assert not Counts().ok


def test_parts_of_a_lane_run_in_order_with_their_environment(tmp_path):
    run, _ = runner(tmp_path)
    first = add_tests(tmp_path, "first", "import pathlib\ndef test_a(): pathlib.Path('mark').touch()\n")
    then = add_tests(
        tmp_path,
        "then",
        "import os, pathlib\ndef test_a(): assert pathlib.Path('mark').exists() and os.environ['HERE'] == 'x'\n",
    )
    assert run.run([[first, Part("then", then.arguments, {"HERE": "x"})]]).ok


def test_a_lane_begins_where_one_has_ended(tmp_path):
    run, _ = runner(tmp_path)
    first = add_tests(tmp_path, "first", "import pathlib\ndef test_a(): pathlib.Path('mark').touch()\n")
    then = add_tests(tmp_path, "then", "import pathlib\ndef test_a(): assert pathlib.Path('mark').exists()\n")
    assert run.run([[first], [], [then]], at_once=1).ok


@pytest.mark.parametrize(
    ("counts", "seconds", "line"),
    [
        (Counts(passed=3), 4.2, r"=+ 3 passed in 4\.20s =+"),
        (
            Counts(passed=1, failed=2, skipped=4, errors=1, broken=("x",)),
            3725,
            r"=+ 2 failed, 1 passed, 4 skipped, 2 errors in 3725\.00s \(1:02:05\) =+",
        ),
        (Counts(), 1, r"=+ no tests ran in 1\.00s =+"),
    ],
)
def test_closing_line_is_pytests(counts, seconds, line):
    assert re.fullmatch(line, counts.line(seconds))


def test_a_missing_or_cut_report_is_broken(tmp_path):
    assert read_report(tmp_path / "none.xml", "part").broken == ("part",)
    (tmp_path / "cut.xml").write_text("<testsuites><testsuite tests='3'")
    assert read_report(tmp_path / "cut.xml", "part").broken == ("part",)
