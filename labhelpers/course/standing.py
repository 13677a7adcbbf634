"""Where the lab stands: which save it was put at, and whether anybody has changed it since.

Nodes that are left alone still write (logs, heartbeats), so it is not their files alone that are compared: of the files
those that a node does not touch by itself, of the database its next transaction and its members' timelines, of etcd all
keys but Patroni's heartbeats. Whatever can't be read counts as changed: a state too many is kept, never one too few. So
does a database that no Patroni leads, and an etcd that does not serve: what they hold is not looked into.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from labhelpers.course.disks import DiskProblem, call
from labhelpers.course.saverecords import Expected
from labhelpers.errors import LabError
from labhelpers.host import http_client
from labhelpers.paths import LabPaths

if TYPE_CHECKING:
    from labhelpers.lab import Lab

HEARTBEATS = ("/leader", "/status", "/optime/leader")
OWN_FILES = frozenset(
    ("etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/machine-id", "root/.ssh/authorized_keys",
     "etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_ed25519_key.pub")
)  # fmt: skip
"""What a fresh node has written: what is its own."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What ``state.json`` says. ``settled``: the nodes were seen to be well there."""

    save: str
    name: str
    state: str | None
    settled: bool
    fingerprint: str | None
    expected: Expected

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def standing_path(paths: LabPaths) -> Path:
    return paths.root / "state.json"


def read_standing(paths: LabPaths) -> Standing | None:
    try:
        written = json.loads(standing_path(paths).read_text(encoding="utf-8"))
        return Standing(**{**written, "expected": Expected(**written["expected"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_standing(paths: LabPaths, standing: Standing) -> None:
    path = standing_path(paths)
    new = path.with_suffix(".mine")
    new.write_text(json.dumps(standing.to_json()), encoding="utf-8")
    new.replace(path)


def look(lab: Lab) -> str | None:
    """The lab's fingerprint; None where something can't be read, as after an incident."""
    if set(lab.containers.states().values()) != {"running"}:
        return None
    try:
        with ThreadPoolExecutor(max_workers=1) as pool:
            scanning = pool.submit(call, lab.paths, "scan", {"nodes": list(lab.topology.names)})
            expected = expectations(lab)
            etcd = _etcd_digest(lab) if expected.etcd else None
            database = _database(lab) if expected.replicas is not None else None
            files = scanning.result()
        if holds_what_nobody_tells(files, expected):
            return None
        seen = {
            "files": {node: found["digest"] for node, found in files.items()},
            "expected": asdict(expected),
            "etcd": etcd,
            "database": database,
        }
    except (LabError, DiskProblem):
        return None
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def holds_what_nobody_tells(files: Mapping[str, Mapping[str, Any]], expected: Expected) -> bool:
    """Whether a node has data of a service that can't be asked for them: a PostgreSQL on its own, an etcd at rest."""
    silent = {"postgresql": expected.replicas is None, "etcd": not expected.etcd}
    return any(silent[service] for found in files.values() for service in found["data"])


def is_fresh(lab: Lab) -> bool:
    """Nobody has written anything on any node since the lab was built."""
    layers = lab.paths.nodes.glob("*/layers")
    if any(len(path.read_text(encoding="utf-8").split()) > 1 for path in layers):
        return False
    try:
        found = call(lab.paths, "scan", {"nodes": list(lab.topology.names)})
    except DiskProblem:
        return False
    hosts = lab.paths.root / "hosts"
    return all(
        OWN_FILES.issuperset(seen["names"]) and seen["hosts"] == hosts.read_text(encoding="utf-8")
        for seen in found.values()
    )


def expectations(lab: Lab) -> Expected:
    """What is well now."""
    running = lab.containers.states()
    etcd = all(running[node] == "running" for node in lab.topology.etcd) and lab.etcd.has_quorum()
    replicas = first = None
    if etcd:
        try:
            cluster = lab.patroni.cluster()
        except LabError:
            cluster = None
        leader = cluster.leader if cluster else None
        if cluster and leader and leader.state == "running":
            first = leader.name
            replicas = sum(m.state == "streaming" and m.timeline == leader.timeline for m in cluster.replicas)
    return Expected(etcd, replicas, first)


def _etcd_digest(lab: Lab) -> str:
    told: dict[str, dict[str, str]] = {}
    for node in lab.topology.etcd:
        with contextlib.suppress(httpx.HTTPError, ValueError):
            told[node] = _all_keys(lab, node)
    if not told:
        raise DiskProblem("etcd does not answer")
    return digest_of(told)


def digest_of(told: Mapping[str, Mapping[str, str]]) -> str:
    """Of the keys that each node told. A cluster's nodes tell the same, whichever of them answer; those of three that
    are on their own need not."""
    kept = {
        node: {
            key: value
            for key, value in keys.items()
            if not (key.startswith("/postgresql-common/") and (key.endswith(HEARTBEATS) or "/members/" in key))
        }
        for node, keys in told.items()
    }
    first = next(iter(kept.values()))
    same = all(keys == first for keys in kept.values())
    return hashlib.sha256(json.dumps(first if same else kept, sort_keys=True).encode()).hexdigest()


def _all_keys(lab: Lab, node: str) -> dict[str, str]:
    """Whatever its name begins with: from the key of one zero byte on (https://etcd.io/docs/v3.5/learning/api/)."""
    everything = base64.b64encode(b"\0").decode()
    body = {"key": everything, "range_end": everything}
    answer = http_client().post(f"{lab.etcd.url(node)}/v3/kv/range", json=body, timeout=2)
    pairs = answer.raise_for_status().json().get("kvs", ())
    return {base64.b64decode(pair["key"]).decode(errors="replace"): pair.get("value", "") for pair in pairs}


def _database(lab: Lab) -> list[Any]:
    """The leader, its next transaction, and each member's role and timeline."""
    cluster = lab.patroni.cluster()
    leader = cluster.leader
    if leader is None:
        raise DiskProblem("no leader")
    asked = 'psql -XAtc "select pg_snapshot_xmax(pg_current_snapshot())"'
    following = lab.nodes[leader.name].run(asked, user="postgres", timeout=10).stdout.strip()
    return [
        following,
        [(m.name, m.role, m.timeline, m.pending_restart) for m in cluster.members],
        cluster.paused,
    ]
