"""A save as a file, for another machine: a trainer helps a trainee.

The file is a compressed tar: ``save.json``, then the layers with owners, extended attributes and the overlay's marks
(a removed file is a character device 0:0). Whoever takes one unpacks it as root, so it is judged first: nothing but a
layer's files, of the nodes' own users, may be in it.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labhelpers.course import placing
from labhelpers.course.disks import call
from labhelpers.course.disks.owners import ID_RANGE
from labhelpers.course.placing import FreeBytes, free_bytes
from labhelpers.course.saveerrors import BadArchive, NoPlaceToExport, NoRoomToExport, SaveExists
from labhelpers.course.saverecords import NAME, Save, new_id, read_saves, record_path
from labhelpers.host import as_root
from labhelpers.i18n import megabytes, tr
from labhelpers.lifecycle import Report, locked, say_waiting, silent
from labhelpers.paths import LabPaths

if TYPE_CHECKING:
    from labhelpers.lab import Lab

ID = re.compile(r"[0-9a-f]{8}")
TAR_SECONDS = 900.0
ATTRIBUTES = ["--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner"]
HARMLESS_ATTRIBUTES = (
    "SCHILY.xattr.trusted.overlay.", "SCHILY.xattr.user.", "SCHILY.xattr.security.capability", "SCHILY.acl.",
    "SCHILY.xattr.system.posix_acl",
)  # fmt: skip


def export(save: Save, paths: LabPaths, file: Path, *, progress: Report = silent, free: FreeBytes = free_bytes) -> int:
    """Write the save into ``file``, and return its size in bytes.

    Raises :class:`NoPlaceToExport`, and :class:`NoRoomToExport` where it might not fit even uncompressed.
    """
    if not file.parent.is_dir():
        raise NoPlaceToExport(file.parent)
    weights = call(paths, "sizes", {})
    needed, available = sum(int(weights[layer]) for layer in save.layers), free(file.parent)
    if available < needed:
        raise NoRoomToExport(file.parent, available, needed)
    part = file.resolve().with_name(f"{file.name}.part")
    with tempfile.TemporaryDirectory() as directory, locked(paths.lab, say_waiting):
        Path(directory, "save.json").write_text(json.dumps(save.to_json()), encoding="utf-8")
        layers = [f"layers/{layer}" for layer in save.layers]
        argv = [
            "tar", *ATTRIBUTES, "--format=posix", "--sort=name", "-I", "gzip -1", "-cf", str(part),
            "-C", directory, "save.json", "-C", str(paths.saves), *layers,
        ]  # fmt: skip
        progress(tr(f"Packing {megabytes(needed)}", f"Empaquetage de {megabytes(needed)}"), {})
        try:
            # The nodes' keys and secrets are in it: root's alone before the first byte, and root's file, since root may
            # be forbidden to open another's in a directory where all may write (fs.protected_regular).
            as_root(["install", "-m", "600", "/dev/null", str(part)])
            as_root(argv, timeout=TAR_SECONDS)
            as_root(["chown", f"{os.getuid()}:{os.getgid()}", str(part)])
            part.replace(file)
        finally:
            as_root(["rm", "-f", str(part)], check=False)
    return file.stat().st_size


def take(lab: Lab, file: Path, *, progress: Report = silent) -> Save:
    """Take a save from a file. Raises :class:`BadArchive`, :class:`SaveUnusable` and :class:`SaveExists`."""
    base = int(placing.description(lab.paths)["id_base"])
    progress(tr(f"Looking into {file.name}", f"Examen de {file.name}"), {})
    save = record_in(file)
    owners = base if save.id_base is None else save.id_base
    placing.require_usable(lab, replace(save, id_base=save.id_base and base))
    judge(file, save, owners)
    if any(known.name == save.name for known in read_saves(lab.paths)):
        raise SaveExists(save.name, lab.name)
    size = sum(_sizes(file))
    placing.require_room(lab, lambda directory: placing.free_bytes(directory) - size)
    saves = lab.paths.saves
    part = saves / f".import-{new_id()}"
    with locked(lab.name, say_waiting):
        try:
            as_root(["mkdir", "-p", str(saves / "layers")])
            as_root(["mkdir", "-m", "700", str(part)])  # nobody meets files of users of this machine there
            progress(tr(f"Unpacking {megabytes(size)}", f"Dépaquetage de {megabytes(size)}"), {})
            as_root(
                ["tar", *ATTRIBUTES, "-I", "gzip", "-xpf", str(file.resolve()), "-C", str(part)],
                timeout=TAR_SECONDS,
            )
            if owners != base:
                call(lab.paths, "shift", {"part": part.name, "old": owners, "new": base})
            for layer in save.layers:
                if not (saves / "layers" / layer).exists():
                    as_root(["mv", str(part / "layers" / layer), str(saves / "layers" / layer)])
            # An automatic one would be the oldest of its kind here, and go with the next.
            taken = replace(save, id=new_id(), kind="named" if save.kind == "automatic" else save.kind)
            if taken.id_base is not None:
                taken = replace(taken, id_base=base)
            _write(record_path(lab.paths, taken), json.dumps(taken.to_json(), indent=1))
        finally:
            as_root(["rm", "-rf", "--one-file-system", str(part)])
            call(lab.paths, "collect", {})
    return taken


def record_in(file: Path) -> Save:
    """The save that the file says it holds. Raises :class:`BadArchive`."""
    with _readable(file) as archive:
        first = archive.next()
        written = archive.extractfile(first) if first and first.name == "save.json" and first.isfile() else None
        if written is None:
            raise BadArchive(file, tr("it does not begin with save.json", "il ne commence pas par save.json"))
        save = Save.from_json(json.load(written))
        if not all(ID.fullmatch(each) for each in save.layers) or not NAME.fullmatch(save.name):
            raise BadArchive(file, tr("its names are none of ours", "ses noms ne sont pas les nôtres"))
        if save.id_base is not None and save.id_base < ID_RANGE:
            raise BadArchive(file, tr("its files would be this machine's own users'",
                                      "ses fichiers seraient aux utilisateurs de cette machine"))  # fmt: skip
    return save


def judge(file: Path, save: Save, id_base: int) -> None:
    """Nothing but what the save needs is in the file, of users from ``id_base`` on. Raises :class:`BadArchive`."""
    with _readable(file) as archive:
        archive.next()
        while member := archive.next():
            why = _why_not(member, save, id_base)
            if why:
                raise BadArchive(file, f"{member.name}: {why}")


@contextmanager
def _readable(file: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(file, "r:gz") as archive:
            yield archive
    except (tarfile.TarError, OSError, EOFError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadArchive(file, tr(f"it is not a save ({error})", f"ce n'est pas une sauvegarde ({error})")) from error


def _why_not(member: tarfile.TarInfo, save: Save, id_base: int) -> str | None:
    parts = Path(member.name).parts
    if len(parts) < 2 or parts[0] != "layers" or parts[1] not in save.layers or ".." in parts:
        return tr("outside the save's layers", "hors des couches de la sauvegarde")
    if member.isblk() or (member.ischr() and (member.devmajor, member.devminor) != (0, 0)):
        return tr("a device", "un périphérique")
    if len(parts) > 2:
        if parts[2] not in save.nodes:
            return tr("of no node", "d'aucun nœud")
        # The overlay's own marks are root's; an empty one harms nobody.
        own = all(id_base <= number < id_base + ID_RANGE for number in (member.uid, member.gid))
        if not own and not member.ischr():
            return tr(f"owned by {member.uid}:{member.gid}, who is no user of a node",
                      f"appartient à {member.uid}:{member.gid}, qui n'est pas un utilisateur d'un nœud")  # fmt: skip
    elif not member.isdir():
        return tr("not a directory", "pas un répertoire")
    strange = [name for name in member.pax_headers if "xattr" in name and not name.startswith(HARMLESS_ATTRIBUTES)]
    if strange:
        return tr(f"attribute {strange[0]}", f"attribut {strange[0]}")
    if member.islnk() and Path(member.linkname).parts[:2] != parts[:2]:
        return tr("a link out of its layer", "un lien hors de sa couche")
    return None


def _sizes(file: Path) -> list[int]:
    with tarfile.open(file, "r:gz") as archive:
        return [member.size for member in archive]


def _write(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(text, encoding="utf-8")
    new.replace(path)
