"""What a sample says, and what it does not claim to know."""

from __future__ import annotations

from pathlib import Path

import pytest

from labhelpers.observe.patroni_answer import read_answer
from labhelpers.observe.quorum import QuorumJudge
from labhelpers.observe.records import MemberSample
from labhelpers.observe.sampler import Sampler, lag_behind, read_etcd_status
from labhelpers.observe.states import StatesReader
from labhelpers.topology import load_topology
from labhelpers.waiting import wait_until

LEADER = {"state": "running", "role": "primary", "timeline": 3, "xlog": {"location": 5000}}
REPLICA = {
    "state": "running", "role": "replica", "timeline": 3, "pause": True, "pending_restart": True,
    "xlog": {"received_location": 5000, "replayed_location": 4000, "paused": True},
}  # fmt: skip


def sample(body: dict[str, object]) -> MemberSample:
    return read_answer(body, at=1.0, member="pg-1", node_state="running", took_seconds=0.01)


def test_stop_before_the_thread_has_begun_is_heard() -> None:
    sampler = Sampler(load_topology("test"), lambda _: None, states=dict, may_send=lambda: False)
    sampler.stop()
    sampler.start()
    wait_until(lambda: not sampler.running, what="the sampler's end", within=10)
    assert sampler.error is None


def test_leader_is_not_in_recovery_and_has_a_position() -> None:
    seen = sample(LEADER)
    assert (seen.role, seen.in_recovery, seen.location, seen.lag_bytes) == ("leader", False, 5000, None)


def test_replica_tells_pause_and_pending_restart() -> None:
    seen = sample(REPLICA)
    assert (seen.role, seen.in_recovery, seen.replay_paused) == ("replica", True, True)
    assert (seen.cluster_paused, seen.pending_restart) == (True, True)


def test_stopped_postgresql_has_no_role_whatever_patroni_remembers() -> None:
    seen = sample({"state": "stopped", "role": "replica"})
    assert seen.answered
    assert (seen.role, seen.timeline, seen.in_recovery) == (None, None, None)


def test_older_word_for_the_leader_is_understood() -> None:
    assert sample({**LEADER, "role": "master"}).role == "leader"


def test_streaming_replica_reports_its_lag() -> None:
    assert lag_behind((1.0, 3, 5000), sample(REPLICA)) == 1000


@pytest.mark.parametrize(
    ("leader", "why"),
    [
        (None, "no leader was seen"),
        ((-9.0, 3, 5000), "the leader's position is old"),
        ((1.0, 4, 5000), "another timeline: the positions are not comparable"),
    ],
)
def test_lag_is_unknown_not_zero(leader: tuple[float, int, int] | None, why: str) -> None:
    assert lag_behind(leader, sample(REPLICA)) is None, why


def test_replica_ahead_of_the_leaders_last_known_position_is_not_behind() -> None:
    assert lag_behind((1.0, 3, 3900), sample(REPLICA)) == 0


def test_etcd_node_without_a_leader_says_so() -> None:
    seen = read_etcd_status({"header": {"member_id": "7", "revision": "9"}}, "e1", 1.0)
    assert (seen.answered, seen.has_leader, seen.is_leader) == (True, False, False)


def test_etcd_leader_knows_itself() -> None:
    seen = read_etcd_status({"header": {"member_id": "7"}, "leader": "7"}, "e1", 1.0)
    assert (seen.has_leader, seen.is_leader, seen.revision) == (True, True, None)


def test_two_frozen_nodes_of_three_leave_no_majority() -> None:
    judge = QuorumJudge(("e1", "e2", "e3"))
    judge.note("e1", gone=True, answers=None)
    assert judge.has_majority
    judge.note("e2", gone=True, answers=None)
    assert not judge.has_majority


def test_thawed_node_counts_again_when_it_answers() -> None:
    judge = QuorumJudge(("e1", "e2", "e3"))
    for node in ("e1", "e2"):
        judge.note(node, gone=True, answers=None)
    judge.note("e1", gone=False, answers=None)
    assert not judge.has_majority
    judge.note("e1", gone=False, answers=True)
    assert judge.has_majority


def test_one_look_in_vain_is_not_silence() -> None:
    judge = QuorumJudge(("e1", "e2", "e3"))
    for node in ("e1", "e2"):
        judge.note(node, gone=False, answers=False)
    assert judge.has_majority
    for node in ("e1", "e2"):
        judge.note(node, gone=False, answers=False)
    assert not judge.has_majority


class ScriptedContainers:
    """A cgroup directory a node, as the kernel has it; counts how often a node is looked for."""

    def __init__(self, root: Path) -> None:
        self.root, self.looked = root, 0

    def make(self, name: str, state: str, processes: str = "1\n") -> None:
        directory = self.root / name
        directory.mkdir(exist_ok=True)
        (directory / "freezer.state").write_text(state)
        (directory / "cgroup.procs").write_text(processes)

    def state(self, name: str) -> str:
        self.looked += 1
        file = self.freezer_file(name)
        return "stopped" if file is None else "frozen" if "FROZEN" in file.read_text() else "running"

    def freezer_file(self, name: str) -> Path | None:
        file = self.root / name / "freezer.state"
        return file if file.exists() and (file.parent / "cgroup.procs").read_text() else None


def test_states_are_read_from_files_that_are_found_once(tmp_path: Path) -> None:
    containers = ScriptedContainers(tmp_path)
    containers.make("pg-1", "THAWED\n")
    read = StatesReader(containers, ["pg-1"])
    assert read() == {"pg-1": "running"}
    containers.make("pg-1", "FROZEN\n")
    assert [read() for _ in range(50)][-1] == {"pg-1": "frozen"}
    assert containers.looked == 1


def test_killed_node_whose_cgroup_is_left_behind_is_stopped(tmp_path: Path) -> None:
    now = [0.0]
    containers = ScriptedContainers(tmp_path)
    containers.make("pg-1", "THAWED\n")
    read = StatesReader(containers, ["pg-1"], clock=lambda: now[0])
    assert read() == {"pg-1": "running"}
    containers.make("pg-1", "THAWED\n", processes="")
    assert read() == {"pg-1": "stopped"}
    containers.make("pg-1", "THAWED\n")
    now[0] = 1.0
    assert read() == {"pg-1": "running"}


def test_stopped_node_is_not_looked_for_each_time(tmp_path: Path) -> None:
    containers = ScriptedContainers(tmp_path)
    read = StatesReader(containers, ["pg-1"], clock=lambda: 5.0)
    assert {tuple(read().items()) for _ in range(20)} == {(("pg-1", "stopped"),)}
    assert containers.looked == 1
