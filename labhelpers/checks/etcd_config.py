"""Reading ``/etc/default/etcd`` as systemd and etcd do, and judging three of them together.

The rules are systemd's for an environment file (systemd.exec(5)) and etcd's for a static cluster
(https://etcd.io/docs/v3.5/op-guide/clustering/#static).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

DEFAULT_TOKEN = "etcd-cluster"
PEER_PORT, CLIENT_PORT = "2380", "2379"
_INVISIBLE = re.compile(r"[\s\u00a0\u200b-\u200f\u202f\u2060\ufeff]")
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?(ETCD_\w+)(\+?)=(.*)")


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables that take effect, and those written with ``+=``, which systemd ignores."""

    values: Mapping[str, str]
    plus: frozenset[str]

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)


def parse_environment(text: str) -> Environment:
    """Read an environment file: the last assignment wins, quotes go, comment lines are left out."""
    values: dict[str, str] = {}
    plus: set[str] = set()
    for line in text.replace("\\\n", "").splitlines():
        if line.lstrip().startswith(("#", ";")):
            continue
        match = _ASSIGNMENT.fullmatch(line)
        if not match:
            continue
        name, sign, value = match.groups()
        if sign:
            plus.add(name)
            continue
        value = value.strip(" \t\r")
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        values[name] = value
    return Environment(values, frozenset(plus))


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in one node's file: the kind, the variable, its value, and what it should be."""

    key: str
    node: str
    variable: str
    value: str
    expected: str


def has_blank(value: str) -> bool:
    """Whether a value has a blank or an invisible character in it: etcd takes the whole value literally."""
    return bool(_INVISIBLE.search(value))


def urls(value: str) -> list[str]:
    return [url.strip() for url in value.split(",") if url.strip()]


def resolve(url: str, addresses: Mapping[str, str]) -> str:
    """The URL with a node's name replaced by its address: both are right in an advertised URL."""
    match = re.fullmatch(r"(https?://)([^:/]+)(:\d+)?/?", url.strip())
    if not match:
        return url.strip()
    return f"{match[1]}{addresses.get(match[2], match[2])}{match[3] or ''}"


def members_of(value: str, addresses: Mapping[str, str]) -> dict[str, str]:
    """``ETCD_INITIAL_CLUSTER`` as name → peer URL."""
    pairs = (part.partition("=") for part in value.split(",") if part.strip())
    return {name.strip(): resolve(url, addresses) for name, _, url in pairs}


def faults(files: Mapping[str, Environment], addresses: Mapping[str, str], nodes: tuple[str, ...]) -> Iterator[Fault]:
    """What is wrong in the files of ``nodes``, in the order in which a person should mend it.

    ``files`` has the nodes that answered; ``addresses`` leads from each node's name to its address.
    """
    peers = {node: f"http://{addresses[node]}:{PEER_PORT}" for node in nodes}
    wanted = ",".join(f"{node}={peers[node]}" for node in nodes)
    for node, file in files.items():
        yield from _own(node, file, addresses, peers, wanted)
    tokens = {node: file.get("ETCD_INITIAL_CLUSTER_TOKEN", DEFAULT_TOKEN) for node, file in files.items()}
    if len(set(tokens.values())) > 1:
        counted = sorted(tokens.values(), key=lambda token: -list(tokens.values()).count(token))
        for node, token in tokens.items():
            if token != counted[0]:
                yield Fault("config-token", node, "ETCD_INITIAL_CLUSTER_TOKEN", token, counted[0])
    clusters = {node: members_of(file.get("ETCD_INITIAL_CLUSTER"), addresses) for node, file in files.items()}
    named = {
        node: tuple(sorted(members))
        for node, members in clusters.items()
        if set(members.values()) == set(peers.values())
    }
    if len(set(named.values())) > 1:
        node = next(reversed(named))
        yield Fault("config-cluster", node, "ETCD_INITIAL_CLUSTER", files[node].get("ETCD_INITIAL_CLUSTER"), wanted)


def _own(
    node: str, file: Environment, addresses: Mapping[str, str], peers: Mapping[str, str], wanted: str
) -> Iterator[Fault]:
    cluster = file.get("ETCD_INITIAL_CLUSTER")
    if "ETCD_INITIAL_CLUSTER" in file.plus:
        yield Fault("config-plus", node, "ETCD_INITIAL_CLUSTER", "+=", wanted)
        return
    if not cluster:
        yield Fault("config-missing", node, "ETCD_INITIAL_CLUSTER", "", wanted)
        return
    if has_blank(cluster):
        yield Fault("config-space", node, "ETCD_INITIAL_CLUSTER", cluster, wanted)
        return
    members = members_of(cluster, addresses)
    if sorted(members.values()) != sorted(peers.values()):
        yield Fault("config-cluster", node, "ETCD_INITIAL_CLUSTER", cluster, wanted)
        return
    name = file.get("ETCD_NAME", "default")
    if members.get(name) != peers[node]:
        yield Fault(
            "config-name",
            node,
            "ETCD_NAME",
            name,
            next(n for n, url in members.items() if url == peers[node]),
        )
    advertised = sorted(resolve(url, addresses) for url in urls(file.get("ETCD_INITIAL_ADVERTISE_PEER_URLS")))
    if advertised != [peers[node]]:
        yield Fault("config-peer", node, "ETCD_INITIAL_ADVERTISE_PEER_URLS", ",".join(advertised), peers[node])
    client = f"http://{addresses[node]}:{CLIENT_PORT}"
    advertised = sorted(resolve(url, addresses) for url in urls(file.get("ETCD_ADVERTISE_CLIENT_URLS")))
    if advertised != [client] or "ETCD_ADVERTISE_CLIENT_URLS" in file.plus:
        value = ",".join(advertised) or ("+=" if "ETCD_ADVERTISE_CLIENT_URLS" in file.plus else "")
        yield Fault("config-client", node, "ETCD_ADVERTISE_CLIENT_URLS", value, client)
    for variable, own in (("ETCD_LISTEN_PEER_URLS", peers[node]), ("ETCD_LISTEN_CLIENT_URLS", client)):
        port = own.rpartition(":")[2]
        listened = [resolve(url, addresses) for url in urls(file.get(variable))]
        if own not in listened and f"http://0.0.0.0:{port}" not in listened:
            yield Fault("config-listen", node, variable, ",".join(listened), own)
