"""A chapter's notebook as HTML: nbconvert walks through its cells, and what a page needs beyond that is added.

Nothing in it asks for a network: links to notebooks become links to pages, and scripts of outputs are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labhelpers.course.book.listing import is_folded, listing
from labhelpers.course.book.outputs import best_form, error_text
from labhelpers.course.book.words import WORDS
from labhelpers.course.generate import other
from labhelpers.i18n import Language

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

TEMPLATES = Path(__file__).parent / "templates"
NOTEBOOK_LINK = re.compile(r"(?P<page>[^:?#]*)\.ipynb(?:#(?:cell-id=)?(?P<anchor>.+)|#)?")
TEXT_COLOUR = re.compile(r"(?<![\w-])color:\s*(#[0-9a-fA-F]{6})\b")
OF_NOTEBOOKS_ONLY = {"navigation", "papermill-error-cell-tag"}
"""The page has its own navigation, and its own words for a run that stopped."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what is below it, to find and to go to. ``anchor`` is the same in both languages."""

    anchor: str
    title: str
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class ChapterHtml:
    html: str
    sections: tuple[Section, ...]
    has_charts: bool


def render_chapter(
    notebook: Any, language: Language, page: str, terms: Mapping[str, str], glossary: str
) -> ChapterHtml:
    """The chapter's HTML, to stand in ``page`` of that language.

    ``terms`` are the glossary's words with their anchors, ``glossary`` is its page.
    """
    from bs4 import BeautifulSoup

    words = WORDS[language]
    soup = BeautifulSoup(_cells_html(notebook, words), "html.parser")
    _make_inert(soup)
    _make_legible(soup)
    _drop_what_notebooks_need(soup)
    _rewrite_links(soup)
    sections = tuple(_sections(soup))
    if page != glossary:
        _link_terms(soup, terms, glossary)
    _head_sections(soup, language, page)
    _make_scrollable(soup, words)
    return ChapterHtml(str(soup), sections, soup.select_one("figure.chart") is not None)


def terms_of(notebook: Any) -> dict[str, str]:
    """The glossary's words as a reader sees them, in lower case, each with its anchor.

    One that has two names is found by either.
    """
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = re.findall(r'<a id="([^"]+)"></a>\*\*(.+?)\*\*(?!\*)', text)
    return {name: anchor for anchor, words in found for name in _names_of(words)}


def _names_of(words: str) -> Iterator[str]:
    """The words as they are shown, and each of several: ``retard (*lag*)``, ``replica, standby``."""
    shown = re.sub(r"[`*]", "", words).lower()
    for name in (shown, *re.split(r"[(),]", shown)):
        if name.strip():
            yield name.strip()


def _cells_html(notebook: Any, words: Mapping[str, str]) -> str:
    from nbconvert.exporters import HTMLExporter

    kept = [cell for cell in notebook.cells if not OF_NOTEBOOKS_ONLY & set(cell.metadata.get("tags", ()))]
    kept = [cell for cell in kept if cell.source.strip()]
    exporter = HTMLExporter(
        template_name="cells",
        extra_template_basedirs=[str(TEMPLATES)],
        exclude_anchor_links=True,
        filters={"listing": listing, "is_folded": is_folded, "forms": best_form, "error_text": error_text},
    )
    exporter.environment.globals["words"] = words
    html, _ = exporter.from_notebook_node(type(notebook)({**notebook, "cells": kept}))
    return str(html)


def _make_inert(soup: BeautifulSoup) -> None:
    """Nothing of an output runs in the page, or is fetched by it."""
    for tag in soup.select("script:not([type='application/json']), link, iframe, object, embed"):
        tag.decompose()
    for tag in soup.find_all(True):
        for name in [name for name in tag.attrs if name.startswith("on")]:
            del tag[name]
    for image in soup.select("img[src^='http:'], img[src^='https:']"):
        image.replace_with(str(image.get("alt", "")))


