"""A file from elsewhere is judged before root unpacks it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from labhelpers.course.archive import judge, record_in
from labhelpers.course.saveerrors import BadArchive
from tests.unit.test_saves_records import SAVE

BASE = 1048576
LAYER = "layers/11111111/e1"


def entry(name: str, kind: bytes = tarfile.REGTYPE, uid: int = BASE, **more: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.uid, info.gid = kind, uid, uid
    for key, value in more.items():
        setattr(info, key, value)
    return info


def pack(path: Path, *entries: tarfile.TarInfo, first: str = "save.json", record: str | None = None) -> Path:
    text = (record if record is not None else json.dumps(SAVE.to_json())).encode()
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        head = tarfile.TarInfo(first)
        head.size = len(text)
        archive.addfile(head, io.BytesIO(text))
        for each in entries:
            archive.addfile(each)
    return path


def test_good_file_is_read(tmp_path: Path) -> None:
    file = pack(
        tmp_path / "x",
        entry("layers/11111111", tarfile.DIRTYPE, uid=0),
        entry(LAYER, tarfile.DIRTYPE),
        entry(f"{LAYER}/etc/shadow"),
        entry(f"{LAYER}/removed", tarfile.CHRTYPE, uid=0, devmajor=0, devminor=0),
        entry(f"{LAYER}/link", tarfile.SYMTYPE, linkname="/etc/passwd"),
        entry(f"{LAYER}/attributes", pax_headers={"SCHILY.xattr.trusted.overlay.opaque": "y"}),
    )
    assert record_in(file) == SAVE
    judge(file, SAVE, BASE)


BAD: dict[str, Callable[[], tarfile.TarInfo]] = {
    "outside": lambda: entry("etc/passwd"),
    "dots": lambda: entry(f"{LAYER}/../../../../etc/passwd"),
    "absolute": lambda: entry("/etc/passwd"),
    "a layer that the save does not name": lambda: entry("layers/99999999/e1/x"),
    "a node that the save does not name": lambda: entry("layers/11111111/other/x"),
    "a disk": lambda: entry(f"{LAYER}/disk", tarfile.BLKTYPE, devmajor=8, devminor=0),
    "memory": lambda: entry(f"{LAYER}/mem", tarfile.CHRTYPE, devmajor=1, devminor=1),
    "this machine's root": lambda: entry(f"{LAYER}/shell", uid=0),
    "another user": lambda: entry(f"{LAYER}/x", uid=1000),
    "an attribute": lambda: entry(f"{LAYER}/x", pax_headers={"SCHILY.xattr.security.selinux": "x"}),
    "a hard link out": lambda: entry(f"{LAYER}/x", tarfile.LNKTYPE, linkname="/etc/shadow"),
    "a second record": lambda: entry("save.json"),
}


@pytest.mark.parametrize("what", BAD)
def test_file_with_anything_else_is_refused(tmp_path: Path, what: str) -> None:
    with pytest.raises(BadArchive):
        judge(pack(tmp_path / "x", BAD[what]()), SAVE, BASE)


@pytest.mark.parametrize(
    "record",
    ["", "{}", "[]", *(json.dumps({**SAVE.to_json(), **odd}) for odd in (
        {"layers": ["../../etc"]}, {"expected": []}, {"id_base": 0}, {"id_base": "x"}, {"name": 7},
    ))],
)  # fmt: skip
def test_file_with_a_bad_record_is_refused(tmp_path: Path, record: str) -> None:
    with pytest.raises(BadArchive):
        record_in(pack(tmp_path / "x", record=record))


def test_file_that_begins_otherwise_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadArchive):
        record_in(pack(tmp_path / "x", first="other.json"))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8b\x08\0\0\0\0\0\0\3"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x"
    file.write_bytes(content)
    with pytest.raises(BadArchive):
        record_in(file)


def test_cut_off_file_is_refused(tmp_path: Path) -> None:
    whole = pack(tmp_path / "x", *(entry(f"{LAYER}/{n}") for n in range(200))).read_bytes()
    file = tmp_path / "y"
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadArchive):
        judge(file, SAVE, BASE)
