"""Each chapter of the practical part has something for the trainee to do, and a check that tells whether it is done."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from labhelpers.checks import find_check
from labhelpers.course.source import Chapter, read_chapter

SOURCES = Path(__file__).parents[2] / "notebooks" / "src"
FIRST, GLOSSARY = "03", "99"
CHAPTERS = [
    chapter
    for chapter in map(read_chapter, sorted(SOURCES.glob("[0-9][0-9]_*.md")))
    if chapter.number >= FIRST and chapter.number != GLOSSARY
]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.number)
def test_a_chapter_has_an_empty_cell_and_a_folded_solution_that_a_check_judges(chapter: Chapter) -> None:
    code = [cell for cell in chapter.cells if cell.kind == "code"]
    names = []
    for exercise, solution in pairwise(code):
        if "exercise" in exercise.metadata.get("tags", []) and "solution" in solution.metadata.get("tags", []):
            assert not exercise.text.strip()
            magic, name = solution.text.split(None, 2)[:2]
            assert magic == "%%solution"
            names.append(name)
    assert names
    for name in names:
        assert find_check(name).chapter == chapter.number
