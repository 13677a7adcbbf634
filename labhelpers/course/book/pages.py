"""The book's pages and its index, as files' texts."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labhelpers.charts.palette import BOTH, DARK, LIGHT
from labhelpers.course.book.chapter import TEMPLATES, ChapterHtml
from labhelpers.course.book.executed import Edition
from labhelpers.course.book.words import TITLE, WORDS
from labhelpers.course.generate import other
from labhelpers.i18n import Language

if TYPE_CHECKING:
    from jinja2 import Environment

SHOWN_WORDS = ("copy", "copied", "all", "less", "none", "found")
"""Those that the page's scripts say."""
FOLLOWS_THEME = ("text", "faint", "grid", "shade", "hatch", "sand", "sand_text")


def chapter_page(edition: Edition, chapter: ChapterHtml, editions: Sequence[Edition]) -> str:
    """The page of a chapter; ``editions`` are all of its language, in order."""
    here = editions.index(edition)
    return _page(
        "chapter.html.j2",
        edition.language,
        page=edition.page,
        editions=editions,
        edition=edition,
        previous=editions[here - 1] if here else None,
        next=editions[here + 1] if here + 1 < len(editions) else None,
        sections=chapter.sections,
        has_charts=chapter.has_charts,
        html=chapter.html,
        colours=chart_colours(),
    )


def contents_page(editions: Sequence[Edition]) -> str:
    """The first page of a language."""
    return _page("contents.html.j2", editions[0].language, page="index.html", editions=editions, sections=())


def first_page() -> str:
    """The page that asks for the language."""
    return _environment().get_template("choose.html.j2").render(title=TITLE, all_words=WORDS)


def search_index(chapters: Sequence[tuple[Edition, ChapterHtml]]) -> str:
    """A script that sets ``bookIndex``: from ``file://`` a page may load scripts, and may not fetch data."""
    entries = [
        {
            "page": edition.page,
            "anchor": section.anchor,
            "chapter": f"{edition.chapter.number} {edition.title}",
            "title": section.title,
            "text": section.text,
        }
        for edition, chapter in chapters
        for section in chapter.sections
    ]
    return f"window.bookIndex = {json.dumps(entries, ensure_ascii=False, separators=(',', ':'))};\n"


def chart_colours() -> dict[str, dict[str, str]]:
    """For each theme, what a figure's colours for any ground become on that theme's ground."""
    anywhere = dataclasses.asdict(BOTH)
    return {
        theme.name: {anywhere[name]: getattr(theme, name) for name in FOLLOWS_THEME if anywhere[name]}
        for theme in (LIGHT, DARK)
    }


def _page(template: str, language: Language, **values: Any) -> str:
    words: Mapping[str, str] = WORDS[language]
    return (
        _environment()
        .get_template(template)
        .render(
            title=TITLE,
            language=language,
            there=other(language),
            words=words,
            there_words=WORDS[other(language)],
            shown_words={name: words[name] for name in SHOWN_WORDS},
            **values,
        )
    )


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
