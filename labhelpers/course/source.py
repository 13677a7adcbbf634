"""A chapter's source: one MyST text file, prose in two languages side by side, code once.

    ---
    title: {en: Switchover, fr: Bascule}
    minutes: 30
    builds_on: "04"                     # or a list, or []; without it: the chapter before this one
    ---
    +++ {"lang": "en", "anchor": "first"}
    ## What you will see
    +++ {"lang": "fr"}
    ## Ce que vous verrez
    ```{code-cell} ipython3
    :tags: [solution]
    %chapter 05
    ```

The file is jupytext's (MyST), so that it opens in JupyterLab too. On top of that, a chapter keeps these
rules, so that both languages run the same code by construction; each is an error with file and line:

* every prose cell says its language, by ``+++ {"lang": …}`` (a line ``lang: en`` of its own would be prose);
* an English cell is followed by its French neighbour, at once;
* a code cell has a language only where it is all text (``%%predict``, ``%%markdown``, ``%%html``), and then
  has its neighbour too;
* prose is plain Markdown and HTML: MyST's other directives show raw in JupyterLab;
* an anchor is there once in each language, and in both.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from labhelpers.course.errors import SourceError, SourceErrors
from labhelpers.i18n import LANGUAGES, Language

FILE_NAME = re.compile(r"(?P<number>\d\d)_(?P<slug>[a-z0-9_]+)\.md")
TEXT_MAGICS = ("%%predict", "%%markdown", "%%html")
DIRECTIVE = re.compile(r"^\s*(`{3,}|~{3,}|:{3,})\s*\{(?P<name>[^}]*)\}")
ANCHOR = re.compile(r"""<a\s[^>]*\b(?:id|name)\s*=\s*["'](?P<anchor>[^"']+)["']""")
ANCHOR_RULE = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}")
HEADING = re.compile(r"(?P<level>#{1,6})\s+(?P<text>.+)")
KNOWN_KEYS = {"title", "minutes", "builds_on", "jupytext", "kernelspec", "file_format", "language_info"}

CellKind = Literal["markdown", "code"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a chapter: shared code (``lang`` is None), or one language's text."""

    id: str
    """The same in both notebooks, and for an English cell and its French neighbour."""
    kind: CellKind
    lang: Language | None
    text: str
    metadata: dict[str, Any]
    line: int
    """Where it begins in the source, from 1."""

    @property
    def heading_level(self) -> int | None:
        """1 for ``# Title``, 2 for ``## Section``; None when the cell does not begin with a heading."""
        match = HEADING.match(self.text)
        return len(match["level"]) if match and self.kind == "markdown" else None


@dataclass(frozen=True, slots=True)
class Chapter:
    """One chapter, read from its source and found in order."""

    path: Path
    number: str
    slug: str
    title: dict[Language, str]
    minutes: int | None
    builds_on: tuple[str, ...] | None
    """The chapters whose end this one starts from; None: the chapter before it."""
    cells: tuple[Cell, ...]

    @property
    def name(self) -> str:
        """``05_switchover``: the stem of the source and of both notebooks."""
        return f"{self.number}_{self.slug}"

    def cells_in(self, language: Language) -> Iterator[Cell]:
        return (cell for cell in self.cells if cell.lang in (None, language))


def read_chapter(path: Path) -> Chapter:
    """The chapter in that file.

    Raises:
        SourceErrors: all that is wrong with it, each with file and line.
    """
    return parse_chapter(path, path.read_text(encoding="utf-8"))


def parse_chapter(path: Path, text: str) -> Chapter:
    """The chapter in that text; ``path`` gives its number and the place of its errors.

    Raises:
        SourceErrors: all that is wrong with it.
    """
    named = FILE_NAME.fullmatch(path.name)
    if not named:
        raise SourceErrors([SourceError(path, 1, "a chapter's file is named NN_slug.md, such as 05_switchover.md")])
    errors: list[SourceError] = []
    metadata, raw_cells = _split(path, text)
    title, minutes, builds_on = _header(path, metadata, errors)
    cells = _with_ids(named["number"], raw_cells)
    errors += _language_errors(path, cells)
    errors += _prose_errors(path, text, cells)
    errors += _anchor_errors(path, cells)
    if errors:
        raise SourceErrors(sorted(errors, key=lambda error: error.line))
    return Chapter(
        path=path,
        number=named["number"],
        slug=named["slug"],
        title=title,
        minutes=minutes,
        builds_on=builds_on,
        cells=tuple(cells),
    )


