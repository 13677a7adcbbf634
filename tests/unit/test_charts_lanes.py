"""Lanes, points and numbers: what a figure is made of before it is one."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import scenes
from hypothesis import given
from hypothesis import strategies as st

from labhelpers.charts.axes import byte_ticks, fits, second_ticks
from labhelpers.charts.digest import Digest, digest_of
from labhelpers.charts.lanes import MemberLane, Stretches, phase_of, words
from labhelpers.charts.palette import MEMBER_COLOURS, member_colour, rgba
from labhelpers.charts.thinning import Thinned, scattered, thin
from labhelpers.observe.records import Attempt, ClientEnd, ClientInfo, KeyEvent, Mark, MemberSample, NodeChange

Z = scenes.ZERO


def leader(at: float, timeline: int = 3) -> MemberSample:
    return MemberSample(at, "pg-1", "running", True, "patroni", "leader", "running", timeline, False)


def silent(at: float) -> MemberSample:
    return MemberSample(at, "pg-1", "running", answered=False)


def told(lane: MemberLane) -> list[str]:
    return [stretch.what for stretch in lane.stretches]


def test_samples_that_say_the_same_make_one_stretch() -> None:
    lane = MemberLane("pg-1")
    for tick in range(1000):
        lane.sampled(leader(tick / 4), None)
    assert len(lane.stretches) == 1
    assert lane.stretches.last is not None
    assert lane.stretches.last.seconds == pytest.approx(249.75)


def test_freeze_begins_when_lxc_says_so_not_at_the_next_sample() -> None:
    lane = MemberLane("pg-1")
    lane.sampled(leader(1.0), None)
    lane.node_changed(1.07, "frozen")
    lane.sampled(MemberSample(1.3, "pg-1", "frozen"), None)
    assert [(s.what, s.begin) for s in lane.stretches] == [("leader", 1.0), ("frozen", 1.07)]


def test_answer_that_was_on_its_way_when_the_node_froze_is_left_out() -> None:
    lane = MemberLane("pg-1")
    lane.node_changed(1.0, "frozen")
    lane.sampled(leader(1.01), None)
    assert told(lane) == ["frozen"]


def test_one_look_in_vain_is_not_unreachable_and_two_are_from_the_first_on() -> None:
    lane = MemberLane("pg-1")
    lane.sampled(leader(1.0), None)
    lane.sampled(silent(1.25), None)
    assert told(lane) == ["leader"]
    lane.sampled(silent(1.5), None)
    assert [(s.what, s.begin) for s in lane.stretches] == [("leader", 1.0), ("unreachable", 1.25)]


def test_change_that_nobody_saw_come_leaves_a_hole() -> None:
    lane = MemberLane("pg-1")
    lane.sampled(leader(1.0), None)
    lane.sampled(leader(9.0, timeline=4), None)
    first, second = lane.stretches
    assert (first.end, second.begin) == (1.0, 9.0)


def test_new_timeline_begins_a_new_stretch() -> None:
    lane = MemberLane("pg-1")
    lane.sampled(leader(1.0, 3), None)
    lane.sampled(leader(1.25, 4), None)
    assert [s.timeline for s in lane.stretches] == [3, 4]


def test_a_demoted_leader_whose_key_cannot_go_is_no_candidate() -> None:
    """Without a majority, etcd goes on naming the leader that has just stepped down."""
    lane = MemberLane("pg-1")
    replica = MemberSample(1.25, "pg-1", "running", True, "patroni", "replica")
    lane.sampled(leader(1.0, 3), "pg-1")
    lane.sampled(replica, "pg-1")
    assert [s.what for s in lane.stretches] == ["leader", "replica"]
    lane.sampled(replace(replica, at=1.5), "pg-2")
    lane.sampled(replace(replica, at=1.75), "pg-1")
    assert [s.what for s in lane.stretches] == ["leader", "replica", "promoting"]


@pytest.mark.parametrize(
    ("sample", "holder", "expected"),
    [
        (leader(1.0), "pg-1", "leader"),
        (MemberSample(1, "pg-1", "running", True, "postgres", "leader"), None, "writable"),
        (MemberSample(1, "pg-1", "running", True, "patroni", "replica"), "pg-2", "replica"),
        (MemberSample(1, "pg-1", "running", True, "patroni", "replica"), "pg-1", "promoting"),
        (MemberSample(1, "pg-1", "running", True, "patroni", state="creating replica"), None, "starting"),
        (MemberSample(1, "pg-1", "running", True, "patroni", state="crashed"), None, "down"),
        (MemberSample(1, "pg-1", "frozen"), None, "frozen"),
        (MemberSample(1, "pg-1", "stopped"), None, "stopped"),
        (silent(1), None, "unreachable"),
    ],
)
def test_phase_of_a_member(sample: MemberSample, holder: str | None, expected: str) -> None:
    assert phase_of(sample, holder) == expected


def test_paused_replay_is_written_on_the_lane() -> None:
    lane = MemberLane("pg-1")
    lane.sampled(
        MemberSample(1, "pg-1", "running", True, "patroni", "replica", "streaming", 3, True, replay_paused=True), None
    )
    assert lane.stretches.last is not None
    assert words(lane.stretches.last) == "replica · TL 3 · replay paused"


def test_lane_that_flaps_for_ever_stays_bounded() -> None:
    stretches = Stretches(limit=50)
    for tick in range(5000):
        stretches.note(tick / 4, "leader" if tick % 2 else "replica")
    assert len(stretches) == 50
    assert next(iter(stretches)).begin == 0


def test_two_leaders_at_once_are_both_in_the_digest() -> None:
    digest = digest_of(scenes.two_leaders())
    now = Z + 50
    what = {name: [s.what for s in lane.stretches.between(now, now + 1)] for name, lane in digest.lanes.items()}
    assert what == {"pg-1": ["writable"], "pg-2": ["leader"], "pg-3": ["replica"]}


def test_key_lane_shows_who_held_it_and_when_nobody_did() -> None:
    digest = digest_of(scenes.frozen_primary())
    assert [(s.what, s.note) for s in digest.key.stretches] == [("held", "pg-1"), ("absent", ""), ("held", "pg-2")]
    assert digest.key.changes == [(Z + 50.7, "pg-2")]


def test_clients_pause_is_a_gap_and_its_end_is_not_an_outage() -> None:
    digest = Digest()
    digest.feed([scenes.header(), ClientInfo(Z, "app", None, 20.0)])
    for at in (0.0, 0.05, 9.0, 9.05):
        digest.add(Attempt(Z + at, Z + at + 0.004, "app", 1, 1, "acknowledged", "pg-1", 3))
    assert digest.gaps == [(Z + 0.054, Z + 9.004)]
    digest.add(KeyEvent(Z + 20, "held", "pg-1", 5))
    assert digest.waiting_since == Z + 9.054
    digest.add(ClientEnd(Z + 20, "app"))
    assert digest.waiting_since is None


def test_freeze_by_hand_becomes_a_mark_that_ends_with_the_thaw() -> None:
    digest = Digest()
    digest.feed([scenes.header(), NodeChange(Z, "e1", "running"), NodeChange(Z + 5, "e1", "frozen")])
    assert [(mark.nodes, mark.until) for mark in digest.shown_marks()] == [(("e1",), None)]
    digest.add(NodeChange(Z + 9, "e1", "running"))
    assert [mark.until for mark in digest.shown_marks()] == [Z + 9]


def test_freeze_told_by_an_incident_is_not_told_twice_and_ends_with_the_thaw() -> None:
    digest = Digest()
    digest.feed([scenes.header(), NodeChange(Z, "pg-1", "running"), NodeChange(Z + 5, "pg-1", "frozen")])
    digest.add(Mark(Z + 4.6, "m1", "primary-frozen", ("pg-1",)))
    digest.add(NodeChange(Z + 9, "pg-1", "running"))
    assert [(mark.id, mark.at, mark.until) for mark in digest.shown_marks()] == [("m1", Z + 5, Z + 9)]


points = st.lists(
    st.tuples(st.floats(0, 1e4), st.one_of(st.none(), st.floats(0, 1e9))), max_size=400, unique_by=lambda p: p[0]
).map(sorted)


@given(points.map(list), st.integers(3, 60))
def test_thinned_points_keep_the_extremes_within_the_limit(
    given_points: list[tuple[float, float | None]], limit: int
) -> None:
    kept = thin(given_points, limit)
    assert len(kept) <= max(limit, 3)
    assert kept == sorted(kept, key=lambda point: point[0])
    values = [value for _, value in given_points if value is not None]
    if values:
        shown = [value for _, value in kept if value is not None]
        assert max(shown) == max(values)
        assert min(shown) == min(values)


def test_cloud_of_dots_keeps_the_one_that_stands_out() -> None:
    cloud: list[tuple[float, float | None]] = [(n / 10, 5.0) for n in range(2000)]
    cloud[777] = (77.7, 900.0)
    kept = scattered(cloud, 100)
    assert len(kept) <= 100
    assert (77.7, 900.0) in kept


def test_series_never_grows_beyond_its_limit() -> None:
    series, draw = Thinned(100), random.Random(1)
    for n in range(20_000):
        series.add(n, draw.random())
        assert len(series) <= 100


def test_axis_of_lag_begins_at_zero_and_covers_the_highest() -> None:
    assert byte_ticks(0) == [0, 500, 1000]
    assert byte_ticks(9.8e6)[0] == 0
    assert byte_ticks(9.8e6)[-1] >= 9.8e6


def test_ticks_of_time_are_round() -> None:
    assert second_ticks(0, 110) == [0, 20, 40, 60, 80, 100]


def test_text_needs_room() -> None:
    assert fits("leader · TL 3", 20, 110, 800)
    assert not fits("leader · TL 3", 1, 110, 800)


def test_members_keep_their_colour() -> None:
    assert [member_colour(m, scenes.MEMBERS) for m in scenes.MEMBERS] == ["#0072B2", "#D55E00", "#009E73"]
    assert member_colour("backup", scenes.MEMBERS) not in MEMBER_COLOURS
    assert rgba("#0072B2", 0.5) == "rgba(0,114,178,0.5)"


def test_container_that_stops_after_a_clean_shutdown_does_not_move_its_mark() -> None:
    told = Mark(Z + 5, "m", "primary-shutdown", ("pg-1",))
    states = [NodeChange(Z, "pg-1", "running"), NodeChange(Z + 19, "pg-1", "stopped")]
    digest = digest_of([scenes.header(), *states, told])
    assert [(mark.id, mark.at) for mark in digest.shown_marks()] == [("m", Z + 5)]
