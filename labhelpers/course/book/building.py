"""The book's directory: made beside its place and put there whole, so that an interruption leaves the old one.

book/index.html            asks for the language
book/en/05_switchover.html
book/assets/               styles, scripts, plotly.js, and one index to search a language
book/book.json             what each page was made from
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from labhelpers.course.book.chapter import render_chapter, terms_of
from labhelpers.course.book.errors import BookNotWritable, NotABook, NothingExecuted
from labhelpers.course.book.executed import Edition, editions, read_notebook
from labhelpers.course.book.pages import chapter_page, contents_page, first_page, search_index
from labhelpers.course.book.words import TITLE
from labhelpers.course.chapters import notebooks_directory, read_course
from labhelpers.i18n import LANGUAGES

ASSETS = Path(__file__).parent / "assets"
MARK = "book.json"
KIND = f"{TITLE}: reading edition"


@dataclass(frozen=True, slots=True)
class Book:
    """A book that was made."""

    directory: Path
    editions: tuple[Edition, ...]
    unreadable: tuple[Path, ...]
    """Notebooks that were passed over."""


def build_book(
    sources: Sequence[Path],
    output: Path,
    *,
    notebooks: Path | None = None,
    on_page: Callable[[Edition, int, int], None] = lambda edition, position, total: None,
) -> Book:
    """Makes the book in ``output`` from the executed notebooks below ``sources``.

    ``notebooks`` is another ``notebooks/`` than the clone's. ``on_page`` is told each page as it begins: which of how
    many, from 1.

    Raises:
        NothingExecuted: no chapter was executed, in neither language.
        NotABook: ``output`` holds something that is no book of ours.
        BookNotWritable: ``output`` can't be made.
    """
    notebooks = notebooks or notebooks_directory()
    output = output.absolute()
    _require_ours(output)
    found, unreadable = editions(read_course(notebooks), sources, notebooks)
    if not any(edition.executed_at for edition in found):
        raise NothingExecuted(sources)
    making = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        making.mkdir(parents=True)
        try:
            _write(making, found, on_page)
            _put(making, output)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    except OSError as error:
        raise BookNotWritable(output, error.strerror or str(error)) from error
    return Book(output, tuple(found), tuple(unreadable))


def _require_ours(output: Path) -> None:
    try:
        ours = _is_free(output) or _is_book(output)
    except OSError as error:
        raise BookNotWritable(output, error.strerror or str(error)) from error
    if not ours:
        raise NotABook(output)


def _is_free(output: Path) -> bool:
    if output.is_symlink():
        return False
    return not output.exists() or (output.is_dir() and not any(output.iterdir()))


def _is_book(output: Path) -> bool:
    if output.is_symlink() or not output.is_dir():
        return False
    try:
        mark = json.loads((output / MARK).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    return isinstance(mark, dict) and mark.get("kind") == KIND


def _write(directory: Path, found: Sequence[Edition], on_page: Callable[[Edition, int, int], None]) -> None:
    assets = directory / "assets"
    shutil.copytree(ASSETS, assets)
    (assets / "plotly.min.js").write_text(_plotly(), encoding="utf-8")
    position = 0
    for language in LANGUAGES:
        mine = [edition for edition in found if edition.language == language]
        pages = directory / language
        pages.mkdir()
        # The glossary is the last chapter; the others link their new words to it.
        glossary = mine[-1]
        terms = terms_of(read_notebook(glossary.notebook))
        chapters = []
        for edition in mine:
            position += 1
            on_page(edition, position, len(found))
            notebook = read_notebook(edition.notebook)
            chapter = render_chapter(notebook, language, edition.page, terms, glossary.page)
            (pages / edition.page).write_text(chapter_page(edition, chapter, mine), encoding="utf-8")
            chapters.append((edition, chapter))
        (pages / "index.html").write_text(contents_page(mine), encoding="utf-8")
        (assets / f"index-{language}.js").write_text(search_index(chapters), encoding="utf-8")
    (directory / "index.html").write_text(first_page(), encoding="utf-8")
    (directory / MARK).write_text(_mark(found), encoding="utf-8")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _mark(found: Sequence[Edition]) -> str:
    made_of = [
        {
            "chapter": edition.chapter.name,
            "language": edition.language,
            "state": edition.state,
            "executed_at": edition.executed_at,
        }
        for edition in found
    ]
    return json.dumps({"kind": KIND, "pages": made_of}, indent=1) + "\n"


def _put(made: Path, output: Path) -> None:
    old = made.with_name(f"{made.name}.old")
    try:
        with suppress(FileNotFoundError):
            output.rename(old)
        made.rename(output)
    finally:
        if old.exists() and not output.exists():  # an interrupt between the two: the old book is there again
            old.rename(output)
        shutil.rmtree(old, ignore_errors=True)
