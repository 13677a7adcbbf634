"""Saves as records: one JSON file a save in the lab's ``saves``, read whole or not at all."""

from __future__ import annotations

import datetime
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from labhelpers.course.saveerrors import BadSaveName, SaveExists
from labhelpers.paths import LabPaths

FORMAT = 1
"""Of the record. A save of another format is of another version of the workshop: it is refused."""

Kind = Literal["named", "automatic", "state"]

NAME = re.compile(r"[a-z][a-z0-9._-]{0,39}")
FRESH = "fresh"
"""New nodes, as a place to go to."""
RESERVED = ("auto-", "after-", FRESH)
"""What the workshop's own saves are called."""

AUTOMATIC_KEPT = 5


@dataclass(frozen=True, slots=True)
class Expected:
    """What was well when the lab was saved, and is awaited when it is put back."""

    etcd: bool
    """etcd had a majority."""
    replicas: int | None
    """So many replicas streamed from a running leader; None: there was no leader."""
    first: str | None = None
    """The leader. It has to hold the key again before a replica's node starts: a replica that was stopped before it, or
    killed, lacks its last WAL; leading first, it would lose commits and leave the old leader on a fork."""


NOTHING_EXPECTED = Expected(False, None)


@dataclass(frozen=True, slots=True)
class Save:
    """A state of all nodes: their layers, and what they can be used with."""

    id: str
    name: str
    kind: Kind
    created_at: str
    """ISO 8601, local time with offset."""
    network: str
    image: str
    packages: str
    """A digest of what the image holds: two machines may have built an image of the same recipe at other times."""
    nodes: tuple[str, ...]
    layers: tuple[str, ...]
    """The uppermost first, above the image; none: fresh nodes."""
    expected: Expected
    secrets: dict[str, str]
    state: str | None = None
    """For a state that the course left: what it depends on, as a digest (:mod:`labhelpers.course.states`)."""
    before: str | None = None
    """For an automatic one: where the lab went then."""
    id_base: int | None = None
    """Of the nodes' users, to whom its files belong; None in a record that was written before it was noted."""
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, written: dict[str, Any]) -> Save:
        """Of a later format too, as far as it goes: such a save is refused with its reason, not passed over."""
        known = {name: written[name] for name in cls.__slots__ if name in written}
        expected = {name: value for name, value in written["expected"].items() if name in Expected.__slots__}
        known["expected"] = Expected(**{**asdict(NOTHING_EXPECTED), **expected})
        known["nodes"], known["layers"] = tuple(written["nodes"]), tuple(written["layers"])
        return cls(**known)


def new_id() -> str:
    """Short: a chain of layers has to fit into the options of one mount."""
    return secrets.token_hex(4)


def now() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def automatic_name(taken: Iterable[str]) -> str:
    """``auto-1123-174510``: month, day, time."""
    base = f"auto-{datetime.datetime.now():%m%d-%H%M%S}"
    names = set(taken)
    return next(name for name in (base, *(f"{base}-{n}" for n in range(2, 1000))) if name not in names)


def read_saves(paths: LabPaths) -> list[Save]:
    """All saves of a lab, the oldest first; a file that is no save is passed over."""
    found = []
    for path in paths.saves.glob("*.json") if paths.saves.is_dir() else []:
        save = read_save(path)
        if save:
            found.append(save)
    return sorted(found, key=lambda save: (save.created_at, save.name))


def read_save(path: Path) -> Save | None:
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        return Save.from_json(written)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def record_path(paths: LabPaths, save: Save) -> Path:
    return paths.saves / f"{save.id}.json"


def checked_name(name: str, existing: Iterable[Save]) -> str:
    """A name for a new save of a person's. Raises :class:`BadSaveName` and :class:`SaveExists`."""
    if not NAME.fullmatch(name) or name.startswith(RESERVED):
        raise BadSaveName(name)
    if any(save.name == name for save in existing):
        raise SaveExists(name)
    return name


def outdated(saves: Iterable[Save], stands_at: str | None = None, kept: int = AUTOMATIC_KEPT) -> list[Save]:
    """The automatic saves that go: all but the last ``kept``, and but the one at which the lab stands (its id)."""
    automatic = [save for save in saves if save.kind == "automatic"]
    return [save for save in automatic[: max(0, len(automatic) - kept)] if save.id != stands_at]
