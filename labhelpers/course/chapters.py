"""Which chapters there are: whatever lies in ``notebooks/src``. Their number is known nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import labhelpers
from labhelpers.course.errors import NotebooksMissing, SourceError, SourceErrors, UnknownChapter
from labhelpers.course.source import FILE_NAME, Chapter, read_chapter
from labhelpers.i18n import Language


def clone_root() -> Path:
    """The directory of the clone that this package runs from."""
    return Path(labhelpers.__file__).resolve().parent.parent


def notebooks_directory() -> Path:
    """``notebooks/`` of the clone.

    Raises:
        NotebooksMissing: the package was installed without its clone.
    """
    directory = clone_root() / "notebooks"
    if not (directory / "src").is_dir():
        raise NotebooksMissing(directory / "src")
    return directory


@dataclass(frozen=True, slots=True)
class ChapterFile:
    """A chapter by its file's name alone; what is in it is read when it is needed."""

    number: str
    name: str
    source: Path

    def notebook(self, language: Language) -> Path:
        return self.source.parent.parent / language / f"{self.name}.ipynb"


def chapter_files(directory: Path | None = None) -> list[ChapterFile]:
    """All chapters in order; ``directory`` is another ``notebooks/`` than the clone's."""
    directory = directory or notebooks_directory()
    found = []
    for path in sorted((directory / "src").glob("*.md")):
        match = FILE_NAME.fullmatch(path.name)
        if match:
            found.append(ChapterFile(match["number"], path.stem, path))
    return found


def chapter_numbers() -> list[str]:
    """The numbers of the chapters that there are; none where the package has no clone."""
    try:
        return [file.number for file in chapter_files()]
    except NotebooksMissing:
        return []


def choose(names: Iterable[str], files: Sequence[ChapterFile]) -> list[ChapterFile]:
    """The chapters of those numbers (``5``, ``05``) or names (``05_switchover``), in order; all if none.

    Raises:
        UnknownChapter: with the numbers that there are.
    """
    chosen: set[str] = set()
    for name in names:
        number = f"{int(name):02d}" if re.fullmatch(r"[0-9]{1,2}", name) else None
        matching = [file for file in files if file.name == name or file.number == number]
        if not matching:
            raise UnknownChapter(name, [file.number for file in files])
        chosen.update(file.name for file in matching)
    return [file for file in files if not chosen or file.name in chosen]


def read_course(directory: Path | None = None) -> list[Chapter]:
    """All chapters in order, read and judged.

    Raises:
        SourceErrors: all that is wrong with all of them.
    """
    directory = directory or notebooks_directory()
    chapters: list[Chapter] = []
    errors: list[SourceError] = []
    for path in sorted((directory / "src").glob("*.md")):
        try:
            chapters.append(read_chapter(path))
        except SourceErrors as wrong:
            errors += wrong.errors
    errors += _order_errors(chapters)
    if errors:
        raise SourceErrors(errors)
    return chapters


def _order_errors(chapters: Sequence[Chapter]) -> Iterable[SourceError]:
    before: list[str] = []
    for chapter in chapters:
        if chapter.number in before:
            yield SourceError(chapter.path, 1, f"the number {chapter.number} is another chapter's already")
        for needed in chapter.builds_on or ():
            if needed not in before:
                yield SourceError(chapter.path, 1, f"builds_on names {needed}, which is no chapter before this one")
        before.append(chapter.number)


def foundations(chapters: Sequence[Chapter]) -> dict[str, frozenset[str]]:
    """For each chapter's number, those of all chapters that it builds upon, near and far."""
    result: dict[str, frozenset[str]] = {}
    previous: str | None = None
    for chapter in chapters:
        if chapter.builds_on is not None:
            direct: tuple[str, ...] = chapter.builds_on
        else:
            direct = (previous,) if previous else ()
        far = [result.get(number, frozenset()) for number in direct]
        result[chapter.number] = frozenset(direct).union(*far)
        previous = chapter.number
    return result
