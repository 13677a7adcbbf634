"""Each command and each check of the hand-out has a cell of the course that runs it (see `handout.yml`)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from labhelpers.course.chapters import chapter_files
from labhelpers.course.source import read_chapter
from labhelpers.i18n import LANGUAGES

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "notebooks" / "src"
ENTRIES: list[dict[str, Any]] = yaml.safe_load((ROOT / "tests" / "handout.yml").read_text(encoding="utf-8"))


@cache
def source_of(chapter: str) -> Path | None:
    return next(iter(SOURCES.glob(f"{chapter}_*.md")), None)


@cache
def code_of(chapter: str) -> tuple[str, ...]:
    """The chapter's code cells, runs of blanks and line ends counting as one blank."""
    source = source_of(chapter)
    assert source is not None
    return tuple(" ".join(cell.text.split()) for cell in read_chapter(source).cells if cell.kind == "code")


def cells_with(chapter: str, fragments: list[str]) -> list[str]:
    wanted = [" ".join(fragment.split()) for fragment in fragments]
    return [code for code in code_of(chapter) if all(fragment in code for fragment in wanted)]


@pytest.mark.parametrize("entry", ENTRIES, ids=[f"{entry['chapter']} {entry['handout'][:60]}" for entry in ENTRIES])
def test_command_of_the_handout_is_run_by_a_cell(entry: dict[str, Any]) -> None:
    assert source_of(entry["chapter"]) is not None, f"there is no chapter {entry['chapter']}"
    assert cells_with(entry["chapter"], entry["cell"]), (
        f"no code cell of {source_of(entry['chapter'])} holds all of {entry['cell']}"
    )


TYPED_ELSEWHERE = ("%%on", "%%file", "%%sql", "%watch", "%%solution")
"""What is typed in a terminal too, in another form. ``%%host`` is a terminal's own text."""


def cells_without_a_fold(chapter: str) -> list[str]:
    """The first line of each such cell whose text above has no folded ``bash``, in one of the languages."""
    source = source_of(chapter)
    assert source is not None
    missed = []
    for language in LANGUAGES:
        above, is_text = "", False
        for cell in read_chapter(source).cells_in(language):
            if cell.kind == "markdown":
                above, is_text = (above if is_text else "") + cell.text, True
                continue
            is_text = False
            if cell.text.startswith(TYPED_ELSEWHERE) and not re.search(r"<details>.*^```bash$", above, re.M | re.S):
                missed.append(f"{language}: {cell.text.splitlines()[0]}")
    return missed


@pytest.mark.parametrize("chapter", [file.number for file in chapter_files()])
def test_beside_each_magic_stands_what_one_would_type_in_a_terminal(chapter: str) -> None:
    assert cells_without_a_fold(chapter) == []


def test_a_command_that_no_cell_runs_is_missed() -> None:
    assert cells_with("03", ["etcdctl member list -w table"])
    assert not cells_with("03", ["etcdctl member lst"])
    assert not cells_with("03", ["etcdctl member list -w table", "rm -rf ~etcd/default/member"])


def test_each_entry_says_what_and_where() -> None:
    for entry in ENTRIES:
        assert set(entry) <= {"handout", "chapter", "cell", "today"}, entry
        assert entry["handout"] and entry["cell"] and isinstance(entry["chapter"], str), entry
    assert len({(entry["chapter"], entry["handout"]) for entry in ENTRIES}) == len(ENTRIES)
