"""The positive controls of a trial's verdict, on a lab that is only a script."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trials.trial import verdict
from tests.unit.scripted_world import HEALTHY, ScriptedWorld


@pytest.fixture
def world(tmp_path: Path) -> ScriptedWorld:
    return ScriptedWorld(tmp_path)


def test_healthy_lab_is_clean(world: ScriptedWorld) -> None:
    assert verdict(world) == ""


def test_member_that_contradicts_the_dcs_is_not_clean(world: ScriptedWorld) -> None:
    world.confirmed_after = 1
    assert world.seen == HEALTHY
    assert "contradicts" in verdict(world)
    assert verdict(world) == ""


def test_journal_that_still_holds_an_entry_is_not_clean(world: ScriptedWorld) -> None:
    assert "dcs-lost-1a2b3c" in verdict(world, ["dcs-lost-1a2b3c"])


def test_cluster_that_does_not_answer_is_not_clean(world: ScriptedWorld) -> None:
    world.seen = None
    assert verdict(world) != ""
