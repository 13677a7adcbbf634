"""Numbers on axes: bytes, seconds; and how much room a text takes."""

from __future__ import annotations

import math

PIXELS_A_CHARACTER = 6.6
"""Of the figures' font at 12 px, on average."""


def byte_ticks(highest: float) -> list[float]:
    """Three or four round values from 0 to ``highest`` bytes; at least up to 1 kB, so that noise stays low."""
    highest = max(highest, 1000.0)
    step = _round_step(highest / 3)
    return [step * i for i in range(math.ceil(highest / step) + 1)]


def second_ticks(begin: float, end: float, wanted: int = 7) -> list[float]:
    """Round values between ``begin`` and ``end`` seconds."""
    step = _round_step((end - begin) / wanted)
    first = math.ceil(begin / step - 1e-9)
    return [round(step * i, 6) for i in range(first, math.floor(end / step + 1e-9) + 1)]


def _round_step(raw: float) -> float:
    power = 10 ** math.floor(math.log10(max(raw, 1e-9)))
    return float(next(factor for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999) * power)


def decades(low: float, high: float) -> tuple[float, float]:
    """The range of a logarithmic axis of milliseconds (as exponents of ten), at least from 1 ms to 5 s."""
    return min(math.floor(math.log10(max(low, 0.1)) * 2) / 2, 0.0), max(math.log10(max(high, 1)) + 0.25, 3.7)


def fits(text: str, seconds: float, span_seconds: float, pixels: float, size: float = 12) -> bool:
    """Whether a text finds room in a stretch of ``seconds`` on an axis of ``span_seconds`` drawn ``pixels``
    wide.
    """
    if span_seconds <= 0:
        return False
    return len(text) * PIXELS_A_CHARACTER * size / 12 + 8 <= seconds / span_seconds * pixels
