"""Locks that die with the process that holds them (flock), and that say who holds them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from labhelpers.errors import LabError
from labhelpers.waiting import wait_until


class Held(Exception):
    """Somebody else holds the lock; ``holder`` is what they wrote into it."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


def _try_open(path: Path, holder: str) -> IO[str] | None:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+", encoding="utf-8")
    with suppress(OSError):
        os.fchmod(file.fileno(), 0o666)  # root may have been here first: the lab's user can lock it too
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    with suppress(OSError):  # a full disk: the lock holds without its note, and nothing is left to write at its end
        file.truncate(0)
        os.write(file.fileno(), f"{holder}, pid {os.getpid()}".encode())
    return file


def holder_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


@contextmanager
def try_lock(path: Path, holder: str) -> Iterator[None]:
    """Hold the lock, or raise :class:`Held` at once."""
    file = _try_open(path, holder)
    if file is None:
        raise Held(holder_of(path))
    with file:
        yield


@contextmanager
def wait_for_lock(path: Path, holder: str, within_seconds: float) -> Iterator[None]:
    """Hold the lock, or raise :class:`Held` after ``within_seconds``."""
    try:
        file = wait_until(lambda: _try_open(path, holder), what=str(path), within=within_seconds, every=0.05)
    except LabError as problem:
        raise Held(holder_of(path)) from problem
    with file:
        yield
