"""Accounting: each number that a client used is acknowledged, unknown or refused, and only one of these."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labhelpers.observe.accounting import account_for
from labhelpers.observe.records import Attempt, Outcome


def attempt(sequence: int, outcome: Outcome, node: str | None = None, number: int = 1) -> Attempt:
    return Attempt(0.0, 0.1, "app", sequence, number, outcome, node)


def test_acknowledged_and_present_is_not_lost() -> None:
    account = account_for("app", [attempt(1, "acknowledged", "pg-1")], {"pg-2": {"app": {1}}}, "pg-2")
    assert (account.acknowledged, account.lost) == (1, ())
    assert "none lost" in account.sentence()


def test_acknowledged_and_absent_is_lost_and_says_who_acknowledged() -> None:
    attempts = [attempt(n, "acknowledged", "pg-1") for n in (1, 2, 3)]
    account = account_for("app", attempts, {"pg-2": {"app": {1}}, "pg-1": {"app": {1, 2, 3}}}, "pg-2")
    assert account.lost == (2, 3)
    assert account.lost_acknowledged_by == {"pg-1": 2}
    assert account.lost_still_on == {"pg-1": 2}
    assert "2 of them LOST" in account.sentence()


def test_commit_in_flight_is_unknown_not_lost() -> None:
    attempts = [attempt(1, "unknown"), attempt(2, "unknown")]
    account = account_for("app", attempts, {"pg-2": {"app": {2}}}, "pg-2")
    assert account.lost == ()
    assert (account.unknown_present, account.unknown_absent) == (1, 1)


def test_number_refused_then_acknowledged_is_acknowledged() -> None:
    attempts = [attempt(1, "refused"), attempt(1, "refused", number=2), attempt(1, "acknowledged", "pg-2", 3)]
    account = account_for("app", attempts, {"pg-2": {"app": {1}}}, "pg-2")
    assert (account.acknowledged, account.unknown, account.refused_attempts) == (1, 0, 2)


def test_number_refused_to_the_end_is_neither_lost_nor_unknown() -> None:
    account = account_for("app", [attempt(1, "refused")], {"pg-2": {}}, "pg-2")
    assert (account.acknowledged, account.lost, account.unknown, account.refused_attempts) == (0, (), 0, 1)


def test_row_without_an_attempt_does_not_count() -> None:
    account = account_for("app", [], {"pg-2": {"app": {9}}}, "pg-2")
    assert (account.acknowledged, account.unknown) == (0, 0)


def test_other_clients_do_not_count() -> None:
    other = Attempt(0.0, 0.1, "other", 1, 1, "acknowledged", "pg-1")
    assert account_for("app", [other], {"pg-2": {"other": {1}}}, "pg-2").acknowledged == 0


outcomes = st.sampled_from(["acknowledged", "refused", "unknown"])


@given(st.lists(st.tuples(st.integers(1, 20), outcomes)), st.sets(st.integers(1, 25)))
def test_what_was_acknowledged_is_there_or_lost_and_the_rest_is_unknown_or_refused(
    story: list[tuple[int, Outcome]], present: set[int]
) -> None:
    attempts = [attempt(sequence, outcome, "pg-1") for sequence, outcome in story]
    account = account_for("app", attempts, {"pg-2": {"app": present}}, "pg-2")
    acknowledged, unanswered = (
        {sequence for sequence, outcome in story if outcome == wanted} for wanted in ("acknowledged", "unknown")
    )
    assert (account.acknowledged, set(account.lost)) == (len(acknowledged), acknowledged - present)
    unanswered -= acknowledged
    assert (account.unknown, account.unknown_present) == (len(unanswered), len(unanswered & present))
