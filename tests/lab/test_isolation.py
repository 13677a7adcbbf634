"""What is not the lab's stays as it is, and nobody from outside gets in."""

from __future__ import annotations

import os
import shlex
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labhelpers import lifecycle
from labhelpers.errors import NotOurs
from labhelpers.lab import Lab, open_lab
from labhelpers.paths import STATE, LabPaths
from labhelpers.topology import PLAYBOOK, load_topology
from labhelpers.waiting import wait_until
from tests.lab.machine import leaving_nothing, output_of, residues, workshop

LAB = "test-isol"

pytestmark = pytest.mark.live


def ip(*arguments: str, check: bool = True) -> str:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=check).stdout


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with leaving_nothing(LAB):
        lifecycle.ensure_up(LAB)
        opened = open_lab(LAB)
        yield opened
        opened.close()


@pytest.fixture
def no_lab() -> Iterator[None]:
    lifecycle.destroy("test-other")
    yield
    lifecycle.destroy("test-other")


def test_a_container_without_our_mark_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    """As on a machine where somebody has a container ``pg-1``, in LXC's own directory."""
    (tmp_path / "pg-1").mkdir()
    (tmp_path / "pg-1" / "config").write_text("lxc.uts.name = pg-1\n")
    topology = load_topology("test-other")
    settings = {
        "LAB": topology.lab, "NETWORK": topology.network, "BRIDGE": topology.bridge, "STATE": str(STATE),
        "LXC_PATH": str(tmp_path), "NODES": " ".join(topology.names), "PATH": os.environ["PATH"],
    }  # fmt: skip
    looked = subprocess.run(
        [sys.executable, str(PLAYBOOK / "files" / "preflight.py")],
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert looked.returncode == 1
    assert "pg-1" in looked.stderr
    assert "--lab" in looked.stderr


def test_a_container_that_lost_our_mark_is_never_touched(lab: Lab) -> None:
    config = lab.topology.lxc_path / "e3" / "config"
    before = config.read_text()
    config.write_text(before.replace(lab.topology.group, "somebody-else"))
    try:
        with pytest.raises(NotOurs, match="e3"):
            lab.containers.freeze("e3")
        assert lab.containers.state("e3") == "running"
    finally:
        config.write_text(before)


def test_an_interface_with_the_subnet_is_refused_and_stays(no_lab: None) -> None:
    topology = load_topology("test-other")
    ip("link", "add", "theirs0", "type", "bridge")
    ip("addr", "add", f"{topology.network}.77/24", "dev", "theirs0")
    try:
        refused = workshop("up", "--lab", "test-other")
        assert refused.returncode == 1
        assert "theirs0" in refused.stderr
        assert "--lab" in refused.stderr
        assert f"{topology.network}.77/24" in ip("addr", "show", "theirs0")
    finally:
        ip("link", "del", "theirs0")


def test_where_forward_drops_the_lab_brings_its_own_rule_and_takes_it_away(no_lab: None) -> None:
    bridge = load_topology("test-other").bridge
    # The policy is the whole machine's: what does not come from this test's bridge goes on, other labs above all.
    others = ["FORWARD", "!", "-i", bridge, "-j", "ACCEPT"]
    subprocess.run(["iptables", "-I", *others], check=True)
    before = forwarding()
    subprocess.run(["iptables", "-P", "FORWARD", "DROP"], check=True)
    try:
        lifecycle.ensure_up("test-other")
        other = open_lab("test-other")
        assert other.nodes["e1"].try_run("ping -c1 -W2 pg-1").ok
        ours = [rule for rule in output_of("iptables", "-S", "FORWARD").splitlines() if "test-other" in rule]
        for rule in ours:
            subprocess.run(["iptables", *shlex.split(rule.replace("-A", "-D", 1))], check=True)
        assert other.nodes["e1"].try_run("ping -c1 -W2 pg-1").failed, "without the lab's rule nothing is dropped"
        other.close()
        lifecycle.destroy("test-other")
        assert forwarding() == before
    finally:
        subprocess.run(["iptables", "-P", "FORWARD", "ACCEPT"], check=True)
        subprocess.run(["iptables", "-D", *others], check=True)


def forwarding() -> list[str]:
    """The machine's rules, without those of other labs, which come and go beside this test."""
    rules = output_of("iptables", "-S", "FORWARD").splitlines()[1:]
    return [rule for rule in rules if "patroni-workshop:" not in rule or "test-other" in rule]


def outsider_reaches(address: str, port: int) -> bool:
    connect = f"timeout 3 bash -c '</dev/tcp/{address}/{port}'"
    argv = ["ip", "netns", "exec", "outsider", "bash", "-c", connect]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


@contextmanager
def outsider() -> Iterator[None]:
    """Another host on a network of this machine, which sends to a node by way of this machine."""
    ip("netns", "add", "outsider")
    try:
        ip("link", "add", "outside0", "type", "veth", "peer", "name", "eth0", "netns", "outsider")
        ip("addr", "add", "198.51.100.1/24", "dev", "outside0")
        ip("link", "set", "outside0", "up")
        ip("-n", "outsider", "addr", "add", "198.51.100.2/24", "dev", "eth0")
        ip("-n", "outsider", "link", "set", "eth0", "up")
        ip("-n", "outsider", "route", "add", "default", "via", "198.51.100.1")
        yield
    finally:
        ip("netns", "del", "outsider")
        ip("link", "del", "outside0", check=False)


def test_nodes_are_not_reachable_from_beyond_the_machine(lab: Lab) -> None:
    with outsider(), socket.create_server(("198.51.100.1", 0)) as server:
        assert outsider_reaches("198.51.100.1", server.getsockname()[1])
        assert not outsider_reaches(lab.topology.node("pg-1").address, 22)


@contextmanager
def somebodys_bridge(bridge: str, network: str) -> Iterator[str]:
    """A bridge that was here before the lab, as lxc-net's, and a container on it: the container's address."""
    address = f"{network}.77"
    ip("link", "add", bridge, "type", "bridge")
    ip("netns", "add", "theirs")
    try:
        ip("addr", "add", f"{network}.1/24", "dev", bridge)
        ip("link", "set", bridge, "up")
        ip("link", "add", "theirs0", "type", "veth", "peer", "name", "eth0", "netns", "theirs")
        ip("link", "set", "theirs0", "master", bridge, "up")
        ip("-n", "theirs", "addr", "add", f"{address}/24", "dev", "eth0")
        ip("-n", "theirs", "link", "set", "eth0", "up")
        ip("-n", "theirs", "route", "add", "default", "via", f"{network}.1")
        serve = ["ip", "netns", "exec", "theirs", sys.executable, "-m", "http.server", "8080", "--bind", address]
        with subprocess.Popen(serve, cwd="/proc", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                yield address
            finally:
                server.terminate()
    finally:
        ip("netns", "del", "theirs")
        ip("link", "del", bridge)


def test_somebodys_bridge_is_used_and_what_is_on_it_stays_as_it_is(no_lab: None) -> None:
    topology = load_topology("test-other")
    with somebodys_bridge(topology.bridge, topology.network) as theirs, outsider():
        lifecycle.ensure_up("test-other")
        wait_until(lambda: outsider_reaches(theirs, 8080), what="their container to be reached", within=20)
        assert not outsider_reaches(topology.node("pg-1").address, 22)

        assert "is gone" in workshop("down", "--lab", "test-other").stdout
        assert "nothing to do" in workshop("down", "--lab", "test-other").stdout
        assert outsider_reaches(theirs, 8080)
        links = [line for line in residues("test-other") if not line.startswith(("route", "interface"))]
        assert links == []


def test_a_changed_host_key_is_refused(lab: Lab) -> None:
    known = LabPaths(LAB).known_hosts
    before = known.read_text()
    keys = before.splitlines()
    # e1's key is said to be e2's: as if another machine answered at its address.
    mixed = f"{keys[0].split()[0]} {' '.join(keys[1].split()[1:])}\n" + "\n".join(keys[1:]) + "\n"
    try:
        known.write_text(mixed)
        stranger = open_lab(LAB)
        refused = stranger.nodes["e1"].try_run("true")
        stranger.close()
        assert refused.exited is None
        assert "SSH" in (refused.error or "")
        assert workshop("ssh", "--lab", LAB, "e1", "true").returncode != 0
    finally:
        known.write_text(before)
    again = open_lab(LAB)
    assert again.nodes["e1"].try_run("true").ok
    again.close()


def test_keys_and_secrets_are_their_owners_alone(lab: Lab) -> None:
    lab.secret("example")
    for path in Path(lab.paths.keys).rglob("*"):
        if path.is_file() and (path.suffix == ".secret" or "PRIVATE KEY" in path.read_text(encoding="ascii")):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(lab.paths.keys.stat().st_mode) == 0o700


def test_nodes_root_is_nobody_on_this_machine(lab: Lab) -> None:
    pid = lab.containers.pid("pg-1")
    assert os.stat(f"/proc/{pid}").st_uid >= 1_000_000  # noqa: PTH116


def test_a_frozen_node_costs_its_own_time_and_delays_no_other(lab: Lab) -> None:
    lab.nodes.run(["etcd"], "true")
    lab.containers.freeze("e1")
    try:
        results = {result.node: result for result in lab.nodes.try_run(["etcd"], "hostname", timeout=5)}
        assert results["e1"].exited is None
        assert "frozen" in (results["e1"].error or "")
        assert results["e2"].stdout == "e2\n"
        assert results["e3"].seconds < 4 < results["e1"].seconds < 15
    finally:
        lab.containers.unfreeze("e1")
    wait_until(lambda: lab.nodes["e1"].try_run("true").ok, what="e1 to answer again", within=10)


def test_nodes_install_what_the_chapters_need_without_a_network(lab: Lab) -> None:
    table = lab.topology.group.replace("-", "_")
    subprocess.run(["nft", "add", "rule", "ip", table, "forward", "ip", "saddr", str(lab.topology.subnet),
                    "ip", "daddr", "!=", str(lab.topology.subnet), "drop"], check=True)  # fmt: skip
    mirror_is_cut = lab.nodes["e1"].try_run("timeout 3 bash -c '</dev/tcp/1.1.1.1/80'")
    assert mirror_is_cut.failed
    lab.nodes.run(
        ["e1"], "apt-get update && apt-get install -y etcd-server etcd-client curl jq iputils-ping", timeout=240
    )
    lab.nodes.run(
        ["pg-1"], "apt-get update && apt-get install -y postgresql patroni python3-etcd pgbackrest", timeout=300
    )
    assert "17" in lab.nodes["pg-1"].run("pg_lsclusters -h").stdout
    lifecycle.destroy(LAB)
    lifecycle.ensure_up(LAB)
