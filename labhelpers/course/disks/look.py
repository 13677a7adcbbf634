"""What the nodes have written, what the layers weigh, and which of them nobody needs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import stat
from pathlib import Path
from typing import Any

from labhelpers.course.disks.files import files_below, remove
from labhelpers.course.disks.plan import plan_file

Document = dict[str, Any]

LARGE_BYTES = 1 << 20
"""Files above it are known by size and time, smaller ones by their content."""

NOISE = re.compile(
    r"""(var/log|var/lib/etcd|var/lib/systemd|var/lib/private|var/lib/dbus|var/cache/ldconfig|run)/
      |(var/)?tmp/systemd-private
      |(etc|var)/\.updated$ | etc/\.pwd\.lock$ | etc/ld\.so\.cache$
      |var/lib/postgresql/[^/]+/[^/]+/(base|global|pg_\w+|postmaster\.\w+|current_logfiles|log)(/|$)
      |var/lib/postgresql/[^/]+/[^/]+/(postgresql\.conf\.backup|pg_hba\.conf\.backup|patroni\.dynamic\.json)$
      |etc/postgresql/[^/]+/[^/]+/\w+\.conf\.backup$""",
    re.VERBOSE,
)
"""What a node writes by itself while nobody touches it. Data are judged by the database and by etcd, not by files."""


DATA = {"postgresql": "var/lib/postgresql/*/*/PG_VERSION", "etcd": "var/lib/etcd/*/member"}
"""What is there where a service has data."""


def scan(document: Document) -> Document:
    """For each node a digest of what it wrote that a node left alone does not write, the names of those files, and the
    services whose data it has."""
    found = {}
    for node in document["nodes"]:
        upper = Path(document["lab_dir"]) / "nodes" / node / "upper"
        digest = hashlib.sha256()
        names = []
        for path in sorted(files_below(upper)):
            name = str(path.relative_to(upper))
            if NOISE.match(name):
                continue
            with contextlib.suppress(FileNotFoundError):  # it went while we looked
                digest.update(f"{name}\0{identity_of(path)}\0".encode())
                names.append(name)
        hosts = upper / "etc/hosts"
        written = hosts.read_text(errors="replace") if hosts.is_file() and not hosts.is_symlink() else None
        found[node] = {"digest": digest.hexdigest(), "names": names[:200], "hosts": written,
                       "data": services_with_data(Path(document["lab_dir"]) / "nodes" / node / "root")}  # fmt: skip
    return found


def services_with_data(root: Path) -> list[str]:
    """Those whose files are noise here, as a node that runs has them on its whole disk."""
    return [service for service, mark in DATA.items() if any(root.glob(mark))]


def identity_of(path: Path) -> str:
    about = path.lstat()
    kind = f"{about.st_mode:o} {about.st_uid} {about.st_gid}"
    if stat.S_ISLNK(about.st_mode):
        return f"{kind} {path.readlink()}"
    if not stat.S_ISREG(about.st_mode):
        return kind
    if about.st_size > LARGE_BYTES:
        return f"{kind} {about.st_size} {about.st_mtime_ns}"
    return f"{kind} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def sizes(document: Document) -> Document:
    layers = Path(document["lab_dir"]) / "saves" / "layers"
    found = {}
    for layer in sorted(layers.iterdir()) if layers.is_dir() else []:
        blocks = {}
        for path in files_below(layer):
            about = path.lstat()
            blocks[about.st_ino] = about.st_blocks
        found[layer.name] = 512 * sum(blocks.values())
    return found


def collect(document: Document) -> Document:
    """Whatever a save or a node refers to stays; nothing is removed while a plan is under way."""
    lab = Path(document["lab_dir"])
    saves = lab / "saves"
    if plan_file(lab).exists():
        return {"removed": []}
    needed: set[str] = set()
    for save in saves.glob("*.json"):
        needed.update(json.loads(save.read_text())["layers"])
    for written in lab.glob("nodes/*/layers"):
        needed.update(Path(line).parent.name for line in written.read_text().splitlines())
    removed = []
    for layer in (saves / "layers").glob("*"):
        if layer.name not in needed:
            remove(layer)
            removed.append(layer.name)
    remove(saves / "trash")
    if not (lab / "lab.json").exists() and not any(saves.glob("*.json")):
        remove(saves)
        with contextlib.suppress(OSError):  # something else is there
            lab.rmdir()
    return {"removed": removed}


def keep_named(document: Document) -> Document:
    """The lab goes, its nodes are gone: what a person saved under a name stays."""
    lab = Path(document["lab_dir"])
    plan_file(lab).unlink(missing_ok=True)
    for path in (lab / "saves").glob("*.json"):
        if json.loads(path.read_text())["kind"] != "named":
            path.unlink()
    return collect(document)
