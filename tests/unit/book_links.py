"""Whatever a book's page fetches or links to, and is not there."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

FETCHES = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}
"""What a browser loads by itself, and the attribute that says from where."""


def broken(directory: Path) -> list[str]:
    """Each page with an address that is not in the book, or that a browser would fetch from beyond it."""
    pages = {path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in directory.rglob("*.html")}
    anchors = {path: {tag["id"] for tag in page.select("[id]")} for path, page in pages.items()}
    wrong = []
    for path, page in pages.items():
        wanted = [(tag[name], True) for kind, name in FETCHES.items() for tag in page.select(f"{kind}[{name}]")]
        wanted += [(link["href"], False) for link in page.select("a[href]")]
        for address, fetched in wanted:
            parts = urlsplit(str(address))
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if parts.scheme == "data" or (parts.scheme and not fetched):
                continue
            if parts.scheme or parts.netloc or not target.exists():
                wrong.append(f"{path.relative_to(directory)}: {address}")
            elif parts.fragment and parts.fragment not in anchors[target]:
                wrong.append(f"{path.relative_to(directory)}: {address} (no such anchor)")
    return wrong
