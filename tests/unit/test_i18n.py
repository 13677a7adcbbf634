"""Numbers and units as the reader's language writes them."""

from __future__ import annotations

import pytest

from labhelpers.i18n import bytes_text, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.84, "0.8 s"), (42.4, "42 s"), (59.7, "1 min 00 s"), (185, "3 min 05 s"), (3720, "1 h 02 min")],
)
def test_durations_are_short(seconds: float, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_LANGUAGE", "en")
    assert duration(seconds) == text


def test_duration_is_in_the_readers_language_unless_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_LANGUAGE", "fr")
    assert duration(7.31) == "7,3 s"
    assert duration(7.31, "en") == "7.3 s"


def test_bytes_are_written_with_their_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_LANGUAGE", "en")
    assert [bytes_text(v) for v in (0, 512, 1500, 16_777_216)] == ["0", "512 B", "1.5 kB", "16.8 MB"]
    monkeypatch.setenv("WORKSHOP_LANGUAGE", "fr")
    assert bytes_text(1_500_000) == "1,5 Mo"
