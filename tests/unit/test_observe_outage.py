"""The outage: where its seconds went, from stamps that are not the sampler's."""

from __future__ import annotations

import pytest
import scenes

from labhelpers.observe.outage import measure_outage
from labhelpers.observe.recordings import Recording
from labhelpers.observe.records import Attempt, ClientInfo, KeyEvent, Mark, NodeChange, NodeEvent, Record
from labhelpers.prediction import predict

Z = scenes.ZERO


def steady(begin: float, end: float, node: str, timeline: int, first: int = 1, client: str = "app") -> list[Record]:
    return [
        Attempt(Z + at / 20, Z + at / 20 + 0.004, client, first + i, 1, "acknowledged", node, timeline)
        for i, at in enumerate(range(int(begin * 20), int(end * 20)))
    ]


def scene(*records: Record) -> Recording:
    return Recording([scenes.header(), ClientInfo(Z, "app", None, 20.0), KeyEvent(Z, "held", "pg-1", 1), *records])


def test_frozen_primary_is_split_into_four_layers_that_add_up() -> None:
    outage = measure_outage(Recording(scenes.frozen_primary()), prediction=predict("lease"))
    assert outage is not None
    assert [layer.name for layer in outage.layers] == ["detect", "elect", "promote", "reconnect"]
    assert [round(layer.seconds, 1) for layer in outage.layers[:3]] == [28.5, 2.2, 1.1]
    assert outage.seconds is not None
    assert sum(layer.seconds for layer in outage.layers) == pytest.approx(outage.seconds)
    assert (outage.old_leader, outage.new_leader) == ("pg-1", "pg-2")
    assert (outage.old_timeline, outage.new_timeline) == (3, 4)
    assert outage.within_prediction


def test_sentence_says_who_took_over_and_how_long_clients_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_LANGUAGE", "fr")
    outage = measure_outage(Recording(scenes.frozen_primary()), prediction=predict("lease"))
    assert outage is not None
    assert "pg-2 (timeline 4) a remplacé pg-1 ; les clients ont attendu 32,2 s" in outage.sentence()


def test_etcd_follower_frozen_interrupts_nobody() -> None:
    recording = scene(Mark(Z + 5, "m", "etcd-frozen", ("e3",)), *steady(0, 20, "pg-1", 3))
    outage = measure_outage(recording, prediction=predict("none"))
    assert outage is not None
    assert not outage.interrupted
    assert outage.layers == ()
    assert outage.within_prediction
    assert "noticed nothing" in outage.sentence()


def test_crash_restarted_in_place_is_one_layer_and_no_failover() -> None:
    recording = scene(
        Mark(Z + 5, "m", "postgres-crash", ("pg-1",)),
        *steady(0, 5, "pg-1", 3), *steady(9, 20, "pg-1", 3, first=500),
    )  # fmt: skip
    outage = measure_outage(recording, prediction=predict("restart"))
    assert outage is not None
    assert not outage.failed_over
    assert [layer.name for layer in outage.layers] == ["wait"]
    assert outage.seconds == pytest.approx(4.0, abs=0.06)
    assert "leads as before" in outage.sentence()


def test_client_that_still_waits_has_no_length_yet() -> None:
    recording = scene(
        Mark(Z + 5, "m", "dcs-lost", ("e1", "e2", "e3")),
        *steady(0, 19, "pg-1", 3),
        NodeChange(Z + 60, "e1", "frozen"),
    )
    outage = measure_outage(recording, prediction=predict("read-only"))
    assert outage is not None
    assert outage.interrupted
    assert not outage.is_over
    assert outage.client_seconds is None
    assert outage.measured_seconds == pytest.approx(14.0, abs=0.06)
    assert "Nobody can write" in outage.sentence()


def test_writes_that_go_on_for_a_while_are_a_layer_of_their_own() -> None:
    recording = scene(
        Mark(Z + 5, "m", "primary-cut-from-etcd", ("pg-1",)),
        *steady(0, 19, "pg-1", 3),
        KeyEvent(Z + 27, "absent", None, 5), KeyEvent(Z + 27.5, "held", "pg-2", 6),
        NodeEvent(Z + 28, "pg-2", "promoted", 4, "history file"),
        *steady(28.5, 40, "pg-2", 4, first=900),
    )  # fmt: skip
    outage = measure_outage(recording)
    assert outage is not None
    assert [layer.name for layer in outage.layers] == [
        "writes go on",
        "detect",
        "elect",
        "promote",
        "reconnect",
    ]
    assert outage.client_seconds == pytest.approx(9.5, abs=0.06)
    assert outage.seconds == pytest.approx(23.5, abs=0.06)


