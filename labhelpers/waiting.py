"""The one polling primitive, the one factor for slow machines, and the account of the time waited.

Every wait has a bound, and a wait in vain repeats it with what was seen last. Where ``WORKSHOP_WAITS`` names a file,
this process appends to it when it waited: so a batch knows what was the lab's time, and what its own.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from labhelpers.errors import UsageProblem, WaitTimeout
from labhelpers.i18n import tr

T = TypeVar("T")

WAITS = "WORKSHOP_WAITS"
"""Names the file of the waits: a line each, ``BEGIN END`` in monotonic seconds, which all processes share."""


class _Account:
    """When at least one of this process's threads waits. Nodes that work side by side are one wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = 0
        self._began = 0.0

    def enter(self) -> None:
        with self._lock:
            if self._waiting == 0:
                self._began = time.monotonic()
            self._waiting += 1

    def leave(self) -> None:
        with self._lock:
            self._waiting -= 1
            path = os.environ.get(WAITS)
            if self._waiting or not path:
                return
            line = f"{self._began:.6f} {time.monotonic():.6f}\n".encode()
        # The batch may be over, and its file gone, while a process that it started lives on (a lab's watchman).
        with suppress(OSError), open(path, "r+b", buffering=0, opener=_appending) as file:
            file.write(line)  # one write in append mode: lines of several processes never mix


def _appending(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_APPEND | os.O_CLOEXEC)


_account = _Account()


@contextmanager
def physical_wait() -> Iterator[None]:
    """What is inside waits for the lab or for a command. A decorator too: ``@physical_wait()``."""
    _account.enter()
    try:
        yield
    finally:
        _account.leave()


def bounded(seconds: float) -> float:
    """The seconds themselves. Raises :class:`UsageProblem` where no wait could end with them."""
    if not math.isfinite(seconds):
        raise UsageProblem(
            tr(f"A wait has a bound: a finite number of seconds, not {seconds}.",
               f"Une attente a une borne : un nombre fini de secondes, pas {seconds}.")
        )  # fmt: skip
    return seconds


def slowness() -> float:
    """The factor by which the bounds of waits for a state are stretched: ``WORKSHOP_SLOWNESS``, else 1.

    Raises :class:`UsageProblem` where it is no positive number.
    """
    given = os.environ.get("WORKSHOP_SLOWNESS") or "1"
    with suppress(ValueError):
        factor = float(given)
        if math.isfinite(factor) and factor > 0:
            return factor
    raise UsageProblem(
        tr(f"WORKSHOP_SLOWNESS is a positive number, such as 2, not {given!r}.",
           f"WORKSHOP_SLOWNESS est un nombre positif, tel que 2, et non {given!r}.")
    )  # fmt: skip


@physical_wait()
def wait_until(
    condition: Callable[[], T | None],
    *,
    what: str,
    within: float,
    every: float = 0.2,
    seen: Callable[[], str] | None = None,
) -> T:
    """Call ``condition`` every ``every`` seconds until it is true, and return what it returned.

    ``seen`` says what the last look saw, for the error. Raises :class:`WaitTimeout` after ``within`` seconds
    (times :func:`slowness`); what ``condition`` raises passes through.
    """
    bound = bounded(within) * slowness()
    deadline = time.monotonic() + bound
    while True:
        value = condition()
        if value:
            return value
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise WaitTimeout(what, bound, seen() if seen else repr(value))
        time.sleep(min(every, remaining))
