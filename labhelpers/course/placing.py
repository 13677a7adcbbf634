"""The parts of a save and of a return to one: the record, the plan, and the replacement of the disks."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labhelpers.course import standing
from labhelpers.course.disks import call
from labhelpers.course.disks.intent import Intent, write_intent
from labhelpers.course.saveerrors import DiskNearlyFull, SaveUnusable
from labhelpers.course.saverecords import (
    FORMAT,
    Expected,
    Kind,
    Save,
    automatic_name,
    new_id,
    now,
    outdated,
    read_saves,
    record_path,
)
from labhelpers.course.standing import Standing
from labhelpers.errors import LabError
from labhelpers.etcd import encode
from labhelpers.i18n import tr
from labhelpers.lifecycle import Report
from labhelpers.paths import STATE, LabPaths

if TYPE_CHECKING:
    from labhelpers.lab import Lab

ROOM_BYTES = 512 << 20
"""What the nodes should find free to go on: logs, WAL, a chapter's packages."""

LONGEST_CHAIN = 30
"""Layers above the image before they are merged: their paths have to fit into 4096 bytes of mount options."""

FreeBytes = Callable[[Path], int]


def free_bytes(directory: Path) -> int:
    return shutil.disk_usage(directory).free


@dataclass(frozen=True, slots=True)
class Keeping:
    """The present disks become a save: the record, the layer that takes what the nodes wrote, and the layers that are
    merged into the record's one where they would be too many."""

    record: Save
    layer: str
    merged: tuple[str, ...] = ()


def keeping(record: Save, longest_chain: int = LONGEST_CHAIN) -> Keeping:
    if len(record.layers) <= longest_chain:
        return Keeping(record, record.layers[0])
    return Keeping(replace(record, layers=(new_id(),)), record.layers[0], record.layers)


def description(paths: LabPaths) -> dict[str, Any]:
    written: dict[str, Any] = json.loads(paths.description.read_text(encoding="utf-8"))
    return written


def packages_of(image: str) -> str:
    """A digest of the packages in an image, with their versions."""
    status = (STATE / "images" / image / "root/var/lib/dpkg/status").read_text(encoding="utf-8")
    kept = sorted(line for line in status.splitlines() if line.startswith(("Package: ", "Version: ")))
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()[:16]


def present_layers(paths: LabPaths, node: str) -> tuple[str, ...]:
    """The chain that the nodes stand on, the uppermost first."""
    lines = (paths.nodes / node / "layers").read_text(encoding="utf-8").splitlines()
    return tuple(Path(line).parent.name for line in lines[:-1])


def record(
    lab: Lab,
    name: str,
    kind: Kind,
    expected: Expected,
    *,
    state: str | None = None,
    layers: tuple[str, ...] | None = None,
    before: str | None = None,
) -> Save:
    about = description(lab.paths)
    if layers is None:
        layers = (new_id(), *present_layers(lab.paths, lab.topology.names[0]))
    return Save(
        id=new_id(), name=name, kind=kind, created_at=now(), network=lab.topology.network, image=about["image"],
        packages=packages_of(about["image"]), nodes=lab.topology.names, layers=layers, expected=expected,
        secrets=_secrets(lab.paths), state=state, before=before, id_base=about["id_base"],
    )  # fmt: skip


def _secrets(paths: LabPaths) -> dict[str, str]:
    return {path.stem: path.read_text(encoding="ascii") for path in paths.keys.glob("*.secret")}


def automatic(lab: Lab, target: Save) -> Save:
    name = automatic_name(save.name for save in read_saves(lab.paths))
    return record(lab, name, "automatic", standing.expectations(lab), before=target.name)


def first_started(lab: Lab, leader: str | None) -> list[str]:
    """All nodes; where a leader is to come, those that PostgreSQL's wait for."""
    return [node for node in lab.topology.names if leader is None or node not in lab.topology.postgres]


