"""LXC's state of every node, cheap enough for twenty looks a second: one small file a node, its path
remembered.

Finding a node's cgroup means listing directories; that is done once, and again only when the file says that
the node has gone, or is there again.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

FIND_AGAIN_SECONDS = 0.5


class ContainerStates(Protocol):
    """The part of ``containers.Containers`` that is used here."""

    def state(self, name: str) -> str: ...
    def freezer_file(self, name: str) -> Path | None: ...


class StatesReader:
    """``reader()`` gives the state of each node; a node whose file cannot be read is looked for, but not each
    time.
    """

    def __init__(
        self, containers: ContainerStates, names: Iterable[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._containers = containers
        self._clock = clock
        self._files: dict[str, _Kept] = {}
        self._found: dict[str, str] = {}
        self._look_again: dict[str, float] = dict.fromkeys(names, 0.0)

    def __call__(self) -> dict[str, str]:
        return {name: self._state(name) for name in self._look_again}

    def _state(self, name: str) -> str:
        file = self._files.get(name)
        if file is not None:
            state = file.read()
            if state is not None:
                return state
            file.close()
            del self._files[name]
            self._look_again[name] = 0.0
        now = self._clock()
        if now >= self._look_again[name]:
            self._look_again[name] = now + FIND_AGAIN_SECONDS
            self._found[name] = state = self._containers.state(name)
            if state in ("running", "frozen"):
                found = self._containers.freezer_file(name)
                if found is not None:
                    with contextlib.suppress(OSError):
                        self._files[name] = _Kept(found)
        return self._found[name]


class _Kept:
    """A node's files of the kernel, kept open: reading them again costs a system call each."""

    def __init__(self, file: Path) -> None:
        self._is_version_2 = file.name == "cgroup.freeze"
        second = "cgroup.events" if self._is_version_2 else "cgroup.procs"
        self._descriptors: list[int] = []
        for path in (file, file.parent / second):
            try:
                self._descriptors.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            except OSError:
                self.close()
                raise

    def read(self) -> str | None:
        """``running`` or ``frozen``; None where the cgroup is gone, or is there and empty (its node was killed)."""
        try:
            state, second = (os.pread(descriptor, 256, 0) for descriptor in self._descriptors)
        except OSError:
            return None
        populated = b"populated 1" in second if self._is_version_2 else bool(second)
        if not populated:
            return None
        return "frozen" if state.strip() in (b"FROZEN", b"FREEZING", b"1") else "running"

    def close(self) -> None:
        while self._descriptors:
            os.close(self._descriptors.pop())

    def __del__(self) -> None:
        self.close()
