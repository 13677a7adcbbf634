"""The two notebooks of a chapter, without outputs and the same bytes each time.

``notebooks/en/05_switchover.ipynb`` and ``notebooks/fr/05_switchover.ipynb`` are generated and committed; a
check generates them again and names those that differ. A link at each section, and the navigation at the end,
lead to the same place in the other language: both notebooks give the same identity to the same cell, and
JupyterLab follows ``#cell-id=…``. French prose gets its no-break spaces here (:mod:`labhelpers.course.typography`).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labhelpers.course.kernels import KERNELS
from labhelpers.course.source import Cell, Chapter
from labhelpers.course.typography import french
from labhelpers.i18n import LANGUAGES, Language

NAVIGATION_ID = "navigation"
PREVIOUS: dict[Language, str] = {"en": "Previous", "fr": "Précédent"}
NEXT: dict[Language, str] = {"en": "Next", "fr": "Suivant"}


def other(language: Language) -> Language:
    return "fr" if language == "en" else "en"


def notebook_json(chapter: Chapter, language: Language, course: Sequence[Chapter]) -> str:
    """The chapter's notebook in that language; ``course`` is all chapters in order, for the links."""
    import nbformat

    cells = [_notebook_cell(chapter, cell, language) for cell in chapter.cells_in(language)]
    cells.append(_markdown(NAVIGATION_ID, _navigation(chapter, language, course), {"tags": ["navigation"]}))
    notebook = nbformat.from_dict(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {
                "kernelspec": {
                    "name": KERNELS[language].name,
                    "display_name": KERNELS[language].display_name,
                    "language": "python",
                },
                "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
                "workshop": {
                    "chapter": chapter.number,
                    "language": language,
                    "title": chapter.title[language],
                    "minutes": chapter.minutes,
                },
            },
            "cells": cells,
        }
    )
    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def _notebook_cell(chapter: Chapter, cell: Cell, language: Language) -> dict[str, Any]:
    metadata = {name: value for name, value in cell.metadata.items() if name != "anchor"}
    text = french(cell.text) if cell.lang == "fr" else cell.text
    if cell.kind == "code":
        return {
            "cell_type": "code",
            "id": cell.id,
            "metadata": metadata,
            "source": text,
            "outputs": [],
            "execution_count": None,
        }
    if cell.heading_level in (1, 2):
        text = f"{_language_switch(chapter, cell, language)}\n\n{text}"
    return _markdown(cell.id, text, metadata)


def _markdown(identity: str, text: str, metadata: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": identity, "metadata": metadata, "source": text}


def _link(chapter: Chapter, language: Language, cell_id: str) -> str:
    return f"../{language}/{chapter.name}.ipynb#cell-id={cell_id}"


def _language_switch(chapter: Chapter, cell: Cell, language: Language) -> str:
    """A small link above a section's heading, so that it is not part of the table of contents."""
    there = other(language)
    return (
        f'<div align="right"><small><a href="{_link(chapter, there, cell.id)}">'
        f"{KERNELS[there].display_name}</a></small></div>"
    )


def _navigation(chapter: Chapter, language: Language, course: Sequence[Chapter]) -> str:
    names = [one.name for one in course]
    here = names.index(chapter.name)
    there = other(language)
    links = []
    if here > 0:
        before = course[here - 1]
        links.append(f"← {PREVIOUS[language]}: [{before.number} {before.title[language]}]({before.name}.ipynb)")
    links.append(f"[{KERNELS[there].display_name}]({_link(chapter, there, NAVIGATION_ID)})")
    if here + 1 < len(course):
        after = course[here + 1]
        links.append(f"{NEXT[language]}: [{after.number} {after.title[language]}]({after.name}.ipynb) →")
    text = "---\n\n" + " &nbsp;·&nbsp; ".join(links)
    return french(text.replace(": [", " : [")) if language == "fr" else text


def generate(course: Sequence[Chapter], directory: Path) -> list[Path]:
    """Writes all notebooks, removes those whose source is gone, and returns the paths that changed."""
    wanted = _wanted(course, directory)
    changed = [path for path, text in wanted.items() if _text_of(path) != text]
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, wanted[path])
    orphans = _orphans(wanted, directory)
    for path in orphans:
        path.unlink()
    return sorted([*changed, *orphans])


def differences(course: Sequence[Chapter], directory: Path) -> list[Path]:
    """The notebooks that :func:`generate` would write or remove."""
    wanted = _wanted(course, directory)
    return sorted([path for path, text in wanted.items() if _text_of(path) != text] + _orphans(wanted, directory))


def _wanted(course: Sequence[Chapter], directory: Path) -> dict[Path, str]:
    return {
        directory / language / f"{chapter.name}.ipynb": notebook_json(chapter, language, course)
        for chapter in course
        for language in LANGUAGES
    }


def _orphans(wanted: dict[Path, str], directory: Path) -> list[Path]:
    present = [path for language in LANGUAGES for path in (directory / language).glob("*.ipynb")]
    return [path for path in present if path not in wanted]


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _write_whole(path: Path, text: str) -> None:
    """In one step, so that an interruption leaves the old file or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
