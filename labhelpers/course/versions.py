"""What a result was had with: this machine's software, the nodes', and the Python environment's."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path
from typing import TYPE_CHECKING

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


def lab_versions(lab: Lab) -> dict[str, str]:
    """Versions of what is installed on the nodes; what is not there, or can't be asked now, is left out."""
    found = {}
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
        "patroni-workshop": _version("patroni-workshop"),
        "system": _system(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }
    return found | {name: _version(name) for name in PACKAGES}


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