def _make_legible(soup: BeautifulSoup) -> None:
    """An output's text has one colour for any ground; a part of the page's own makes it readable on that ground."""
    for tag in soup.select(".outputs [style*='color:']"):
        tag["style"] = TEXT_COLOUR.sub(r"color:color-mix(in srgb, \1 65%, var(--text))", str(tag["style"]))


def _drop_what_notebooks_need(soup: BeautifulSoup) -> None:
    for link in soup.select("div[align=right] > small > a[href*='#cell-id=']"):
        link.find_parent("div").decompose()  # type: ignore[union-attr]
    for heading in soup.select("thead"):
        if not heading.get_text(strip=True):
            heading.decompose()


def _rewrite_links(soup: BeautifulSoup) -> None:
    for link in soup.select("a[href]"):
        match = NOTEBOOK_LINK.fullmatch(str(link["href"]))
        if match:
            anchor = f"#{match['anchor']}" if match["anchor"] else ""
            link["href"] = f"{match['page']}.html{anchor}"


def _sections(soup: BeautifulSoup) -> Iterator[Section]:
    """Cut where a cell begins with a heading of the first or second level."""
    anchor, title, level = "", "", 1
    texts: list[str] = []
    for cell in soup.select("section.cell"):
        heading = _heading(cell)
        if heading:
            if anchor:
                yield Section(anchor, title, level, " ".join(texts))
            anchor, title, level, texts = str(cell["id"]), heading.get_text(), int(heading.name[1]), []
        shown = [] if cell.select_one(".folded") else cell.select(".head, .listing pre")
        for part in shown if "code" in cell["class"] else [cell]:
            texts.append(_flat(part.get_text()).removeprefix(_flat(title)).strip())
    if anchor:
        yield Section(anchor, title, level, " ".join(texts))


def _flat(text: str) -> str:
    """In one line, with ordinary spaces."""
    return " ".join(text.split())


def _heading(cell: Tag) -> Tag | None:
    first = cell.find(True) if "prose" in cell["class"] else None
    return first if first and first.name in ("h1", "h2") else None


def _link_terms(soup: BeautifulSoup, terms: Mapping[str, str], glossary: str) -> None:
    """A new term stands in bold once; there it leads to the glossary."""
    for strong in soup.select(".prose strong"):
        anchor = next((terms[name] for name in _names_of(strong.get_text()) if name in terms), None)
        if anchor and not strong.find_parent("a"):
            strong.wrap(soup.new_tag("a", attrs={"class": "term", "href": f"{glossary}#{anchor}"}))


def _head_sections(soup: BeautifulSoup, language: Language, page: str) -> None:
    """At each heading, a link to itself and one to the same place in the other language."""
    there = other(language)
    for heading in soup.select("h1, h2, h3, h4"):
        del heading["id"]  # the cell has the anchor; one made of words would differ between the languages
    for cell in soup.select("section.prose"):
        title = _heading(cell)
        if title is None or title.name == "h1":
            continue
        places = title.wrap(soup.new_tag("div", attrs={"class": "heading"}))
        label = WORDS[language]["link"].format(title.get_text())
        here = soup.new_tag("a", attrs={"class": "place", "href": f"#{cell['id']}", "aria-label": label})
        here.string = "#"
        away = soup.new_tag("a", attrs={"class": "place", "href": f"../{there}/{page}#{cell['id']}", "lang": there})
        away["aria-label"] = WORDS[there]["there"]
        away.string = there
        places.extend([here, away])


def _make_scrollable(soup: BeautifulSoup, words: Mapping[str, str]) -> None:
    """What may be wider than a phone scrolls by itself, by keyboard too."""
    for table in soup.select("table"):
        label = {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": words["table"]}
        table.wrap(soup.new_tag("div", attrs=label))
    for block in soup.select("pre"):
        block["tabindex"] = "0"
    for canvas in soup.select("figure.chart .canvas"):
        canvas["tabindex"] = "0"
