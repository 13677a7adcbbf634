"""Inject and undo: the order that makes it safe, the target, and what stands in the way."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from labhelpers.errors import UnknownNode, UsageProblem
from labhelpers.incidents.acts import PauseReplay
from labhelpers.incidents.catalogue import CATALOGUE
from labhelpers.incidents.engine import DEFAULT_MINUTES, Engine, checked_minutes
from labhelpers.incidents.errors import (
    HealIncomplete,
    IncidentFailed,
    IncidentNotPossible,
    JournalUnwritable,
    UnknownIncident,
    WatchmanAbsent,
    WrongTarget,
)
from labhelpers.incidents.journal import Entry, Journal
from labhelpers.incidents.world import ClusterView, MemberView
from labhelpers.prediction import Timing
from tests.live.incident_lab import FREEZING
from tests.unit.scripted_world import HEALTHY, ScriptedWorld


@pytest.fixture
def world(tmp_path: Path) -> ScriptedWorld:
    return ScriptedWorld(tmp_path)


@pytest.fixture
def engine(world: ScriptedWorld) -> Engine:
    return Engine(world, ensure_watchman=lambda: None)


@pytest.fixture
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_LANGUAGE", "en")


def led_by(leader: str) -> ClusterView:
    return ClusterView(
        tuple(
            MemberView(m.name, "leader" if m.name == leader else "replica",
                       "running" if m.name == leader else "streaming", 4)
            for m in HEALTHY.members
        )
    )  # fmt: skip


@pytest.mark.parametrize("kind", sorted(CATALOGUE))
def test_every_incident_is_undone_and_leaves_nothing(kind: str, engine: Engine, world: ScriptedWorld) -> None:
    entry = engine.inject(kind)
    assert [found.id for found in engine.active()] == [entry.id]
    engine.undo(entry.id)
    assert engine.active() == []
    assert set(world.states().values()) == {"running"}
    assert not world.root.table and not world.root.rules and not world.root.slow
    assert all(world.network.is_up(node.interface) for node in world.topology.nodes)


@pytest.mark.parametrize("kind", sorted(CATALOGUE))
def test_undoing_twice_is_undoing_once(kind: str, engine: Engine, world: ScriptedWorld) -> None:
    entry = engine.inject(kind)
    engine.undo(entry.id)
    for act in entry.acts:
        act.undo(world, entry.id)
    assert engine.undo(entry.id) is None
    assert set(world.states().values()) == {"running"}


@pytest.mark.parametrize("kind", sorted(CATALOGUE))
def test_undoing_what_was_never_done_changes_nothing(kind: str, engine: Engine, world: ScriptedWorld) -> None:
    declared = CATALOGUE[kind]
    targets = engine.targets(declared, (), engine.situation())
    for act in declared.acts(world.topology, targets):
        act.undo(world, "never")
    assert set(world.states().values()) == {"running"}
    assert not world.root.table


def test_every_incident_is_tried_on_real_nodes() -> None:
    live = (Path(__file__).parents[1] / "live" / "test_incidents.py").read_text(encoding="utf-8")
    assert [kind for kind in CATALOGUE if kind not in FREEZING and f'"{kind}"' not in live] == []


def test_journal_and_watchman_come_before_the_act(world: ScriptedWorld) -> None:
    order: list[str] = []

    def watchman() -> None:
        order.append("journal" if list(world.journal_directory.glob("*.json")) else "nothing")
        order.append(world.states()["pg-1"])

    Engine(world, ensure_watchman=watchman).inject("primary-frozen")
    assert order == ["journal", "running"]
    assert world.states()["pg-1"] == "frozen"


def test_journal_tells_the_moment_at_which_the_act_was_done(world: ScriptedWorld) -> None:
    def watchman() -> None:
        [entry] = engine.active()
        assert entry.acted_monotonic is None
        time.sleep(0.05)  # what the watchman takes to come is not the incident's time
        written.append(time.monotonic())

    written: list[float] = []
    engine = Engine(world, ensure_watchman=watchman)
    entry = engine.inject("primary-frozen")
    assert engine.active() == [entry]
    assert entry.acted_monotonic is not None
    assert written[0] <= entry.since_monotonic <= entry.acted_monotonic <= time.monotonic()
    assert entry.until_monotonic - entry.since_monotonic == pytest.approx(DEFAULT_MINUTES * 60, abs=0.001)


def test_journal_that_cannot_be_written_means_no_injection(engine: Engine, world: ScriptedWorld) -> None:
    world.journal_directory.write_text("a file where the directory should be")
    with pytest.raises(JournalUnwritable):
        engine.inject("primary-frozen")
    assert set(world.states().values()) == {"running"}


def test_failed_injection_is_undone_and_said(engine: Engine, world: ScriptedWorld) -> None:
    world.failing["kill"] = RuntimeError("lxc-stop failed")
    with pytest.raises(IncidentFailed) as caught:
        engine.inject("primary-power-cut")
    assert caught.value.undone and engine.active() == []
    assert world.network.is_up(world.topology.node("pg-1").interface)


def test_interrupted_injection_is_undone(engine: Engine, world: ScriptedWorld) -> None:
    world.failing["kill"] = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        engine.inject("primary-power-cut")
    assert engine.active() == []


def test_interrupt_right_after_the_journal_leaves_no_entry(
    engine: Engine, world: ScriptedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = Journal._sync_directory

    def interrupted(journal: Journal) -> None:
        monkeypatch.setattr(Journal, "_sync_directory", sync)
        raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "_sync_directory", interrupted)
    with pytest.raises(KeyboardInterrupt):
        engine.inject("primary-frozen")
    assert engine.active() == [] and set(world.states().values()) == {"running"}


def test_disk_that_fills_up_meanwhile_undoes_the_act(
    engine: Engine, world: ScriptedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Journal.write
    frozen: list[str] = []

    def full(journal: Journal, entry: Entry) -> None:
        if entry.acted_monotonic is not None:
            frozen.append(world.states()["pg-1"])
            raise JournalUnwritable(journal.directory, "No space left on device")
        write(journal, entry)

    monkeypatch.setattr(Journal, "write", full)
    with pytest.raises(JournalUnwritable):
        engine.inject("primary-frozen")
    assert frozen == ["frozen"] and world.states()["pg-1"] == "running" and engine.active() == []


def test_without_a_watchman_nothing_is_injected(world: ScriptedWorld) -> None:
    def absent() -> None:
        raise WatchmanAbsent(5, "watchman.log")

    engine = Engine(world, ensure_watchman=absent)
    with pytest.raises(WatchmanAbsent, match="Nothing was injected"):
        engine.inject("primary-frozen")
    assert engine.active() == [] and set(world.states().values()) == {"running"}


def test_act_is_done_whole_before_an_interrupt_arrives(engine: Engine, world: ScriptedWorld) -> None:
    done: list[str] = []

    def kill(node: str) -> None:
        signal.raise_signal(signal.SIGINT)
        done.append(node)
        world.containers[node] = "stopped"

    world.kill = kill  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        engine.inject("primary-power-cut")
    assert done == ["pg-1"]
    assert engine.active() == [] and world.states()["pg-1"] == "running"


def test_undoing_that_fails_stays_in_the_journal(engine: Engine, world: ScriptedWorld) -> None:
    entry = engine.inject("primary-frozen")
    world.failing["unfreeze"] = RuntimeError("no")
    with pytest.raises(HealIncomplete):
        engine.undo(entry.id)
    assert [found.id for found in engine.active()] == [entry.id]
    world.failing.clear()
    engine.undo(entry.id)
    assert engine.active() == []


def test_target_is_the_present_leader(engine: Engine, world: ScriptedWorld) -> None:
    world.seen = led_by("pg-2")
    assert engine.inject("primary-frozen").nodes == ("pg-2",)


def test_replica_is_never_the_leader(engine: Engine, world: ScriptedWorld) -> None:
    world.seen = led_by("pg-3")
    assert engine.inject("replica-frozen").nodes == ("pg-2",)


def test_lost_follower_is_not_etcds_leader(engine: Engine, world: ScriptedWorld) -> None:
    world.etcd_leads = "e3"
    assert engine.inject("etcd-node-lost").nodes == ("e2",)


def test_lost_majority_is_two_of_three(engine: Engine) -> None:
    assert len(engine.inject("dcs-majority-lost").nodes) == 2


def test_one_incident_a_node(engine: Engine) -> None:
    engine.inject("primary-frozen")
    with pytest.raises(IncidentNotPossible, match="pg-1"):
        engine.inject("primary-cut-from-etcd")


def test_incidents_on_different_nodes_run_together_and_end_alone(engine: Engine, world: ScriptedWorld) -> None:
    cut = engine.inject("primary-cut-from-etcd")
    lag = engine.inject("replica-slow-link")
    client = engine.inject("etcd-node-lost")
    engine.undo(cut.id)
    assert {entry.id for entry in engine.active()} == {lag.id, client.id}
    assert not world.root.table and world.root.slow


def test_one_cut_undone_leaves_the_other(world: ScriptedWorld) -> None:
    from labhelpers.incidents.acts import CutClient, CutOff

    first, second = CutOff("pg-1", ("e1",)), CutClient("pg-2")
    first.inject(world, "one")
    second.inject(world, "two")
    first.undo(world, "one")
    assert {comment for _, comment, _ in world.root.rules} == {"two"}
    second.undo(world, "two")
    assert not world.root.table


def test_cutting_twice_makes_the_rules_once(world: ScriptedWorld) -> None:
    from labhelpers.incidents.acts import CutOff

    act = CutOff("pg-1", ("e1", "e2"))
    act.inject(world, "one")
    act.inject(world, "one")
    assert len(world.root.rules) == 4  # two links, both directions


def test_client_is_cut_from_postgresql_only(world: ScriptedWorld, engine: Engine) -> None:
    engine.inject("primary-cut-from-client")
    rules = [rule for _, _, rule in world.root.rules]
    assert len(rules) == 2
    assert all(" 5432 " in rule and world.topology.client_address in rule for rule in rules)


def test_power_cut_takes_the_link_before_the_processes(world: ScriptedWorld, engine: Engine) -> None:
    seen: list[bool | None] = []
    link = world.topology.node("pg-1").interface

    def kill(node: str) -> None:
        seen.append(world.network.is_up(link))
        killed_at.append(time.monotonic())
        world.containers[node] = "stopped"

    killed_at: list[float] = []
    world.kill = kill  # type: ignore[method-assign]
    entry = engine.inject("primary-power-cut")
    assert seen == [False]
    assert entry.acted_monotonic is not None and entry.acted_monotonic <= killed_at[0]


def test_replay_that_never_pauses_is_not_stopped_elsewhere(world: ScriptedWorld, tmp_path: Path) -> None:
    """The script itself, run by a shell on a stage: psql never says "paused", and kill would tell."""
    PauseReplay("pg-2").inject(world, "lag")
    [script] = world.scripts_on("pg-2")
    for name, body in {"sudo": "echo requested", "sleep": ":", "kill": f"touch {tmp_path}/killed"}.items():
        script = f"{name}() {{ {body}; }}\n{script}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 4 and "5 s" in done.stderr
    assert not (tmp_path / "killed").exists()


def test_unknown_incident_lists_them() -> None:
    with pytest.raises(UnknownIncident, match="primary-frozen") as caught:
        from labhelpers.incidents.catalogue import kind_of

        kind_of("primary-frosen")
    assert caught.value.exit_code == 2


def test_unknown_node_is_wrong_usage(engine: Engine) -> None:
    with pytest.raises(UnknownNode):
        engine.inject("primary-frozen", ["pg-9"])


def test_node_of_another_role_is_wrong_usage(engine: Engine) -> None:
    with pytest.raises(WrongTarget) as caught:
        engine.inject("primary-frozen", ["e1"])
    assert caught.value.exit_code == 2


def test_node_that_does_not_lead_is_refused_with_the_leader(engine: Engine) -> None:
    with pytest.raises(IncidentNotPossible, match="pg-1"):
        engine.inject("primary-frozen", ["pg-2"])


@pytest.mark.parametrize("minutes", [0, -1, 1000, float("nan")])
def test_time_without_sense_is_refused(minutes: float) -> None:
    with pytest.raises(UsageProblem):
        checked_minutes(minutes)


def test_no_leader_is_said(engine: Engine, world: ScriptedWorld) -> None:
    world.seen = replace(HEALTHY, members=tuple(replace(m, role="replica") for m in HEALTHY.members))
    assert "nobody leads" in (engine.possible("primary-frozen") or "")
    assert engine.possible("dcs-lost") is None


def test_lost_quorum_is_said_with_the_nodes(engine: Engine, world: ScriptedWorld) -> None:
    engine.inject("dcs-majority-lost")
    world.seen = None
    reason = engine.possible("primary-frozen") or ""
    assert "quorum" in reason and "e2 (frozen)" in reason
    assert "quorum" in (engine.possible("etcd-node-lost") or "")


@pytest.mark.parametrize("kind", ["etcd-node-lost", "etcd-leader-lost", "dcs-majority-lost"])
@pytest.mark.parametrize("state", ["frozen", "stopped"])
def test_incident_of_etcd_is_refused_while_a_node_of_it_is_lost(
    kind: str, state: str, engine: Engine, world: ScriptedWorld
) -> None:
    """Two of three, less one, is no quorum: it would not be what the incident says."""
    assert engine.possible(kind) is None
    world.containers["e2"] = state
    assert f"e2 ({state})" in (engine.possible(kind) or "")
    asked = {"etcd-node-lost": ["e3"], "etcd-leader-lost": ["e1"]}.get(kind, ["e1", "e3"])
    assert f"e2 ({state})" in (engine.possible(kind, asked) or "")


def predicted(engine: Engine, name: str) -> str:
    situation = engine.situation()
    kind = CATALOGUE[name]
    return kind.predicted(Timing(), situation, engine.targets(kind, (), situation))


@pytest.mark.parametrize("kind", ["primary-frozen", "primary-power-cut", "primary-cut-from-etcd", "primary-shutdown"])
def test_without_a_replica_to_take_over_no_interval_is_promised(
    kind: str, engine: Engine, world: ScriptedWorld, english: None
) -> None:
    engine.inject("replica-frozen", ["pg-3"])
    assert "clients wait" in predicted(engine, kind)
    world.containers["pg-2"] = "stopped"
    assert predicted(engine, kind) == "Clients wait as long as it lasts."


@pytest.mark.parametrize("state", ["running", "crashed"])
def test_replica_that_does_not_stream_takes_nothing_over(state: str, engine: Engine, world: ScriptedWorld) -> None:
    leader, *replicas = HEALTHY.members
    world.seen = ClusterView((leader, *(replace(one, state=state) for one in replicas)))
    assert CATALOGUE["primary-frozen"].prediction(Timing(), engine.situation(), ["pg-1"]) is None


def test_paused_patroni_replaces_nobody(engine: Engine, world: ScriptedWorld, english: None) -> None:
    world.seen = replace(HEALTHY, paused=True)
    for kind in ("primary-frozen", "postgres-crash"):
        assert predicted(engine, kind) == "Clients wait as long as it lasts."


@pytest.mark.parametrize("kind", ["replica-frozen", "replica-power-cut", "primary-cut-from-replicas"])
def test_commits_wait_for_a_synchronous_standby_that_falls_silent(
    kind: str, engine: Engine, world: ScriptedWorld, english: None
) -> None:
    assert predicted(engine, kind) == "Predicted: writes go on."
    members = tuple(replace(one, role="sync_standby") if one.name == "pg-3" else one for one in HEALTHY.members)
    world.seen = ClusterView(members)
    assert "commits wait" in predicted(engine, kind) and "pg-3" in predicted(engine, kind)
    assert predicted(engine, "replica-lag") == "Predicted: writes go on."


def test_dead_lab_says_how_to_start_it(engine: Engine, world: ScriptedWorld) -> None:
    for node in world.topology.names:
        world.containers[node] = "stopped"
    assert "workshop up --lab test-unit" in (engine.possible("primary-frozen") or "")


def test_stopped_node_is_said(engine: Engine, world: ScriptedWorld) -> None:
    world.containers["e2"] = "stopped"
    assert "e2 is stopped" in (engine.possible("dcs-lost") or "")


def test_forgotten_lab_keeps_neither_rules_nor_journal(engine: Engine, world: ScriptedWorld) -> None:
    engine.inject("primary-cut-from-etcd")
    engine.inject("replica-frozen")
    engine.forget()
    assert engine.active() == [] and not world.root.table
    assert world.states()["pg-3"] == "frozen"


def test_event_log_tells_what_happened(engine: Engine, world: ScriptedWorld) -> None:
    from labhelpers.incidents.eventlog import tail

    entry = engine.inject("primary-frozen")
    engine.undo(entry.id, "because")
    told = tail(world.log_directory)
    assert len(told) == 2 and "pg-1" in told[0] and "because" in told[1]
    assert os.linesep not in told[0]
