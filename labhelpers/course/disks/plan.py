"""The plan is the promise that a lab is never a mixture of two states.

Before it is on the disk nothing has changed; once it is there, it is carried out, by whoever comes next, from any point
at which it was cut off; when it is gone, all nodes have their new disks.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from labhelpers.course.disks.files import DiskProblem, remove, sync, write
from labhelpers.course.disks.intent import require_wanted
from labhelpers.course.disks.merge import merge
from labhelpers.course.disks.node import adopt, lay, put_upper_away
from labhelpers.i18n import tr
from labhelpers.meant import command

Document = dict[str, Any]

STOP_SECONDS = 40
"""For an ordered stop of a node; then it is killed."""


def commit(plan: Document) -> Document:
    """Write the plan down and carry it out; the seconds of its parts.

    Raises :class:`DiskProblem`. Where another change is not finished, or what the plan needs is not there, nothing is
    changed then.
    """
    lab = Path(plan["lab_dir"])
    require_wanted(lab, plan["id"])
    if plan_file(lab).exists():
        up = command("up", lab.name)
        raise DiskProblem(
            tr(f"Another change of the disks is not carried out yet. Finish it: {up}",
               f"Un autre changement des disques n'est pas encore terminé. Pour le terminer : {up}")
        )  # fmt: skip
    for node in plan["nodes"]:
        config = Path(plan["lxc_path"]) / node / "config"
        if f"lxc.group = {plan['group']}" not in config.read_text().splitlines():
            raise DiskProblem(
                tr(f"The container {node} is not the lab's (no mark {plan['group']}): it stays as it is.",
                   f"Le conteneur {node} n'est pas au lab (marque {plan['group']} absente) : il reste intact.")
            )  # fmt: skip
    for layer in plan["merge"]["layers"] if plan["merge"] else plan["layers"]:
        if layer != plan["keep"] and not (lab / "saves" / "layers" / layer).is_dir():
            raise DiskProblem(
                tr(f"The save's layer {layer} is not there: the save can't be used.",
                   f"La couche {layer} de la sauvegarde est absente : la sauvegarde est inutilisable.")
            )  # fmt: skip
    write(plan_file(lab), json.dumps(plan), mode=0o600)
    return carry_out(plan)


def finish(document: Document) -> Document:
    """The plan that was left, and what became of it; nothing where there is none."""
    lab = Path(document["lab_dir"])
    if not plan_file(lab).exists():
        return {}
    plan = json.loads(plan_file(lab).read_text())
    return {"plan": {name: plan[name] for name in ("action", "name")}, **carry_out(plan, document.get("start", True))}


def plan_file(lab: Path) -> Path:
    return lab / "plan.json"


def carry_out(plan: Document, and_start: bool = True) -> Document:
    """Every step may be repeated. Returns the seconds of the parts."""
    lab = Path(plan["lab_dir"])
    began = time.monotonic()
    stop(plan)
    stopped = time.monotonic()
    for node in plan["nodes"]:
        put_upper_away(plan, node)
    if plan["merge"]:
        merge_all(plan)
    for node in plan["nodes"]:
        lay(plan, node)
    adopt(plan)
    if plan["save"]:
        owner = (lab / "saves").stat()
        path = lab / "saves" / f"{plan['save']['id']}.json"
        write(path, json.dumps(plan["save"], indent=1), mode=0o600, owner=owner)
    if plan["state"]:
        write(lab / "state.json", json.dumps(plan["state"]), mode=0o644, owner=lab.stat())
    plan_file(lab).unlink()
    sync(lab)
    switched = time.monotonic()
    if and_start:
        start(plan)
    return {
        "stop": round(stopped - began, 3),
        "switch": round(switched - stopped, 3),
        "start": round(time.monotonic() - switched, 3),
    }


def lxc(plan: Document, command: str, node: str, *arguments: str) -> list[str]:
    return [command, "-P", plan["lxc_path"], "-n", node, *arguments]


def at_once(commands: Iterable[list[str]], timeout: float = 90) -> list[int]:
    """Run them side by side; their statuses. Raises ``TimeoutExpired`` where one goes on for ``timeout`` seconds."""
    null = subprocess.DEVNULL
    running = [subprocess.Popen(command, stdin=null, stdout=null, stderr=null) for command in commands]
    return [process.wait(timeout=timeout) for process in running]


def stop(plan: Document) -> None:
    """In good order, or all at once. Before a kill whose disks are kept, the databases' time is stopped and the leader
    key is given back: a key that stays costs its ttl on the way back. A node that goes on for ``STOP_SECONDS`` seconds
    is killed. Raises :class:`DiskProblem` where one runs on all the same."""
    nodes = plan["nodes"]
    if plan["order"]:
        at_once(lxc(plan, "lxc-unfreeze", node) for node in nodes if is_mounted(plan, node))
        for group in plan["order"]:
            at_once(lxc(plan, "lxc-stop", node, "-t", str(STOP_SECONDS)) for node in group)
    elif plan["keep"] and plan["release"]:
        release = plan["release"]
        at_once(lxc(plan, "lxc-freeze", node) for node in release["freeze"] if is_mounted(plan, node))
        release_leader_key(release)
    at_once(lxc(plan, "lxc-stop", node, "-k") for node in nodes)
    ended = at_once(lxc(plan, "lxc-wait", node, "-s", "STOPPED", "-t", "30") for node in nodes)
    if any(ended):
        late = ", ".join(node for node, status in zip(nodes, ended, strict=True) if status)
        raise DiskProblem(
            tr(f"{late} did not stop. The same command goes on from here.",
               f"{late} ne s'est pas arrêté. La même commande reprendra d'ici.")
        )  # fmt: skip
    for node in nodes:
        unmount(Path(plan["lab_dir"]) / "nodes" / node / "root")


def release_leader_key(release: Document) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    body = json.dumps({"key": release["key"]}).encode()
    for url in release["urls"]:
        with contextlib.suppress(OSError):
            opener.open(urllib.request.Request(f"{url}/v3/kv/deleterange", body), timeout=1).read()
            return


def is_mounted(plan: Document, node: str) -> bool:
    return os.path.ismount(Path(plan["lab_dir"]) / "nodes" / node / "root")


def unmount(root: Path) -> None:
    """LXC's hook does it after the stop; where it was cut off, or two starts had mounted it, we do."""
    deadline = time.monotonic() + 2
    while os.path.ismount(root):
        if time.monotonic() > deadline:
            subprocess.run(["umount", "-l", str(root)], check=True, timeout=20)
        else:
            time.sleep(0.02)


