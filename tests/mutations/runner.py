"""Makes the cases one after another, and says how many were caught."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labhelpers.checks import CheckResult, run_check
from labhelpers.errors import LabError, WaitTimeout
from labhelpers.lab import Lab
from labhelpers.magics.checkview import SHOWN_FINDINGS, merged
from labhelpers.waiting import wait_until
from tests.mutations.case import Case

SEEN_WITHIN = 45.0
"""Seconds for a state to show: Patroni's loop takes ten of them, and a check looks more than once."""
WELL_WITHIN = 120.0
"""Seconds for the lab to be well again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case. ``said`` are the findings, as ``key@node``."""

    case: Case
    caught: bool
    restored: bool
    said: tuple[str, ...]
    seconds: float
    reason: str = ""

    def line(self) -> str:
        mark = "✓" if self.caught and self.restored else "✗"
        wanted = f"{self.case.key}@{self.case.node or '*'}" if self.case.key else "passes"
        said = ", ".join(self.said) or "passes"
        trouble = f"  {self.reason}" if self.reason else ""
        return f"{mark} {self.case.name:<44} {self.case.check:<18} {wanted:<34} {self.seconds:5.1f} s  {said}{trouble}"


def caught_by(case: Case, result: CheckResult) -> bool:
    """Whether the check says what it must, where a trainee sees it: the kind, the node, what it found, three hints."""
    if case.is_right:
        return result.passed
    return any(
        finding.key == case.key
        and (case.node is None or case.node in finding.node.split())
        and all(
            text.strip() for text in (finding.found, finding.expected, finding.hint, finding.second, finding.command)
        )
        for finding in merged(result.findings)[:SHOWN_FINDINGS]
    )


def try_case(lab: Lab, case: Case) -> Outcome:
    """Make the state, look, undo it, look again. Raises nothing of the lab's."""
    began = time.monotonic()
    last: list[CheckResult] = []
    caught, restored, reason = False, False, ""

    def look() -> CheckResult:
        last[:] = [run_check(lab, case.check)]
        return last[0]

    done = []
    try:
        for step in case.before:
            done.append(step)
            step.do(lab)
        _await_passing(look, WELL_WITHIN)
        for step in case.steps:
            done.append(step)
            step.do(lab)
        wait_until(lambda: caught_by(case, look()), what=case.name, within=SEEN_WITHIN, every=1.0)
        caught = True
    except LabError as error:
        reason = _short(error)
    said = tuple(sorted({f"{finding.key}@{finding.node}" for result in last for finding in result.findings}))
    try:
        for step in reversed(done[len(case.before) :]):
            step.undo(lab)
        _await_passing(look, WELL_WITHIN)
        for step in reversed(done[: len(case.before)]):
            step.undo(lab)
        restored = True
    except LabError as error:
        reason = f"{reason} not restored: {_short(error)}".strip()
    return Outcome(case, caught, restored, said, time.monotonic() - began, reason)


def _await_passing(look: Callable[[], CheckResult], within: float) -> None:
    wait_until(lambda: look().passed, what="the check passes", within=within, every=1.0)


def _short(error: LabError) -> str:
    if isinstance(error, WaitTimeout):
        return f"not within {error.within:g} s"
    return re.sub(r"\s+", " ", str(error))[:160]


def run_cases(lab: Lab, cases: Sequence[Case], say: Callable[[str], None]) -> list[Outcome]:
    """All the cases in order, with a line for each and the figures at the end."""
    outcomes = []
    for case in cases:
        outcomes.append(try_case(lab, case))
        say(outcomes[-1].line())
    say(summary(outcomes))
    return outcomes


def summary(outcomes: Sequence[Outcome]) -> str:
    wrongs = [outcome for outcome in outcomes if not outcome.case.is_right]
    rights = [outcome for outcome in outcomes if outcome.case.is_right]
    return (
        f"Wrong states caught: {sum(outcome.caught for outcome in wrongs)} of {len(wrongs)}. "
        f"Right states, another way, accepted: {sum(outcome.caught for outcome in rights)} of {len(rights)}. "
        f"Restored: {sum(outcome.restored for outcome in outcomes)} of {len(outcomes)}. "
        f"{sum(outcome.seconds for outcome in outcomes) / 60:.1f} minutes."
    )
