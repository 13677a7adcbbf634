"""One node's disk: its upper directory put away, an empty one with what is the node's own, its layers."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from labhelpers.course.disks.files import remove, sync, write

Plan = dict[str, Any]

HOST_KEY = "etc/ssh/ssh_host_ed25519_key"
AUTHORIZED = "root/.ssh/authorized_keys"


def layer_path(plan: Plan, layer: str, node: str) -> Path:
    return Path(plan["lab_dir"]) / "saves" / "layers" / layer / node


def put_upper_away(plan: Plan, node: str) -> None:
    """What the node wrote becomes a layer, or goes to the trash."""
    upper = Path(plan["lab_dir"]) / "nodes" / node / "upper"
    keep = plan["keep"]
    away = layer_path(plan, keep, node) if keep else Path(plan["lab_dir"]) / "saves" / "trash" / plan["id"] / node
    if not away.exists():
        away.parent.mkdir(parents=True, exist_ok=True)
        for directory in (away.parent, away.parent.parent):
            directory.chmod(0o755)
        upper.rename(away)
        sync(away.parent)


def lay(plan: Plan, node: str) -> None:
    """An empty upper directory, a new work directory, the plan's layers."""
    directory = Path(plan["lab_dir"]) / "nodes" / node
    upper, new, work = directory / "upper", directory / "upper.new", directory / "work"
    layers = [str(layer_path(plan, layer, node)) for layer in plan["layers"]] + [plan["image_root"]]
    if not upper.exists():
        remove(new)
        new.mkdir(mode=0o755)
        for name, (text, mode) in own_files(plan, node, [Path(layer) for layer in layers]).items():
            place(plan, new, name, text, mode)
        dress(plan, new, 0o755)
        new.rename(upper)
    remove(work)
    work.mkdir(mode=0o755)
    write(directory / "layers", "".join(f"{layer}\n" for layer in layers), mode=0o644)


def own_files(plan: Plan, node: str, layers: list[Path]) -> dict[str, tuple[str, int]]:
    """What the layers lack to be this lab's node: all that is its own on a fresh one; on a save from elsewhere the key
    that opens it, and the resolver."""
    lab = Path(plan["lab_dir"])
    key = (lab / "keys" / "id_ed25519.pub").read_text()
    if not plan["layers"]:
        serial = (lab / "serial").read_text().strip()
        return {
            "etc/hostname": (f"{node}\n", 0o644),
            "etc/hosts": ((lab / "hosts").read_text(), 0o644),
            "etc/resolv.conf": ((lab / "resolv.conf").read_text(), 0o644),
            "etc/machine-id": (
                hashlib.md5(f"{plan['lab']}/{node}/{serial}".encode()).hexdigest() + "\n",
                0o644,
            ),
            HOST_KEY: ((lab / "keys" / "host" / node).read_text(), 0o600),
            f"{HOST_KEY}.pub": ((lab / "keys" / "host" / f"{node}.pub").read_text(), 0o644),
            AUTHORIZED: (key, 0o600),
        }
    known = find(layers, AUTHORIZED)
    written = known.read_text() if known else ""
    if key.split()[1] in written:
        return {}
    kept = written if written.endswith("\n") or not written else f"{written}\n"
    return {AUTHORIZED: (kept + key, 0o600), "etc/resolv.conf": ((lab / "resolv.conf").read_text(), 0o644)}


def find(layers: list[Path], name: str) -> Path | None:
    """The file as the overlay of these layers shows it."""
    for layer in layers:
        path = layer / name
        if path.is_file() and not path.is_symlink():
            return path
        if os.path.lexists(path):
            return None
    return None


def place(plan: Plan, upper: Path, name: str, text: str, mode: int) -> None:
    """A file, and the directories above it, as the node's root owns them."""
    path = upper / name
    for parent in reversed(path.relative_to(upper).parents[:-1]):
        if not (upper / parent).is_dir():
            (upper / parent).mkdir()
            dress(plan, upper / parent, 0o700 if parent.parts[0] == "root" else 0o755)
    path.write_text(text)
    dress(plan, path, mode)


def dress(plan: Plan, path: Path, mode: int) -> None:
    os.chown(path, plan["id_base"], plan["id_base"])
    path.chmod(mode)


def adopt(plan: Plan) -> None:
    """The lab knows its nodes by their host keys, and the save's database by its secrets: after a save from elsewhere
    these are the save's."""
    lab = Path(plan["lab_dir"])
    keys = lab / "keys"
    owner = keys.stat()
    known_hosts = ""
    for node, address in plan["nodes"].items():
        layers = [layer_path(plan, layer, node) for layer in plan["layers"]]
        mine = keys / "host" / node
        for suffix, mode in (("", 0o600), (".pub", 0o644)):
            found = find(layers, HOST_KEY + suffix)
            ours = mine.with_name(node + suffix)
            if found and found.read_text() != ours.read_text():
                write(ours, found.read_text(), mode=mode, owner=owner)
        kind, key = mine.with_name(f"{node}.pub").read_text().split()[:2]
        known_hosts += f"{node},{address} {kind} {key}\n"
    if (keys / "known_hosts").read_text() != known_hosts:
        write(keys / "known_hosts", known_hosts, mode=0o644, owner=owner)
    for name, secret in plan["secrets"].items():
        path = keys / f"{name}.secret"
        if not path.exists() or path.read_text() != secret:
            write(path, secret, mode=0o600, owner=owner)
