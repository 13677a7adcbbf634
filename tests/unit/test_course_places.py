"""A batch keeps what it finds in the lab, and not what it left there itself."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from labhelpers.course.places import LabPlaces
from labhelpers.course.saves import Arrival
from labhelpers.errors import LabError
from tests.unit.test_saves_records import SAVE


class ScriptedStates:
    """Puts the lab nowhere; ``kept`` has, for each chapter, whether what was there was to be kept."""

    def __init__(self, *failing: str) -> None:
        self.failing, self.kept = failing, []

    def prepare(self, lab: Any, chapter: str, *, progress: Callable[..., None], keep: bool) -> Arrival:
        self.kept.append((chapter, keep))
        if chapter in self.failing:
            raise LabError("the disk is nearly full")
        return Arrival(SAVE, None, 1.0, {})


def prepared(places: LabPlaces, *chapters: str) -> None:
    for number in chapters:
        places.prepare(SimpleNamespace(number=number), lambda text: None)


def places_of(states: ScriptedStates) -> LabPlaces:
    return LabPlaces("test-none", opened=lambda name: SimpleNamespace(close=lambda: None), place=states.prepare)


def test_only_what_was_there_before_the_first_chapter_is_kept() -> None:
    states = ScriptedStates()
    prepared(places_of(states), "03", "05", "03", "05")
    assert states.kept == [("03", True), ("05", False), ("03", False), ("05", False)]


def test_a_chapter_that_starts_anywhere_leaves_a_persons_state() -> None:
    states = ScriptedStates()
    prepared(places_of(states), "99", "05", "06")
    assert states.kept == [("99", True), ("05", True), ("06", False)]


def test_after_a_first_placing_that_failed_it_is_still_a_persons_state() -> None:
    states = ScriptedStates("05")
    places = places_of(states)
    with pytest.raises(LabError):
        prepared(places, "05")
    prepared(places, "06", "07")
    assert states.kept == [("05", True), ("06", True), ("07", False)]
