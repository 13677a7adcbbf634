"""Acts and their inverses are done whole: a Ctrl-C, a closed terminal or a polite end waits until they are.

Blocked signals are inherited, so the commands that an act runs are not cut short either: an ``lxc-freeze`` that dies
half-way leaves a node that is neither frozen nor running (seen in the trials).
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_HELD_BACK = {signal.SIGINT, signal.SIGHUP, signal.SIGTERM}


@contextmanager
def whole() -> Iterator[None]:
    """Signals of this thread, and of the commands that it starts, arrive at the end. Every act has a bound."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
