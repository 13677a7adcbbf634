"""What is said beside the text: the key's changes as lines of the log, and where a chart goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from labhelpers.incidents.eventlog import tail
from labhelpers.observe import stage
from labhelpers.observe.key_log import KeyLog
from labhelpers.observe.records import KeyEvent


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_LANGUAGE", "en")


def told(directory: Path) -> list[str]:
    return [line.partition(" ")[2] for line in tail(directory, 20)]


def test_key_that_goes_and_is_taken_is_told(tmp_path: Path) -> None:
    log = KeyLog(tmp_path)
    for event in (
        KeyEvent(1.0, "held", "pg-1", exact=False), KeyEvent(2.0, "absent"), KeyEvent(3.0, "held", "pg-2"),
    ):  # fmt: skip
        log.add(event)
    assert told(tmp_path) == ["leader key gone", "pg-2 takes the key"]


def test_key_that_nobody_could_read_for_a_while_is_no_event(tmp_path: Path) -> None:
    log = KeyLog(tmp_path)
    for event in (
        KeyEvent(1.0, "held", "pg-1", exact=False), KeyEvent(2.0, "unknown"), KeyEvent(3.0, "held", "pg-1"),
    ):  # fmt: skip
        log.add(event)
    assert told(tmp_path) == []


def test_chart_goes_to_the_place_that_was_offered_last() -> None:
    first, second = [], []
    stage.offer_place("test-stage", first.append)
    stage.offer_place("test-stage", second.append)
    stage.withdraw_place("test-stage", first.append)
    place = stage.place_of("test-stage")
    assert place is not None
    place("chart")
    stage.withdraw_place("test-stage", second.append)
    assert (first, second, stage.place_of("test-stage")) == ([], ["chart"], None)
