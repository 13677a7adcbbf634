"""A lab's life on the real machine: built, taken up again, interrupted, shared, destroyed."""

from __future__ import annotations

import errno
import json
import os
import platform
import random
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from labhelpers import lifecycle
from labhelpers.lab import Lab, open_lab
from labhelpers.paths import LabPaths
from labhelpers.topology import load_topology
from labhelpers.waiting import wait_until
from tests.lab.machine import WORKSHOP, images, leaving_nothing, output_of, residues, take_down_like_a_reboot, workshop

LAB = "test-life"

pytestmark = pytest.mark.live


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left() -> Iterator[None]:
    with leaving_nothing(LAB):
        yield


@pytest.fixture
def lab() -> Iterator[Lab]:
    lifecycle.ensure_up(LAB)
    opened = open_lab(LAB)
    yield opened
    opened.close()


def test_up_gives_seven_running_nodes_with_systemd_and_ssh(lab: Lab) -> None:
    assert set(lab.containers.states().values()) == {"running"}

    said: list[str] = []

    def all_settled() -> bool:
        asked = "systemctl is-system-running; systemctl --failed --no-legend --plain"
        said[:] = [" ".join(result.stdout.split()) for result in lab.nodes.try_run(["all"], asked)]
        return set(said) == {"running"}

    wait_until(all_settled, what="systemd to be running on every node", within=60, seen=lambda: str(said))
    assert [result.stdout.strip() for result in lab.nodes.run(["all"], "hostname")] == list(lab.topology.names)


def test_nodes_are_unprivileged_and_carry_the_mark(lab: Lab) -> None:
    listing = output_of("lxc-ls", "-P", str(lab.topology.lxc_path), "-f", "-F", "NAME,GROUPS,UNPRIVILEGED,IPV4")
    for node in lab.topology.nodes:
        assert f"{node.name}" in listing
        line = next(line for line in listing.splitlines() if line.startswith(node.name))
        assert line.split() == [node.name, lab.topology.group, "true", node.address]


def test_nodes_use_up_no_keys_of_this_machine(lab: Lab) -> None:
    """To the kernel, all nodes of all labs are one user, who may have 200 keys: beyond them units fail at their start.

    So a node is told that there are no keyrings (ENOSYS), at its shell as in its services."""
    number = {"x86_64": 250, "aarch64": 219}[platform.machine()]  # keyctl(2)
    join = f"perl -e '$! = 0; syscall({number}, 1, 0, 0, 0, 0); print $! + 0'"
    for script in (join, f"systemd-run --quiet --pipe --wait --expand-environment=no {join}"):
        assert lab.nodes["e1"].run(script).stdout == str(errno.ENOSYS)


def test_nodes_know_each_other_by_name(lab: Lab) -> None:
    for node in lab.topology.nodes:
        for other in lab.topology.nodes:
            hosts = lab.nodes[node.name].read("/etc/hosts")
            assert f"{other.address} {other.name}" in hosts.splitlines()


def test_second_up_changes_nothing_and_starts_no_ansible(lab: Lab) -> None:
    pids = {name: lab.containers.pid(name) for name in lab.topology.names}
    done = workshop("up", "--lab", LAB)
    assert done.returncode == 0
    assert "already" in done.stdout
    assert done.stderr == "", "a step was at work"
    assert {name: lab.containers.pid(name) for name in lab.topology.names} == pids


def test_status_tells_every_node_in_json(lab: Lab) -> None:
    document = json.loads(workshop("status", "--lab", LAB, "--json").stdout)
    assert document["lab"] == LAB
    assert document["subnet"] == str(lab.topology.subnet)
    assert [(node["name"], node["state"]) for node in document["nodes"]] == [
        (name, "running") for name in lab.topology.names
    ]
    assert document["cluster"] is None
    assert document["incidents"] == []


def test_lab_comes_back_with_its_data_after_a_reboot(lab: Lab) -> None:
    lab.nodes.run(["all"], "hostname > /root/kept && sync")
    take_down_like_a_reboot(LAB)
    assert set(lab.containers.states().values()) == {"stopped"}

    assert workshop("up", "--lab", LAB).returncode == 0

    kept = lab.nodes.run(["all"], "cat /root/kept")
    assert [result.stdout.strip() for result in kept] == list(lab.topology.names)


