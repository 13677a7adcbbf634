"""A network namespace and an address of its own for the client, so that its way to one node can be cut.

What this machine sends to a node never crosses the bridge's forward hook; what a namespace sends through a veth pair
does (ip-netns(8)). Making it and removing it may be repeated.
"""

from __future__ import annotations

from pathlib import Path

from labhelpers.incidents.network import DEVICES, RootCommand
from labhelpers.topology import Topology

NAMESPACES = Path("/run/netns")


def namespace(topology: Topology) -> str:
    """Its name, as ``ip netns`` shows it."""
    return f"{topology.group}-client"


def interface(topology: Topology) -> str:
    """This machine's end of its link."""
    return f"{topology.prefix}-client"


def exists(topology: Topology) -> bool:
    return (NAMESPACES / namespace(topology)).exists()


def ensure(topology: Topology, as_root: RootCommand) -> str:
    """The namespace's name; made where it is not there. Raises what ``as_root`` raises."""
    name, link = namespace(topology), interface(topology)
    if exists(topology) and (DEVICES / link).exists():
        return name
    remove(topology, as_root)
    length = topology.subnet.prefixlen
    commands = (
        f"netns add {name}",
        f"link add {link} type veth peer name eth0 netns {name}",
        f"-n {name} addr add {topology.client_address}/{length} brd + dev eth0",
        f"-n {name} link set dev lo up",
        f"-n {name} link set dev eth0 up",
        f"-n {name} route add default via {topology.gateway}",
        f"link set dev {link} master {topology.bridge} up",
    )
    try:
        for command in commands:
            as_root(["ip", *command.split()])
    except BaseException:
        remove(topology, as_root)
        raise
    return name


def in_use(topology: Topology, as_root: RootCommand) -> bool:
    """Does a process still live in it?"""
    return bool(as_root(["ip", "netns", "pids", namespace(topology)], check=False).stdout.strip())


def remove(topology: Topology, as_root: RootCommand) -> None:
    """Gone, with its link. A namespace that is not there is gone already."""
    if (DEVICES / interface(topology)).exists():
        as_root(["ip", "link", "del", "dev", interface(topology)], check=False)
    if exists(topology):
        as_root(["ip", "netns", "del", namespace(topology)], check=False)
