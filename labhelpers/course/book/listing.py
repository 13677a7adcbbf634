"""How a code cell reads on paper: its magic as a heading, and what it runs, coloured as what it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LEXERS = {
    "%%on": "bash",
    "%%host": "bash",
    "%%sql": "postgresql",
    "%%predict": "yaml",
    "%%markdown": "markdown",
    "%%html": "html",
}
FILE_LEXERS = (
    (re.compile(r"\.ya?ml$"), "yaml"),
    (re.compile(r"\.(conf|ini|service)$"), "ini"),
    (re.compile(r"\.(sh|profile)$|^/etc/default/"), "bash"),
    (re.compile(r"\.sql$"), "postgresql"),
)
FOLDED_TAGS = {"predict", "solution", "hide-input"}
"""The question shows below its cell already, and a solution is for those who ask for it."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A cell's source in two parts."""

    head: str
    """Its lines that begin with ``%%``; empty for Python."""
    body: str
    lexer: str
    """Pygments' name of what the body is."""

    @property
    def html(self) -> str:
        from nbconvert.filters import Highlight2HTML

        return str(Highlight2HTML()(self.body, language=self.lexer)) if self.body else ""


def listing(source: str) -> Listing:
    lines = source.strip("\n").split("\n")
    head = []
    while lines and lines[0].startswith("%%"):
        head.append(lines.pop(0).rstrip())
    body = "\n".join(lines).strip("\n")
    return Listing("\n".join(head), body, _lexer(head[-1]) if head else "ipython3")


def _lexer(head: str) -> str:
    magic, *arguments = head.split()
    if magic == "%%file" and arguments:
        return next((lexer for pattern, lexer in FILE_LEXERS if pattern.search(arguments[0])), "text")
    return LEXERS.get(magic, "text")


def is_folded(cell: Mapping[str, Any]) -> bool:
    """Whether the cell's source is shown on demand only."""
    metadata = cell["metadata"]
    hidden = metadata.get("jupyter", {}).get("source_hidden", False)
    return bool(hidden or FOLDED_TAGS & set(metadata.get("tags", ())))
