"""Each incident on real nodes: injected, seen by other means than ours, healed, nothing left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from labhelpers import incidents
from labhelpers.incidents.catalogue import BY_HAND, CATALOGUE
from labhelpers.incidents.world import LabWorld
from labhelpers.lab import Lab
from labhelpers.waiting import wait_until
from tests.lab.machine import take_down_like_a_reboot
from tests.live import incident_lab as eyes

pytestmark = pytest.mark.live

CLEAN_WITHIN_SECONDS = 60.0


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = eyes.cluster_lab()
    yield lab
    incidents.heal(lab)
    incidents.watchman.dismiss(lab)
    lab.close()


@pytest.fixture(autouse=True)
def healthy_before_and_after(lab: Lab) -> Iterator[None]:
    report = incidents.heal(lab)
    assert report.ok, report
    yield
    assert incidents.heal(lab).ok


def eventually(look: Callable[[], bool], what: str, within: float = 20) -> None:
    assert wait_until(look, what=what, within=within, every=0.3)


def postmaster(lab: Lab, node: str) -> str:
    return eyes.inside(lab, node, "head -n 1 /var/lib/postgresql/17/main/postmaster.pid").stdout.strip()


def replica_of(lab: Lab) -> str:
    leader = lab.patroni.wait_for_leader(within=60)
    return next(node for node in lab.topology.postgres if node != leader)


def processes(lab: Lab, node: str, name: str) -> list[str]:
    """The states (ps) of the processes of that name."""
    return eyes.inside(lab, node, f"ps -C {name} -o stat=").stdout.split()


def led_by(lab: Lab) -> tuple[str, int]:
    """The leader and its timeline, once there is one."""
    leader = lab.patroni.wait_for_leader(within=60)
    return leader, int(eyes.sql(lab, leader, "select left(pg_walfile_name(pg_current_wal_lsn()), 8)"), 16)


def came_out_as_declared(lab: Lab, kind: str, before: tuple[str, int]) -> None:
    """``before``: :func:`led_by` before the incident. With the catalogue's word for the state after the healing."""
    (leader, timeline), after = before, led_by(lab)
    if CATALOGUE[kind].expected.another_leader:
        assert after[0] != leader and after[1] > timeline, (before, after)
    else:
        assert after == before


def is_clean(lab: Lab) -> None:
    """Nothing left, by our own check and by others'."""
    assert incidents.residues(lab) == []
    assert {eyes.lxc_state(lab, node) for node in lab.topology.names} == {"RUNNING"}
    assert eyes.our_rules(lab) == ""
    queues = eyes.command("tc", "qdisc", "show").stdout.splitlines()
    assert [line for line in queues if "tbf" in line and f"dev {lab.topology.prefix}-" in line] == []
    listed = eyes.patronictl(lab, "pg-1")
    assert listed.count("streaming") == 2 and listed.count("Leader") == 1, listed


@pytest.mark.parametrize("kind", eyes.FREEZING)
def test_frozen_nodes_are_frozen_for_lxc_and_thawed(lab: Lab, kind: str) -> None:
    before = led_by(lab)
    with incidents.incident(lab, kind) as running:
        assert {eyes.lxc_state(lab, node) for node in running.nodes} == {"FROZEN"}
        others = set(lab.topology.names) - set(running.nodes)
        assert {eyes.lxc_state(lab, node) for node in others} == {"RUNNING"}
    assert {eyes.lxc_state(lab, node) for node in running.nodes} == {"RUNNING"}
    assert incidents.heal(lab).ok
    is_clean(lab)
    if CATALOGUE[kind].mechanism == "none":  # the others, ended before anything came of them, prove nothing
        came_out_as_declared(lab, kind, before)


@pytest.mark.parametrize("kind", ["primary-power-cut", "replica-power-cut", "primary-shutdown"])
def test_node_without_power_is_stopped_and_comes_back(lab: Lab, kind: str) -> None:
    before = led_by(lab)
    running = incidents.inject(lab, kind)
    [node] = running.nodes
    eventually(lambda: eyes.lxc_state(lab, node) == "STOPPED", f"{node} stopped", within=60)
    if kind == "primary-shutdown":
        lab.patroni.wait_for_leader(*(name for name in lab.topology.postgres if name != node), within=60)
    assert incidents.heal(lab).ok
    is_clean(lab)
    if kind != "primary-power-cut":
        came_out_as_declared(lab, kind, before)