def test_stamp_that_nobody_saw_joins_two_layers() -> None:
    records = [r for r in scenes.frozen_primary() if not isinstance(r, NodeEvent)]
    outage = measure_outage(Recording(records))
    assert outage is not None
    assert outage.promoted_at is None
    assert [layer.name for layer in outage.layers] == ["detect", "elect", "reconnect"]


def test_patroni_api_stands_in_where_there_is_no_history_file() -> None:
    records = [r for r in scenes.frozen_primary() if not isinstance(r, NodeEvent)]
    records.append(NodeEvent(Z + 51.9, "pg-2", "leads", 4, "patroni api"))
    outage = measure_outage(Recording(records))
    assert outage is not None
    assert outage.promoted_source == "patroni api"


def test_incident_that_lxc_saw_before_it_was_written_as_done_is_not_its_own_end() -> None:
    recording = scene(
        NodeChange(Z + 5.0, "pg-1", "frozen"),
        Mark(Z + 5.02, "m", "primary-frozen", ("pg-1",), ordered_at=Z + 4.9),
        *steady(0, 5, "pg-1", 3), *steady(9, 20, "pg-2", 4, first=500),
    )  # fmt: skip
    outage = measure_outage(recording)
    assert outage is not None
    assert (outage.fault_at, outage.fault_source) == (Z + 5.0, "lxc")
    assert outage.observed_until > Z + 19
    assert outage.interrupted and outage.is_over


def test_fault_made_by_hand_is_seen_by_lxc() -> None:
    records = [r for r in scenes.frozen_primary() if not isinstance(r, Mark)]
    outage = measure_outage(Recording(records))
    assert outage is not None
    assert outage.fault_source == "lxc"
    assert outage.fault_at == Z + 20


def test_incident_written_down_before_it_is_done_counts_from_the_deed() -> None:
    records = [r for r in scenes.frozen_primary() if not isinstance(r, Mark)]
    outage = measure_outage(Recording([*records, Mark(Z + 18.5, "m", "primary-frozen", ("pg-1",))]))
    assert outage is not None
    assert (outage.fault_at, outage.fault_source) == (Z + 20, "lxc")


def test_clean_shutdown_counts_from_the_act_not_from_the_containers_end() -> None:
    """The key is released at once; the container stops seconds later, when clients write again."""
    recording = scene(
        Mark(Z + 5.4, "m", "primary-shutdown", ("pg-1",), ordered_at=Z + 5), NodeChange(Z, "pg-1", "running"),
        *steady(0, 5.5, "pg-1", 3),
        KeyEvent(Z + 6.5, "absent", None, 5), KeyEvent(Z + 6.6, "held", "pg-2", 6),
        *steady(8, 20, "pg-2", 4, first=900),
        NodeChange(Z + 9.5, "pg-1", "stopped"),
    )  # fmt: skip
    outage = measure_outage(recording, prediction=predict("release"))
    assert outage is not None
    assert (outage.fault_at, outage.fault_source) == (Z + 5.4, "mark")
    assert outage.client_seconds == pytest.approx(2.5, abs=0.1)
    assert (outage.old_leader, outage.new_leader) == ("pg-1", "pg-2")
    assert "noticed nothing" not in outage.sentence()


def test_key_released_before_the_act_was_reported_done_belongs_to_it() -> None:
    recording = scene(
        Mark(Z + 9, "m", "primary-shutdown", ("pg-1",), ordered_at=Z + 5), *steady(0, 5.5, "pg-1", 3),
        KeyEvent(Z + 6.5, "absent", None, 5), KeyEvent(Z + 6.6, "held", "pg-2", 6),
        *steady(8, 20, "pg-2", 4, first=900),
    )  # fmt: skip
    outage = measure_outage(recording)
    assert outage is not None
    assert (outage.old_leader, outage.new_leader, outage.key_gone_at) == ("pg-1", "pg-2", Z + 6.5)
    assert outage.client_seconds == pytest.approx(2.5, abs=0.1)


