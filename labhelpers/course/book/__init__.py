"""The reading edition: the executed course as pages for a browser, from ``file://`` and without a network.

>>> build_book([Path("runs")], Path("book"))
"""

from __future__ import annotations

from labhelpers.course.book.building import Book, build_book

__all__ = ["Book", "build_book"]
