"""Saves as records: names, what is kept, what can't be read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from labhelpers.course.saveerrors import BadSaveName, DiskNearlyFull, SaveExists, UnknownSave
from labhelpers.course.saverecords import (
    NOTHING_EXPECTED,
    Expected,
    Save,
    automatic_name,
    checked_name,
    outdated,
    read_save,
)

SAVE = Save(
    id="0a1b2c3d", name="mine", kind="named", created_at="2026-01-02T03:04:05+00:00", network="10.0.3",
    image="f32813df0490", packages="abc", nodes=("e1", "pg-1"), layers=("11111111", "22222222"),
    expected=Expected(True, 2), secrets={"app": "s"},
)  # fmt: skip


def test_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(SAVE.to_json()))
    assert read_save(path) == SAVE


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"name": "x"}', "\0"])
def test_what_is_no_record_is_passed_over(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    assert read_save(path) is None


def test_record_of_a_later_version_is_read_so_that_it_can_be_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    later = {**SAVE.to_json(), "format": 2, "unheard_of": True, "expected": {"etcd": True, "proxies": 2}}
    path.write_text(json.dumps(later))
    read = read_save(path)
    assert read is not None
    assert read.format == 2


@pytest.mark.parametrize("name", ["mine", "a", "before-my-idea", "v1.2_x", "x" * 40])
def test_good_name_is_taken(name: str) -> None:
    assert checked_name(name, []) == name


@pytest.mark.parametrize(
    "name", ["", "07", "7up", "Mine", "a b", "../x", "x" * 41, "auto-1", "after-03", "fresh", "é", "a/b"]
)
def test_bad_name_is_refused(name: str) -> None:
    with pytest.raises(BadSaveName):
        checked_name(name, [])


def test_taken_name_is_refused() -> None:
    with pytest.raises(SaveExists):
        checked_name("mine", [SAVE])


def test_only_the_oldest_automatic_saves_go() -> None:
    automatic = [replace(SAVE, id=str(n), name=f"auto-{n}", kind="automatic") for n in range(7)]
    state = replace(SAVE, kind="state", name="after-03")
    assert [save.name for save in outdated([SAVE, *automatic, state])] == ["auto-0", "auto-1"]


def test_the_save_at_which_the_lab_stands_does_not_go() -> None:
    automatic = [replace(SAVE, id=str(n), name=f"auto-{n}", kind="automatic") for n in range(7)]
    assert [save.name for save in outdated(automatic, stands_at="0")] == ["auto-1"]


def test_few_automatic_saves_all_stay() -> None:
    assert outdated([replace(SAVE, kind="automatic")] * 5) == []


def test_automatic_name_is_new() -> None:
    first = automatic_name([])
    assert automatic_name([first]) != first


def test_unknown_save_lists_chapters_and_saves() -> None:
    said = str(UnknownSave("x", ["00", "03"], ["mine"]))
    assert "00, 03" in said
    assert "mine" in said
    assert UnknownSave("x", [], []).exit_code == 2


def test_full_disk_says_how_much() -> None:
    assert "100" in str(DiskNearlyFull("/x", 100 << 20, 512 << 20))


def test_nothing_expected_of_bare_nodes() -> None:
    assert NOTHING_EXPECTED.replicas is None
