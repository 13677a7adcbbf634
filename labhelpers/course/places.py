"""Where chapters start from, on a real lab: what a batch asks of :mod:`labhelpers.course.states`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from labhelpers.course import states
from labhelpers.course.outline import lineage, outlines
from labhelpers.course.saves import Arrival
from labhelpers.course.source import Chapter
from labhelpers.course.versions import lab_versions
from labhelpers.errors import LabError
from labhelpers.lab import open_lab

if TYPE_CHECKING:
    from labhelpers.lab import Lab

Say = Callable[[str], None]
Place = Callable[..., Arrival | None]
"""As :func:`labhelpers.course.states.prepare`."""


class LabPlaces:
    """The states of one lab that chapters start from and leave behind, for all runs of an order.

    What is there before the first chapter is put anywhere is a person's: it is kept. What is there later is what this
    order left: kept again and again, it would push a person's own out of the last five automatic saves.
    """

    def __init__(self, name: str, *, opened: Callable[[str], Lab] = open_lab, place: Place = states.prepare) -> None:
        self._name, self._opened, self._place = name, opened, place
        self._is_ours = False

    def prepare(self, chapter: Chapter, say: Say) -> str | None:
        """Put the lab where the chapter starts; how that was done, or None where it was there already."""
        with self._open() as lab:
            arrival = self._place(lab, chapter.number, progress=lambda step, nodes: say(step), keep=not self._is_ours)
        if not states.starts_anywhere(chapter.number):
            self._is_ours = True
        if arrival is None:
            return None
        say(arrival.describe())
        return arrival.describe()

    def has_checkpoint(self, chapter: Chapter) -> bool:
        """Whether the chapter can start although one that it builds upon failed just now."""
        course = outlines()
        this = next(each for each in course if each.number == chapter.number)
        if this.needs_nothing:
            return True
        with self._open() as lab:
            return states.find_state(lab, lineage(this.number, course)) is not None

    def remember(self, chapter: Chapter, say: Say) -> None:
        """Keep the state that the chapter leaves."""
        with self._open() as lab:
            states.remember(lab, chapter.number, progress=lambda step, nodes: say(step))

    def versions(self) -> dict[str, str]:
        """What is installed on the nodes by now; nothing where the lab can't be asked."""
        try:
            with self._open() as lab:
                return lab_versions(lab)
        except LabError:  # the chapter's own record tells what is wrong with the lab
            return {}

    @contextmanager
    def _open(self) -> Iterator[Lab]:
        lab = self._opened(self._name)
        try:
            yield lab
        finally:
            lab.close()
