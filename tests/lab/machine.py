"""What a lab has on this machine, seen by other means than the lab's own code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labhelpers import lifecycle
from labhelpers.paths import STATE, LabPaths
from labhelpers.topology import Topology, load_topology

WORKSHOP = [sys.executable, "-m", "labhelpers.cli"]


def workshop(*arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run the command line as a person would."""
    return subprocess.run(
        [*WORKSHOP, *arguments], capture_output=True, text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL
    )


def output_of(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


@contextmanager
def leaving_nothing(lab: str) -> Iterator[None]:
    """No such lab before, and nothing of it afterwards."""
    lifecycle.destroy(lab)
    yield
    lifecycle.destroy(lab)
    assert residues(lab) == []


def residues(lab: str) -> list[str]:
    """Everything of the lab that is still on this machine; nothing after ``workshop down``."""
    topology = load_topology(lab)
    paths = LabPaths(lab)
    found = [f"container {name}" for name in topology.names if (topology.lxc_path / name).exists()]
    found += [f"mount {line}" for line in Path("/proc/mounts").read_text().splitlines() if str(paths.nodes) in line]
    links = {link["ifname"] for link in json.loads(output_of("ip", "-json", "link"))}
    found += [f"interface {name}" for name in links if name.startswith(f"{topology.prefix}-")]
    found += [f"rule {line}" for line in _rules(topology)]
    found += [f"route {line}" for line in output_of("ip", "route").splitlines() if f"{topology.network}." in line]
    found += [f"namespace {line}" for line in output_of("ip", "netns").splitlines() if topology.group in line]
    found += [f"process {line}" for line in output_of("pgrep", "-af", str(paths.root)).splitlines()]
    found += [f"watchman {line}" for line in output_of("pgrep", "-af", f"watchman --lab {lab}$").splitlines()]
    cgroups = [Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()]
    found += [f"cgroup {path}" for path in (each / topology.group for each in cgroups) if path.is_dir()]
    found += [f"lock {path}" for path in (paths.lock, paths.lock.with_name(f".{lab}.playbook")) if path.exists()]
    if paths.root.exists():
        found += [f"file {path}" for path in paths.root.iterdir() if path != paths.saves]
    return found


def _rules(topology: Topology) -> list[str]:
    table = topology.group.replace("-", "_")
    tables = [line for line in output_of("nft", "list", "tables").splitlines() if line.endswith(f" {table}")]
    accepted = output_of("iptables", "-S", "FORWARD").splitlines()
    return tables + [line for line in accepted if f"patroni-workshop:{topology.lab}" in line]


def take_down_like_a_reboot(lab: str) -> None:
    """What a reboot of the machine does to a lab: processes, mounts, interfaces, rules and routes go; files stay."""
    topology = load_topology(lab)
    for name in topology.names:
        subprocess.run(["lxc-stop", "-P", str(topology.lxc_path), "-n", name, "-k"], capture_output=True, check=False)
    for name in topology.names:
        subprocess.run(["umount", "-l", str(LabPaths(lab).nodes / name / "root")], capture_output=True, check=False)
    subprocess.run(["nft", "delete", "table", "ip", topology.group.replace("-", "_")], capture_output=True, check=False)
    subprocess.run(["ip", "route", "del", "unreachable", str(topology.subnet)], capture_output=True, check=False)
    subprocess.run(["ip", "link", "del", topology.bridge], capture_output=True, check=False)


def images() -> list[str]:
    return sorted(path.name for path in (STATE / "images").glob("[!.]*"))