@dataclass(frozen=True, slots=True)
class _RawCell:
    kind: CellKind
    text: str
    metadata: dict[str, Any]
    line: int


def _split(path: Path, text: str) -> tuple[dict[str, Any], list[_RawCell]]:
    """The header and the cells, as jupytext sees them."""
    from jupytext.myst import MystMetadataParsingError, myst_to_notebook

    header, body = _take_header(path, text)
    try:
        notebook = myst_to_notebook(body, add_source_map=True)
    except MystMetadataParsingError as error:
        raise SourceErrors([SourceError(path, _line_of(str(error)), " ".join(str(error).split()))]) from None
    lines = body.splitlines()
    cells = [
        _RawCell(cell.cell_type, cell.source, dict(cell.metadata), _first_text_line(lines, start))
        for cell, start in zip(notebook.cells, notebook.metadata.pop("source_map"), strict=True)
        if cell.source.strip() or cell.cell_type == "code"
    ]
    return header, cells


def _take_header(path: Path, text: str) -> tuple[dict[str, Any], str]:
    """The YAML between the first two lines ``---``, and the text with that many empty lines in its place."""
    import yaml

    lines = text.splitlines()
    if not lines or lines[0].strip() != "---" or "---" not in (line.strip() for line in lines[1:]):
        raise SourceErrors([SourceError(path, 1, "the file begins with a header between two lines ---")])
    end = next(number for number, line in enumerate(lines[1:], start=1) if line.strip() == "---")
    try:
        header = yaml.safe_load("\n".join(lines[1:end]))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark else 1
        why = getattr(error, "problem", None) or "it can't be read"
        raise SourceErrors([SourceError(path, line, f"the header is not YAML: {why}")]) from None
    if not isinstance(header, dict):
        raise SourceErrors([SourceError(path, 1, "the header is a mapping, such as title: {en: …, fr: …}")])
    return header, "\n".join([""] * (end + 1) + lines[end + 1 :])


def _line_of(message: str) -> int:
    found = re.search(r"line (\d+)", message)
    return int(found[1]) if found else 1


def _first_text_line(lines: Sequence[str], start: int) -> int:
    while start < len(lines) and not lines[start].strip():
        start += 1
    return start + 1


def _header(
    path: Path, metadata: dict[str, Any], errors: list[SourceError]
) -> tuple[dict[Language, str], int | None, tuple[str, ...] | None]:
    def wrong(why: str) -> None:
        errors.append(SourceError(path, 1, why))

    title = metadata.get("title")
    titles: dict[Language, str] = {}
    if isinstance(title, dict) and set(title) == set(LANGUAGES) and all(isinstance(t, str) for t in title.values()):
        titles = {language: title[language] for language in LANGUAGES}
    else:
        wrong("the header needs a title in each language: title: {en: …, fr: …}")
    minutes = metadata.get("minutes")
    if minutes is not None and (not isinstance(minutes, int) or minutes <= 0):
        wrong(f"minutes is a whole number of minutes, not {minutes!r}")
    for key in sorted(set(metadata) - KNOWN_KEYS):
        wrong(f"the header has an unknown key {key!r}; it may have title, minutes and builds_on")
    named = metadata.get("builds_on")
    builds_on: tuple[str, ...] | None = None
    if named is not None:
        listed = list(named) if isinstance(named, list | tuple) else [named]
        # YAML reads 04 without quotes as the number 4.
        if all(re.fullmatch(r"\d{1,2}", str(item)) for item in listed):
            builds_on = tuple(f"{int(item):02d}" for item in listed)
        else:
            wrong(f'builds_on is a list of chapter numbers, such as ["04"], not {named!r}')
    return titles, minutes if isinstance(minutes, int) else None, builds_on


