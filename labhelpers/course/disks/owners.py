"""A layer's files for another range of ids: two machines may give their nodes' users different ones.

Not only owners are ids: an access list names users and groups, a capability names the root that it is good for. A
change of owner takes away the set-user-id bits and the capabilities, so these are set again.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

ID_RANGE = 65536
"""Ids of a node's users."""

Moved = Callable[[int], int]

ACL_HEADER, ACL_ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
ACL_NAMED = (0x02, 0x08)
"""Tags of the entries that name a user or a group (linux/posix_acl.h)."""

CAPABILITY = struct.Struct("<5I")
CAPABILITY_ROOT = struct.Struct("<I")
"""What a capability of the third revision has at its end (linux/capability.h, struct vfs_ns_cap_data)."""


def shift(document: dict[str, Any]) -> dict[str, Any]:
    """Move what lies in ``saves/PART`` from the range that begins with ``old`` to that of ``new``."""
    directory = Path(document["lab_dir"]) / "saves" / document["part"]
    old, new = document["old"], document["new"]

    def moved(number: int) -> int:
        return number - old + new if old <= number < old + ID_RANGE else number

    seen = set()
    for parent, folders, files in os.walk(directory):
        for path in (Path(parent, name) for name in (*folders, *files)):
            about = path.lstat()
            if about.st_ino not in seen:  # a file of two names is moved once
                seen.add(about.st_ino)
                move(path, about, moved)
    return {}


def move(path: Path, about: os.stat_result, moved: Moved) -> None:
    names = set(os.listxattr(path, follow_symlinks=False)) & WITH_IDS.keys()
    attributes = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    os.lchown(path, moved(about.st_uid), moved(about.st_gid))
    if not stat.S_ISLNK(about.st_mode):
        path.chmod(stat.S_IMODE(about.st_mode))
    for name, value in attributes.items():
        os.setxattr(path, name, WITH_IDS[name](value, moved), follow_symlinks=False)


def move_acl(value: bytes, moved: Moved) -> bytes:
    entries = ACL_ENTRY.iter_unpack(value[ACL_HEADER.size :])
    new = (ACL_ENTRY.pack(tag, may, moved(number) if tag in ACL_NAMED else number) for tag, may, number in entries)
    return value[: ACL_HEADER.size] + b"".join(new)


def move_capability(value: bytes, moved: Moved) -> bytes:
    rest = value[CAPABILITY.size :]
    return value[: CAPABILITY.size] + (CAPABILITY_ROOT.pack(moved(*CAPABILITY_ROOT.unpack(rest))) if rest else b"")


WITH_IDS: dict[str, Callable[[bytes, Moved], bytes]] = {
    "system.posix_acl_access": move_acl,
    "system.posix_acl_default": move_acl,
    "security.capability": move_capability,
}
