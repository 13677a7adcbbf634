"""The mutations as tests: one or two of each chapter, and with ``workshop test --all`` every one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labhelpers.lab import Lab, open_lab
from labhelpers.lifecycle import destroy, ensure_up
from tests.mutations.case import Case
from tests.mutations.catalogue import CASES
from tests.mutations.course import go_through_the_course
from tests.mutations.runner import try_case

LAB = "test-en"
"""The lab that the English course leaves behind (``workshop test``); otherwise it is made here."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    ensure_up(LAB)
    lab = open_lab(LAB)
    go_through_the_course(lab)
    yield lab
    lab.close()
    destroy(LAB)


@pytest.mark.live
@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name, marks=() if case.fast else pytest.mark.long) for case in CASES],
)
def test_state_is_judged_rightly(lab: Lab, case: Case) -> None:
    outcome = try_case(lab, case)
    assert outcome.caught, outcome.line()
    assert outcome.restored, outcome.line()
