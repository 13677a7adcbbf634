"""What a hostile call may end in."""

from __future__ import annotations

import unicodedata

LONGEST_SENTENCE = 20_000
"""Characters: what was typed is repeated, and one of the cases is 5,000 characters long."""


class Broken(AssertionError):
    """The call ended in a way that no person should see."""


def check_sentence(text: str) -> None:
    """One sentence: it says something, on one line, and nothing in it drives a terminal. Raises :class:`Broken`."""
    said = text.strip()
    if not said:
        raise Broken("it failed without a word")
    if "Traceback (most recent call last)" in said:
        raise Broken(f"a traceback: {said[-500:]!r}")
    if len(said) > LONGEST_SENTENCE:
        raise Broken(f"a sentence of {len(said)} characters")
    raw = {character for character in said if unicodedata.category(character) == "Cc" and character not in "\n\t"}
    if raw:
        raise Broken(f"what was typed drives the terminal: {sorted(raw)!r} in {said[:300]!r}")
