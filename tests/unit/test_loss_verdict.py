"""What the loss benchmark accepts, and what it must not."""

from __future__ import annotations

import pytest

from benchmarks.loss import ASYNCHRONOUS, CONTROL, SYNCHRONOUS, Failover, Mode, Row, verdict


def row(mode: Mode, acknowledged: int, lost: int) -> Row:
    return Row(mode, [Failover(acknowledged, lost, 3, 22.0)], 60.0)


def test_asynchronous_may_lose_and_synchronous_may_not() -> None:
    assert verdict([row(CONTROL, 10, 5), row(ASYNCHRONOUS, 100, 2), row(SYNCHRONOUS, 100, 0)], 100) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [(row(SYNCHRONOUS, 100, 1), "lost 1"), (row(CONTROL, 100, 0), "would not be seen"),
     (row(ASYNCHRONOUS, 99, 0), "only 99")],
)  # fmt: skip
def test_a_loss_a_blind_control_and_too_few_commits_are_told(wrong: Row, said: str) -> None:
    [problem] = verdict([wrong], 100)
    assert said in problem


def test_table_has_the_middle_and_the_late_outage() -> None:
    many = Row(ASYNCHRONOUS, [Failover(1000, 0, 1, float(seconds)) for seconds in range(1, 21)], 120.0)
    assert many.to_markdown() == "| asynchronous | 20 | 20,000 | 0 | 20 | 10.5 s | 19.0 s | 2.0 min |"