def test_crashed_postgresql_is_started_again_by_patroni(lab: Lab) -> None:
    led = led_by(lab)
    leader, before = led[0], postmaster(lab, led[0])
    incidents.inject(lab, "postgres-crash")
    eventually(lambda: incidents.active(lab) == [], "the incident to be over by itself", within=60)
    assert eyes.sql(lab, leader, "select 1") == "1", "over, and PostgreSQL is still down"
    assert postmaster(lab, leader) not in ("", before)
    assert incidents.heal(lab).ok
    is_clean(lab)
    came_out_as_declared(lab, "postgres-crash", led)


def test_replica_that_was_held_at_its_start_is_let_go(lab: Lab) -> None:
    """As a ``goto`` that was cut off leaves it."""
    replica = replica_of(lab)
    lab.containers.kill(replica)
    lab.containers.start(replica)
    lab.containers.hold(replica)
    assert [residue.node for residue in incidents.residues(lab)] == [replica]
    assert incidents.heal(lab).ok
    is_clean(lab)


def test_crashed_patroni_leaves_postgresql_writable(lab: Lab) -> None:
    [node] = incidents.inject(lab, "patroni-crash").nodes
    eventually(lambda: processes(lab, node, "patroni") == [], "Patroni's end, its zombie's too", within=5)
    assert eyes.sql(lab, node, "select pg_is_in_recovery()") == "f"
    assert incidents.heal(lab).ok
    assert processes(lab, node, "patroni")
    is_clean(lab)


def test_frozen_patroni_alone_is_stopped(lab: Lab) -> None:
    [node] = incidents.inject(lab, "patroni-frozen").nodes
    assert processes(lab, node, "patroni") and all(state[0] == "T" for state in processes(lab, node, "patroni"))
    assert not any(state[0] == "T" for state in processes(lab, node, "postgres"))
    assert eyes.sql(lab, node, "select pg_is_in_recovery()") == "f"
    assert incidents.heal(lab).ok
    assert not any(state[0] == "T" for state in processes(lab, node, "patroni"))
    is_clean(lab)


def test_leader_cut_off_from_etcd_still_reaches_its_replicas(lab: Lab) -> None:
    [leader] = incidents.inject(lab, "primary-cut-from-etcd").nodes
    replica = next(node for node in lab.topology.postgres if node != leader)
    assert lab.topology.node(leader).interface in eyes.our_rules(lab)
    assert not any(eyes.reaches(lab, leader, arbiter, 2379) for arbiter in lab.topology.etcd)
    assert eyes.reaches(lab, replica, "e1", 2379) and eyes.reaches(lab, leader, replica, 5432)
    incidents.heal(lab)
    assert eyes.reaches(lab, leader, "e1", 2379)
    is_clean(lab)


def test_leader_cut_off_from_its_replicas_still_reaches_etcd(lab: Lab) -> None:
    before = led_by(lab)
    [leader] = incidents.inject(lab, "primary-cut-from-replicas").nodes
    replicas = [node for node in lab.topology.postgres if node != leader]
    assert not any(eyes.reaches(lab, node, leader, 5432) for node in replicas)
    assert not eyes.reaches(lab, leader, replicas[0], 5432)
    assert eyes.reaches(lab, leader, "e1", 2379)
    assert incidents.heal(lab).ok
    is_clean(lab)
    came_out_as_declared(lab, "primary-cut-from-replicas", before)


def test_client_cut_off_from_the_leader_reaches_the_others_and_its_ssh(lab: Lab) -> None:
    namespace = incidents.client_namespace(lab)
    assert incidents.client_namespace(lab) == namespace
    before = led_by(lab)
    leader, replica = before[0], replica_of(lab)
    address, other = (lab.topology.node(node).address for node in (leader, replica))
    eventually(lambda: eyes.client_reaches(namespace, address, 5432), "the client's way")
    incidents.inject(lab, "primary-cut-from-client")
    assert not eyes.client_reaches(namespace, address, 5432)
    assert eyes.client_reaches(namespace, other, 5432) and eyes.client_reaches(namespace, address, 22)
    assert eyes.reaches(lab, replica, leader, 5432)
    assert incidents.heal(lab).ok
    assert namespace not in eyes.command("ip", "netns").stdout
    is_clean(lab)
    came_out_as_declared(lab, "primary-cut-from-client", before)


