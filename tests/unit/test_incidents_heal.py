"""Healing: the journal first, then what nobody wrote down; and the watchman, one look at a time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labhelpers.incidents.catalogue import BY_HAND
from labhelpers.incidents.engine import Engine
from labhelpers.incidents.errors import JournalBusy, JournalUnwritable, WatchmanAbsent
from labhelpers.incidents.eventlog import tail
from labhelpers.incidents.heal import find_residues, heal
from labhelpers.incidents.journal import Entry, Journal
from labhelpers.incidents.owner import Owner
from labhelpers.incidents.watchman import Watchman, ensure_on_duty
from labhelpers.incidents.world import ClusterView, MemberView
from tests.unit.scripted_world import HEALTHY, ScriptedWorld


@pytest.fixture
def world(tmp_path: Path) -> ScriptedWorld:
    world = ScriptedWorld(tmp_path)
    world.answers = dict.fromkeys(world.topology.postgres, f"has patroni@{world.topology.scope}\n")
    return world


@pytest.fixture
def engine(world: ScriptedWorld) -> Engine:
    return Engine(world, ensure_watchman=lambda: None)


def kinds(world: ScriptedWorld) -> list[str]:
    return [residue.kind for residue in find_residues(world)]


def test_clean_lab_has_no_residue_and_healing_it_does_nothing(engine: Engine, world: ScriptedWorld) -> None:
    assert find_residues(world) == []
    report = heal(engine)
    assert report.ok and report.healthy and not report.undone and not report.mended


def test_healing_undoes_all_and_twice_is_once(engine: Engine, world: ScriptedWorld) -> None:
    for kind in ("primary-cut-from-etcd", "replica-slow-link", "etcd-node-lost"):
        engine.inject(kind)
    first, second = heal(engine), heal(engine)
    assert len(first.undone) == 3 and first.ok
    assert not second.undone and not second.mended and second.ok
    assert find_residues(world) == []


def test_undoing_that_fails_once_is_tried_again_and_leaves_nothing(engine: Engine, world: ScriptedWorld) -> None:
    engine.inject("primary-frozen")
    world.failing_once["unfreeze"] = RuntimeError("not at first")
    report = heal(engine)
    assert report.ok and report.healthy and len(report.undone) == 1
    assert engine.active() == [] and world.states()["pg-1"] == "running"


def test_undoing_that_fails_for_good_is_said_and_the_health_is_looked_at(engine: Engine, world: ScriptedWorld) -> None:
    entry = engine.inject("primary-frozen")
    world.failing["unfreeze"] = RuntimeError("the freezer is stuck")
    report = heal(engine)
    assert not report.ok and report.healthy is True
    assert any("the freezer is stuck" in line and "workshop heal" in line for line in report.unresolved)
    assert not report.undone and not report.mended and len(set(report.unresolved)) == len(report.unresolved)
    assert [one.id for one in engine.active()] == [entry.id]


def test_incident_that_comes_while_the_health_is_awaited_ends_the_wait(engine: Engine, world: ScriptedWorld) -> None:
    world.confirmed_after = 1000
    confirmed = world.is_healthy

    def broken_meanwhile(expected: Sequence[str]) -> bool:
        if not engine.active():
            engine.inject("primary-frozen")
        return confirmed(expected)

    world.is_healthy = broken_meanwhile  # type: ignore[method-assign]
    assert heal(engine).healthy is None


def test_a_cluster_that_its_members_do_not_confirm_is_not_healthy_yet(engine: Engine, world: ScriptedWorld) -> None:
    world.confirmed_after = 1
    assert heal(engine).healthy and world.confirmed_after == -1
    world.confirmed_after = 1000
    assert heal(engine, within_seconds=1).healthy is False


def test_healing_after_a_reboot_finds_the_rules_gone_and_starts_the_nodes(engine: Engine, world: ScriptedWorld) -> None:
    engine.inject("primary-cut-from-etcd")
    engine.inject("dcs-majority-lost")
    world.network.drop_table()
    for node in world.topology.names:
        world.containers[node] = "stopped"
    report = heal(engine)
    assert report.ok and engine.active() == []
    assert world.brought_up > 0 and set(world.states().values()) == {"running"}


def test_node_frozen_by_hand_is_thawed(engine: Engine, world: ScriptedWorld) -> None:
    world.containers["e1"] = "frozen"
    assert kinds(world) == ["frozen"]
    assert heal(engine).ok and world.states()["e1"] == "running"


def test_node_stopped_by_hand_is_started(engine: Engine, world: ScriptedWorld) -> None:
    world.containers["backup"] = "stopped"
    assert heal(engine).ok and world.states()["backup"] == "running"


def test_link_taken_down_by_hand_is_taken_up(engine: Engine, world: ScriptedWorld) -> None:
    link = world.topology.node("pg-2").interface
    world.network.set_link(link, up=False)
    assert kinds(world) == ["link-down"]
    assert heal(engine).ok and world.network.is_up(link)


def test_residue_left_on_purpose_is_found(world: ScriptedWorld) -> None:
    """The positive control: each kind of residue, seen."""
    world.answers["pg-1"] += f"down patroni@{world.topology.scope}\n"
    world.answers["pg-2"] += "suspended 412 patroni\n"
    world.answers["pg-3"] += "paused\n"
    world.network.slow(world.topology.node("e1").interface, 256)
    world.root.table = True
    world.namespace_left = True
    assert sorted(kinds(world)) == [
        "namespace", "replay-paused", "rules", "service-down", "slow-link", "suspended",
    ]  # fmt: skip


def test_each_residue_inside_a_node_has_its_cure(engine: Engine, world: ScriptedWorld) -> None:
    world.answers["pg-1"] += f"down patroni@{world.topology.scope}\n"
    world.answers["pg-2"] += "suspended 412 patroni\n"
    world.answers["pg-3"] += "paused\n"
    progressed: list[str] = []

    def mended(sentence: str) -> None:
        progressed.append(sentence)
        for node in world.topology.postgres:
            world.answers[node] = f"has patroni@{world.topology.scope}\n"

    assert heal(engine, progress=mended).ok
    assert any("systemctl restart" in script for script in world.scripts_on("pg-1"))
    assert any("kill -CONT 412" in script for script in world.scripts_on("pg-2"))
    assert any("pg_wal_replay_resume" in script for script in world.scripts_on("pg-3"))
    assert len(progressed) == 3


def test_init_that_is_held_is_let_go_from_outside(engine: Engine, world: ScriptedWorld) -> None:
    world.answers["pg-2"] += "suspended 1 systemd\n"

    def let_go(_: str) -> None:
        world.answers["pg-2"] = f"has patroni@{world.topology.scope}\n"

    report = heal(engine, progress=let_go)
    assert report.ok and len(report.mended) == 1
    assert not any("kill -CONT" in script for script in world.scripts_on("pg-2"))


def test_member_that_recovered_and_falls_ill_again_has_its_time_again(engine: Engine, world: ScriptedWorld) -> None:
    ill = ClusterView((MemberView("pg-1", "replica", "running", 2), *led_by_pg_2()))
    other = ClusterView((MemberView("pg-1", "replica", "streaming", 3), MemberView("pg-2", "leader", "running", 3)))
    began = time.monotonic()
    world.diverged = {"pg-1"}
    world.cluster = lambda: other if 5 < time.monotonic() - began < 8 else ill  # type: ignore[method-assign]
    heal(engine, within_seconds=16)
    assert world.reinitialised == []


def test_service_that_a_chapter_has_not_set_up_yet_is_no_residue(world: ScriptedWorld) -> None:
    world.answers = {"e1": "has etcd\ndown etcd\n"}
    assert find_residues(world) == []


def test_without_a_cluster_nobody_waits_for_its_health(engine: Engine, world: ScriptedWorld) -> None:
    world.answers = {}
    world.seen = None
    assert heal(engine).healthy is None


def test_member_that_diverged_is_made_again(engine: Engine, world: ScriptedWorld) -> None:
    members = (MemberView("pg-1", "replica", "running", 2), *led_by_pg_2())
    world.seen = ClusterView(members)
    world.diverged = {"pg-1"}
    report = heal(engine, within_seconds=14)
    assert world.reinitialised == ["pg-1"]
    assert report.healthy is False and not report.ok
    assert report.mended == [] and ["pg-1" in line for line in report.unresolved] == [True]


def test_member_that_refuses_to_be_made_again_is_asked_again(engine: Engine, world: ScriptedWorld) -> None:
    world.seen = ClusterView((MemberView("pg-1", "replica", "running", 2), *led_by_pg_2()))
    world.diverged, world.refusals = {"pg-1"}, 2
    heal(engine, within_seconds=16)
    assert world.reinitialised == ["pg-1"] * 3


def test_member_that_is_slow_to_follow_is_left_in_peace(engine: Engine, world: ScriptedWorld) -> None:
    """On a busy machine it comes to the new timeline late; made again it would come much later."""
    world.seen = ClusterView((MemberView("pg-1", "replica", "running", 2), *led_by_pg_2()))
    assert heal(engine, within_seconds=14).healthy is False
    assert world.reinitialised == []


def led_by_pg_2() -> tuple[MemberView, ...]:
    return (MemberView("pg-2", "leader", "running", 3), MemberView("pg-3", "replica", "streaming", 3))


def test_torn_entry_is_removed_by_healing(engine: Engine, world: ScriptedWorld) -> None:
    world.journal_directory.mkdir()
    torn = world.journal_directory / "dcs-lost-000000.json"
    torn.write_text("{")
    assert heal(engine).ok and not torn.exists()


# The watchman.


@pytest.fixture
def watchman(engine: Engine) -> Watchman:
    return Watchman(engine, lab_exists=lambda: True)


def rewrite(engine: Engine, entry: Entry, **changes: object) -> None:
    engine.journal.write(replace(entry, **changes))  # type: ignore[arg-type]


def dead() -> Owner:
    owner = Owner.of()
    assert owner is not None
    return replace(owner, start_ticks=owner.start_ticks - 1)


def orphan(engine: Engine, kind: str) -> None:
    """An incident whose process died a while after it."""
    entry = engine.inject(kind, owner=dead())
    rewrite(engine, entry, since_monotonic=entry.since_monotonic - 60)


def test_watchman_lets_a_command_of_the_dead_process_end_first(
    engine: Engine, world: ScriptedWorld, watchman: Watchman
) -> None:
    engine.inject("primary-frozen", owner=dead())
    assert watchman.look()
    assert world.states()["pg-1"] == "frozen"


def test_watchman_heals_what_it_undid_while_nobody_looked_on(
    engine: Engine, world: ScriptedWorld, watchman: Watchman
) -> None:
    orphan(engine, "primary-frozen")
    world.containers["backup"] = "stopped"
    assert not watchman.look()
    assert world.states()["backup"] == "running"


def test_watchman_leaves_a_running_incident_alone(engine: Engine, world: ScriptedWorld, watchman: Watchman) -> None:
    engine.inject("primary-frozen", owner=Owner.of())
    assert watchman.look()
    assert world.states()["pg-1"] == "frozen"


def test_watchman_undoes_what_is_over_time(engine: Engine, world: ScriptedWorld, watchman: Watchman) -> None:
    entry = engine.inject("primary-frozen")
    rewrite(engine, entry, until_monotonic=0.0)
    assert not watchman.look()
    assert world.states()["pg-1"] == "running" and engine.active() == []


def test_watchman_undoes_what_a_dead_kernel_left(engine: Engine, world: ScriptedWorld, watchman: Watchman) -> None:
    orphan(engine, "primary-frozen")
    assert not watchman.look()
    assert world.states()["pg-1"] == "running"


def test_command_lines_incident_outlives_it(engine: Engine, world: ScriptedWorld, watchman: Watchman) -> None:
    engine.inject("primary-frozen", owner=None)
    assert watchman.look()
    assert world.states()["pg-1"] == "frozen"


def test_watchman_tries_again_what_failed_but_not_at_once(engine: Engine, world: ScriptedWorld) -> None:
    now = [100.0]
    watchman = Watchman(engine, lab_exists=lambda: True, clock=lambda: now[0])
    orphan(engine, "primary-frozen")
    world.failing["unfreeze"] = RuntimeError("no")
    assert watchman.look()
    world.failing.clear()
    assert watchman.look()
    assert world.states()["pg-1"] == "frozen"
    now[0] += 6
    assert not watchman.look()
    assert world.states()["pg-1"] == "running"


def test_watchman_adopts_what_a_cell_froze_while_a_notebook_is_open(
    engine: Engine, world: ScriptedWorld, watchman: Watchman
) -> None:
    kernel = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    owner = Owner.of(kernel.pid)
    assert owner is not None
    engine.journal.open_notebook(owner)
    world.containers["e2"] = "frozen"
    assert watchman.look()
    [entry] = engine.active()
    assert entry.kind == BY_HAND and entry.adopted and entry.nodes == ("e2",) and entry.owner == owner
    assert watchman.look() and len(engine.active()) == 1
    kernel.kill()
    kernel.wait()
    rewrite(engine, entry, since_monotonic=entry.since_monotonic - 60)
    assert not watchman.look()
    assert world.states()["e2"] == "running"


def told(world: ScriptedWorld) -> str:
    return "\n".join(tail(world.log_directory))


def test_watchman_undoes_first_and_outlives_an_adoption_that_fails(
    engine: Engine, world: ScriptedWorld, watchman: Watchman, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, and a cell's plain lxc-freeze."""
    orphan(engine, "primary-frozen")
    mine = Owner.of()
    assert mine is not None
    engine.journal.open_notebook(mine)
    world.containers["e2"] = "frozen"

    def no_room(*_: object) -> None:
        raise JournalUnwritable(world.journal_directory, "No space left on device")

    monkeypatch.setattr(Journal, "write", no_room)
    assert watchman.look()
    assert world.states()["pg-1"] == "running" and engine.active() == []
    assert "No space left" in told(world)


