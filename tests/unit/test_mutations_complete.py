"""Every check is tried with a wrong state, or stands in a list with the reason why it is not."""

from __future__ import annotations

from labhelpers.checks import chapters, checks_of
from tests.mutations.catalogue import CASES, WITHOUT_A_CASE

NEEDED = 40
CHECKS = {check.name for chapter in [*chapters(), "start"] for check in checks_of(chapter)}
TRIED = {case.check for case in CASES if not case.is_right}


def test_every_check_has_a_wrong_state_or_a_reason() -> None:
    assert set(WITHOUT_A_CASE) == CHECKS - TRIED


def test_cases_name_checks_that_there_are() -> None:
    assert {case.check for case in CASES} <= CHECKS


def test_there_are_enough_cases_and_each_has_its_own_name() -> None:
    assert sum(not case.is_right for case in CASES) >= NEEDED
    assert len({case.name for case in CASES}) == len(CASES)


def test_every_chapter_with_a_wrong_state_has_one_in_the_tests_that_ci_runs() -> None:
    assert {case.check.split(".")[0] for case in CASES if case.fast} == {check.split(".")[0] for check in TRIED}
