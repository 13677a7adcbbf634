"""Which notebook stands for a chapter in a language: the newest one that was executed to its end.

A run that did not come to its end is taken where there is no whole one, and the generated notebook where there is
none at all; the page says which. A chapter without code needs no run: its text is the clone's.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from labhelpers.course.source import Chapter
from labhelpers.i18n import LANGUAGES, Language

State = Literal["unexecuted", "stopped", "executed"]
ORDER: tuple[State, ...] = ("unexecuted", "stopped", "executed")


@dataclass(frozen=True, slots=True)
class Edition:
    """One chapter in one language, and the notebook that it is made from."""

    chapter: Chapter
    language: Language
    notebook: Path
    state: State
    executed_at: str | None
    """ISO 8601; None: it was not executed, or needs not be."""

    @property
    def page(self) -> str:
        return f"{self.chapter.name}.html"

    @property
    def title(self) -> str:
        return self.chapter.title[self.language]


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    state: State
    at: str

    @property
    def rank(self) -> tuple[int, str]:
        return ORDER.index(self.state), self.at


def editions(
    course: Sequence[Chapter], directories: Iterable[Path], generated: Path
) -> tuple[list[Edition], list[Path]]:
    """Each chapter in each language, and the notebooks that can't be read.

    ``directories`` are searched at any depth; ``generated`` is the clone's ``notebooks/``.
    """
    found, unreadable = _executed(directories)
    return [
        _edition(chapter, language, found.get((chapter.number, language)), generated)
        for language in LANGUAGES
        for chapter in course
    ], unreadable


def _edition(chapter: Chapter, language: Language, found: _Found | None, generated: Path) -> Edition:
    has_code = any(cell.kind == "code" for cell in chapter.cells_in(language))
    if found and has_code:
        return Edition(chapter, language, found.path, found.state, found.at)
    path = generated / language / f"{chapter.name}.ipynb"
    return Edition(chapter, language, path, "unexecuted" if has_code else "executed", None)


def _executed(directories: Iterable[Path]) -> tuple[dict[tuple[str, str], _Found], list[Path]]:
    best: dict[tuple[str, str], _Found] = {}
    unreadable = []
    for path in _notebooks(directories):
        try:
            notebook = read_notebook(path)
        except (OSError, ValueError):
            unreadable.append(path)
            continue
        ours = notebook.metadata.get("workshop", {})
        key = str(ours.get("chapter")), str(ours.get("language"))
        found = _Found(path, state_of(notebook), _executed_at(path, notebook))
        if found.state != "unexecuted" and (key not in best or found.rank > best[key].rank):
            best[key] = found
    return best, unreadable


def _notebooks(directories: Iterable[Path]) -> Iterator[Path]:
    for directory in directories:
        for path in sorted(directory.rglob("*.ipynb")):
            if ".ipynb_checkpoints" not in path.parts:
                yield path


def read_notebook(path: Path) -> Any:
    """The notebook as nbformat's version 4.

    Raises:
        OSError: there is no such file, or it can't be read.
        ValueError: it is no notebook.
    """
    import nbformat
    from nbformat.reader import NotJSONError

    try:
        return nbformat.read(path, as_version=4)
    except (NotJSONError, nbformat.ValidationError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error


def state_of(notebook: Mapping[str, Any]) -> State:
    """``stopped`` where a cell failed, or some were executed and others were not."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and cell["source"].strip()]
    executed = [cell for cell in cells if cell.get("execution_count") is not None]
    if not executed:
        return "unexecuted"
    failed = any(output["output_type"] == "error" for cell in cells for output in cell["outputs"])
    failed = failed or bool(notebook["metadata"].get("papermill", {}).get("exception"))
    return "stopped" if failed or len(executed) < len(cells) else "executed"


def _executed_at(path: Path, notebook: Mapping[str, Any]) -> str:
    ended = notebook["metadata"].get("papermill", {}).get("end_time")
    if ended:
        return str(ended)
    changed = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
    return changed.isoformat()