def start(plan: Document) -> None:
    """Start the nodes that are first. Raises :class:`DiskProblem`, which names those that did not start."""

    def starting(node: str) -> list[str]:
        log = Path(plan["lab_dir"]) / "log" / f"{node}.log"
        return lxc(plan, "lxc-start", node, "-o", str(log), "-l", "WARN")

    failed = [node for node, status in zip(plan["first"], at_once(map(starting, plan["first"])), strict=True) if status]
    if failed:
        names, lab = ", ".join(failed), Path(plan["lab_dir"])
        up = command("up", lab.name)
        raise DiskProblem(
            tr(f"{names} did not start; look into {lab}/log, then: {up}",
               f"{names} n'a pas démarré ; voyez {lab}/log, puis : {up}")
        )  # fmt: skip


def merge_all(plan: Document) -> None:
    """The chain of layers as one: names are linked, no byte is copied (the options of a mount have 4096 bytes)."""
    layers = Path(plan["lab_dir"]) / "saves" / "layers"
    into, new = layers / plan["merge"]["into"], layers / f"{plan['merge']['into']}.new"
    if into.exists():
        return
    remove(new)
    new.mkdir(mode=0o755)
    for node in plan["nodes"]:
        merge([layers / layer / node for layer in plan["merge"]["layers"]], new / node)
    new.rename(into)
    sync(layers)
