"""What comes from a machine with another range of ids belongs to the same users of a node afterwards."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from labhelpers.course.disks.owners import ACL_ENTRY, CAPABILITY, move_acl, move_capability, shift

OLD, NEW = 1000000, 1065536
POSTGRES = 105
CAPABLE = CAPABILITY.pack(0x03000001, 1 << 13, 0, 0, 0)
"""Of the third revision: permitted is CAP_NET_RAW."""


def moved(number: int) -> int:
    return number + NEW - OLD


@pytest.fixture
def layer(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("owners are given by root")
    layer = tmp_path / "saves" / ".import-1" / "layers" / "11111111" / "pg-1"
    layer.mkdir(parents=True)
    yield layer


def shifted(layer: Path) -> None:
    lab = layer.parents[4]
    shift({"lab_dir": str(lab), "part": ".import-1", "old": OLD, "new": NEW})


def test_owners_move_and_the_modes_stay(layer: Path) -> None:
    files = {"etc": 0o750, "sudo": 0o4755, "data": 0o600}
    for name, mode in files.items():
        (layer / name).mkdir() if name == "etc" else (layer / name).touch()
        os.chown(layer / name, OLD + POSTGRES, OLD)
        (layer / name).chmod(mode)
    elsewhere = layer.parents[4] / "elsewhere"
    elsewhere.touch()
    (layer / "link").symlink_to(elsewhere)
    for path in (layer / "link", elsewhere):
        os.lchown(path, OLD, OLD)
    os.link(layer / "data", layer / "data-again")
    shifted(layer)
    for name, mode in files.items():
        about = (layer / name).stat()
        assert (about.st_uid, about.st_gid) == (NEW + POSTGRES, NEW)
        assert stat.S_IMODE(about.st_mode) == mode
    assert (layer / "link").lstat().st_uid == NEW
    assert elsewhere.stat().st_uid == OLD


def test_the_overlays_own_mark_stays_roots(layer: Path) -> None:
    os.mknod(layer / "removed", stat.S_IFCHR | 0o600, 0)
    shifted(layer)
    assert (layer / "removed").lstat().st_uid == 0


def test_capability_outlives_the_change_of_owner(layer: Path) -> None:
    ping = layer / "ping"
    ping.touch(mode=0o755)
    os.chown(ping, OLD, OLD)
    os.setxattr(ping, "security.capability", CAPABLE + struct.pack("<I", OLD))
    shifted(layer)
    assert os.getxattr(ping, "security.capability") == CAPABLE + struct.pack("<I", NEW)


def test_access_list_names_the_users_new_ids() -> None:
    owner, group, other = (ACL_ENTRY.pack(tag, 6, 0xFFFFFFFF) for tag in (0x01, 0x04, 0x20))
    named = ACL_ENTRY.pack(0x02, 6, OLD + 4), ACL_ENTRY.pack(0x08, 4, OLD + 5)
    before = struct.pack("<I", 2) + owner + named[0] + group + named[1] + other
    after = move_acl(before, moved)
    assert after[:4] == before[:4]
    ids = [number for _, _, number in ACL_ENTRY.iter_unpack(after[4:])]
    assert ids == [0xFFFFFFFF, NEW + 4, 0xFFFFFFFF, NEW + 5, 0xFFFFFFFF]


def test_capability_without_a_root_of_its_own_stays_as_it_is() -> None:
    assert move_capability(CAPABLE, moved) == CAPABLE
