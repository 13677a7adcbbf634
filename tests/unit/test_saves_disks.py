"""A node's disk is replaced in steps that may be repeated: wherever it was cut off, it ends the same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from labhelpers.course.disks.look import collect, keep_named, scan, sizes
from labhelpers.course.disks.merge import OPAQUE, merge
from labhelpers.course.disks.node import lay, place, put_upper_away

NODE = "e1"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="whiteouts and trusted attributes are root's")


@pytest.fixture
def plan(tmp_path: Path) -> dict[str, Any]:
    node = tmp_path / "nodes" / NODE
    for name in ("upper", "work/work", "root"):
        (node / name).mkdir(parents=True)
    (node / "upper" / "written").write_text("by the node")
    (node / "layers").write_text("/image/root\n")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "id_ed25519.pub").write_text("ssh-ed25519 AAAA lab\n")
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.1\n")
    (tmp_path / "saves" / "layers").mkdir(parents=True)
    return {
        "id": "p", "lab": "x", "lab_dir": str(tmp_path), "keep": "aaaaaaaa", "layers": ["aaaaaaaa"],
        "image_root": "/image/root", "id_base": os.getuid(), "nodes": {NODE: "192.0.2.9"},
    }  # fmt: skip


def state(plan: dict[str, Any]) -> tuple[str, list[str], str]:
    lab = Path(plan["lab_dir"])
    node = lab / "nodes" / NODE
    kept = lab / "saves" / "layers" / "aaaaaaaa" / NODE / "written"
    return kept.read_text(), sorted(p.name for p in (node / "upper").iterdir()), (node / "layers").read_text()


def test_upper_becomes_a_layer_and_an_empty_one_lies_on_it(plan: dict[str, Any]) -> None:
    put_upper_away(plan, NODE)
    lay(plan, NODE)
    written, upper, layers = state(plan)
    assert written == "by the node"
    assert upper == ["etc", "root"]  # the lab's key and resolver, which this layer lacks
    assert layers == f"{plan['lab_dir']}/saves/layers/aaaaaaaa/{NODE}\n/image/root\n"


@pytest.mark.parametrize("times", [1, 2, 3])
def test_repeating_a_step_changes_nothing(plan: dict[str, Any], times: int) -> None:
    for _ in range(times):
        put_upper_away(plan, NODE)
    for _ in range(times):
        lay(plan, NODE)
    before = state(plan)
    put_upper_away(plan, NODE)
    lay(plan, NODE)
    assert state(plan) == before


def test_half_made_upper_is_made_again(plan: dict[str, Any]) -> None:
    put_upper_away(plan, NODE)
    half = Path(plan["lab_dir"]) / "nodes" / NODE / "upper.new"
    half.mkdir()
    (half / "rest").touch()
    lay(plan, NODE)
    assert state(plan)[1] == ["etc", "root"]
    assert not half.exists()


def test_layer_that_knows_the_key_gets_nothing(plan: dict[str, Any]) -> None:
    upper = Path(plan["lab_dir"]) / "nodes" / NODE / "upper"
    place(plan, upper, "root/.ssh/authorized_keys", "ssh-ed25519 AAAA another comment\n", 0o600)
    put_upper_away(plan, NODE)
    lay(plan, NODE)
    assert state(plan)[1] == []


def test_dropped_upper_goes_to_the_trash(plan: dict[str, Any]) -> None:
    plan["keep"], plan["layers"] = None, []
    lab = Path(plan["lab_dir"])
    for name in ("hosts", "serial"):
        (lab / name).write_text("x\n")
    (lab / "keys" / "host").mkdir()
    for name in (NODE, f"{NODE}.pub"):
        (lab / "keys" / "host" / name).write_text("k\n")
    put_upper_away(plan, NODE)
    lay(plan, NODE)
    assert (lab / "saves" / "trash" / "p" / NODE / "written").exists()
    assert (lab / "nodes" / NODE / "upper" / "etc" / "hostname").read_text() == f"{NODE}\n"
    collect({"lab_dir": str(lab)})
    assert not (lab / "saves" / "trash").exists()


def test_needed_layers_stay(tmp_path: Path) -> None:
    (tmp_path / "lab.json").touch()
    for layer in ("named", "automatic", "under", "unknown"):
        (tmp_path / "saves" / "layers" / layer / NODE).mkdir(parents=True)
    (tmp_path / "saves" / "1.json").write_text('{"layers": ["named"], "kind": "named"}')
    (tmp_path / "saves" / "2.json").write_text('{"layers": ["automatic"], "kind": "automatic"}')
    (tmp_path / "nodes" / NODE).mkdir(parents=True)
    (tmp_path / "nodes" / NODE / "layers").write_text(f"{tmp_path}/saves/layers/under/{NODE}\n/image/root\n")
    assert collect({"lab_dir": str(tmp_path)}) == {"removed": ["unknown"]}
    (tmp_path / "plan.json").touch()
    (tmp_path / "saves" / "2.json").unlink()
    assert collect({"lab_dir": str(tmp_path)}) == {"removed": []}


def test_only_named_saves_outlive_the_lab(tmp_path: Path) -> None:
    for layer in ("one", "two"):
        (tmp_path / "saves" / "layers" / layer / NODE).mkdir(parents=True)
    (tmp_path / "saves" / "1.json").write_text('{"layers": ["one"], "kind": "named"}')
    (tmp_path / "saves" / "2.json").write_text('{"layers": ["two"], "kind": "state"}')
    assert keep_named({"lab_dir": str(tmp_path)}) == {"removed": ["two"]}
    (tmp_path / "saves" / "1.json").unlink()
    keep_named({"lab_dir": str(tmp_path)})
    assert not tmp_path.exists()


def seen(tmp_path: Path) -> Any:
    return scan({"lab_dir": str(tmp_path), "nodes": [NODE]})[NODE]


def test_what_a_node_writes_by_itself_is_no_change(tmp_path: Path) -> None:
    upper = tmp_path / "nodes" / NODE / "upper"
    for directory in ("etc", "var/log", "var/lib/postgresql/17/main/base", "var/lib/etcd/default"):
        (upper / directory).mkdir(parents=True)
    (upper / "etc/hosts").write_text("127.0.0.1 localhost\n")
    before = seen(tmp_path)
    for name in (
        "var/log/syslog",
        "var/lib/postgresql/17/main/base/1",
        "var/lib/etcd/default/wal",
        "etc/.updated",
    ):
        (upper / name).write_text("x")
    (upper / "var/lib/postgresql/17/main/postmaster.pid").write_text("7")
    assert seen(tmp_path) == before


@pytest.mark.parametrize(
    "name",
    ["etc/passwd", "root/notes", "var/lib/postgresql/17/main/postgresql.auto.conf", "tmp/mine", "home/x"],
)
def test_what_a_person_writes_is_a_change(tmp_path: Path, name: str) -> None:
    path = tmp_path / "nodes" / NODE / "upper" / name
    path.parent.mkdir(parents=True)
    before = seen(tmp_path)["digest"]
    path.write_text("x")
    changed = seen(tmp_path)["digest"]
    path.write_text("y")
    assert len({before, changed, seen(tmp_path)["digest"]}) == 3


def test_linked_files_weigh_once(tmp_path: Path) -> None:
    layer = tmp_path / "saves" / "layers" / "one"
    layer.mkdir(parents=True)
    (layer / "a").write_bytes(b"x" * 8192)
    os.link(layer / "a", layer / "b")
    assert sizes({"lab_dir": str(tmp_path)}) == {"one": 8192}


def write(layer: Path, **files: str) -> Path:
    for name, text in files.items():
        path = layer / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return layer


def test_merged_layers_show_the_uppermost_file_and_copy_nothing(tmp_path: Path) -> None:
    upper = write(tmp_path / "upper", both="new", only_upper="1", d__x="x")
    lower = write(tmp_path / "lower", both="old", only_lower="2", d__y="y")
    merge([upper, lower], tmp_path / "merged")
    merged = tmp_path / "merged"
    assert (merged / "both").read_text() == "new"
    assert sorted(p.name for p in (merged / "d").iterdir()) == ["x", "y"]
    assert (merged / "only_lower").stat().st_ino == (lower / "only_lower").stat().st_ino


@as_root
def test_merged_whiteout_still_hides_what_lies_below(tmp_path: Path) -> None:
    upper, lower = write(tmp_path / "upper", keep="1"), write(tmp_path / "lower", gone="2", d__deep="3")
    os.mknod(upper / "gone", 0o600 | 0o020000, os.makedev(0, 0))
    (upper / "d").mkdir()
    os.setxattr(upper / "d", OPAQUE, b"y")
    merge([upper, lower], tmp_path / "merged")
    assert (tmp_path / "merged" / "gone").lstat().st_rdev == 0
    assert (tmp_path / "merged" / "gone").is_char_device()
    assert list((tmp_path / "merged" / "d").iterdir()) == []
    assert os.getxattr(tmp_path / "merged" / "d", OPAQUE) == b"y"


@as_root
def test_directory_over_a_removed_one_stays_opaque(tmp_path: Path) -> None:
    """Removed in the lower layer, made anew in the upper one: the image's directory must stay hidden."""
    upper, lower = write(tmp_path / "upper", d__new="1"), write(tmp_path / "lower", x="2")
    os.mknod(lower / "d", 0o600 | 0o020000, os.makedev(0, 0))
    merge([upper, lower], tmp_path / "merged")
    assert os.getxattr(tmp_path / "merged" / "d", OPAQUE) == b"y"