def test_power_cut_counts_from_the_link_not_from_the_containers_end() -> None:
    """The link goes first, then the node: the client's last commit tells better than the end of the act."""
    recording = scene(
        Mark(Z + 6, "m", "primary-power-cut", ("pg-1",), ordered_at=Z + 4.9), NodeChange(Z, "pg-1", "running"),
        *steady(0, 5, "pg-1", 3), NodeChange(Z + 5.9, "pg-1", "stopped"),
        KeyEvent(Z + 30, "absent", None, 5), KeyEvent(Z + 30.6, "held", "pg-2", 6),
        *steady(32, 40, "pg-2", 4, first=900),
    )  # fmt: skip
    outage = measure_outage(recording, prediction=predict("lease"))
    assert outage is not None
    assert outage.fault_source == "client"
    assert outage.fault_at == pytest.approx(Z + 4.95, abs=0.06)
    assert outage.seconds == outage.client_seconds == pytest.approx(27.05, abs=0.1)


def test_pause_long_after_the_incidents_end_is_not_its_doing() -> None:
    recording = scene(
        Mark(Z + 5, "m", "postgres-crash", ("pg-1",), until=Z + 8),
        *steady(0, 5, "pg-1", 3), *steady(7, 60, "pg-1", 3, first=500), *steady(90, 100, "pg-1", 3, first=3000),
    )  # fmt: skip
    outage = measure_outage(recording)
    assert outage is not None
    assert outage.client_seconds == pytest.approx(2.0, abs=0.1)


def test_switchover_is_compared_from_the_last_commit_not_from_the_order() -> None:
    recording = scene(
        Mark(Z + 5, "m", "switchover", ("pg-1",)), *steady(0, 7, "pg-1", 3),
        KeyEvent(Z + 7.5, "absent", None, 5), KeyEvent(Z + 7.6, "held", "pg-2", 6),
        *steady(9, 12, "pg-2", 4, first=900),
    )  # fmt: skip
    outage = measure_outage(recording, prediction=predict("release"))
    assert outage is not None
    assert outage.measured_seconds == pytest.approx(2.05, abs=0.02)
    assert outage.within_prediction


def test_nothing_happened_is_no_outage() -> None:
    assert measure_outage(scene(*steady(0, 10, "pg-1", 3))) is None


def test_second_incident_ends_the_first_ones_span() -> None:
    recording = scene(
        Mark(Z + 5, "m1", "postgres-crash", ("pg-1",)), Mark(Z + 20, "m2", "postgres-crash", ("pg-1",)),
        *steady(0, 5, "pg-1", 3), *steady(7, 20, "pg-1", 3, first=500), *steady(26, 40, "pg-1", 3, first=2000),
    )  # fmt: skip
    first = measure_outage(recording, recording.marks[0])
    second = measure_outage(recording)
    assert first is not None
    assert second is not None
    assert first.client_seconds == pytest.approx(2.0, abs=0.1)
    assert second.client_seconds == pytest.approx(6.0, abs=0.1)


def test_ordinary_client_is_measured_before_a_pinned_one() -> None:
    records: list[Record] = [
        scenes.header(), ClientInfo(Z, "pinned", "pg-1", 50.0), ClientInfo(Z, "app", None, 20.0),
        Mark(Z + 5, "m", "primary-frozen", ("pg-1",)),
        *steady(0, 5, "pg-1", 3, client="pinned"), *steady(0, 5, "pg-1", 3), *steady(8, 12, "pg-2", 4, first=300),
    ]  # fmt: skip
    outage = measure_outage(Recording(records))
    assert outage is not None
    assert outage.client == "app"
    assert outage.client_seconds == pytest.approx(3.0, abs=0.06)


def test_pause_of_the_clients_own_pace_is_no_outage() -> None:
    records: list[Record] = [
        scenes.header(),
        ClientInfo(Z, "slow", None, 1.0),
        Mark(Z + 5, "m", "x", ("pg-3",)),
    ]
    records += [Attempt(Z + n, Z + n + 0.01, "slow", n + 1, 1, "acknowledged", "pg-1", 3) for n in range(20)]
    outage = measure_outage(Recording(records))
    assert outage is not None
    assert not outage.interrupted
