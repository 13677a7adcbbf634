"""The account of the time that was waited: what counts, and that simultaneous waits count once."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from labhelpers.course.overhead import seconds_within, waits_in
from labhelpers.errors import UsageProblem
from labhelpers.waiting import WAITS, wait_until


def waits_of(tmp_path: Path, script: str) -> list[tuple[float, float]]:
    """The waits of another process, as a notebook's kernel is one."""
    path = tmp_path / "waits"
    path.touch()
    head = "import threading, time\nfrom labhelpers.waiting import physical_wait, wait_until\n"
    subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(script)], check=True, env={**os.environ, WAITS: str(path)}
    )
    return waits_in(path)


@pytest.mark.parametrize("given", ["fast", "inf", "nan", "0", "-1"])
def test_slowness_that_is_no_number_is_said(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_SLOWNESS", given)
    with pytest.raises(UsageProblem, match="WORKSHOP_SLOWNESS"):
        wait_until(lambda: True, what="nothing", within=1)


def test_a_wait_counts_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    [(begin, end)] = waits_of(
        tmp_path,
        """
        until = time.monotonic() + 0.4
        wait_until(lambda: time.monotonic() > until, what="it", within=5, every=0.05)
        """,
    )
    assert 0.4 <= end - begin < 3


def test_a_wait_in_vain_counts_too(tmp_path: Path) -> None:
    [(begin, end)] = waits_of(
        tmp_path,
        """
        from labhelpers.errors import WaitTimeout
        try:
            wait_until(lambda: False, what="nothing", within=0.2)
        except WaitTimeout:
            pass
        """,
    )
    assert end - begin >= 0.2


def test_waits_side_by_side_and_within_each_other_are_one(tmp_path: Path) -> None:
    [(begin, end)] = waits_of(
        tmp_path,
        """
        both = threading.Barrier(2)
        def wait():
            with physical_wait():
                both.wait()
                with physical_wait():
                    time.sleep(0.3)
                both.wait()
        threads = [threading.Thread(target=wait) for _ in range(2)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        """,
    )
    assert 0.3 <= end - begin < 3


def test_work_between_two_waits_does_not_count(tmp_path: Path) -> None:
    waits = waits_of(
        tmp_path,
        """
        with physical_wait():
            pass
        time.sleep(0.3)
        with physical_wait():
            pass
        """,
    )
    assert len(waits) == 2
    assert sum(end - begin for begin, end in waits) < 0.2


def test_nothing_is_written_where_nobody_asked_and_a_file_that_is_gone_disturbs_nothing(tmp_path: Path) -> None:
    script = "from labhelpers.waiting import physical_wait\nwith physical_wait():\n    pass"
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, WAITS: str(tmp_path / "gone")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("waits", "seconds"),
    [
        ([], 0.0),
        ([(1.0, 2.0), (4.0, 6.0)], 3.0),
        ([(1.0, 4.0), (2.0, 3.0), (3.5, 6.0)], 5.0),  # two processes at once
        ([(-3.0, 1.0), (9.0, 20.0)], 2.0),  # only what is within 0 … 10
        ([(11.0, 12.0)], 0.0),
    ],
)
def test_the_union_of_waits_within_a_span(waits: list[tuple[float, float]], seconds: float) -> None:
    assert seconds_within(waits, 0.0, 10.0) == pytest.approx(seconds)


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "waits"
    path.write_text("1.0 2.0\n3.0 4.0\n5.0", encoding="ascii")
    assert waits_in(path) == [(1.0, 2.0), (3.0, 4.0)]
