"""The verdict on a cell, and one short sequence of cells; many by ``python -m tests.trials.cells``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labhelpers.lab import Lab, open_lab
from labhelpers.lifecycle import destroy, ensure_up
from tests.trials.cells import (
    CELL_SECONDS,
    Kernel,
    Ran,
    Step,
    Tried,
    arrive,
    code_cells,
    is_different,
    missing_sentence,
    report,
    run_sequence,
)

LAB = "test-seq"


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    kernel = Kernel("test-none")
    yield kernel
    kernel.close()


def test_a_traceback_is_found_and_a_sentence_is_none(kernel: Kernel) -> None:
    """The positive control of every cell's verdict."""
    assert kernel.run("1/0")[0] == "traceback"
    assert kernel.run("%load_ext labhelpers\n1 + 1") == ("result", "")
    assert kernel.run("outage.seconds") == ("sentence", "NameError: name 'outage' is not defined")
    ended, said = kernel.run("%%on pg-1\ntrue")
    assert ended == "sentence" and said.startswith("LabAbsent:")


def test_a_sequence_with_a_traceback_or_a_broken_lab_does_not_pass() -> None:
    well = Tried("05", [Ran("05", 0, "result"), Ran("05", 3, "sentence"), Ran("05", 4, "interrupted")])
    traceback = Tried("05", [Ran("05", 0, "traceback", "ZeroDivisionError: division by zero")])
    broken = Tried("04", [Ran("04", 0, "result")], broken="goto 04: no leader")
    assert [one.passed for one in (well, traceback, broken)] == [True, False, False]
    text = report([well, traceback, broken], 1, 60)
    assert text.startswith("1 of 3 sequences") and "no leader" in text and "05.0T" in text


def test_a_sequence_much_like_an_earlier_one_is_not_run() -> None:
    def steps(*places: int) -> list[Step]:
        return [("04", place, CELL_SECONDS) for place in places]

    assert not is_different(steps(1, 1, 1, 2, 3), [])  # too few cells
    assert is_different(steps(1, 2, 3, 4, 1), [])
    assert is_different(steps(1, 2, 3, 4), [steps(3, 4, 5, 6, 7), steps(1, 2, 8, 9, 7)])
    assert not is_different(steps(1, 2, 3, 4), [steps(9, 8, 7, 6), steps(4, 3, 2, 9)])


def test_fewer_sequences_than_asked_for_are_told() -> None:
    assert missing_sentence(50, 50, 120) == ""
    assert missing_sentence(14, 50, 14) == (
        "✗ Only 14 of the 50 sequences that were asked for ran: the 14 minutes or the draws were up."
    )


@pytest.fixture
def fresh_lab() -> Iterator[Lab]:
    ensure_up(LAB)
    lab = open_lab(LAB)
    yield lab
    lab.close()
    destroy(LAB)


@pytest.mark.live
def test_a_sequence_of_cells_out_of_order_leaves_a_lab_that_goto_brings_back(fresh_lab: Lab) -> None:
    """Before there is an etcd: its restart and its checks. Then its packages, a stop in the middle, and its members."""
    assert arrive(fresh_lab, "03") == ""
    done = run_sequence(fresh_lab, code_cells(), "03", [("03", place, CELL_SECONDS) for place in (10, 3, 1, 3, 12, 16)])
    assert done.passed, done
    assert [one.ended for one in done.ran[1:3]] == ["sentence", "sentence"]
    assert arrive(fresh_lab, "03") == ""
