"""What a goto that is cut off tells, and what it says where there is nowhere to go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from labhelpers.cli.saves import saves as saves_command
from labhelpers.course.saverecords import record_path
from labhelpers.course.saves import Arrival, kept_is_told
from labhelpers.errors import LabAbsent
from labhelpers.paths import LabPaths
from tests.unit.test_saves_records import SAVE

KEPT = replace(SAVE, name="auto-1", kind="automatic")


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabPaths:
    monkeypatch.setattr("labhelpers.paths.STATE", tmp_path)
    paths = LabPaths("test")
    paths.saves.mkdir(parents=True)
    return paths


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_the_name_of_what_was_kept_is_told_whatever_ends_it(paths: LabPaths, capsys, error) -> None:
    record_path(paths, KEPT).touch()
    with pytest.raises(error), kept_is_told(paths, KEPT):
        raise error
    assert "workshop goto auto-1" in capsys.readouterr().err


def test_nothing_is_told_where_nothing_was_kept_yet(paths: LabPaths, capsys) -> None:
    for kept in (KEPT, None):
        with pytest.raises(KeyboardInterrupt), kept_is_told(paths, kept):
            raise KeyboardInterrupt
    assert capsys.readouterr().err == ""


def test_a_chapter_that_starts_anywhere_says_that_the_lab_stays() -> None:
    assert "stays as it is" in Arrival(None, None, 0.0, {}).describe()


def test_saves_of_a_lab_that_is_absent_name_the_way_to_it() -> None:
    done = CliRunner().invoke(saves_command, ["--lab", "test-absent"])
    assert isinstance(done.exception, LabAbsent)
    assert done.exception.exit_code != 0
