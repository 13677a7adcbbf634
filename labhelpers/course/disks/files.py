"""Files that are whole or not there, whatever happens to the machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from labhelpers.errors import LabError


class DiskProblem(LabError):
    """What kept the disks from being replaced, in one sentence."""


def remove(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)


def write(path: Path, text: str, *, mode: int, owner: os.stat_result | None = None) -> None:
    """Whole or not at all, whatever happens to the machine."""
    new = path.with_name(f"{path.name}.new")
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.chmod(mode)
    if owner:
        os.chown(new, owner.st_uid, owner.st_gid)
    new.rename(path)
    sync(path.parent)


def sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def files_below(directory: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(directory):
        for name in names:
            yield Path(parent) / name
