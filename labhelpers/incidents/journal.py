"""The journal of incidents: on disk before the act, gone after its undoing.

**Invariant.** Whatever an incident changes on this machine, its inverse is already on the disk. So ``heal`` needs
nobody's memory: it works from any terminal, after ``kill -9`` and after a reboot.

One file an incident, written beside, fsynced, renamed, and its directory fsynced: a file is whole or absent. A second
injector finds the lock taken and is told; whoever undoes waits for it.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labhelpers.incidents.acts import POWEROFF_SECONDS, REACH_SECONDS, Act, act_from_json
from labhelpers.incidents.errors import IncidentInProgress, IncidentOver, JournalBusy, JournalUnwritable
from labhelpers.incidents.locks import Held, try_lock, wait_for_lock
from labhelpers.incidents.owner import Owner, boot_id
from labhelpers.paths import LabPaths

LOCK_WAIT_SECONDS = POWEROFF_SECONDS + REACH_SECONDS + 30.0
"""The longest undoing is that of a shutdown: the node ends its own way, and is started again. Then another is told."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One incident as it is on the disk. Times ``*_monotonic`` are seconds of this boot's CLOCK_MONOTONIC.

    ``since`` is when it was written down, before the watchman was there and before the act; ``acted_monotonic`` is the
    moment at which the act was done, which is the fault's. None: not done yet, or done by a hand. Not ``predictable``:
    as the lab was when it began, nobody could tell how long clients would wait.
    """

    id: str
    kind: str
    nodes: tuple[str, ...]
    acts: tuple[Act, ...]
    since: datetime
    since_monotonic: float
    until_monotonic: float
    boot: str
    owner: Owner | None = None
    adopted: bool = False
    acted_monotonic: float | None = None
    predictable: bool = True

    @property
    def remaining_seconds(self) -> float:
        """Until the watchman undoes it. None of it is left after a reboot."""
        return self.until_monotonic - time.monotonic() if self.boot == boot_id() else 0.0

    @property
    def orphaned(self) -> bool:
        return self.owner is not None and not self.owner.alive

    @property
    def age_seconds(self) -> float:
        if self.boot == boot_id():
            return time.monotonic() - self.since_monotonic
        return (datetime.now(UTC) - self.since).total_seconds()

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "nodes": list(self.nodes),
            "acts": [act.to_json() for act in self.acts],
            "since": self.since.isoformat(),
            "since_monotonic": self.since_monotonic,
            "until_monotonic": self.until_monotonic,
            "boot": self.boot,
            "owner": self.owner.to_json() if self.owner else None,
            "adopted": self.adopted,
            "acted_monotonic": self.acted_monotonic,
            "predictable": self.predictable,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Entry:
        acted = data.get("acted_monotonic")
        return cls(
            id=data["id"],
            kind=data["kind"],
            nodes=tuple(data["nodes"]),
            acts=tuple(act_from_json(act) for act in data["acts"]),
            since=datetime.fromisoformat(data["since"]),
            since_monotonic=float(data["since_monotonic"]),
            until_monotonic=float(data["until_monotonic"]),
            boot=data["boot"],
            owner=Owner.from_json(data["owner"]) if data["owner"] else None,
            adopted=bool(data["adopted"]),
            acted_monotonic=None if acted is None else float(acted),
            predictable=bool(data.get("predictable", True)),
        )


def new_entry(
    kind: str,
    nodes: Sequence[str],
    acts: Sequence[Act],
    *,
    minutes: float,
    owner: Owner | None,
    adopted: bool = False,
    predictable: bool = True,
) -> Entry:
    """An incident that begins now and is due to be undone after ``minutes``; nothing is written yet."""
    now = time.monotonic()
    return Entry(
        id=f"{kind}-{secrets.token_hex(3)}",
        kind=kind,
        nodes=tuple(nodes),
        acts=tuple(acts),
        since=datetime.now(UTC),
        since_monotonic=now,
        until_monotonic=now + 60 * minutes,
        boot=boot_id(),
        owner=owner,
        adopted=adopted,
        predictable=predictable,
    )


@dataclass(frozen=True, slots=True)
class Listed:
    """An incident as ``workshop status --json`` lists it; ``since`` is ISO 8601, UTC."""

    id: str
    kind: str
    nodes: tuple[str, ...]
    since: str


def read(paths: LabPaths) -> list[Listed]:
    """The incidents of a lab, there or not, oldest first."""
    return [
        Listed(entry.id, entry.kind, entry.nodes, entry.since.isoformat(timespec="seconds"))
        for entry in Journal(paths.journal).entries()
    ]


class Journal:
    """The entries of one lab, in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def watchman_lock(self) -> Path:
        return self.directory / "watchman.lock"

    def entries(self) -> list[Entry]:
        """Oldest first. A file that nobody can read is no entry: :meth:`unreadable` has those."""
        found = [entry for entry, _ in self._files() if entry]
        return sorted(found, key=lambda entry: entry.since)

    def unreadable(self) -> list[Path]:
        return [path for entry, path in self._files() if entry is None]

    def find(self, incident_id: str) -> Entry | None:
        return next((entry for entry in self.entries() if entry.id == incident_id), None)

    def write(self, entry: Entry) -> None:
        """Put ``entry`` on the disk, for good, or raise :class:`JournalUnwritable` and leave nothing."""
        self._write(self._path(entry.id), entry.to_json())

    def extend(self, incident_id: str, minutes: float) -> Entry:
        """Give a running incident ``minutes`` more. Raises :class:`IncidentOver` where it is undone already."""
        with self.locked("extend"):
            entry = self.find(incident_id)
            if entry is None:
                raise IncidentOver(incident_id)
            start = max(entry.until_monotonic, time.monotonic())
            longer = replace(entry, until_monotonic=start + 60 * minutes)
            self.write(longer)
        return longer

    def remove(self, incident_id: str) -> None:
        self._path(incident_id).unlink(missing_ok=True)
        self._sync_directory()

    @contextmanager
    def injecting(self, holder: str) -> Iterator[None]:
        """Only one injects at a time; the other is told at once (:class:`IncidentInProgress`)."""
        with ExitStack() as held_locks:
            try:
                held_locks.enter_context(try_lock(self.directory / "inject.lock", holder))
            except Held as held:
                raise IncidentInProgress(held.holder) from None
            except OSError as problem:
                raise JournalUnwritable(self.directory, problem.strerror or str(problem)) from problem
            held_locks.enter_context(self.locked(holder))
            yield

    @contextmanager
    def locked(self, holder: str, within_seconds: float = LOCK_WAIT_SECONDS) -> Iterator[None]:
        """Nobody else injects or undoes meanwhile. Raises :class:`JournalBusy` after ``within_seconds``."""
        with ExitStack() as held_lock:
            try:
                held_lock.enter_context(wait_for_lock(self.directory / "journal.lock", holder, within_seconds))
            except Held as held:
                raise JournalBusy(within_seconds, held.holder) from None
            yield

    # Notebooks that have the lab open: while one lives, the watchman stays and adopts what a cell does by hand.

    def open_notebook(self, kernel: Owner) -> None:
        self._write(self.directory / f"{kernel.pid}.notebook", kernel.to_json())

    def notebooks(self) -> list[Owner]:
        """Kernels that live, the latest last; the notes of dead ones are removed on the way."""
        alive: list[tuple[float, Owner]] = []
        for path in self._glob("*.notebook"):
            try:
                owner = Owner.from_json(json.loads(path.read_text(encoding="utf-8")))
                written = path.stat().st_mtime
            except (OSError, ValueError, KeyError):
                continue
            if owner.alive:
                alive.append((written, owner))
                continue
            with suppress(OSError):  # a dead one's note does no harm
                path.unlink(missing_ok=True)
        return [owner for _, owner in sorted(alive, key=lambda pair: pair[0])]

    def _path(self, incident_id: str) -> Path:
        return self.directory / f"{incident_id}.json"

    def _glob(self, pattern: str) -> list[Path]:
        return sorted(self.directory.glob(pattern)) if self.directory.is_dir() else []

    def _files(self) -> list[tuple[Entry | None, Path]]:
        found: list[tuple[Entry | None, Path]] = []
        for path in self._glob("*.json"):
            try:
                found.append((Entry.from_json(json.loads(path.read_text(encoding="utf-8"))), path))
            except FileNotFoundError:
                continue  # undone meanwhile
            except (OSError, ValueError, KeyError, TypeError):
                found.append((None, path))
        return found

    def _write(self, path: Path, data: dict[str, Any]) -> None:
        beside = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with beside.open("w", encoding="utf-8") as file:
                json.dump(data, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
            self._sync_directory()
        except OSError as problem:
            raise JournalUnwritable(path, problem.strerror or str(problem)) from problem
        finally:
            with suppress(OSError):
                beside.unlink(missing_ok=True)

    def _sync_directory(self) -> None:
        descriptor = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
