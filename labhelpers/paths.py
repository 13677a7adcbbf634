"""Where a lab's state lies.

A lab outlives the clone that made it: keys, journal, saves and recordings are all in the lab's own directory on the
machine, so that any clone can take over any lab.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from labhelpers.errors import InvalidLabName

STATE = Path(os.environ.get("WORKSHOP_STATE", "/var/lib/patroni-workshop"))
"""The workshop's directory on this machine: images, and a directory for each lab."""

LONGEST_LAB_NAME = 11
_LAB_NAME = re.compile(rf"[a-z][a-z0-9-]{{0,{LONGEST_LAB_NAME - 1}}}")


def validate_lab_name(name: str) -> str:
    """The name itself. Raises :class:`InvalidLabName`."""
    if not _LAB_NAME.fullmatch(name):
        raise InvalidLabName(name, LONGEST_LAB_NAME)
    return name


@dataclass(frozen=True, slots=True)
class LabPaths:
    """The files of one lab. Those below ``nodes`` and ``lxc`` are root's, the others the user's who runs the lab.

    Raises :class:`InvalidLabName`: no file is ever sought, made or locked for another name.
    """

    lab: str

    def __post_init__(self) -> None:
        validate_lab_name(self.lab)

    @property
    def root(self) -> Path:
        return STATE / "labs" / self.lab

    @property
    def description(self) -> Path:
        """``lab.json``, written last by the set-up: network, image and creation of this lab."""
        return self.root / "lab.json"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def private_key(self) -> Path:
        return self.keys / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.keys / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        return self.root / "ssh_config"

    @property
    def nodes(self) -> Path:
        return self.root / "nodes"

    @property
    def journal(self) -> Path:
        return self.root / "journal"

    @property
    def saves(self) -> Path:
        return self.root / "saves"

    @property
    def recordings(self) -> Path:
        return self.root / "recordings"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def lock(self) -> Path:
        """Locked while the lab is built, restored or destroyed. Beside the lab, so that it outlives a ``down``."""
        return STATE / "locks" / self.lab

    @property
    def exists(self) -> bool:
        return self.description.exists()
