"""The labs that the notebooks are tested on: one a language, made afresh, gone afterwards."""

from __future__ import annotations

import os
import sys

from labhelpers.i18n import Language

KEEP = "WORKSHOP_KEEP_LABS"
"""Set it, and the labs stay after the tests: to look into one that failed."""


def lab_of(language: Language) -> str:
    """The notebooks of a language have a lab of their own, so that both can be tested side by side."""
    return f"test-{language}"


def make_fresh(lab: str) -> None:
    """The lab as a trainee finds it at the first chapter."""
    from labhelpers import lifecycle

    _say(f"making the lab {lab}")
    lifecycle.destroy(lab)
    lifecycle.ensure_up(lab)
    _say(f"the lab {lab} is up")


def leave(lab: str) -> None:
    if os.environ.get(KEEP):
        _say(f"the lab {lab} stays: workshop down --lab {lab}")
        return
    from labhelpers import lifecycle

    lifecycle.destroy(lab)


def _say(text: str) -> None:
    print(f"\n({text})", file=sys.stderr, flush=True)