def test_watchman_outlives_a_journal_that_is_busy(
    engine: Engine, world: ScriptedWorld, watchman: Watchman, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = engine.inject("primary-frozen"), engine.inject("etcd-node-lost", owner=dead())
    for entry in (first, second):
        rewrite(engine, entry, since_monotonic=entry.since_monotonic - 60)
    world.containers["pg-1"] = "running"

    def busy(*_: object) -> bool:
        raise JournalBusy(60, "another")

    monkeypatch.setattr(Engine, "close_if_gone", busy)
    assert watchman.look()
    assert [entry.id for entry in engine.active()] == [first.id] and world.states()["e3"] == "running"
    assert "(another)" in told(world)


def test_watchman_heals_again_where_the_healing_failed(
    engine: Engine, world: ScriptedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    watchman = Watchman(engine, lab_exists=lambda: True, clock=lambda: now[0])
    orphan(engine, "primary-frozen")
    world.containers["backup"] = "stopped"

    def fails(*_: object) -> None:
        raise OSError("Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr("labhelpers.incidents.watchman.heal", fails)
        assert watchman.look()
    assert "OSError: Input/output error" in told(world)
    assert watchman.look() and world.states()["backup"] == "stopped"
    now[0] += 6
    assert not watchman.look()
    assert world.states()["backup"] == "running"


def test_without_a_watchman_on_duty_there_is_a_sentence(tmp_path: Path) -> None:
    """One that dies as it starts: its lab is not there."""
    lab: Any = SimpleNamespace(name="test-absent", paths=SimpleNamespace(journal=tmp_path / "j", log=tmp_path / "log"))
    with pytest.raises(WatchmanAbsent, match="did not start"):
        ensure_on_duty(lab, within_seconds=0.2)


def test_watchman_adopts_nothing_without_a_notebook(world: ScriptedWorld, watchman: Watchman, engine: Engine) -> None:
    world.containers["e2"] = "frozen"
    assert not watchman.look()
    assert engine.active() == [] and world.states()["e2"] == "frozen"


def test_watchman_closes_what_a_hand_thawed(engine: Engine, world: ScriptedWorld, watchman: Watchman) -> None:
    entry = engine.inject("primary-frozen")
    rewrite(engine, entry, since_monotonic=entry.since_monotonic - 60)
    world.containers["pg-1"] = "running"
    watchman.look()
    assert engine.active() == []


def test_watchman_keeps_away_while_the_lab_is_rebuilt(engine: Engine, world: ScriptedWorld) -> None:
    watchman = Watchman(engine, lab_exists=lambda: True, lab_is_busy=lambda: True)
    orphan(engine, "primary-frozen")
    assert watchman.look()
    assert world.states()["pg-1"] == "frozen"


def test_watchman_goes_with_the_lab(engine: Engine) -> None:
    assert not Watchman(engine, lab_exists=lambda: False).look()


def test_crash_is_over_once_another_postmaster_runs(engine: Engine, world: ScriptedWorld, watchman: Watchman) -> None:
    """The cluster's list is not asked: the DCS says "running" for a while after the crash."""
    entry = engine.inject("postgres-crash")
    rewrite(engine, entry, since_monotonic=entry.since_monotonic - 60)
    world.seen = HEALTHY
    assert watchman.look() and engine.active()
    world.started["pg-1"] = entry.since - timedelta(hours=1)  # the first postmaster, asked in the last moment
    assert watchman.look() and engine.active()
    world.started["pg-1"] = entry.since + timedelta(seconds=9)
    watchman.look()
    assert engine.active() == []