def _with_ids(number: str, cells: Sequence[_RawCell]) -> list[Cell]:
    """Identity by content, so that a paragraph added above does not change the cells below it.

    A French cell takes the identity of the English one before it: a link to it then leads to the same place
    in both languages."""
    named: list[Cell] = []
    seen: dict[str, int] = {}
    for cell in cells:
        language = cell.metadata.get("lang")
        before = named[-1] if named else None
        if language == "fr" and before and before.lang == "en" and before.kind == cell.kind:
            identity = before.id
        else:
            key = f"{number}\0{cell.kind}\0{cell.text}"
            seen[key] = seen.get(key, 0) + 1
            digest = hashlib.sha256(f"{key}\0{seen[key]}".encode()).hexdigest()[:12]
            identity = str(cell.metadata.get("anchor") or digest)
        metadata = {name: value for name, value in cell.metadata.items() if name not in ("lang", "anchor")}
        if "hide-input" in metadata.get("tags", []):
            metadata["jupyter"] = {**metadata.get("jupyter", {}), "source_hidden": True}
        if "anchor" in cell.metadata:
            metadata["anchor"] = cell.metadata["anchor"]
        named.append(Cell(identity, cell.kind, language, cell.text, metadata, cell.line))
    return named


def _language_errors(path: Path, cells: Sequence[Cell]) -> Iterator[SourceError]:
    for index, cell in enumerate(cells):
        before = cells[index - 1] if index else None
        after = cells[index + 1] if index + 1 < len(cells) else None
        if cell.lang is None:
            if cell.kind != "code":
                yield SourceError(
                    path,
                    cell.line,
                    'prose without a language: put a line +++ {"lang": "en"} or "fr" before it',
                )
        elif cell.lang not in LANGUAGES:
            yield SourceError(path, cell.line, f'the language {cell.lang!r} is neither "en" nor "fr"')
        elif cell.kind == "code" and not cell.text.startswith(TEXT_MAGICS):
            yield SourceError(
                path,
                cell.line,
                f"code is the same in both languages; only a cell of {', '.join(TEXT_MAGICS)} may have one",
            )
        elif cell.lang == "en" and not (after and after.lang == "fr" and after.kind == cell.kind):
            yield SourceError(path, cell.line, "this English cell is not followed by its French neighbour")
        elif cell.lang == "fr" and not (before and before.lang == "en" and before.kind == cell.kind):
            yield SourceError(path, cell.line, "this French cell does not follow its English neighbour")


def _prose_errors(path: Path, text: str, cells: Sequence[Cell]) -> Iterator[SourceError]:
    lines = text.splitlines()
    for cell in cells:
        if cell.kind == "code":
            continue
        for offset in range(len(cell.text.splitlines())):
            at = cell.line - 1 + offset
            found = DIRECTIVE.match(lines[at]) if at < len(lines) else None
            if found:
                yield SourceError(
                    path,
                    at + 1,
                    f"the directive {{{found['name']}}} shows raw in JupyterLab: use plain Markdown or"
                    " <details> (and a code-cell begins at the margin)",
                )


def _anchor_errors(path: Path, cells: Sequence[Cell]) -> Iterator[SourceError]:
    seen: dict[tuple[str, Language], int] = {}
    for cell in cells:
        anchors = ANCHOR.findall(cell.text) if cell.kind == "markdown" else []
        explicit = cell.metadata.get("anchor")
        if explicit is not None:
            if not isinstance(explicit, str) or not ANCHOR_RULE.fullmatch(explicit):
                yield SourceError(
                    path,
                    cell.line,
                    f"an anchor is made of lower-case letters, digits, - and _, not {explicit!r}",
                )
                continue
            anchors.append(explicit)
        for anchor in anchors:
            for language in [cell.lang] if cell.lang else LANGUAGES:
                if (anchor, language) in seen:
                    first = seen[anchor, language]
                    yield SourceError(path, cell.line, f"the anchor {anchor!r} is already at line {first}")
                else:
                    seen[anchor, language] = cell.line
    named = {cell.metadata["anchor"] for cell in cells if isinstance(cell.metadata.get("anchor"), str)}
    for (anchor, language), line in seen.items():
        other: Language = "fr" if language == "en" else "en"
        # An anchor by metadata is the identity of both neighbours, so the English one is enough.
        if anchor not in named and (anchor, other) not in seen:
            yield SourceError(path, line, f"the anchor {anchor!r} is not in the other language's cell")
