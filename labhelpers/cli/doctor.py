"""``workshop doctor``: what this machine lacks, and the command that mends it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from labhelpers.cli.options import lab_option
from labhelpers.i18n import tr
from labhelpers.meant import command, program
from labhelpers.paths import STATE

MEMORY_MB_NEEDED = 2000
"""Seven nodes at the end of the course, JupyterLab and a browser beside them."""

COMMANDS = {
    "lxc-start": "lxc", "newuidmap": "uidmap", "mmdebstrap": "mmdebstrap", "nft": "nftables", "ip": "iproute2",
    "ssh": "openssh-client", "ssh-keygen": "openssh-client",
}  # fmt: skip
"""Each command that the lab calls, and Debian's package that has it."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing looked at. ``mend`` is the command that mends it, ``None`` where all is well."""

    subject: str
    found: str
    mend: str | None = None


def _memory_mb() -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024 // 1_000_000
    return 0


def room(*, disk_mb: int, disk_mb_needed: int, memory_mb: int, lab_is_up: bool) -> Iterator[Diagnosis]:
    """Disk and memory. A lab that is up has its memory already, and what is free beside it says nothing."""
    yield Diagnosis(tr("disk", "disque"), tr(f"{disk_mb} MB free", f"{disk_mb} Mo libres"),
                    None if disk_mb >= disk_mb_needed else f"df -h {STATE.parent}   # {disk_mb_needed} MB")  # fmt: skip
    enough = lab_is_up or memory_mb >= MEMORY_MB_NEEDED
    yield Diagnosis(tr("memory", "mémoire"), tr(f"{memory_mb} MB free", f"{memory_mb} Mo libres"),
                    None if enough else f"free -m   # {MEMORY_MB_NEEDED} MB")  # fmt: skip


def _root() -> Diagnosis:
    from labhelpers.errors import HostProblem
    from labhelpers.host import SudoAsksForPassword, require_root_without_terminal

    try:
        require_root_without_terminal()
    except SudoAsksForPassword as problem:
        return Diagnosis("root", tr("with a password", "avec mot de passe"), problem.remedy)
    except HostProblem:
        return Diagnosis("root", tr("neither root nor sudo", "ni root ni sudo"), "su -c 'apt install sudo'")
    return Diagnosis("root", tr("yes", "oui"))


def diagnose(lab: str) -> Iterator[Diagnosis]:
    """Look at this machine, one thing after the other."""
    from labhelpers.containers import CGROUPS
    from labhelpers.lifecycle import is_up
    from labhelpers.playbook.files import preflight
    from labhelpers.topology import load_topology

    yield Diagnosis(
        tr("system", "système"), f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = sorted({package for command, package in COMMANDS.items() if not shutil.which(command, path=path)})
    yield Diagnosis(
        tr("packages", "paquets"),
        tr("missing: ", "manquants : ") + ", ".join(missing) if missing else tr("all there", "tous là"),
        f"sudo apt install {' '.join(missing)}" if missing else None,
    )  # fmt: skip
    yield _root()
    overlay = "overlay" in Path("/proc/filesystems").read_text(encoding="ascii") or Path("/sys/module/overlay").exists()
    yield Diagnosis("overlayfs", tr("yes", "oui") if overlay else tr("not loaded", "non chargé"),
                    None if overlay else "sudo modprobe overlay")  # fmt: skip
    freezer = (CGROUPS / "freezer").is_dir() or (CGROUPS / "cgroup.controllers").exists()
    yield Diagnosis(tr("freezer (cgroups)", "gel (cgroups)"), tr("yes", "oui") if freezer else tr("none", "absent"),
                    None if freezer else "sudo mount -t cgroup2 none /sys/fs/cgroup")  # fmt: skip
    ready = is_up(load_topology(lab))
    yield from room(
        disk_mb=preflight.megabytes_free(STATE), disk_mb_needed=preflight.megabytes_needed(STATE, lab),
        memory_mb=_memory_mb(), lab_is_up=ready,
    )  # fmt: skip
    images = [each.name for each in (STATE / "images").glob("[!.]*")] if (STATE / "images").is_dir() else []
    yield Diagnosis(tr("image", "image"), ", ".join(images) or tr("not built yet", "pas encore construite"),
                    None if images else f"{program()} warmup")  # fmt: skip
    yield Diagnosis(f"lab {lab}", tr("up", "prêt") if ready else tr("not up", "pas prêt"),
                    None if ready else command("up", lab))  # fmt: skip


@click.command()
@lab_option
def doctor(lab: str) -> int:
    """What this machine lacks for the lab, and the command that mends it."""
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(tr("Looking at this machine", "Examen de cette machine")):
        found = list(diagnose(lab))
    subjects = max(len(each.subject) for each in found)
    sights = max(len(each.found) for each in found)
    console = Console()
    for each in found:
        mark = Text("✓", "green") if each.mend is None else Text("→", "yellow")
        line = Text.assemble(mark, f" {each.subject:{subjects}}  {each.found:{sights}}  {each.mend or ''}".rstrip())
        console.print(line, soft_wrap=True)  # a command is copied whole
    return 1 if any(each.mend for each in found) else 0
