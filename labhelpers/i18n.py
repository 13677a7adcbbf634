"""The language that people are spoken to in.

A kernel cannot know which notebook it serves, so the two kernelspecs (English, français) set
``WORKSHOP_LANGUAGE``; elsewhere the locale decides.
"""

from __future__ import annotations

import os
from typing import Literal

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = ("en", "fr")


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
