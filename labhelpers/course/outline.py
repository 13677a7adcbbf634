"""What a chapter's start depends on: the chapters that it builds upon, and their code.

Read from the sources without parsing them as notebooks: a ``goto`` has no time for that. Prose, and cells that are text
in both languages, change nothing on a node.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from labhelpers.course.chapters import ChapterFile, chapter_files
from labhelpers.course.source import TEXT_MAGICS

FIRST_THAT_CHANGES = "03"
"""The chapters before it look at the nodes, and start from fresh ones, as it does itself."""

CODE_CELL = re.compile(r"^(?P<fence>`{3,})\{code-cell\}[^\n]*\n(?P<code>.*?)^(?P=fence)[ \t]*$", re.M | re.S)
OPTION = re.compile(r"\s*:[\w-]+:|\s*---\s*$|\s*$")


@dataclass(frozen=True, slots=True)
class Outline:
    """A chapter as its start sees it."""

    file: ChapterFile
    builds_on: tuple[str, ...] | None
    code: str

    @property
    def number(self) -> str:
        return self.file.number

    @property
    def needs_nothing(self) -> bool:
        """It reads the same in any state of the lab, as a glossary does."""
        return self.builds_on == () and self.number > FIRST_THAT_CHANGES


def outlines(directory: Path | None = None) -> list[Outline]:
    """All chapters in order."""
    return [read_outline(file) for file in chapter_files(directory)]


def read_outline(file: ChapterFile) -> Outline:
    about = file.source.stat()
    builds_on, code = _read(file.source, about.st_mtime_ns, about.st_size)
    return Outline(file, builds_on, code)


@lru_cache
def _read(path: Path, changed_ns: int, size: int) -> tuple[tuple[str, ...] | None, str]:
    import yaml

    text = path.read_text(encoding="utf-8")
    _, header, body = text.split("---\n", 2)
    named = (yaml.safe_load(header) or {}).get("builds_on")
    builds_on = None
    if named is not None:
        builds_on = tuple(f"{int(each):02d}" for each in (named if isinstance(named, list) else [named]))
    cells = [match["code"] for match in CODE_CELL.finditer(body)]
    return builds_on, "\0".join(cell for cell in cells if not _is_text(cell))


def _is_text(cell: str) -> bool:
    first = next((line for line in cell.splitlines() if not OPTION.match(line)), "")
    return first.startswith(TEXT_MAGICS)


def lineage(number: str, course: Sequence[Outline]) -> tuple[Outline, ...]:
    """The chapters whose code makes the state that this chapter starts from, in order; none: fresh nodes."""
    direct: dict[str, tuple[str, ...]] = {}
    before: str | None = None
    for chapter in course:
        alone = (before,) if before else ()
        direct[chapter.number] = alone if chapter.builds_on is None else chapter.builds_on
        before = chapter.number
    needed: set[str] = set()
    waiting = list(direct.get(number, ()))
    while waiting:
        each = waiting.pop()
        if each not in needed:
            needed.add(each)
            waiting += direct.get(each, ())
    return tuple(c for c in course if c.number in needed and c.number >= FIRST_THAT_CHANGES)


def digest(chain: Sequence[Outline]) -> str:
    """Names the state that these chapters leave: another one as soon as their code is another."""
    text = "\0\0".join(f"{chapter.number}\0{chapter.code}" for chapter in chain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
