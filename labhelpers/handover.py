"""Whose a lab is: the user's who brings it up. Any user who can become root may take over any lab.

The user's own files are the lab's keys, journal, recordings, logs and settings. The nodes' disks, their layers in the
saves, and what LXC reads are root's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from labhelpers.host import as_root
from labhelpers.paths import LabPaths
from labhelpers.topology import Topology

ROOTS_OWN = (
    "nodes", "lxc", "saves", "lab.json", "plan.json", "hosts", "resolv.conf", "serial", "mount-node", "seccomp",
)  # fmt: skip
"""What of a lab's directory stays root's, whoever has the lab."""


def is_mine(topology: Topology) -> bool:
    """Whether this user can work with all of the lab's files that are a user's."""
    paths = LabPaths(topology.lab)
    needed = (paths.private_key, paths.ssh_config, paths.saves)
    return all(map(_is_usable, needed)) and all(_is_usable(path) for path in _users_own(paths.root))


def _is_usable(path: Path) -> bool:
    return os.access(path, os.R_OK | os.W_OK) and (not path.is_dir() or os.access(path, os.X_OK))


def _users_own(root: Path) -> Iterator[Path]:
    yield root
    for path in root.iterdir():
        if path.name in ROOTS_OWN:
            continue
        yield path
        if path.is_dir():
            yield from path.rglob("*")


def hand_over(topology: Topology) -> None:
    """Make the lab this user's, and write its OpenSSH configuration. Repeatable."""
    paths = LabPaths(topology.lab)
    owner = f"{os.getuid()}:{os.getgid()}"
    as_root(["mkdir", "-p", *map(str, (paths.keys, paths.journal, paths.recordings, paths.saves, paths.log))])
    as_root(["chown", owner, str(paths.saves)])
    roots_own = [word for name in ROOTS_OWN for word in ("-path", f"{paths.root}/{name}", "-o")][:-1]
    others = ["(", *roots_own, ")", "-prune", "-o", "!", "-uid", str(os.getuid())]
    as_root(["find", str(paths.root), *others, "-exec", "chown", "-h", owner, "{}", "+"])
    paths.keys.chmod(0o700)
    paths.ssh_config.write_text(ssh_config(topology), encoding="utf-8")


def ssh_config(topology: Topology) -> str:
    """The lab as OpenSSH's configuration: ``ssh pg-1`` with the lab's key, and host keys that are known beforehand."""
    paths = LabPaths(topology.lab)
    return "".join(
        f"Host {node.name}\n"
        f"  HostName {node.address}\n"
        "  User root\n"
        f"  IdentityFile {paths.private_key}\n"
        "  IdentitiesOnly yes\n"
        f"  HostKeyAlias {node.name}\n"
        f"  UserKnownHostsFile {paths.known_hosts}\n"
        "  StrictHostKeyChecking yes\n"
        "  ConnectTimeout 5\n"
        for node in topology.nodes
    )
