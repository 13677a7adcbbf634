"""What a result was had with: this machine's software, the nodes', and the Python environment's."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labhelpers.course import placing
from labhelpers.course.chapters import clone_root

if TYPE_CHECKING:
    from labhelpers.lab import Lab

PACKAGES = ("jupyterlab", "papermill", "nbval", "ipykernel", "fabric", "psycopg", "plotly", "pandas")

ON_NODES = {
    "Debian": ("e1", "cat /etc/debian_version"),
    "etcd": ("e1", "dpkg-query -f '${Version}' -W etcd-server"),
    "PostgreSQL": ("pg-1", "dpkg-query -f '${Version}' -W 'postgresql-[0-9]*' | head -n 1"),
    "Patroni": ("pg-1", "dpkg-query -f '${Version}' -W patroni"),
    "pgBackRest": ("pg-1", "dpkg-query -f '${Version}' -W pgbackrest"),
}
"""Which node tells the version of what, and how. A chapter may have to install it first."""
SECONDS = 10.0
"""For each of them, and for a command here."""


def lab_versions(lab: Lab) -> dict[str, str]:
    """The nodes' image, and the versions of what is installed on them; what is not there, or can't be asked now, is
    left out.
    """
    found = {"image": str(placing.description(lab.paths)["image"])}
    for name, (node, command) in ON_NODES.items():
        answer = lab.nodes[node].try_run(command, timeout=SECONDS)
        version = answer.stdout.strip()
        if answer.ok and version:
            found[name] = version
    return found


def packages() -> dict[str, str]:
    """Every package of this Python environment."""
    found = {each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def versions() -> dict[str, str]:
    """Names and versions of what the course runs on, on this machine."""
    found = {
        "patroni-workshop": _course(),
        "system": _system(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "lxc": _said(["lxc-start", "--version"]),
    }
    return found | {name: _version(name) for name in PACKAGES}


def _course() -> str:
    """The package's version and, in a clone, the commit (``-dirty`` where files differ from it)."""
    version = _version("patroni-workshop")
    clone = clone_root()
    if not (clone / ".git").exists():
        return version
    # The clone may be another user's than root's, who runs the batch.
    said = _said(["git", "-c", f"safe.directory={clone}", "-C", str(clone), "describe", "--always", "--dirty"])
    return f"{version} {said}".strip()


def _said(argv: Sequence[str]) -> str:
    """What a command here prints; "" where it is not there or fails."""
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "-"


def _system() -> str:
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.system()
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return values.get("PRETTY_NAME", platform.system()).strip('"')
