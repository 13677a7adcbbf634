"""Saves and returns on a real lab: what was there comes back, and no interruption leaves a mixture."""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from labhelpers import incidents, lifecycle
from labhelpers.course import archive, placing, saves, states
from labhelpers.course.disks import owners
from labhelpers.course.disks.intent import Intent, write_intent
from labhelpers.course.disks.plan import plan_file
from labhelpers.course.saveerrors import (
    BadArchive,
    DiskNearlyFull,
    NoPlaceToExport,
    NoRoomToExport,
    SaveExists,
    SaveUnusable,
    UnknownSave,
)
from labhelpers.course.saverecords import AUTOMATIC_KEPT, FRESH, Save, read_saves, record_path
from labhelpers.course.standing import read_standing, write_standing
from labhelpers.lab import Lab, open_lab
from labhelpers.paths import LabPaths
from labhelpers.topology import load_topology
from labhelpers.waiting import wait_until
from tests.lab.machine import WORKSHOP, take_down_like_a_reboot, workshop

LAB = "test-saves"
MARK = "/root/mark"
KILLS = 10

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Seven bare nodes: what is tested here is the disks."""
    lifecycle.destroy(LAB, purge=False)
    for save in read_saves(LabPaths(LAB)):  # named ones outlive the lab of a run that was cut off
        saves.delete(LAB, save.name)
    lifecycle.ensure_up(LAB)
    opened = open_lab(LAB)
    yield opened
    opened.close()
    for save in read_saves(opened.paths):
        saves.delete(LAB, save.name)
    lifecycle.destroy(LAB)


def mark(lab: Lab, text: str) -> None:
    lab.nodes.run(["all"], f"echo {text} >{MARK}")


def marks(lab: Lab) -> set[str]:
    return {result.stdout.strip() for result in lab.nodes.run(["all"], f"cat {MARK} 2>/dev/null; true")}


def names(lab: Lab, kind: str) -> list[str]:
    return [save.name for save in read_saves(lab.paths) if save.kind == kind]


def forget_all(lab: Lab) -> None:
    for save in read_saves(lab.paths):
        saves.delete(LAB, save.name)


@pytest.fixture
def two(lab: Lab) -> tuple[str, str]:
    """Two saves; the nodes of one say `a`, those of the other `b`. The lab is at the second; no others."""
    if not {"a", "b"} <= {save.name for save in read_saves(lab.paths)}:
        forget_all(lab)
        saves.goto(lab, FRESH, keep=False)
        for name in ("a", "b"):
            mark(lab, name)
            saves.save(lab, name)
        return "a", "b"
    for save in read_saves(lab.paths):
        if save.name not in ("a", "b"):
            saves.delete(LAB, save.name)
    saves.goto(lab, "b", keep=False)
    return "a", "b"


def test_what_was_saved_comes_back(lab: Lab, two: tuple[str, str]) -> None:
    lab.nodes.run(["all"], "mv /etc/issue /etc/issue.moved; rm -rf /usr/share/bash-completion; mkdir /new")
    lab.nodes.run(["all"], "rm -rf /etc/skel; mkdir /etc/skel; touch /etc/skel/only")
    saves.save(lab, "changed")
    saves.goto(lab, "a")
    assert marks(lab) == {"a"}
    lab.nodes.run(["all"], "test -e /etc/issue -a -d /usr/share/bash-completion -a ! -e /new -a -e /etc/skel/.bashrc")
    saves.goto(lab, "changed")
    assert marks(lab) == {"b"}
    lab.nodes.run(["all"], "test ! -e /etc/issue -a ! -e /usr/share/bash-completion -a -d /new")
    assert lab.nodes["e1"].run("ls -A /etc/skel").stdout == "only\n"


def test_the_present_state_is_kept_and_named(lab: Lab, two: tuple[str, str]) -> None:
    mark(lab, "precious")
    done = workshop("goto", "--lab", LAB, "a")
    assert done.returncode == 0, done.stderr
    kept = names(lab, "automatic")[-1]
    assert f"workshop goto {kept} --lab {LAB}" in done.stdout
    saves.goto(lab, kept)
    assert marks(lab) == {"precious"}


def test_an_unchanged_state_is_not_kept_again(lab: Lab, two: tuple[str, str]) -> None:
    before = names(lab, "automatic")
    assert saves.goto(lab, "a").automatic is None
    assert saves.goto(lab, "b").automatic is None
    assert names(lab, "automatic") == before


def test_status_tells_what_was_cut_off(lab: Lab, two: tuple[str, str]) -> None:
    assert "workshop up" not in workshop("status", "--lab", LAB).stdout
    write_intent(lab.paths, Intent("", "goto", "a"))
    plan_file(lab.paths.root).touch()
    try:
        said = workshop("status", "--lab", LAB).stdout
        assert "workshop goto a. The nodes are as it left them." in said and f"workshop up --lab {LAB}" in said
    finally:
        plan_file(lab.paths.root).unlink()


@pytest.mark.long
def test_last_five_automatic_saves_stay(lab: Lab, two: tuple[str, str]) -> None:
    for number in range(AUTOMATIC_KEPT + 2):
        mark(lab, f"round-{number}")
        saves.goto(lab, "a")
    kept = names(lab, "automatic")
    assert len(kept) == AUTOMATIC_KEPT
    mark(lab, "one more")
    for elsewhere in ("a", "b"):  # gone to, it is not the one that goes; left, neither
        saves.goto(lab, kept[0])
        assert marks(lab) == {"round-2"}
        saves.goto(lab, elsewhere)
    assert kept[0] in names(lab, "automatic")
    needed = {layer for save in read_saves(lab.paths) for layer in save.layers}
    assert set(saves.sizes(lab.paths)) == needed | set(placing.present_layers(lab.paths, "e1"))


def test_a_state_whose_save_was_deleted_is_kept_again(lab: Lab, two: tuple[str, str]) -> None:
    mark(lab, "deleted")
    saves.save(lab, "c")
    saves.delete(LAB, "c")
    arrival = saves.goto(lab, "a")
    assert arrival.automatic is not None
    saves.goto(lab, arrival.automatic.name)
    assert marks(lab) == {"deleted"}


def test_a_chapter_that_starts_anywhere_leaves_the_lab_as_it_is(lab: Lab, two: tuple[str, str]) -> None:
    pids = {node: lab.containers.pid(node) for node in lab.topology.names}
    done = workshop("goto", "--lab", LAB, "99")
    assert done.returncode == 0, done.stderr
    assert "stays as it is" in done.stdout
    assert {node: lab.containers.pid(node) for node in lab.topology.names} == pids


def test_ctrl_c_tells_what_is_kept(lab: Lab, two: tuple[str, str]) -> None:
    mark(lab, "precious")
    process = subprocess.Popen(
        [*WORKSHOP, "goto", "--lab", LAB, "a"], start_new_session=True, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_until(lambda: names(lab, "automatic"), what="the automatic save", within=60, every=0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode != 0
    [kept] = names(lab, "automatic")
    assert f"workshop goto {kept} --lab {LAB}" in told
    saves.goto(lab, kept)
    assert marks(lab) == {"precious"}


def test_up_waits_for_a_goto_that_nobody_waited_for(lab: Lab, two: tuple[str, str]) -> None:
    where = read_standing(lab.paths)
    assert where is not None
    lab.containers.stop("pg-3")
    write_standing(lab.paths, replace(where, settled=False))
    done = workshop("up", "--lab", LAB)
    assert done.returncode == 0, done.stderr
    assert "'b' and was not ready yet" in done.stderr
    assert not saves.is_cut_off(lab.paths)
    lab.nodes.close()
    assert marks(lab) == {"b"}


@pytest.mark.long
@pytest.mark.parametrize("whole_group", [True, False])
def test_killed_goto_leaves_old_or_new(lab: Lab, two: tuple[str, str], whole_group: bool) -> None:
    """At random moments, the command alone or with all that it started."""
    moments = random.Random(20 + whole_group)
    began = time.monotonic()
    saves.goto(lab, "a")
    usual = time.monotonic() - began
    there = "a"
    for _ in range(KILLS // 2 if not whole_group else KILLS):
        target = "b" if there == "a" else "a"
        process = subprocess.Popen(
            [*WORKSHOP, "goto", "--lab", LAB, target], start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(moments.uniform(0.3, usual))  # the moment is the test
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
        with lifecycle.locked(LAB):
            said = saves.resume(lab)
        assert not saves.unfinished(lab.paths)
        seen = marks(lab)
        assert seen in ({there}, {target}), f"a mixture after: {said}"
        if said and "'" in said:
            assert seen == {said.split("'")[1]}
        there = seen.pop()


def test_goto_cut_off_by_a_reboot_is_finished_by_up(lab: Lab, two: tuple[str, str]) -> None:
    process = subprocess.Popen(
        [*WORKSHOP, "goto", "--lab", LAB, "a"], start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_until(plan_file(lab.paths.root).exists, what="the plan", within=60, every=0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=10)
    assert saves.unfinished(lab.paths) == Intent(ANY, "goto", "a")
    take_down_like_a_reboot(LAB)
    done = workshop("up", "--lab", LAB)
    assert done.returncode == 0, done.stderr
    lab.nodes.close()
    assert marks(lab) == {"a"}
    assert not saves.unfinished(lab.paths)


@pytest.mark.long
def test_killed_save_is_there_whole_or_not_at_all(lab: Lab, two: tuple[str, str]) -> None:
    moments = random.Random(7)
    for number in range(KILLS // 2):
        mark(lab, f"m{number}")
        process = subprocess.Popen(
            [*WORKSHOP, "save", "--lab", LAB, f"killed{number}"], start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(moments.uniform(0.3, 6))  # the moment is the test
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
        with lifecycle.locked(LAB):
            saves.resume(lab)
        assert marks(lab) == {f"m{number}"}
        if f"killed{number}" in names(lab, "named"):
            saves.goto(lab, "a")
            saves.goto(lab, f"killed{number}")
            assert marks(lab) == {f"m{number}"}


def test_full_disk_is_refused_before_anything_changes(lab: Lab, two: tuple[str, str]) -> None:
    pids = {node: lab.containers.pid(node) for node in lab.topology.names}
    before = record_names(lab)
    for refused in (
        lambda: saves.goto(lab, "a", free=lambda directory: 100 << 20),
        lambda: saves.save(lab, "more", free=lambda directory: 100 << 20),
    ):
        with pytest.raises(DiskNearlyFull):
            refused()
    assert marks(lab) == {"b"}
    assert {node: lab.containers.pid(node) for node in lab.topology.names} == pids
    assert record_names(lab) == before


def record_names(lab: Lab) -> list[str]:
    return sorted(path.name for path in lab.paths.saves.glob("*.json"))


def test_long_chain_is_merged_by_links(lab: Lab, two: tuple[str, str]) -> None:
    lab.nodes.run(["all"], "rm -rf /etc/skel; mkdir /etc/skel; touch /etc/skel/only; rm /etc/issue; touch /gone")
    saves.save(lab, "c")
    lab.nodes.run(["all"], "rm /gone; mkdir -p /etc/skel/deep; echo x >/etc/skel/deep/x; echo longer >/etc/motd")
    listing = "find / -xdev -path /var -prune -o -path /run -prune -o -printf '%p %M %U %G %s\\n' | sort"
    before = lab.nodes["pg-1"].run(listing).stdout
    merged = saves.save(lab, "merged", longest_chain=2).save
    assert merged is not None and len(merged.layers) == 1
    assert len(placing.present_layers(lab.paths, "pg-1")) == 1
    saves.goto(lab, "a")
    saves.goto(lab, "merged")
    after = lab.nodes["pg-1"].run(listing).stdout
    difference = set(before.splitlines()) ^ set(after.splitlines())
    assert not {line for line in difference if not line.startswith(("/root", "/etc ", "/ ", "/tmp"))}


@pytest.mark.long
def test_incident_is_over_and_kept_with_its_frozen_node(lab: Lab, two: tuple[str, str]) -> None:
    mark(lab, "during")
    lab.containers.freeze("e1")
    arrival = saves.goto(lab, "a")
    assert incidents.active(lab) == []
    assert arrival.automatic is not None
    saves.goto(lab, arrival.automatic.name)
    assert marks(lab) == {"during"}


def test_unknown_target_is_told_what_there_is(lab: Lab, two: tuple[str, str]) -> None:
    with pytest.raises(UnknownSave, match=r"Saves: a, b"):
        saves.goto(lab, "nothing")
    done = workshop("goto", "--lab", LAB, "77")
    assert done.returncode == 2
    assert "03" in done.stderr


def test_save_of_another_image_or_network_is_refused(lab: Lab, two: tuple[str, str]) -> None:
    path = record_path(lab.paths, saves.find(lab, "a"))
    right = json.loads(path.read_text())
    for key, value in (("packages", "?"), ("network", "10.9.9"), ("format", 99), ("id_base", 1)):
        path.write_text(json.dumps({**right, key: value}))
        with pytest.raises(SaveUnusable):
            saves.goto(lab, "a")
    path.write_text(json.dumps(right))
    assert marks(lab) == {"b"}


def test_name_is_taken_once(lab: Lab, two: tuple[str, str]) -> None:
    with pytest.raises(SaveExists):
        saves.save(lab, "a")


@pytest.mark.long
def test_deleting_keeps_what_others_need(lab: Lab, two: tuple[str, str]) -> None:
    saves.delete(LAB, "a")
    saves.goto(lab, "b")
    assert marks(lab) == {"b"}


def test_nobody_reads_a_save_while_it_is_packed(
    lab: Lab, two: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_root, modes = archive.as_root, list[str]()

    def looking(argv: list[str], **options: Any) -> Any:
        if argv[0] == "tar":
            modes.append(stat.filemode(Path(argv[argv.index("-cf") + 1]).stat().st_mode))
        return as_root(argv, **options)

    monkeypatch.setattr(archive, "as_root", looking)
    archive.export(saves.find(lab, "b"), lab.paths, tmp_path / "b.save")
    assert modes == ["-rw-------"]
    assert stat.filemode((tmp_path / "b.save").stat().st_mode) == "-rw-------"


def test_save_of_another_machine_is_taken_and_its_files_are_the_nodes(
    lab: Lab, two: tuple[str, str], tmp_path: Path
) -> None:
    """Its image was built from another mirror, and its nodes' users have other ids. It was an automatic save there."""
    file = tmp_path / "theirs.save"
    mine = saves.find(lab, "b")
    with pytest.raises(NoRoomToExport):
        archive.export(mine, lab.paths, file, free=lambda directory: 0)
    with pytest.raises(NoPlaceToExport, match="mkdir -p"):
        archive.export(mine, lab.paths, tmp_path / "none" / "theirs.save")
    assert not list(tmp_path.iterdir())
    archive.export(replace(mine, kind="automatic", name="auto-0102-030405"), lab.paths, file)
    as_from_another_machine(file, tmp_path)
    saves.goto(lab, FRESH, keep=False)
    forget_all(lab)
    taken = archive.take(lab, file)
    assert taken.kind == "named"
    saves.goto(lab, taken.name)
    assert marks(lab) == {"b"}
    assert lab.nodes["e1"].run(f"stat -c %U {MARK}").stdout == "root\n"


