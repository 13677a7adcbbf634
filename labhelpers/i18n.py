"""The language that people are spoken to in: its sentences and its numbers.

A kernel cannot know which notebook it serves, so the two kernelspecs (English, français) set
``WORKSHOP_LANGUAGE``; elsewhere the locale decides.
"""

from __future__ import annotations

import math
import os
from typing import Literal

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = ("en", "fr")
NARROW_NO_BREAK_SPACE = "\u202f"


def language() -> Language:
    """``WORKSHOP_LANGUAGE`` where it is set, else the locale's language, else English."""
    for variable in ("WORKSHOP_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable)
        if value:
            return "fr" if value.lower().startswith("fr") else "en"
    return "en"


def tr(en: str, fr: str) -> str:
    """The sentence in the language of the person at the keyboard."""
    return fr if language() == "fr" else en


def number(value: int) -> str:
    """``4,812``; in French ``4 812``."""
    return f"{value:,}".replace(",", NARROW_NO_BREAK_SPACE) if language() == "fr" else f"{value:,}"


def decimal(value: float, digits: int = 1, of: Language | None = None) -> str:
    """``31.8``; in French (or in the language ``of``) ``31,8``."""
    written = f"{value:.{digits}f}"
    return written.replace(".", ",") if (of or language()) == "fr" else written


def seconds(value: float) -> str:
    """``32.1 s``; in French ``32,1 s``. Below a second, milliseconds."""
    return f"{value * 1000:.0f} ms" if abs(value) < 0.995 else in_seconds(value)


def in_seconds(value: float, digits: int = 1) -> str:
    """``0.3 s``; in French ``0,3 s``: as :func:`seconds`, but milliseconds never."""
    return f"{decimal(value, digits)} s"


def duration(value: float, of: Language | None = None) -> str:
    """``0.8 s``, ``42 s``, ``3 min 05 s``, ``1 h 02 min``; in French (or in the language ``of``) ``0,8 s``."""
    whole = round(value)
    if value < 10:
        return f"{decimal(value, of=of)} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def bytes_text(value: float) -> str:
    """``0``, ``512 B``, ``16 kB``, ``1.5 MB``; in French ``512 o``, ``1,5 Mo``. Powers of 1000."""
    power = min(int(math.log10(abs(value)) / 3), 4) if abs(value) >= 1 else 0
    scaled, prefix = value / 1000**power, ("", "k", "M", "G", "T")[power]
    if scaled == 0:
        return "0"
    written = f"{scaled:.3g}"
    return tr(f"{written} {prefix}B", f"{written.replace('.', ',')} {prefix}o")


def megabytes(size: int) -> str:
    """A size in bytes as ``59 MB``; in French ``59 Mo``."""
    return tr(f"{size / 1e6:.0f} MB", f"{size / 1e6:.0f} Mo")


def plural(count: int, one: str, many: str) -> str:
    """``1 attempt``, ``2 attempts``. French counts 0 as one."""
    single = count < 2 if language() == "fr" else count == 1
    return f"{number(count)} {one if single else many}"
