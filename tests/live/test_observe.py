"""Watching a real cluster: what is seen, when, and what became of every commit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from labhelpers import incidents, observe
from labhelpers.charts.frozen import LARGEST_BYTES, bundle
from labhelpers.errors import UnknownNode
from labhelpers.incidents import client_network
from labhelpers.lab import Lab
from labhelpers.observe.accounting import read_rows
from labhelpers.observe.client_process import TABLE
from labhelpers.observe.records import Attempt
from labhelpers.waiting import slowness, wait_until
from tests.live.incident_lab import LAB, cluster_lab, command, ensure_app

pytestmark = pytest.mark.live

RESOLUTION_SECONDS = 0.1


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = cluster_lab()
    ensure_app(lab)
    yield lab
    incidents.heal(lab)
    incidents.watchman.dismiss(lab)
    lab.close()


@pytest.fixture(autouse=True)
def healthy(lab: Lab) -> Iterator[None]:
    """Each test begins on a healthy cluster; a member that has forked is built anew."""
    lab.containers.unfreeze(*lab.topology.names)
    incidents.heal(lab)
    lab.patroni.wait_for_healthy(within=120)
    yield
    lab.containers.unfreeze(*lab.topology.names)


def others(lab: Lab, *names: str) -> list[str]:
    return [member for member in lab.topology.postgres if member not in names]


def acknowledged(session: observe.Session, client: str, since: float = 0.0) -> list[Attempt]:
    return [
        attempt
        for attempt in session.recording.attempts
        if attempt.client == client and attempt.outcome == "acknowledged" and attempt.finished >= since
    ]


def wait_for_commits(session: observe.Session, count: int = 20, since: float = 0.0, within: float = 30) -> None:
    name = session.clients[0].name
    wait_until(
        lambda: len(acknowledged(session, name, since)) >= count,
        what=f"{count} commits of {name}", within=within, every=0.5,
    )  # fmt: skip


def test_steady_cluster_is_seen_as_it_is_and_loses_nothing(lab: Lab) -> None:
    with observe.recording(lab, "steady") as session:
        wait_for_commits(session, 60)
    seen = session.recording
    leader = lab.patroni.leader()
    assert seen.keys[0].holder == leader
    last = {sample.member: sample for sample in seen.samples}
    assert {member for member, sample in last.items() if sample.role == "leader"} == {leader}
    assert all(last[member].lag_bytes is not None for member in others(lab, leader or ""))
    assert {change.state for change in seen.node_changes} == {"running"}
    assert {change.node for change in seen.node_changes} == set(lab.topology.names)
    (account,) = session.account()
    assert account.lost == ()
    assert account.acknowledged >= 60
    rows = read_rows(lab, [account.counted_on], [account.client], TABLE)[account.counted_on][account.client]
    assert rows <= {attempt.sequence for attempt in seen.attempts}, "each row is in the client's log"
    assert session.outage() is None


def test_frozen_leader_outage_is_split_and_every_commit_accounted_for(lab: Lab) -> None:
    leader = lab.patroni.wait_for_leader(within=30)
    with observe.recording(lab, "frozen", [observe.ClientSpec(), leader]) as session:
        wait_for_commits(session)
        before = time.monotonic()
        incident = incidents.inject(lab, "primary-frozen", leader)
        after = time.monotonic()
        new = lab.patroni.wait_for_leader(*others(lab, leader), within=90)
        wait_for_commits(session, since=after)
        incident.undo()
        thawed = time.monotonic()
        wait_for_commits(session, 100, since=thawed)
    outage = session.outage()
    assert outage is not None
    assert (outage.old_leader, outage.new_leader) == (leader, new)
    assert before - RESOLUTION_SECONDS <= outage.fault_at <= after + 1.0  # the sampler may be late
    assert outage.fault_source == "lxc"
    assert [layer.name for layer in outage.layers] == ["detect", "elect", "promote", "reconnect"]
    assert outage.promoted_source == "history file"
    assert outage.within_prediction, outage.sentence()
    api = next(e.at for e in session.recording.events if e.node == new and e.what == "leads")
    assert outage.promoted_at is not None
    assert -RESOLUTION_SECONDS <= api - outage.promoted_at <= 5, "two witnesses of one promotion"
    mark = session.recording.marks[0]
    assert mark.what == "primary-frozen", "noticed in the journal, without being told"
    assert mark.until is not None

    ordinary, pinned = session.account()
    # Asynchronous replication: what was acknowledged just before the fault may not have left the node.
    lost = [a for a in session.recording.attempts if a.client == ordinary.client and a.sequence in ordinary.lost]
    assert len(lost) <= 2 and all(a.finished <= outage.fault_at + 0.3 for a in lost)
    assert set(ordinary.lost_acknowledged_by) <= {leader}
    assert set(pinned.lost_acknowledged_by) <= {leader}
    forms = bundle(session.figure(), session.summary())
    assert sum(len(str(form)) for form in forms.values()) < LARGEST_BYTES
    if pinned.lost:  # forked: it stays on its old timeline for ever, and only this mends it
        assert incidents.heal(lab).ok


def test_frozen_etcd_node_neither_ends_the_watch_nor_hides_a_switchover(lab: Lab) -> None:
    with observe.recording(lab, "watch") as session:
        wait_for_commits(session)
        through = session.sampler.watch.known
        assert through is not None
        assert through.via is not None
        lab.containers.freeze(through.via)
        leader = lab.patroni.wait_for_leader(within=60)
        candidate = others(lab, leader)[0]
        begin = time.monotonic()
        lab.patroni.switchover(candidate, within=90)
        end = time.monotonic()
        lab.containers.unfreeze(through.via)
    change = next(key for key in session.recording.keys if key.holder == candidate)
    assert begin <= change.at <= end + 1.0
    assert change.exact
    assert change.via != through.via


def test_silent_node_does_not_delay_the_others(lab: Lab) -> None:
    leader = lab.patroni.wait_for_leader(within=30)
    silent, other = others(lab, leader)
    with observe.recording(lab, "silent") as session:
        wait_for_commits(session)
        incidents.inject(lab, "replica-frozen", silent)
        begin = time.monotonic()
        wait_for_commits(session, 120, since=begin)
        end = time.monotonic()
    for member in (leader, other):
        stamps = [s.at for s in session.recording.samples if s.member == member and begin <= s.at <= end]
        pauses = sorted(after - before for before, after in pairwise(stamps))
        assert pauses[len(pauses) // 2] <= 0.5 * slowness(), f"{member} is looked at four times a second"
    last = [s for s in session.recording.samples if s.member == silent][-1]
    assert (last.node_state, last.timeline, last.lag_bytes) == ("frozen", None, None)


def test_patroni_killed_leaves_a_writable_node_that_is_seen(lab: Lab) -> None:
    leader = lab.patroni.wait_for_leader(within=30)
    with observe.recording(lab, "no-patroni") as session:
        wait_for_commits(session)
        incidents.inject(lab, "patroni-crash", leader)
        seen = wait_until(
            lambda: [s for s in session.recording.samples if s.member == leader and s.source == "postgres"],
            what="PostgreSQL to be asked directly", within=30, every=0.5,
        )  # fmt: skip
    assert (seen[-1].role, seen[-1].in_recovery) == ("leader", False)
    assert seen[-1].timeline is not None


@pytest.mark.parametrize("kind", ["primary-shutdown", pytest.param("primary-power-cut", marks=pytest.mark.long)])
def test_outage_of_a_leader_that_stops_counts_from_the_act(lab: Lab, kind: str) -> None:
    leader = lab.patroni.wait_for_leader(within=30)
    with observe.recording(lab, kind) as session:
        wait_for_commits(session)
        before = time.monotonic()
        incident = incidents.inject(lab, kind, leader)
        done = time.monotonic()
        lab.patroni.wait_for_leader(*others(lab, leader), within=90)
        wait_for_commits(session, since=done)
        new = wait_until(
            lambda: [a for a in acknowledged(session, session.clients[0].name, done) if a.node != leader],
            what="a commit on the new leader", within=60, every=0.5,
        )  # fmt: skip
        incident.undo()
    outage = session.outage()
    assert outage is not None
    assert before <= outage.fault_at <= done, "neither before the order nor at the container's end"
    assert outage.fault_source in ("mark", "client")
    assert outage.interrupted, outage.sentence()
    assert outage.first_commit_at == pytest.approx(new[0].finished)
    assert (outage.old_leader, outage.new_leader) == (leader, new[0].node)


def test_start_that_fails_leaves_the_lab_free_to_record(lab: Lab) -> None:
    with pytest.raises(UnknownNode):
        observe.start(lab, "failed", [observe.ClientSpec(own_network=True), "pg-99"])
    assert not client_network.exists(lab.topology)
    observe.start(lab, "after", []).stop()


def test_second_recording_is_told_that_one_is_under_way(lab: Lab) -> None:
    with observe.recording(lab, "first", []), pytest.raises(observe.RecordingUnderWay, match=LAB):
        observe.start(lab, "second", [])
    observe.start(lab, "third", []).stop()


def test_client_in_its_own_network_can_be_cut_off_alone(lab: Lab) -> None:
    leader = lab.patroni.wait_for_leader(within=30)
    with observe.recording(lab, "own-network", [observe.ClientSpec(own_network=True)]) as session:
        wait_for_commits(session)
        with incidents.inject(lab, "primary-cut-from-client", leader):
            begin = time.monotonic()
            wait_until(
                lambda: [a for a in session.recording.attempts if a.at > begin and a.outcome == "refused"],
                what="a refused attempt", within=30, every=0.5,
            )  # fmt: skip
            sampled = [s for s in session.recording.samples if s.member == leader and s.at > begin]
            assert any(sample.answered for sample in sampled), "the sampler still sees"
        wait_for_commits(session, since=time.monotonic())
    assert not client_network.exists(lab.topology), "the namespace ends with the recording"


def test_clients_end_with_the_process_that_started_them(lab: Lab, tmp_path: Path) -> None:
    script = tmp_path / "starter.py"
    script.write_text(
        "import sys, time\n"
        "from labhelpers import observe\nfrom labhelpers.lab import open_lab\n"
        f"rec = observe.start(open_lab({LAB!r}), 'killed')\n"
        "print(rec.path, rec.clients[0]._process.pid, flush=True)\ntime.sleep(60)\n"
    )
    starter = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert starter.stdout is not None
    path, pid = starter.stdout.readline().split()
    wait_until(lambda: observe.Recording.load(path).attempts, what="a first attempt", within=20)
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), what="the client to end", within=15)
    assert observe.Recording.load(path).samples, "nothing that was seen is lost"
    observe.start(lab, "after", []).stop()
    assert command("true").returncode == 0