def as_from_another_machine(file: Path, directory: Path) -> None:
    part = directory / "saves" / "part"
    part.mkdir(parents=True)
    tar = ["tar", *archive.ATTRIBUTES, "--format=posix", "-C", str(part)]
    subprocess.run([*tar, "-xzpf", str(file)], check=True)
    written = json.loads((part / "save.json").read_text())
    theirs = {**written, "id_base": written["id_base"] + owners.ID_RANGE, "image": "0" * 12}
    (part / "save.json").write_text(json.dumps(theirs))
    owners.shift({"lab_dir": str(directory), "part": "part", "old": written["id_base"], "new": theirs["id_base"]})
    layers = [f"layers/{layer}" for layer in written["layers"]]
    subprocess.run([*tar, "-czf", str(file), "save.json", *layers], check=True)


@pytest.mark.long
def test_save_outlives_the_lab_and_travels_in_a_file(lab: Lab, two: tuple[str, str], tmp_path: Path) -> None:
    """The lab is built anew, with other keys; the save brings its own hosts' keys and the lab's key opens it."""
    file = tmp_path / "b.save"
    archive.export(saves.find(lab, "b"), lab.paths, file)
    assert file.stat().st_mode & 0o077 == 0
    forget_all(lab)
    secret = lab.secret("app")
    lab.close()
    lifecycle.destroy(LAB)
    lifecycle.ensure_up(LAB)
    taken = archive.take(lab, file)
    assert taken.name == "b"
    arrival = saves.goto(lab, "b")
    assert arrival.automatic is None  # it was fresh
    assert marks(lab) == {"b"}
    assert secret != ""
    assert workshop("ssh", "--lab", LAB, "e1", "cat", MARK).stdout == "b\n"
    with pytest.raises(SaveExists):
        archive.take(lab, file)


def test_file_that_is_no_save_changes_nothing(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "not.save"
    file.write_text("hello")
    with pytest.raises(BadArchive):
        archive.take(lab, file)


@pytest.mark.long
def test_two_gotos_at_once_wait_for_each_other(lab: Lab, two: tuple[str, str]) -> None:
    arrived: list[str] = []

    def go(target: str) -> None:
        own = open_lab(LAB)
        saves.goto(own, target)
        arrived.append(target)
        own.close()

    both = [threading.Thread(target=go, args=(target,)) for target in two]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(timeout=300)
    assert sorted(arrived) == ["a", "b"]
    assert marks(lab) == {arrived[-1]}


@pytest.mark.long
def test_fresh_lab_is_where_the_first_chapters_start(lab: Lab) -> None:
    saves.goto(lab, "03")
    assert states.prepare(lab, "03") is None
    mark(lab, "touched")
    arrival = states.prepare(lab, "03")
    assert arrival is not None
    assert isinstance(arrival.automatic, Save)
    assert marks(lab) == {""}


def test_lab_of_another_name_has_its_own_saves(lab: Lab, two: tuple[str, str]) -> None:
    done = workshop("saves", "--lab", "test-none", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"saves": []}
    assert load_topology("test-none").network != lab.topology.network
