"""What a benchmark is at, for the person who waits: on stderr, since stdout is the table."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
