"""Replace the disks of a lab's nodes, as root: the one program that moves layers. Nothing is copied.

    commit   write the plan, then carry it out     finish   carry out the plan that an interrupted commit left
    scan     what the nodes have written           sizes    of each layer, in bytes
    collect  remove layers that nobody needs        named    remove the saves that no person named
    shift    give what came from elsewhere to the nodes' own users

A node's disk is an overlay: ``nodes/NODE/layers`` (read-only, uppermost first) below ``nodes/NODE/upper``. A layer of a
lab is ``saves/layers/ID/NODE``, for all nodes.

>>> call(lab.paths, "sizes", {})
{'5f0c1a2b': 41230336}
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from labhelpers.course.disks.files import DiskProblem
from labhelpers.host import RootCommandFailed, as_root
from labhelpers.i18n import language
from labhelpers.meant import shell_lab
from labhelpers.paths import LabPaths

TIMEOUT_SECONDS = 240.0


def call(paths: LabPaths, verb: str, document: dict[str, Any]) -> dict[str, Any]:
    """Run the program as root for a lab. Raises :class:`DiskProblem` with its sentence."""
    package = str(Path(__file__).resolve().parents[3])
    settings = [
        f"PYTHONPATH={package}", "PYTHONDONTWRITEBYTECODE=1",
        f"WORKSHOP_LANGUAGE={language()}", f"WORKSHOP_LAB={shell_lab()}",
    ]  # fmt: skip
    argv = ["env", *settings, sys.executable, "-m", "labhelpers.course.disks", verb]
    whole = json.dumps({**document, "lab_dir": str(paths.root)})
    try:
        done = as_root(argv, input=whole, timeout=TIMEOUT_SECONDS)
    except RootCommandFailed as error:
        raise DiskProblem(error.stderr.strip().splitlines()[-1] if error.stderr.strip() else str(error)) from error
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


__all__ = ["DiskProblem", "call"]
