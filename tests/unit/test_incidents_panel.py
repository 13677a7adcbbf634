"""What the panel shows and what its buttons do, without a browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import scenes
from ipywidgets import HTML

from labhelpers.incidents.catalogue import CATALOGUE
from labhelpers.incidents.engine import Engine
from labhelpers.incidents.eventlog import tail
from labhelpers.incidents.journal import Entry
from labhelpers.lab import Lab
from labhelpers.observe import stage
from labhelpers.observe.outage import measure_outage
from labhelpers.observe.recordings import Recording
from labhelpers.observe.records import Mark
from labhelpers.observe.session import Session
from labhelpers.prediction import DYNAMIC_CONFIGURATION, Timing, predict
from labhelpers.widgets.panel_html import card_html, clock_html, summary_html, tiles_html
from labhelpers.widgets.panel_model import PanelState, clock, clock_sentence, ended, panel_state, told
from labhelpers.widgets.panel_result import Result
from labhelpers.widgets.panel_view import PanelView
from tests.unit.scripted_world import HEALTHY, ScriptedWorld


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_LANGUAGE", "en")


@pytest.fixture
def world(tmp_path: Path) -> ScriptedWorld:
    return ScriptedWorld(tmp_path)


@pytest.fixture
def engine(world: ScriptedWorld) -> Engine:
    return Engine(world, ensure_watchman=lambda: None)


def state_of(engine: Engine, busy: str = "") -> PanelState:
    return panel_state(engine.situation(), Timing(), busy=busy)


def tile(state: PanelState, node: str) -> str:
    return next(f"{tile.shape}: {tile.line}" for tile in state.tiles if tile.node == node)


def test_every_node_has_a_tile_and_every_incident_a_card(engine: Engine) -> None:
    state = state_of(engine)
    assert [one.node for one in state.tiles] == ["e1", "e2", "e3", "pg-1", "pg-2", "pg-3", "backup"]
    assert [one.kind for one in state.cards] == list(CATALOGUE)
    assert all(card.enabled and "{nodes}" not in card.text + card.button for card in state.cards)


def test_tiles_tell_role_and_timeline(engine: Engine) -> None:
    state = state_of(engine)
    assert tile(state, "pg-1") == "leader: leader · TL 3"
    assert tile(state, "pg-2") == "running: replica · TL 3"
    assert tile(state, "e1") == "running: etcd leader"


def test_unknown_role_is_said_to_be_unknown(engine: Engine, world: ScriptedWorld) -> None:
    world.seen = None
    assert tile(state_of(engine), "pg-1") == "unknown: role unknown"


def test_card_names_the_target_of_now_and_the_prediction(engine: Engine) -> None:
    [card] = [card for card in state_of(engine).cards if card.kind == "primary-frozen"]
    assert card.button == "Freeze pg-1" and "20–43 s" in card.note


def test_card_promises_no_new_leader_where_no_replica_is_left(engine: Engine, world: ScriptedWorld) -> None:
    for node in ("pg-2", "pg-3"):
        world.containers[node] = "frozen"
    [card] = [card for card in state_of(engine).cards if card.kind == "primary-frozen"]
    assert card.note == "Clients wait as long as it lasts."


def test_running_card_undoes_and_tells_its_end(engine: Engine) -> None:
    entry = engine.inject("primary-frozen")
    [card] = [card for card in state_of(engine).cards if card.runs]
    assert card.incident_id == entry.id and card.button == "Thaw pg-1" and card.enabled
    assert "Undone by itself in 5 min 00 s" in card.note
    assert tile(state_of(engine), "pg-1").startswith("frozen: frozen")


def test_card_that_makes_no_sense_is_disabled_with_the_reason(engine: Engine) -> None:
    engine.inject("primary-frozen")
    [card] = [card for card in state_of(engine).cards if card.kind == "primary-power-cut"]
    assert not card.enabled and card.text.startswith("Not now: pg-1 is in")


def test_nothing_can_be_pressed_while_healing(engine: Engine) -> None:
    assert not any(card.enabled for card in state_of(engine, busy="Healing goes on.").cards)


def test_node_frozen_by_hand_gets_a_card(engine: Engine, world: ScriptedWorld) -> None:
    from labhelpers.incidents.owner import Owner

    owner = Owner.of()
    assert owner is not None
    world.containers["e1"] = "frozen"
    engine.adopt("e1", owner)
    assert state_of(engine).cards[-1].button == "Thaw e1"


def test_clock_counts_until_another_leads(engine: Engine) -> None:
    entry = engine.inject("primary-frozen")
    running = clock(engine.situation(), Timing(), [(entry.since_monotonic - 50, "pg-1")])
    assert running is not None and running.new_leader is None and running.band == (20, 43)
    leaders = [(entry.since_monotonic - 50, "pg-1"), (entry.since_monotonic + 31, "pg-2")]
    done = clock(engine.situation(), Timing(), leaders)
    assert done is not None and done.new_leader_after_seconds == pytest.approx(31, abs=1)
    assert "<b>pg-2</b> leads after <b>31 s</b>" in clock_sentence(done)


def test_no_clock_without_an_incident(engine: Engine) -> None:
    assert clock(engine.situation(), Timing(), []) is None


def test_result_says_how_long_the_recordings_client_waited_and_stays(engine: Engine) -> None:
    engine.inject("primary-frozen")
    outage = measure_outage(Recording(scenes.frozen_primary()))
    counting = clock(engine.situation(), Timing(), [])
    assert counting is not None and counting.counts
    sentence = "Clients waited <b>32.2 s</b>, now served by <b>pg-2</b>. Predicted 20–43 s."
    assert clock_sentence(told(counting, outage)) == sentence
    assert clock_sentence(ended(counting, outage)) == sentence


def test_result_without_a_recording_is_who_leads(engine: Engine) -> None:
    entry = engine.inject("primary-frozen")
    seen = clock(engine.situation(), Timing(), [(entry.since_monotonic + 31, "pg-2")])
    assert seen is not None
    assert "<b>pg-2</b> leads after <b>31 s</b>" in clock_sentence(ended(seen, None))


def test_result_stays_after_the_undoing_and_the_log_has_the_first_commit(
    engine: Engine, world: ScriptedWorld, tmp_path: Path
) -> None:
    lab = SimpleNamespace(name="test-scene", paths=SimpleNamespace(log=tmp_path / "log"))
    entry = engine.inject("primary-frozen")
    records = [replace(r, id=entry.id) if isinstance(r, Mark) else r for r in scenes.frozen_primary()]
    session = SimpleNamespace(lab=lab, recording=Recording(records), prediction=lambda _: predict("lease"))
    stage.enter(cast(Session, session))
    result = Result(cast(Lab, lab))
    running = result.update(engine.situation(), Timing(), [])
    engine.undo(entry.id)
    over = result.update(engine.situation(), Timing(), [])
    assert running is not None and over is not None
    assert not running.over and over.over
    assert clock_sentence(over) == "Clients waited <b>32.2 s</b>, now served by <b>pg-2</b>. Predicted 20–43 s."
    assert [line for line in tail(lab.paths.log) if line.endswith("first commit acknowledged, after 32.2 s")]
    engine.inject("replica-frozen")
    following = result.update(engine.situation(), Timing(), [])
    assert following is not None and following.counts


def test_clock_promises_nothing_that_the_card_did_not(engine: Engine, world: ScriptedWorld) -> None:
    world.seen = replace(HEALTHY, paused=True)
    entry = engine.inject("primary-frozen")
    running = clock(engine.situation(), Timing(), [])
    assert running is not None and running.prediction is None
    assert not Entry.from_json(entry.to_json()).predictable


def test_message_stands_below_the_clock(engine: Engine) -> None:
    engine.inject("primary-frozen")
    html = clock_html(clock(engine.situation(), Timing(), []), "sudo asks for a password here.")
    assert html.index("Freeze the primary") < html.index("sudo asks")


def test_each_of_two_frozen_replicas_can_be_undone(engine: Engine) -> None:
    first = engine.inject("replica-frozen", ["pg-2"])
    second = engine.inject("replica-frozen", ["pg-3"])
    running = [card for card in state_of(engine).cards if card.runs]
    assert [(card.kind, card.incident_id, card.button) for card in running] == [
        ("replica-frozen", first.id, "Thaw pg-2"), (f"replica-frozen:{second.id}", second.id, "Thaw pg-3"),
    ]  # fmt: skip


def test_card_links_to_the_source_of_its_prediction(engine: Engine) -> None:
    [card] = [card for card in state_of(engine).cards if card.kind == "primary-frozen"]
    assert f'href="{DYNAMIC_CONFIGURATION}"' in card_html(card)


def test_pressed_button_keeps_the_focus_and_others_do_not_act(engine: Engine, world: ScriptedWorld) -> None:
    pressed: list[str] = []
    view = PanelView(world.topology, on_card=pressed.append, on_more=print, on_heal=lambda: None)
    view.show(state_of(engine), None, "", [], taken=set())
    view.button("primary-frozen").click()
    view.show(state_of(engine, busy="Healing goes on."), None, "", [], taken={"primary-frozen"})
    assert pressed == ["primary-frozen"]
    assert not view.button("primary-frozen").disabled and view.button("postgres-crash").disabled


def test_one_chart_at_a_time_is_kept_in_view(world: ScriptedWorld) -> None:
    view = PanelView(world.topology, on_card=print, on_more=print, on_heal=lambda: None)
    first, second = HTML(), HTML()
    view.show_figure(first)
    view.show_figure(second)
    assert first.comm is None and second.comm is not None
    assert view.take_figure() is second and view.take_figure() is None


def test_html_is_escaped(engine: Engine, world: ScriptedWorld) -> None:
    from labhelpers.incidents.world import MemberView

    assert world.seen is not None
    world.seen = replace(world.seen, members=(MemberView("pg-1", "replica", "<script>", 3),))
    html = tiles_html(state_of(engine), world.topology) + summary_html(state_of(engine), world.topology, ["<b>"])
    assert "<script>" not in html and "&lt;b&gt;" in html


def test_french_panel_speaks_french(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_LANGUAGE", "fr")
    [card] = [card for card in state_of(engine).cards if card.kind == "primary-frozen"]
    assert card.button == "Geler pg-1" and card.title == "Geler le primaire"