def test_lagging_replica_receives_and_does_not_replay_for_longer_than_patronis_loop(lab: Lab) -> None:
    before = led_by(lab)
    [node] = incidents.inject(lab, "replica-lag").nodes
    leader = lab.patroni.wait_for_leader(within=30)
    replayed = eyes.sql(lab, node, "select pg_last_wal_replay_lsn()")
    began = time.monotonic()
    eyes.sql(lab, leader, "create table if not exists lag(i int); insert into lag select generate_series(1, 20000)")
    behind = "select pg_last_wal_receive_lsn() - pg_last_wal_replay_lsn() > 100000"
    eventually(lambda: eyes.sql(lab, node, behind) == "t", "a lag in bytes")
    wait_until(lambda: time.monotonic() - began > 13, what="a loop of Patroni's", within=20)
    assert eyes.sql(lab, node, "select pg_last_wal_replay_lsn()") == replayed
    assert incidents.heal(lab).ok
    eventually(lambda: eyes.sql(lab, node, behind) == "f", "the lag to go")
    is_clean(lab)
    came_out_as_declared(lab, "replica-lag", before)


def test_slow_link_is_shaped(lab: Lab) -> None:
    before = led_by(lab)
    [node] = incidents.inject(lab, "replica-slow-link").nodes
    link = lab.topology.node(node).interface
    assert "tbf" in eyes.command("tc", "qdisc", "show", "dev", link).stdout
    assert incidents.heal(lab).ok
    assert "tbf" not in eyes.command("tc", "qdisc", "show", "dev", link).stdout
    is_clean(lab)
    came_out_as_declared(lab, "replica-slow-link", before)


def test_residue_left_on_purpose_is_found_and_healed(lab: Lab) -> None:
    """The positive control: without it, a check that finds nothing proves nothing."""
    path = str(lab.topology.lxc_path)
    leader = lab.patroni.wait_for_leader(within=30)
    replica = next(node for node in lab.topology.postgres if node != leader)
    eyes.command("lxc-freeze", "-P", path, "-n", "e3")
    eyes.inside(lab, replica, "systemctl stop patroni@17-main")
    eyes.command("nft", "add", "table", "bridge", lab.topology.group.replace("-", "_"))
    eyes.command("ip", "link", "set", lab.topology.node("backup").interface, "down")
    found = {residue.kind for residue in incidents.residues(lab)}
    assert found >= {"frozen", "service-down", "rules", "link-down"}, found
    assert incidents.heal(lab).ok
    is_clean(lab)


def test_node_that_lxc_itself_cannot_thaw_is_healed(lab: Lab) -> None:
    """As a killed lxc-freeze leaves it: the processes stand still and LXC's own state is another."""
    freezer = lab.containers.freezer_file("e2")
    assert freezer is not None
    frozen = "FROZEN" if freezer.name == "freezer.state" else "1"
    eyes.command("sh", "-c", f"echo {frozen} > {freezer}")
    assert lab.containers.state("e2") == "frozen"
    assert incidents.heal(lab).ok
    assert lab.containers.state("e2") == "running"
    is_clean(lab)


def test_node_stopped_by_hand_is_healed(lab: Lab) -> None:
    eyes.command("lxc-stop", "-P", str(lab.topology.lxc_path), "-n", "backup", "-k", timeout=40)
    assert incidents.heal(lab).ok
    is_clean(lab)


# The command line, the watchman, and several at once.


def workshop(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "labhelpers.cli", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "WORKSHOP_LANGUAGE": "en"},
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=180)
    return process.returncode, out + err


KERNEL = """
import sys, time
from labhelpers import incidents
from labhelpers.lab import open_lab
lab = open_lab(sys.argv[1])
for kind in sys.argv[2:]:
    incidents.inject(lab, kind, minutes=5)
print("injected", flush=True)
time.sleep(600)
"""


