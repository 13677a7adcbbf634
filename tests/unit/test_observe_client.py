"""The client: what it believes, at which pace, and that it never outlives who started it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from labhelpers.observe.client import InDoubt, Orders, Pace, Refused, classify, create_table, one_line
from labhelpers.observe.recordings import Follower
from labhelpers.observe.records import Attempt
from labhelpers.waiting import wait_until

NOBODY = "host=127.0.0.1 port=1 dbname=app user=app connect_timeout=2"


@pytest.mark.parametrize("sqlstate", ["25006", "57P03", "53300", "42501"])
def test_servers_clear_no_is_refused(sqlstate: str) -> None:
    assert isinstance(classify(sqlstate, "no"), Refused)


@pytest.mark.parametrize("sqlstate", ["57P01", "08006", None])
def test_broken_connection_leaves_a_doubt(sqlstate: str | None) -> None:
    assert isinstance(classify(sqlstate, "terminating connection"), InDoubt)


def test_orders_come_back_from_their_line() -> None:
    orders = Orders("app-1", NOBODY, {"10.0.3.201": "pg-1"}, "journal", "pg-1", 50.0, None)
    assert Orders.from_line(orders.to_line()) == orders


def test_long_error_becomes_one_short_line() -> None:
    assert one_line('connection failed:\n- host: "pg-1": \n  session is read-only\n') == "session is read-only"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("labhelpers.observe.client.time", clock)
    return clock


def test_pace_is_steady_whatever_a_commit_takes(clock: Clock) -> None:
    pace = Pace(100.0)
    begun: list[float] = []
    for turn in range(30):
        clock.now += pace.wait_seconds()
        begun.append(clock.now)
        clock.now += (turn % 3) * 0.004
    assert [later - earlier for earlier, later in pairwise(begun)] == pytest.approx([0.01] * 29)


def test_client_that_was_held_up_does_not_burst(clock: Clock) -> None:
    pace = Pace(100.0)
    assert pace.wait_seconds() == 0
    clock.now += 0.2
    assert pace.wait_seconds() == 0
    assert pace.wait_seconds() == pytest.approx(0.01)


def test_table_is_made_only_where_it_is_missing() -> None:
    assert create_table("journal").startswith("create table if not exists journal")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A client that nobody answers, writing its log to a file."""
    log = tmp_path / "log.jsonl"
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "labhelpers.observe.client"],
            stdin=subprocess.PIPE, stdout=file, cwd=Path(__file__).parents[2],
        )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(Orders("app-1", NOBODY, {}, "journal").to_line().encode())
    process.stdin.flush()
    yield process, log
    process.stdin.close()
    process.kill()
    process.wait()


def attempts(log: Path) -> list[Attempt]:
    return [record for record in Follower(log).records() if isinstance(record, Attempt)]


def test_refused_number_is_tried_again_under_the_same_number(client: tuple[subprocess.Popen[bytes], Path]) -> None:
    _, log = client
    seen = wait_until(lambda: attempts(log) if len(attempts(log)) >= 3 else None, what="three attempts", within=20)
    assert {attempt.outcome for attempt in seen} == {"refused"}
    assert {attempt.sequence for attempt in seen} == {1}
    assert [attempt.attempt for attempt in seen[:3]] == [1, 2, 3]


def test_client_ends_when_its_standard_input_closes(client: tuple[subprocess.Popen[bytes], Path]) -> None:
    process, log = client
    wait_until(lambda: attempts(log), what="a first attempt", within=20)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(10) == 0


def test_attempts_are_on_this_machines_monotonic_clock(client: tuple[subprocess.Popen[bytes], Path]) -> None:
    begin = time.monotonic()
    _, log = client
    first = wait_until(lambda: attempts(log), what="a first attempt", within=20)[0]
    assert begin - 5 <= first.at <= first.finished <= time.monotonic()
