"""What each chapter of the course builds upon."""

from __future__ import annotations

import functools

from labhelpers.course.chapters import foundations, read_course


@functools.cache
def course_foundations() -> dict[str, frozenset[str]]:
    """Read once: reading the whole course takes a second of a processor, and every cell asks."""
    return foundations(read_course())