def kernel(lab: Lab, *kinds: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", KERNEL, lab.name, *kinds], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "injected"
    return process


def seconds_until_thawed(lab: Lab, node: str, within: float = 30) -> float:
    began = time.monotonic()
    eventually(lambda: eyes.lxc_state(lab, node) == "RUNNING", f"{node} thawed", within=within)
    return time.monotonic() - began


def test_of_two_at_once_one_wins_and_the_other_is_told(lab: Lab) -> None:
    both = [workshop("break", "--lab", lab.name, "replica-frozen", node) for node in (replica_of(lab),) * 2]
    results = [ended(process) for process in both]
    assert sorted(code for code, _ in results) == [0, 1], results
    assert len(incidents.active(lab)) == 1
    told = next(said for code, said in results if code == 1)
    assert "at this very moment" in told or "Undo that first" in told  # while the other injects, or just after


def test_command_line_breaks_and_heals(lab: Lab) -> None:
    code, said = ended(workshop("break", "--lab", lab.name, "replica-frozen"))
    assert code == 0 and "writes go on" in said, said
    assert "Watch: the members' states" in said and "The same leader, two streaming replicas." in said
    [running] = incidents.active(lab)
    code, said = ended(workshop("break", "--lab", lab.name, "replica-frozen", running.nodes[0]))
    assert code == 1 and running.nodes[0] in said
    code, said = ended(workshop("break", "--lab", lab.name, "replica-frosen"))
    assert code == 2 and "replica-frozen" in said
    code, said = ended(workshop("heal", "--lab", lab.name))
    assert code == 0 and "healthy" in said
    code, said = ended(workshop("heal", "--lab", lab.name))
    assert code == 0 and "Nothing to undo" in said
    is_clean(lab)


def test_incident_is_undone_within_ten_seconds_of_its_kernels_death(lab: Lab) -> None:
    process = kernel(lab, "etcd-node-lost")
    [node] = incidents.active(lab)[0].nodes
    process.kill()
    process.wait()
    assert seconds_until_thawed(lab, node) < 10
    eventually(lambda: incidents.residues(lab) == [], "a clean lab", within=CLEAN_WITHIN_SECONDS)


def test_ctrl_c_reaches_the_kernel_and_not_the_watchman(lab: Lab) -> None:
    process = kernel(lab, "etcd-node-lost")
    watchman = incidents.watchman.pid(lab)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(30)
    assert watchman is not None and Path(f"/proc/{watchman}").exists()
    eventually(lambda: incidents.residues(lab) == [], "a clean lab", within=CLEAN_WITHIN_SECONDS)


def test_incident_is_undone_after_its_time(lab: Lab) -> None:
    running = incidents.inject(lab, "etcd-node-lost", minutes=0.1)
    assert eyes.lxc_state(lab, running.nodes[0]) == "FROZEN"
    assert seconds_until_thawed(lab, running.nodes[0]) < 6 + 10


def test_more_time_is_more_time(lab: Lab) -> None:
    running = incidents.inject(lab, "etcd-node-lost", minutes=0.1)
    running.extend(1)
    assert running.remaining_seconds > 50
    wait_until(lambda: running.entry.age_seconds > 9, what="the first time to be over", within=15)
    assert eyes.lxc_state(lab, running.nodes[0]) == "FROZEN"


def test_watchman_is_one_and_goes_when_there_is_nothing_to_watch(lab: Lab) -> None:
    running = incidents.inject(lab, "etcd-node-lost")
    before = incidents.watchman.pid(lab)
    assert before is not None
    incidents.watchman.start(lab.name, lab.paths.log)
    wait_until(lambda: running.entry.age_seconds > 6, what="a second one's start", within=15)
    assert incidents.watchman.pid(lab) == before
    running.undo()
    eventually(lambda: not incidents.watchman.is_running(lab), "the watchman's end", within=30)


def test_plain_lxc_freeze_of_a_cell_is_adopted_and_undone_with_its_notebook(lab: Lab) -> None:
    notebook = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    incidents.watchman.ensure(lab, notebook.pid)
    eventually(lambda: incidents.watchman.is_running(lab), "the watchman")
    eyes.command("lxc-freeze", "-P", str(lab.topology.lxc_path), "-n", "e2")
    eventually(lambda: [i.kind for i in incidents.active(lab)] == [BY_HAND], "the adoption", within=15)
    notebook.kill()
    notebook.wait()
    assert seconds_until_thawed(lab, "e2") < 10


def test_heal_after_everything_of_ours_was_killed(lab: Lab) -> None:
    process = kernel(lab, "primary-frozen", "etcd-node-lost")
    watchman = incidents.watchman.pid(lab)
    assert watchman is not None
    os.kill(watchman, signal.SIGKILL)
    process.kill()
    process.wait()
    code, said = ended(workshop("heal", "--lab", lab.name))
    assert code == 0, said
    is_clean(lab)


def test_heal_after_a_reboot(lab: Lab) -> None:
    """Rules, bridge and processes are gone, the watchman too; the journal is of another boot."""
    for kind in ("primary-cut-from-etcd", "replica-slow-link", "etcd-node-lost"):
        incidents.inject(lab, kind, owned=False)
    incidents.watchman.dismiss(lab)
    lab.close()
    engine = incidents.engine(lab)
    assert isinstance(engine.world, LabWorld)
    engine.world.close()  # no process with an open connection outlives a reboot
    take_down_like_a_reboot(lab.name)
    eyes.command("nft", "delete", "table", "bridge", lab.topology.group.replace("-", "_"))
    for entry in engine.active():
        engine.journal.write(replace(entry, boot="another"))
    code, said = ended(workshop("heal", "--lab", lab.name))
    assert code == 0 and "healthy" in said, said
    is_clean(lab)
