"""Many layers become one, by hard links: names are linked, no byte is copied."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from labhelpers.course.disks.files import DiskProblem
from labhelpers.i18n import tr

OPAQUE = "trusted.overlay.opaque"
REDIRECT = "trusted.overlay.redirect"


def merge(sources: list[Path], target: Path) -> None:
    """``sources`` are one directory as the layers have it, uppermost first, none hidden by one above it.

    Raises :class:`DiskProblem` where the overlay itself has renamed one of them.
    """
    for source in sources:
        if REDIRECT in os.listxattr(source):
            raise DiskProblem(
                tr(f"{source} was renamed by the overlay itself (redirect_dir): its layers can't be merged.",
                   f"{source} a été renommé par l'overlay lui-même (redirect_dir) : couches non fusionnables.")
            )  # fmt: skip
    hidden = next((place for place, source in enumerate(sources) if is_opaque(source)), None)
    if hidden is not None:
        sources = sources[: hidden + 1]
    target.mkdir()
    seen: set[str] = set()
    for place, source in enumerate(sources):
        for entry in os.scandir(source):
            if entry.name in seen:
                continue
            seen.add(entry.name)
            if not entry.is_dir(follow_symlinks=False):
                os.link(entry.path, target / entry.name, follow_symlinks=False)
                continue
            below, covered = [], False
            for lower in sources[place:]:
                path = lower / entry.name
                if path.is_dir() and not path.is_symlink():
                    below.append(path)
                elif os.path.lexists(path):
                    covered = True
                    break
            merge(below, target / entry.name)
            if covered:
                os.setxattr(target / entry.name, OPAQUE, b"y")
    like = sources[0].stat()
    os.chown(target, like.st_uid, like.st_gid)
    target.chmod(stat.S_IMODE(like.st_mode))
    for name in os.listxattr(sources[0]):
        if not name.startswith("trusted.overlay."):
            os.setxattr(target, name, os.getxattr(sources[0], name))
    if hidden is not None:
        os.setxattr(target, OPAQUE, b"y")
    os.utime(target, ns=(like.st_atime_ns, like.st_mtime_ns))


def is_opaque(directory: Path) -> bool:
    return OPAQUE in os.listxattr(directory) and os.getxattr(directory, OPAQUE) == b"y"
