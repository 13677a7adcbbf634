"""Numbers as people of each language write them."""

from __future__ import annotations

from labhelpers.i18n import language

NARROW_NO_BREAK_SPACE = "\u202f"


def number(value: int) -> str:
    """``4,812``; in French ``4 812``."""
    return f"{value:,}".replace(",", NARROW_NO_BREAK_SPACE) if language() == "fr" else f"{value:,}"


def seconds(value: float) -> str:
    """``32.1 s``; in French ``32,1 s``. Below a second, milliseconds."""
    if abs(value) < 0.995:
        return f"{value * 1000:.0f} ms"
    written = f"{value:.1f}"
    return f"{written.replace('.', ',') if language() == 'fr' else written} s"


def plural(count: int, one: str, many: str) -> str:
    """``1 attempt``, ``2 attempts``. French counts 0 as one."""
    single = count < 2 if language() == "fr" else count == 1
    return f"{number(count)} {one if single else many}"