def test_a_plain_lxc_start_works_after_a_stop(lab: Lab) -> None:
    path = str(lab.topology.lxc_path)
    subprocess.run(["lxc-stop", "-P", path, "-n", "e1"], check=True)
    assert lab.containers.state("e1") == "stopped"
    assert [line for line in open("/proc/mounts") if f"{LAB}/nodes/e1/" in line] == []  # noqa: SIM115, PTH123
    subprocess.run(["lxc-start", "-P", path, "-n", "e1"], check=True)
    wait_until(lambda: lab.nodes["e1"].try_run("true").ok, what="SSH on e1", within=20)


def test_of_two_ups_at_once_the_second_waits_and_says_so() -> None:
    lifecycle.destroy(LAB)
    first = subprocess.Popen([*WORKSHOP, "up", "--lab", LAB], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert first.stderr is not None
    wait_until(first.stderr.readline, what="the first up to begin", within=20)
    first.send_signal(signal.SIGSTOP)  # else it may be done before the second looks
    second = subprocess.Popen(
        [*WORKSHOP, "up", "--lab", LAB], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert second.stderr is not None
        said = wait_until(second.stderr.readline, what="the second up's word", within=20)
    finally:
        first.send_signal(signal.SIGCONT)
    assert "waiting for it" in said
    first.communicate(timeout=120)
    told, _ = second.communicate(timeout=120)
    assert first.returncode == second.returncode == 0
    assert "already" in told


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_an_up_that_was_cut_off_is_completed_by_the_next(kill: signal.Signals) -> None:
    for _ in range(3):
        lifecycle.destroy(LAB)
        cut_off = subprocess.Popen(
            [*WORKSHOP, "up", "--lab", LAB],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        moment = random.uniform(0.3, 5)
        threading.Event().wait(moment)
        if kill == signal.SIGINT:
            os.killpg(cut_off.pid, kill)  # as a terminal does: all that the command started gets it too
        else:
            cut_off.send_signal(kill)
        cut_off.wait(timeout=60)
        done = workshop("up", "--lab", LAB)
        assert done.returncode == 0, f"cut off after {moment:.2f} s: {done.stderr}"
        assert lifecycle.is_up(load_topology(LAB)), f"cut off after {moment:.2f} s"


def test_keys_that_were_cut_off_while_they_were_made_are_made_again() -> None:
    lifecycle.destroy(LAB)
    keys = LabPaths(LAB).root / "keys"
    (keys / "host").mkdir(parents=True)
    for begun in (
        keys / "id_ed25519.new",
        keys / "host" / "e1.new",
        keys / "host" / "pg-1",
        keys / "host" / "pg-1.new.pub",
    ):
        begun.write_text("begun")
    done = workshop("up", "--lab", LAB)
    assert done.returncode == 0, done.stderr
    assert lifecycle.is_up(load_topology(LAB))
    assert {path.suffix for path in keys.rglob("*ed25519*")} == {"", ".pub"}


def test_an_up_that_waited_for_a_purge_has_the_lab_of_its_own() -> None:
    """The purge removes the lab's directory and its lock's file, and who waited for the lock begins after it."""
    lifecycle.ensure_up(LAB)
    purge = subprocess.Popen([*WORKSHOP, "down", "--lab", LAB, "--purge"], stdout=subprocess.PIPE)
    wait_until(lambda: lifecycle.is_held(LAB), what="the purge to hold the lab", within=60, every=0.01)
    waited = workshop("up", "--lab", LAB)
    purge.communicate(timeout=120)
    assert purge.returncode == 0
    assert waited.returncode == 0, waited.stderr
    assert lifecycle.is_up(load_topology(LAB))
    assert (LabPaths(LAB).root / "ssh_config").exists()


def test_down_leaves_nothing_but_the_image() -> None:
    lifecycle.ensure_up(LAB)
    in_place = residues(LAB)
    assert {line.split()[0] for line in in_place} >= {
        "container", "mount", "interface", "rule", "route", "process", "cgroup", "lock", "file"
    }, "what the search for residues does not find in a running lab, it can't miss after it"  # fmt: skip
    kept = images()

    assert workshop("down", "--lab", LAB).returncode == 0

    assert residues(LAB) == []
    assert images() == kept


def test_a_lab_that_is_not_there_is_absent_and_down_is_done() -> None:
    lifecycle.destroy(LAB)
    document = json.loads(workshop("status", "--lab", LAB, "--json").stdout)
    assert {node["state"] for node in document["nodes"]} == {"absent"}
    assert workshop("down", "--lab", LAB).returncode == 0
    for command in (["ssh", "--lab", LAB, "pg-1"], ["ssh-config", "--lab", LAB], ["heal", "--lab", LAB]):
        refused = workshop(*command)
        assert refused.returncode == 1
        assert f"workshop up --lab {LAB}" in refused.stderr
        assert "Traceback" not in refused.stderr