def why_unusable(lab: Lab, save: Save) -> str | None:
    """Why the lab can't be put there, None where it can.

    Images may differ in what does not matter here, such as the mirror that they were built from: the packages may not.
    """
    about = description(lab.paths)
    if save.format != FORMAT:
        return tr(f"it was made by another version of the workshop (format {save.format}, this one is {FORMAT})",
                  f"elle vient d'une autre version de l'atelier (format {save.format}, ici {FORMAT})")  # fmt: skip
    if save.network != lab.topology.network:
        return tr(f"its nodes are in {save.network}.0/24, and this lab is in {lab.topology.network}.0/24",
                  f"ses nœuds sont dans {save.network}.0/24, ce lab est dans {lab.topology.network}.0/24")  # fmt: skip
    if save.nodes != lab.topology.names:
        return tr(
            f"it has other nodes ({', '.join(save.nodes)})",
            f"elle a d'autres nœuds ({', '.join(save.nodes)})",
        )
    if save.id_base is None and save.image != about["image"]:
        return tr(f"it lies on the image {save.image}, and this lab on {about['image']}",
                  f"elle repose sur l'image {save.image}, ce lab sur {about['image']}")  # fmt: skip
    if save.id_base not in (None, about["id_base"]):
        return tr(f"its files belong to the ids from {save.id_base}, and this lab's nodes have those from "
                  f"{about['id_base']}",
                  f"ses fichiers sont aux identifiants à partir de {save.id_base}, ce lab a ceux à partir de "
                  f"{about['id_base']}")  # fmt: skip
    if save.packages != packages_of(about["image"]):
        return tr(
            "the image here has other versions of the packages",
            "l'image d'ici a d'autres versions des paquets",
        )
    return None


def require_usable(lab: Lab, save: Save) -> None:
    """Raises :class:`SaveUnusable` where the lab can't be put there, with the reason."""
    why = why_unusable(lab, save)
    if why:
        raise SaveUnusable(save.name, why, lab.name)


def require_room(lab: Lab, free: FreeBytes) -> None:
    """Raises :class:`DiskNearlyFull` where fewer than ``ROOM_BYTES`` bytes are free."""
    available = free(lab.paths.root)
    if available < ROOM_BYTES:
        raise DiskNearlyFull(lab.paths.root, available, ROOM_BYTES, lab.name)


def plan(lab: Lab, action: str, target: Save, kept: Keeping | None) -> dict[str, Any]:
    about = description(lab.paths)
    topology = lab.topology
    where = Standing(target.id, target.name, target.state, False, None, target.expected)
    return {
        "id": new_id(), "action": action, "name": target.name, "lab": lab.name,
        "lxc_path": str(topology.lxc_path), "group": topology.group, "id_base": about["id_base"],
        "image_root": str(STATE / "images" / about["image"] / "root"),
        "nodes": {node.name: node.address for node in topology.nodes},
        "layers": list(target.layers), "keep": kept.layer if kept else None,
        "save": kept.record.to_json() if kept else None,
        "merge": {"into": kept.record.layers[0], "layers": kept.merged} if kept and kept.merged else None,
        "order": stop_order(lab) if action == "save" else None, "secrets": target.secrets,
        "first": first_started(lab, target.expected.first), "state": where.to_json(),
        "release": {
            "freeze": list(topology.postgres), "key": encode(lab.etcd.leader_key_path),
            "urls": [lab.etcd.url(node) for node in topology.etcd],
        },
    }  # fmt: skip


def stop_order(lab: Lab) -> list[list[str]]:
    """Replicas, leader, etcd: each waits for those before it."""
    try:
        leader = lab.patroni.leader()
    except LabError:
        leader = None
    first = [*lab.topology.replicas(leader), *lab.topology.backup]
    return [group for group in (first, [leader] if leader else [], list(lab.topology.etcd)) if group]


def carry_out(lab: Lab, plan: dict[str, Any], step: str, progress: Report) -> dict[str, float]:
    """Carry the plan out, as root; incidents end with the nodes that had them."""
    from labhelpers import incidents

    incidents.forget(lab)
    lab.nodes.close()
    write_intent(lab.paths, Intent(plan["id"], plan["action"], plan["name"]))
    with ThreadPoolExecutor(max_workers=1) as pool:
        work = pool.submit(call, lab.paths, "commit", plan)
        while not work.done():
            progress(step, lab.containers.states())
            time.sleep(0.1)
        parts = work.result()
    return {name: float(seconds) for name, seconds in parts.items()}


def prune(lab: Lab) -> None:
    """The oldest automatic saves make room for one that was made just now.

    Only then: the state that was left without a new save is one of them, and the lab was there a moment ago.
    """
    where = standing.read_standing(lab.paths)
    for save in outdated(read_saves(lab.paths), where.save if where else None):
        record_path(lab.paths, save).unlink(missing_ok=True)


def collect(lab: Lab) -> None:
    """Layers that nothing needs any more go."""
    call(lab.paths, "collect", {})
